import Base
import GRDB
import Measure

/// Why a patch is in the store.
package enum PatchKind: String, Sendable, CaseIterable {
  /// Added by a user.
  case patch
  /// The composite of a stack, kept for reuse.
  case composite
  /// Reverts an application.
  case undo
}

/// A patch in the catalogue.
package struct StoredPatch: Sendable, Equatable {
  package let identity, base, target: ContentDigest
  package let kind: PatchKind
  package let name, note, recipe: String?
  /// Number of tensors that it touches.
  package let tensors: Int
  /// Their size in bytes in the target.
  package let tunedBytes: Int
  package let fileBytes: Int
  package let summary: ForgettingSummary
  /// When it was added: seconds since 1970.
  package let added: Int
  /// In ascending order.
  package let aliases, tags: [String]

  /// Its name for display: its own name if that is also an alias, else its first alias, else its own name.
  package var label: String? { aliases.first { alias in name.map(alias.isSame) ?? false } ?? aliases.first ?? name }

  /// The columns that `init` reads, of a table `p`.
  static let columns =
    (["identity", "kind", "added"] + PatchFacts.columns).map { "p.\($0)" }.joined(separator: ", ")
      + """
      , (SELECT group_concat(name, ' ') FROM (SELECT name FROM aliases WHERE patch = p.id ORDER BY name))
      , (SELECT group_concat(name, ' ') FROM (SELECT name FROM tags WHERE patch = p.id ORDER BY name))
      """

  init(_ row: Row) throws {
    identity = try row.digest(0)
    guard let kind = PatchKind(rawValue: try row.text(1)) else { throw DamagedRow(what: "a patch of an unknown kind") }
    self.kind = kind
    added = try row.integer(2)
    base = try row.digest(3)
    target = try row.digest(4)
    name = try row.optionalText(5)
    note = try row.optionalText(6)
    recipe = try row.optionalText(7)
    tensors = try row.integer(8)
    tunedBytes = try row.integer(9)
    fileBytes = try row.integer(10)
    func status(_ text: String?) throws -> MeasurementStatus? {
      guard let text else { return nil }
      guard let status = MeasurementStatus(rawValue: text) else {
        throw DamagedRow(what: "a patch of an unknown status")
      }
      return status
    }
    let least = try status(row.text(11))!
    // A migrated catalogue does not have these columns; it recorded the weakest status of all numbers.
    let known = try (21...23).map { try status(row.optionalText($0)) }
    summary = ForgettingSummary(
      status: least,
      known: .init(learning: known[0] ?? least, forgetting: known[1] ?? least, drift: known[2] ?? least),
      learning: try Self.estimate(row, 12), forgetting: try Self.estimate(row, 16),
      learningItems: try row.integer(15), forgettingItems: try row.integer(19), drift: try row.optionalDouble(20))
    aliases = try row.words(24)
    tags = try row.words(25)
  }

  private static func estimate(_ row: Row, _ i: Int) throws -> Estimate? {
    guard let value = try row.optionalDouble(i) else { return nil }
    return Estimate(value, low: try row.double(i + 1), high: try row.double(i + 2))
  }
}
