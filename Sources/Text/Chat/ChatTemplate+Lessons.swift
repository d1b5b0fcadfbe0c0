import Base
import Jinja

/// A conversation as the model is shown it, and what of it is learned.
struct Lesson: Equatable, Sendable {
  let text: [UInt8]
  /// In bytes of the text, in order.
  let answers: [Range<Int>]
}

extension ChatTemplate {
  /// What is learned from a conversation: the answers of the assistant that are to be learned, each with the token that
  /// ends it.
  ///
  /// Where the template says itself what the model has said ({% generation %}), that is it. Else an answer is what comes
  /// behind the conversation before it, as it is shown to the model to be answered. A template that writes what is past in
  /// another way (Qwen3 and DeepSeek-R1 drop what was thought) gives one lesson for each answer.
  /// - Throws: `refused` where neither holds, with the reason.
  func lessons(_ conversation: Conversation) throws -> [Lesson] {
    let whole = try render(conversation, addGenerationPrompt: false)
    if marksAnswers { return [try marked(whole, conversation)] }
    let answers = conversation.messages.indices.filter { conversation.messages[$0].isAnswer }
    var ranges: [Range<Int>] = []
    for i in answers {
      // An answer that is part of the whole as it is alone.
      guard let range = try answer(i, of: conversation, in: whole) else {
        return try answers.filter { conversation.messages[$0].isLearned }.map { try lesson(of: $0, conversation) }
      }
      if conversation.messages[i].isLearned { ranges.append(range) }
    }
    return [Lesson(text: whole.text, answers: ranges)]
  }

  /// All of a conversation but the messages that say that they are not to be learned.
  /// - Throws: `refused` where one of those cannot be told apart.
  func everything(_ conversation: Conversation) throws -> Lesson {
    let whole = try render(conversation, addGenerationPrompt: false)
    var learned: [Range<Int>] = []
    var end = 0
    for i in conversation.messages.indices where conversation.messages[i].learning == .never {
      guard let range = try place(of: i, conversation, in: whole), range.lowerBound >= end else {
        throw VPatchError(
          .refused, nil,
          "message \(i + 1) is not to be learned, and the chat template writes it otherwise once more follows, "
            + "so it cannot be told apart",
          remedy: "leave --learn-prompts out")
      }
      learned.append(end..<range.lowerBound)
      end = range.upperBound
    }
    learned.append(end..<whole.text.count)
    return Lesson(text: whole.text, answers: learned.filter { !$0.isEmpty })
  }

  /// Where a message stands in a rendering of its conversation: of an answer what `lessons` would learn of it, of another
  /// one all that is written for it.
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

  /// The answers where a template marks what the model has said, of which not all are learned.
  private func marked(_ whole: Rendering, _ conversation: Conversation) throws -> Lesson {
    let answers = conversation.messages.filter(\.isAnswer)
    guard !answers.allSatisfy(\.isLearned) else { return Lesson(text: whole.text, answers: whole.generations) }
    let marks = try marks(whole, conversation)
    return Lesson(text: whole.text, answers: zip(answers, marks).filter(\.0.isLearned).map(\.1))
  }

  /// One mark an answer.
  private func marks(_ whole: Rendering, _ conversation: Conversation) throws -> [Range<Int>] {
    let answers = conversation.messages.filter(\.isAnswer)
    guard answers.count == whole.generations.count else {
      throw VPatchError(
        .refused, nil,
        "the chat template marks \(Format.counted(whole.generations.count, "answer")) in a conversation "
          + "with \(answers.count), so those that are not to be learned cannot be told apart")
    }
    return whole.generations
  }

  /// One answer behind what was said before it.
  private func lesson(of i: Int, _ conversation: Conversation) throws -> Lesson {
    let part = conversation.prefix(i + 1)
    let text = try render(part, addGenerationPrompt: false)
    guard let range = try answer(i, of: part, in: text) else {
      let asked = try render(conversation.prefix(i), addGenerationPrompt: true).text
      throw Self.unasked(i, asked: asked, said: text.text)
    }
    return Lesson(text: text.text, answers: [range])
  }

  /// Where the last special token of a text ends, behind which there is only white space.
  private func lastEnd(_ said: ArraySlice<UInt8>) -> Int? {
    specialTokens.compactMap { said.lastRange(of: Array($0.utf8))?.upperBound }.max().flatMap { end in
      said[end...].allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains($0) } ? end : nil
    }
  }

  /// The error for an answer that does not stand behind what asks for it.
  private static func unasked(_ i: Int, asked: [UInt8], said: [UInt8]) -> VPatchError {
    var shared = zip(asked, said).prefix { $0 == $1 }.count
    // Not in the middle of a character.
    while shared > 0, [asked, said].contains(where: { shared < $0.count && $0[shared] & 0xC0 == 0x80 }) { shared -= 1 }
    func rest(_ bytes: [UInt8]) -> String {
      "\"" + String(String(decoding: bytes[shared...], as: UTF8.self).prefix(24)).printable + "\""
    }
    let what =
      shared == asked.count
      ? "the chat template writes nothing for the answer in message \(i + 1)"
      : "the chat template asks for the answer in message \(i + 1) with \(rest(asked)), and writes \(rest(said)) there "
        + "once it is given"
    return VPatchError(
      .refused, nil, "\(what), so it cannot be said what of it is learned",
      remedy: "give it a template that does not (--chat-template), or write the conversation out as prompt and "
        + "completion")
  }

  /// Where message i of a conversation stands in a rendering of it; nil where the template writes it there otherwise than
  /// where it is asked for or comes last.
  private func answer(_ i: Int, of conversation: Conversation, in whole: Rendering) throws -> Range<Int>? {
    guard i > 0 else {
      throw VPatchError(
        .refused, nil, "the conversation begins with the assistant, so there is nothing that it answers",
        remedy: "leave the message out, or let a message of the user come first")
    }
    let asked = try render(conversation.prefix(i), addGenerationPrompt: true).text
    let bytes = whole.text
    guard bytes.starts(with: asked) else { return nil }
    let isLast = i == conversation.messages.count - 1
    let said = isLast ? bytes : try render(conversation.prefix(i + 1), addGenerationPrompt: false).text
    guard said.starts(with: asked) else { return nil }
    var end = said.count
    if let token = endOfAnswer.map({ Array($0.utf8) }), let last = said[asked.count...].lastRange(of: token) {
      // What stands behind it is nothing that the model says.
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
  /// As an answer.
  var isLearned: Bool { learning == .byRole }
}

extension ArraySlice<UInt8> {
  /// The last place of these bytes.
  fileprivate func lastRange(of other: [UInt8]) -> Range<Int>? {
    guard !other.isEmpty, count >= other.count else { return nil }
    for start in stride(from: endIndex - other.count, through: startIndex, by: -1)
    where self[start..<start + other.count].elementsEqual(other) {
      return start..<start + other.count
    }
    return nil
  }
}
