import Base
import GRDB
import Measure
import PatchFormat

/// The catalogue's data about a patch, read from its file. They can be read from the file again at any time.
struct PatchFacts: Equatable, Sendable {
  let identity, base, target: ContentDigest
  let name, note, recipe, layout: String?
  /// Of the base.
  let baseTensors, baseBytes: Int
  /// Number of tensors that the patch touches.
  let tensors: Int
  /// Their size in bytes in the target; for removed tensors, in the base.
  let tunedBytes: Int
  let fileBytes: Int
  let summary: ForgettingSummary

  init(_ patch: Patch) {
    let header = patch.header
    identity = header.identity
    base = header.baseRoot
    target = header.targetRoot
    name = Self.text(patch, "name", 200)
    note = Self.text(patch, "note", 4000)
    recipe = Self.text(patch, "recipe", 200)
    layout = Self.text(patch, "layout", 200)
    let ofBase = header.tensors.compactMap(\.base)
    baseTensors = ofBase.count
    baseBytes = ofBase.reduce(0) { $0 + $1.info.byteCount }
    let touched = header.touched
    tensors = touched.count
    tunedBytes = touched.reduce(0) { $0 + ($1.target ?? $1.base)!.info.byteCount }
    fileBytes = patch.fileSize
    summary = ForgettingSummary(annotations: patch.annotations, base: header.baseRoot, target: header.targetRoot)
  }

  /// An annotation for the catalogue: annotations may have megabytes, and SQLite's texts end at a zero byte.
  private static func text(_ patch: Patch, _ key: String, _ limit: Int) -> String? {
    patch.annotations[key]?.string?.replacing("\0", with: "\u{FFFD}").prefixBytes(limit)
  }

  // MARK: The row

  /// The columns, in the order of `values`.
  static let columns = [
    "base", "target", "name", "note", "recipe", "tensors", "tuned_bytes", "file_bytes", "status", "learning",
    "learning_low", "learning_high", "learning_items", "forgetting", "forgetting_low", "forgetting_high",
    "forgetting_items", "drift", "learning_status", "forgetting_status", "drift_status",
  ]

  private var values: [(any DatabaseValueConvertible)?] {
    [
      base.data, target.data, name, note, recipe, tensors, tunedBytes, fileBytes, summary.status.rawValue,
      summary.learning?.value, summary.learning?.low, summary.learning?.high, summary.learningItems,
      summary.forgetting?.value, summary.forgetting?.low, summary.forgetting?.high, summary.forgettingItems,
      summary.drift, summary.known.learning.rawValue, summary.known.forgetting.rawValue, summary.known.drift.rawValue,
    ]
  }

  /// Inserts the row, and that of its base.
  func insert(_ db: Database, kind: PatchKind, now: Int) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO bases (root, tensors, bytes, layout, seen) VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (root) DO UPDATE SET tensors = excluded.tensors, bytes = excluded.bytes,
          layout = coalesce(layout, excluded.layout)
        """
    ).execute(arguments: [base.data, baseTensors, baseBytes, layout, now])
    let columns = ["identity", "kind", "added"] + Self.columns
    try db.cachedStatement(
      sql: """
        INSERT INTO patches (\(columns.joined(separator: ", ")))
        VALUES (\(columns.map { _ in "?" }.joined(separator: ", ")))
        """
    ).execute(arguments: StatementArguments([identity.data, kind.rawValue, now] + values))
  }

  /// Rewrites the row.
  func update(_ db: Database) throws {
    try db.execute(
      sql: "UPDATE patches SET \(Self.columns.map { "\($0) = ?" }.joined(separator: ", ")) WHERE identity = ?",
      arguments: StatementArguments(values + [identity.data]))
  }

  /// Whether a stored row has the same values.
  func agrees(with row: StoredPatch) -> Bool {
    row.identity == identity && row.base == base && row.target == target && row.name == name && row.note == note
      && row.recipe == recipe && row.tensors == tensors && row.tunedBytes == tunedBytes && row.fileBytes == fileBytes
      && row.summary == summary
  }
}
