import Base
import Jinja

/// A rendered conversation, and the parts of it that count in the loss.
struct Lesson: Equatable, Sendable {
  let text: [UInt8]
  /// In bytes of the text, in order.
  let answers: [Range<Int>]
}

extension ChatTemplate {
  /// The training examples of a conversation: the assistant's answers that count in the loss, each with its end token.
  ///
  /// If the template marks the assistant's output itself ({% generation %}), that is used. Otherwise an answer is what
  /// follows the conversation before it with its generation prompt. A template that renders past answers differently
  /// (Qwen3 and DeepSeek-R1 drop reasoning) gives one example per answer.
  /// - Throws: `refused` if neither works, with the reason.
  func lessons(_ conversation: Conversation) throws -> [Lesson] {
    let whole = try render(conversation, addGenerationPrompt: false)
    if marksAnswers { return [try marked(whole, conversation)] }
    let answers = conversation.messages.indices.filter { conversation.messages[$0].isAnswer }
    var ranges: [Range<Int>] = []
    for i in answers {
      // The answer is the same in the whole conversation as at its end.
      guard let range = try answer(i, of: conversation, in: whole) else {
        return try answers.filter { conversation.messages[$0].isLearned }.map { try lesson(of: $0, conversation) }
      }
      if conversation.messages[i].isLearned { ranges.append(range) }
    }
    return [Lesson(text: whole.text, answers: ranges)]
  }

  /// The whole conversation except messages marked as not trained.
  /// - Throws: `refused` if one of those cannot be located.
  func everything(_ conversation: Conversation) throws -> Lesson {
    let whole = try render(conversation, addGenerationPrompt: false)
    var learned: [Range<Int>] = []
    var end = 0
    for i in conversation.messages.indices where conversation.messages[i].learning == .never {
      guard let range = try place(of: i, conversation, in: whole), range.lowerBound >= end else {
        throw VPatchError(
          .refused, nil,
          "message \(i + 1) must not count in the loss, but the chat template changes it once more follows, "
            + "so it cannot be located",
          remedy: "leave out --learn-prompts")
      }
      learned.append(end..<range.lowerBound)
      end = range.upperBound
    }
    learned.append(end..<whole.text.count)
    return Lesson(text: whole.text, answers: learned.filter { !$0.isEmpty })
  }

  /// The range of a message in the rendered conversation: for an answer as in `lessons`, for another message everything
  /// that is rendered for it.
  private func place(of i: Int, _ conversation: Conversation, in whole: Rendering) throws -> Range<Int>? {
    let messages = conversation.messages
    if messages[i].isAnswer {
      guard marksAnswers else { return try answer(i, of: conversation, in: whole) }
      return try marks(whole, conversation)[messages[..<i].count(where: \.isAnswer)]
    }
    let before = i == 0 ? [] : try render(conversation.prefix(i), addGenerationPrompt: false).text
    let isLast = i == messages.count - 1
    let behind = isLast ? whole.text : try render(conversation.prefix(i + 1), addGenerationPrompt: false).text
    guard behind.starts(with: before), whole.text.starts(with: behind) else { return nil }
    return before.count..<behind.count
  }

  /// The answers if a template marks the assistant's output and not all of it counts in the loss.
  private func marked(_ whole: Rendering, _ conversation: Conversation) throws -> Lesson {
    let answers = conversation.messages.filter(\.isAnswer)
    guard !answers.allSatisfy(\.isLearned) else { return Lesson(text: whole.text, answers: whole.generations) }
    let marks = try marks(whole, conversation)
    return Lesson(text: whole.text, answers: zip(answers, marks).filter(\.0.isLearned).map(\.1))
  }

  /// One mark per answer.
  private func marks(_ whole: Rendering, _ conversation: Conversation) throws -> [Range<Int>] {
    let answers = conversation.messages.filter(\.isAnswer)
    guard answers.count == whole.generations.count else {
      throw VPatchError(
        .refused, nil,
        "the chat template marks \(Format.counted(whole.generations.count, "answer")) in a conversation "
          + "with \(answers.count), so those that must not count in the loss cannot be located")
    }
    return whole.generations
  }

  /// One answer after the conversation before it.
  private func lesson(of i: Int, _ conversation: Conversation) throws -> Lesson {
    let part = conversation.prefix(i + 1)
    let text = try render(part, addGenerationPrompt: false)
    guard let range = try answer(i, of: part, in: text) else {
      let asked = try render(conversation.prefix(i), addGenerationPrompt: true).text
      throw Self.unasked(i, asked: asked, said: text.text)
    }
    return Lesson(text: text.text, answers: [range])
  }

  /// The end of the last special token that is followed only by white space.
  private func lastEnd(_ said: ArraySlice<UInt8>) -> Int? {
    specialTokens.compactMap { said.lastRange(of: Array($0.utf8))?.upperBound }.max().flatMap { end in
      said[end...].allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) } ? end : nil
    }
  }

  /// The error for an answer that does not follow its generation prompt.
  private static func unasked(_ i: Int, asked: [UInt8], said: [UInt8]) -> VPatchError {
    var shared = zip(asked, said).prefix { $0 == $1 }.count
    // Not in the middle of a character.
    while shared > 0, [asked, said].contains(where: { shared < $0.count && $0[shared] & 0xC0 == 0x80 }) { shared -= 1 }
    func rest(_ bytes: [UInt8]) -> String {
      "\"" + String(String(decoding: bytes[shared...], as: UTF8.self).prefix(24)).printable + "\""
    }
    let what =
      shared == asked.count
      ? "the chat template renders nothing for the answer in message \(i + 1)"
      : "the chat template renders the generation prompt for message \(i + 1) as \(rest(asked)), but \(rest(said)) "
        + "once the answer is there"
    return VPatchError(
      .refused, nil, "\(what), so the answer's tokens cannot be located",
      remedy: "use another template (--chat-template), or write the conversation as prompt and "
        + "completion")
  }

  /// Range of message i in the rendered conversation; nil if the template renders it differently there than after the
  /// generation prompt or at the end.
  private func answer(_ i: Int, of conversation: Conversation, in whole: Rendering) throws -> Range<Int>? {
    guard i > 0 else {
      throw VPatchError(
        .refused, nil, "the conversation begins with the assistant, so its first message is not an answer",
        remedy: "remove the message, or put a user message before it")
    }
    let asked = try render(conversation.prefix(i), addGenerationPrompt: true).text
    let bytes = whole.text
    guard bytes.starts(with: asked) else { return nil }
    let isLast = i == conversation.messages.count - 1
    let said = isLast ? bytes : try render(conversation.prefix(i + 1), addGenerationPrompt: false).text
    guard said.starts(with: asked) else { return nil }
    var end = said.count
    if let token = endOfAnswer.map({ Array($0.utf8) }), let last = said[asked.count...].lastRange(of: token) {
      // What follows is not the model's output.
      end = last.upperBound
    } else if endOfAnswer == nil, let last = lastEnd(said[asked.count...]) {
      end = last
    }
    guard end > asked.count, bytes.starts(with: said[..<end]) else { return nil }
    return asked.count..<end
  }
}

extension Message {
  var isAnswer: Bool { role == .assistant }
  /// Whether it counts in the loss as an answer.
  var isLearned: Bool { learning == .byRole }
}

extension ArraySlice<UInt8> {
  /// The last occurrence of these bytes.
  fileprivate func lastRange(of other: [UInt8]) -> Range<Int>? {
    guard !other.isEmpty, count >= other.count else { return nil }
    for start in stride(from: endIndex - other.count, through: startIndex, by: -1)
    where self[start..<start + other.count].elementsEqual(other) {
      return start..<start + other.count
    }
    return nil
  }
}
