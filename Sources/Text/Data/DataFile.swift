import Base
import Images

/// The rows of a data file as examples for a model.
package struct DataFile: Sendable {
  package let path: String
  package let examples: [Example]
  /// The line of each example, from 1; for an array or a table, the row.
  package let lines: [Int]
  /// Number of rows; a conversation may give several examples.
  package let rows: Int
  /// Number of rows marked as not trained.
  package let leftOutRows: Int
  /// Row members that are not used, with the number of rows that have them.
  package let unread: [(name: String, rows: Int)]
  /// The first examples, as the model reads them.
  package let shown: [ShownRow]

  package struct ShownRow: Sendable {
    package let line: Int
    /// The text with the parts that count in the loss; empty for rows of ids.
    package let segments: [Segment]
    package let example: Example
  }

  /// Digest of the file's bytes.
  package let digest: ContentDigest
  /// Rows longer than allowed, and the number of tokens cut off.
  package let cutRows: Int
  package let cutTokens: Int
  /// Rows in which the prompt ends inside a token, which then counts as part of the answer. A few are harmless; if it
  /// is all rows, the prompts probably end with a space that belongs to the answers.
  package let mergedRows: Int
  /// Conversations in which an answer counts in the loss without its end token.
  package let endlessRows: Int

  /// The image files that the rows name, without repetition.
  package let images: [ImageSource]

  package var tokens: Int { examples.reduce(0) { $0 + $1.ids.count } }
  /// Number of tokens that count in the loss.
  package var answerTokens: Int { examples.reduce(0) { $0 + $1.answerTokens } }

  /// Number of rows named in an error; all are counted.
  static let shownErrors = 5
  /// Bytes of text processed at once.
  private static let batchBytes = 4 << 20

  /// Reads and checks every row and every image.
  /// - Throws: `invalid` with the first unusable rows and the reasons; `refused` if a row needs something that the
  ///   model does not have (a tokenizer, a chat template).
  package init(path: String, _ text: ModelText, _ rules: DataRules, _ work: WorkOptions) throws {
    let file = RowFile(path: path)
    var loader = Loader(encoder: RowEncoder(rules: rules, text: text), path: file.name, work: work)
    digest = try file.read { number, row in
      loader.batch.append((number, row))
      loader.batchBytes += row.size
      if loader.batchBytes >= Self.batchBytes { try loader.flush() }
    }
    try loader.flush()
    try loader.finish()
    self.path = file.name
    examples = loader.examples
    lines = loader.lines
    (rows, leftOutRows, shown) = (loader.rows, loader.leftOutRows, loader.shown)
    unread = loader.unread.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
    (cutRows, cutTokens, mergedRows) = (loader.cutRows, loader.cutTokens, loader.mergedRows)
    endlessRows = loader.endlessRows
    images = Set(loader.images.values.compactMap { try? $0.get() }).sorted { $0.path < $1.path }
  }
}

/// State while rows are read.
private struct Loader {
  let encoder: RowEncoder
  let path: String
  let work: WorkOptions
  var batch: [(number: Int, row: RowFile.Raw)] = []
  var batchBytes = 0
  var examples: [Example] = []
  var lines: [Int] = []
  var (rows, leftOutRows) = (0, 0)
  var unread: [String: Int] = [:]
  var shown: [DataFile.ShownRow] = []
  var (cutRows, cutTokens, mergedRows, endlessRows) = (0, 0, 0, 0)
  /// By the names in rows.
  private(set) var images: [String: Result<ImageSource, RowError>] = [:]
  private let folder: ImageFolder
  private var errors: [(line: Int, reason: String)] = []
  private var errorCount = 0

  init(encoder: RowEncoder, path: String, work: WorkOptions) {
    self.encoder = encoder
    self.path = path
    self.work = work
    folder = ImageFolder(of: path, allowsOutside: encoder.rules.allowsOutside)
  }

  mutating func flush() throws {
    let (raw, encoder, path) = (batch, encoder, path)
    batch.removeAll(keepingCapacity: true)
    batchBytes = 0
    let rows = try map(raw.count) { i in try Self.result { try raw[i].row.row() } }
    try look(at: rows)
    let images = images
    let results = try map(rows.count) { i in
      do {
        return try Self.result { try encoder.encode(rows[i].get(), images) }
      } catch let error as VPatchError {
        // Missing parts of the model affect every row.
        throw VPatchError(
          error.code, error.subject, "\(error.reason) (needed by line \(raw[i].number) of \(path))",
          remedy: error.remedy)
      }
    }
    for (row, result) in zip(raw, results) {
      self.rows += 1
      switch result {
      case .success(let made):
        for name in Set(made.unread) { unread[name, default: 0] += 1 }
        if made.examples.isEmpty { leftOutRows += 1 }
        for encoded in made.examples {
          examples.append(encoded.example)
          lines.append(row.number)
          if shown.count < encoder.rules.shownRows {
            shown.append(.init(line: row.number, segments: encoded.segments, example: encoded.example))
          }
          if encoded.cut > 0 { (cutRows, cutTokens) = (cutRows + 1, cutTokens + encoded.cut) }
          if encoded.endsInToken { mergedRows += 1 }
          if encoded.isEndless { endlessRows += 1 }
        }
      case .failure(let error):
        errorCount += 1
        if errors.count < DataFile.shownErrors { errors.append((row.number, error.reason)) }
      }
    }
  }

  /// In groups of rows: starting a task costs more than a short row.
  private func map<T: Sendable>(_ count: Int, _ body: @Sendable (Int) throws -> T) throws -> [T] {
    let size = 32
    return try Parallel.map((count + size - 1) / size, threads: work.threads) { piece in
      try (piece * size..<min((piece + 1) * size, count)).map(body)
    }.flatMap(\.self)
  }

  private static func result<T>(_ body: () throws -> T) throws -> Result<T, RowError> {
    do {
      return .success(try body())
    } catch let error as RowError {
      return .failure(error)
    }
  }

  /// Checks the images that these rows are the first to name.
  private mutating func look(at rows: [Result<Row, RowError>]) throws {
    guard let shelf = encoder.text.shelf else { return }
    let names = Set(rows.flatMap { (try? $0.get().images) ?? [] }).filter { images[$0] == nil }
    let paths = try names.map { name in (name, try Self.result { try folder.path(of: name) }) }
    try shelf.look(at: paths.compactMap { try? $0.1.get() }, work)
    for (name, path) in paths {
      images[name] = try Self.result {
        do {
          return try shelf.source(path.get())
        } catch let error as VPatchError {
          throw RowError("names the image \"\(name.printable)\", which \(RowError.words(error))")
        }
      }
    }
  }

  func finish() throws {
    guard errorCount == 0 else {
      let shown = errors.map { "line \($0.line) \($0.reason)" }.joined(separator: "; ")
      let more = errorCount > errors.count ? "; and \(Format.grouped(errorCount - errors.count)) more" : ""
      throw VPatchError(
        .invalid, path, "\(Format.counted(errorCount, "row")) cannot be used: \(shown)\(more)",
        remedy: "fix or remove \(errorCount == 1 ? "it" : "them")")
    }
    guard rows > 0 else { throw VPatchError(.invalid, path, "has no rows") }
    guard !examples.isEmpty else {
      throw VPatchError(
        .invalid, path, "has nothing to train on: all of its \(Format.counted(rows, "row")) are marked as not trained",
        remedy: "check their \"weight\", \"train\" or \"loss\"")
    }
  }
}
