import PatchFormat

/// The rows of a JSON Lines file as a model reads them.
public struct DataFile: Sendable {
  public let path: String
  public let examples: [Example]
  /// The line of each example, from 1 on.
  public let lines: [Int]
  /// Of the file's bytes.
  public let digest: Digest
  /// Rows that were longer than allowed, and how many tokens of them were cut off.
  public let cutRows: Int
  public let cutTokens: Int
  /// Rows in which a prompt ends inside a token, which then counts as the answer's; few are harmless, but where it is
  /// all of them the prompts probably end with a space that belongs to the answers.
  public let mergedRows: Int

  public var tokens: Int { examples.reduce(0) { $0 + $1.ids.count } }
  /// What the loss counts.
  public var answerTokens: Int { examples.reduce(0) { $0 + $1.answerTokens } }

  /// So many rows are named in an error; all are counted.
  static let shownErrors = 5
  /// Longer than any row that fits a model.
  private static let lineLimit = 64 << 20
  /// How much text is worked on at once.
  private static let batchBytes = 4 << 20

  /// Reads and checks every row.
  /// - Throws: `invalid` naming the first rows that cannot be used, with their reasons; `refused` where a row needs
  ///   what the model does not have (a tokenizer, a chat template).
  public init(path: String, _ text: ModelText, _ rules: DataRules, threads: Int) throws {
    let file = try InputFile(path: path)
    var loader = Loader(encoder: RowEncoder(rules: rules, text: text), path: path, threads: threads)
    try file.forEachLine(limit: Self.lineLimit) { number, line in
      guard !line.allSatisfy(Self.isSpace) else { return }
      loader.batch.append((number, line))
      loader.batchBytes += line.count
      if loader.batchBytes >= Self.batchBytes { try loader.flush() }
    }
    try loader.flush()
    try loader.finish()
    self.path = path
    examples = loader.examples
    lines = loader.lines
    (cutRows, cutTokens, mergedRows) = (loader.cutRows, loader.cutTokens, loader.mergedRows)
    digest = try file.digest()
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0D }
}

/// Rows so far.
private struct Loader {
  let encoder: RowEncoder
  let path: String
  let threads: Int
  var batch: [(number: Int, line: [UInt8])] = []
  var batchBytes = 0
  var examples: [Example] = []
  var lines: [Int] = []
  var (cutRows, cutTokens, mergedRows) = (0, 0, 0)
  private var errors: [(line: Int, reason: String)] = []
  private var errorCount = 0

  init(encoder: RowEncoder, path: String, threads: Int) {
    self.encoder = encoder
    self.path = path
    self.threads = threads
  }

  mutating func flush() throws {
    let (rows, encoder, path) = (batch, encoder, path)
    batch.removeAll(keepingCapacity: true)
    batchBytes = 0
    // Some rows at a time: a thread's turn costs more than a short row.
    let size = 32
    let results = try Parallel.map((rows.count + size - 1) / size, threads: threads) { piece in
      try rows[piece * size..<min((piece + 1) * size, rows.count)].map { number, line in
        do {
          return Result<RowEncoder.Encoded, RowError>.success(try encoder.encode(Row(line)))
        } catch let error as RowError {
          return .failure(error)
        } catch let error as VPatchError {
          // What the model lacks, it lacks for every row.
          throw VPatchError(
            error.code, error.subject, "\(error.reason) (needed by line \(number) of \(path))", remedy: error.remedy)
        }
      }
    }
    for (row, result) in zip(rows, results.joined()) {
      switch result {
      case .success(let encoded):
        examples.append(encoded.example)
        lines.append(row.number)
        if encoded.cut > 0 { (cutRows, cutTokens) = (cutRows + 1, cutTokens + encoded.cut) }
        if encoded.endsInToken { mergedRows += 1 }
      case .failure(let error):
        errorCount += 1
        if errors.count < DataFile.shownErrors { errors.append((row.number, error.reason)) }
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
    guard !examples.isEmpty else { throw VPatchError(.invalid, path, "has no rows") }
  }
}
