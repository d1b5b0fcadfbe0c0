import Text

/// Generates text from a prompt or a conversation, in pieces as they are made.
package struct TextGenerator {
  package let model: LanguageModel
  package let text: ModelText
  package var sampling: Sampling
  /// Maximum number of tokens in an answer.
  package var limit: Int

  package init(_ model: LanguageModel, _ text: ModelText, sampling: Sampling = .greedy, limit: Int = 256) {
    self.model = model
    self.text = text
    self.sampling = sampling
    self.limit = limit
  }

  /// The answer to a prompt.
  package struct Answer: Equatable, Sendable {
    package let ids: [Int32]
    package let text: String
    /// Whether the model ended the answer, rather than the limit.
    package let isEnded: Bool
    package let promptTokens: Int
  }

  /// Continues a text, which may contain images.
  /// - Parameter each: called with whole characters as they are made. Throwing ends the answer.
  package func complete(_ prompt: [Message.Part], each: (String) throws -> Void = { _ in }) throws -> Answer {
    try answer(text.sequence(prompt), stop: text.stops(answering: false), each)
  }

  /// Answers the last message.
  package func reply(to messages: [Message], each: (String) throws -> Void = { _ in }) throws -> Answer {
    try answer(text.prompt(messages), stop: text.stops(answering: true), each)
  }

  private func answer(_ prompt: TokenSequence, stop: Set<Int32>, _ each: (String) throws -> Void) throws -> Answer {
    let tokenizer = try text.tokenizer
    var decoder = tokenizer.decoder(skipSpecialTokens: true)
    var ids: [Int32] = []
    var written = ""
    try model.generate(prompt, limit: limit, sampling, stop: stop.union(model.config.endTokens)) { id in
      ids.append(id)
      let piece = decoder.append(id)
      written += piece
      if !piece.isEmpty { try each(piece) }
      return true
    }
    let rest = decoder.finish()
    if !rest.isEmpty { try each(rest) }
    return Answer(ids: ids, text: written + rest, isEnded: ids.count < limit, promptTokens: prompt.count)
  }
}
