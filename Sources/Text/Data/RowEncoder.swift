import Base
import Images

/// Makes examples of rows.
struct RowEncoder: Sendable {
  /// What a row has become.
  struct Result: Sendable {
    /// Several, where each answer of a conversation is learned behind another text.
    var examples: [Encoded]
    /// Members of the row that nobody reads.
    var unread: [String]
  }

  struct Encoded: Sendable {
    var example: Example
    /// The text that it was made of, and what of it is learned; none for ready ids.
    var segments: [Segment] = []
    /// Where the images' tokens are.
    var runs: [Range<Int>] = []
    /// How many tokens were cut off.
    var cut = 0
    /// Whether the prompt ends inside a token.
    var endsInToken = false
    /// Whether an answer is learned without the token that ends it.
    var isEndless = false
  }

  let rules: DataRules
  let text: ModelText

  /// - Parameter images: those that were looked at, by the names that rows have for them.
  /// - Throws: `RowError` for the row, `VPatchError` where the model lacks what it needs.
  func encode(_ row: Row, _ images: [String: Swift.Result<ImageSource, RowError>] = [:]) throws -> Result {
    guard row.isLearned || !rules.needsAnswers else { return Result(examples: [], unread: row.unread) }
    let sources = try row.images.map { name in
      guard let image = images[name] else { throw text.noImages }
      return try image.get()
    }
    var result = Result(examples: [], unread: row.unread)
    switch row.content {
    case .conversation(let conversation):
      result.unread += try unread(conversation)
      result.examples = try encode(conversation, sources)
    case .completion(let prompt, let completion): result.examples = [try encode(prompt, completion, sources)]
    case .text(let parts):
      try text.checkMarks(in: parts)
      let segments = text.segments(parts).map { $0.isImage ? $0 : Segment($0.text, isAnswer: true) }
      result.examples = [try example(segments, sources, addSpecialTokens: true, learnsEverything: true)]
    case .ids(let ids, let labels, _): result.examples = [try ready(ids, labels, sources)]
    }
    result.examples = try result.examples.map(finished)
    return result
  }

  /// Checked, and cut where it is too long.
  private func finished(_ made: Encoded) throws -> Encoded {
    var encoded = made
    if let id = encoded.example.ids.first(where: { !isKnown($0) }) {
      // Not the row's fault: ready ids are checked where they are read.
      throw VPatchError(
        .invalid, try text.tokenizer.path,
        "makes the id \(id), and the model has \(Format.grouped(rules.vocabulary)) ids",
        remedy: "is it this model's tokenizer?")
    }
    if encoded.example.ids.count > rules.maximumLength { try cut(&encoded) }
    if rules.needsAnswers, encoded.example.answerTokens == 0 {
      throw RowError(
        "has nothing to learn: \(Format.counted(encoded.example.ids.count, "token")), none of them an answer to those before it"
      )
    }
    return encoded
  }

  /// The image token may be one that no embedding has.
  private func isKnown(_ id: Int32) -> Bool { (0..<rules.vocabulary).contains(Int(id)) || id == text.images?.token }

  private func encode(_ prompt: [Message.Part], _ completion: String, _ sources: [ImageSource]) throws -> Encoded {
    if rules.needsAnswers, completion.trimmed.isEmpty { throw RowError("has an empty completion") }
    try text.checkMarks(in: prompt + [.text(completion)])
    let tokenizer = try text.tokenizer
    guard let end = tokenizer.named.end else {
      throw VPatchError(
        .refused, tokenizer.path, "no token ends a completion: the model names no eos_token",
        remedy: "name it in tokenizer_config.json")
    }
    var encoded = try example(
      text.segments(prompt) + [Segment(completion, isAnswer: true)], sources, addSpecialTokens: true)
    if encoded.example.ids.last != end {
      encoded.example = Example(
        ids: encoded.example.ids + [end], labels: encoded.example.labels + [end], images: sources)
      encoded.segments.append(Segment(tokenizer.token(end) ?? "", isAnswer: true))
    }
    return encoded
  }

  func example(
    _ segments: [Segment], _ sources: [ImageSource], addSpecialTokens: Bool, learnsEverything: Bool? = nil
  ) throws -> Encoded {
    let learnsEverything = learnsEverything ?? rules.learnsEverything
    let encoded = try text.encode(segments, sources, addSpecialTokens: addSpecialTokens)
    var labels = zip(encoded.ids, encoded.isAnswer).map { $1 || learnsEverything ? $0 : Example.ignored }
    for run in encoded.runs { labels.replaceSubrange(run, with: repeatElement(Example.ignored, count: run.count)) }
    return Encoded(
      example: Example(ids: encoded.ids, labels: labels, images: sources), segments: segments, runs: encoded.runs,
      endsInToken: encoded.bordersInTokens > 0)
  }

  private func cut(_ encoded: inout Encoded) throws {
    let count = encoded.example.ids.count
    let lengths = "has \(Format.grouped(count)) tokens; \(Format.grouped(rules.maximumLength)) are allowed"
    guard rules.tooLong == .cut else { throw RowError(lengths) }
    let limit = rules.maximumLength
    if let i = encoded.runs.firstIndex(where: { $0.lowerBound < limit && $0.upperBound > limit }) {
      throw RowError(
        "\(lengths), and its image \(i + 1) (\(Format.counted(encoded.runs[i].count, "token"))) would be cut")
    }
    encoded.cut = count - limit
    let images = encoded.example.sequence.images
    encoded.runs = encoded.runs.filter { $0.upperBound <= limit }
    let kept = Array(images.prefix(encoded.runs.count))
    if kept.count < images.count, let prompting = text.images {
      guard try prompting.counts(of: kept) == encoded.runs.map(\.count) else {
        throw RowError(
          "\(lengths), and without \(Format.grouped(images.count - kept.count)) of its \(Format.grouped(images.count)) images the model would take other tokens for the rest"
        )
      }
    }
    encoded.example = Example(
      ids: Array(encoded.example.ids.prefix(limit)), labels: Array(encoded.example.labels.prefix(limit)), images: kept)
    if rules.needsAnswers, encoded.example.answerTokens == 0 {
      throw RowError("\(lengths), and its answer would be cut off")
    }
  }
}
