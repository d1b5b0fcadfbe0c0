import Base
import Images

/// Turns rows into examples.
struct RowEncoder: Sendable {
  /// The examples of a row.
  struct Result: Sendable {
    /// Several, if each answer of a conversation needs its own text.
    var examples: [Encoded]
    /// Members of the row that are not used.
    var unread: [String]
  }

  struct Encoded: Sendable {
    var example: Example
    /// The text with the parts that count in the loss; empty for rows of ids.
    var segments: [Segment] = []
    /// Ranges of the images' tokens.
    var runs: [Range<Int>] = []
    /// Number of tokens cut off.
    var cut = 0
    /// Whether the prompt ends inside a token.
    var endsInToken = false
    /// Whether an answer counts in the loss without its end token.
    var isEndless = false
  }

  let rules: DataRules
  let text: ModelText

  /// - Parameter images: the checked images, by the names in rows.
  /// - Throws: `RowError` for the row, `VPatchError` if the model lacks something it needs.
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

  /// Checks an example, and cuts it if it is too long.
  private func finished(_ made: Encoded) throws -> Encoded {
    var encoded = made
    if let id = encoded.example.ids.first(where: { !isKnown($0) }) {
      // Not the row's fault: ids in rows are checked when they are read.
      throw VPatchError(
        .invalid, try text.tokenizer.path,
        "makes the id \(id), but the model has \(Format.grouped(rules.vocabulary)) ids",
        remedy: "use this model's tokenizer")
    }
    if encoded.example.ids.count > rules.maximumLength { try cut(&encoded) }
    if rules.needsAnswers, encoded.example.answerTokens == 0 {
      throw RowError(
        "has nothing to train on: \(Format.counted(encoded.example.ids.count, "token")), "
          + "none of them an answer to those before it"
      )
    }
    return encoded
  }

  /// The image token may be outside the vocabulary.
  private func isKnown(_ id: Int32) -> Bool { (0..<rules.vocabulary).contains(Int(id)) || id == text.images?.token }

  private func encode(_ prompt: [Message.Part], _ completion: String, _ sources: [ImageSource]) throws -> Encoded {
    if rules.needsAnswers, completion.trimmed.isEmpty { throw RowError("has an empty completion") }
    try text.checkMarks(in: prompt + [.text(completion)])
    let tokenizer = try text.tokenizer
    guard let end = tokenizer.named.end else {
      throw VPatchError(
        .refused, tokenizer.path, "has no eos_token to end a completion",
        remedy: "set it in tokenizer_config.json")
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
          "\(lengths), and without \(Format.grouped(images.count - kept.count)) of its "
            + "\(Format.grouped(images.count)) images the rest would have other image tokens"
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
