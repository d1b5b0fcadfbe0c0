import PatchFormat

/// Makes examples of rows.
struct RowEncoder: Sendable {
  struct Encoded: Sendable {
    var example: Example
    /// How many tokens were cut off.
    var cut = 0
    /// Whether the prompt ends inside a token.
    var endsInToken = false
  }

  let rules: DataRules
  let text: ModelText

  /// - Throws: `RowError` for the row, `VPatchError` where the model lacks what it needs.
  func encode(_ row: Row) throws -> Encoded {
    var encoded: Encoded
    switch row {
    case .messages(let messages): encoded = try encode(messages)
    case .completion(let prompt, let completion): encoded = try encode(prompt, completion)
    case .text(let text):
      let ids = try self.text.tokenizer.encode(text)
      encoded = Encoded(example: Example(ids: ids, labels: ids))
    case .ids(let ids, let labels): encoded = Encoded(example: try ready(ids, labels))
    }
    if let id = encoded.example.ids.first(where: { $0 < 0 || $0 >= rules.vocabulary }) {
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

  private func encode(_ messages: [Message]) throws -> Encoded {
    if rules.needsAnswers, !rules.learnsEverything, !messages.contains(where: { $0.role == .assistant }) {
      throw RowError("has no message of the assistant")
    }
    if rules.needsAnswers, let i = messages.firstIndex(where: { $0.role == .assistant && $0.content.trimmed.isEmpty }) {
      throw RowError("has an empty answer (message \(i + 1))")
    }
    let template = try text.template
    do {
      return try labeled(template.render(messages, addGenerationPrompt: false), addSpecialTokens: false)
    } catch let error as VPatchError {
      // The family's rules of order: of this row alone.
      throw RowError(error.reason + (error.remedy.map { " (\($0))" } ?? ""))
    }
  }

  private func encode(_ prompt: String, _ completion: String) throws -> Encoded {
    if rules.needsAnswers, completion.trimmed.isEmpty { throw RowError("has an empty completion") }
    let tokenizer = try text.tokenizer
    guard let end = tokenizer.named.end else {
      throw VPatchError(
        .refused, tokenizer.path, "no token ends a completion: the model names no eos_token",
        remedy: "name it in tokenizer_config.json")
    }
    var encoded = labeled(
      [Segment(prompt, isAnswer: false), Segment(completion, isAnswer: true)], addSpecialTokens: true, tokenizer)
    if encoded.example.ids.last != end {
      encoded.example = Example(ids: encoded.example.ids + [end], labels: encoded.example.labels + [end])
    }
    return encoded
  }

  private func labeled(_ segments: [Segment], addSpecialTokens: Bool) throws -> Encoded {
    labeled(segments, addSpecialTokens: addSpecialTokens, try text.tokenizer)
  }

  private func labeled(_ segments: [Segment], addSpecialTokens: Bool, _ tokenizer: Tokenizer) -> Encoded {
    let encoded = tokenizer.encode(segments, addSpecialTokens: addSpecialTokens)
    let labels = zip(encoded.ids, encoded.isAnswer).map { $1 || rules.learnsEverything ? $0 : Example.ignored }
    return Encoded(
      example: Example(ids: encoded.ids, labels: labels), endsInToken: encoded.bordersInTokens > 0)
  }

  private func ready(_ ids: [Int], _ labels: [Int]?) throws -> Example {
    if let labels, labels.count != ids.count {
      throw RowError("has \(Format.counted(ids.count, "id")) and \(Format.counted(labels.count, "label"))")
    }
    func check(_ values: [Int], _ noun: String, allowing ignored: Int?) throws -> [Int32] {
      try values.enumerated().map { i, value in
        guard value == ignored || (0..<rules.vocabulary).contains(value) else {
          throw RowError(
            "has the \(noun) \(value) (at \(i)); the model has \(Format.grouped(rules.vocabulary)) ids")
        }
        return Int32(value)
      }
    }
    let known = try check(ids, "id", allowing: nil)
    guard let labels, !rules.learnsEverything else { return Example(ids: known, labels: known) }
    return Example(ids: known, labels: try check(labels, "label", allowing: Int(Example.ignored)))
  }

  private func cut(_ encoded: inout Encoded) throws {
    let count = encoded.example.ids.count
    let lengths = "has \(Format.grouped(count)) tokens; \(Format.grouped(rules.maximumLength)) are allowed"
    guard rules.tooLong == .cut else { throw RowError(lengths) }
    encoded.cut = count - rules.maximumLength
    encoded.example = Example(
      ids: Array(encoded.example.ids.prefix(rules.maximumLength)),
      labels: Array(encoded.example.labels.prefix(rules.maximumLength)))
    if rules.needsAnswers, encoded.example.answerTokens == 0 {
      throw RowError("\(lengths), and its answer would be cut off")
    }
  }
}
