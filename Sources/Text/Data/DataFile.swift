import Base
import Images

/// The rows of a data file as a model reads them.
package struct DataFile: Sendable {
  package let path: String
  package let examples: [Example]
  /// The line of each example, from 1 on; of an array and of a table the row.
  package let lines: [Int]
  /// How many rows there are; a conversation may be several examples.
  package let rows: Int
  /// Rows that say themselves that nothing is to be learned of them.
  package let leftOutRows: Int
  /// Members of rows that nobody reads, and in how many rows they are.
  package let unread: [(name: String, rows: Int)]
  /// The first examples, as they are read.
  package let shown: [ShownRow]

  package struct ShownRow: Sendable {
    package let line: Int
    /// The text, and what of it is learned; none of ready ids.
    package let segments: [Segment]
    package let example: Example
  }

  /// Of the file's bytes.
  package let digest: ContentDigest
  /// Rows that were longer than allowed, and how many tokens of them were cut off.
  package let cutRows: Int
  package let cutTokens: Int
  /// Rows in which a prompt ends inside a token, which then counts as the answer's; few are harmless, but where it is
  /// all of them the prompts probably end with a space that belongs to the answers.
  package let mergedRows: Int
  /// Conversations in which an answer is learned without the token that ends it.
  package let endlessRows: Int

  /// The image files that the rows name, each once.
  package let images: [ImageSource]

  package var tokens: Int { examples.reduce(0) { $0 + $1.ids.count } }
  /// What the loss counts.
  package var answerTokens: Int { examples.reduce(0) { $0 + $1.answerTokens } }

  /// So many rows are named in an error; all are counted.
  static let shownErrors = 5
  /// How much text is worked on at once.
  private static let batchBytes = 4 << 20

  /// Reads and checks every row, and looks at every image.
  /// - Throws: `invalid` naming the first rows that cannot be used, with their reasons; `refused` where a row needs
  ///   what the model does not have (a tokenizer, a chat template).
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

/// Rows so far.
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
  /// By the names that rows have for them.
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
        // What the model lacks, it lacks for every row.
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

  /// Some rows at a time: a thread's turn costs more than a short row.
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

  /// Looks at the images that these rows are the first to name.
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
        remedy: "mend or remove \(errorCount == 1 ? "it" : "them")")
    }
    guard rows > 0 else { throw VPatchError(.invalid, path, "has no rows") }
    guard !examples.isEmpty else {
      throw VPatchError(
        .invalid, path, "has nothing to learn: each of its \(Format.counted(rows, "row")) says so itself",
        remedy: "look at their \"weight\", \"train\" or \"loss\"")
    }
  }
}
