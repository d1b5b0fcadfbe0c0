import Base
import Images

extension RowEncoder {
  /// The examples of a conversation: one, or one per answer if the template renders past messages differently.
  func encode(_ conversation: Conversation, _ sources: [ImageSource]) throws -> [Encoded] {
    let messages = conversation.messages
    if rules.needsAnswers, !rules.learnsEverything {
      guard messages.contains(where: \.isAnswer) else { throw RowError("has no message of the assistant") }
      guard messages.contains(where: { $0.isAnswer && $0.isLearned }) else {
        throw RowError("has no message of the assistant that counts in the loss")
      }
    }
    if rules.needsAnswers,
      let i = messages.firstIndex(where: { $0.isAnswer && $0.isLearned && $0.saysNothing })
    {
      throw RowError("has an empty answer (message \(i + 1))")
    }
    try text.checkMarks(in: messages.flatMap(\.parts))
    let template = try text.template
    do {
      let lessons = try lessons(conversation, template)
      try requireWritten(conversation, template, lessons)
      return try lessons.map { lesson in
        let shown = conversation.images.isEmpty ? nil : text.mark
        let segments = [Segment](lesson.text, answers: lesson.answers, mark: shown)
        // A conversation up to an answer includes the images up to there.
        let images = Array(sources.prefix(segments.count(where: \.isImage)))
        var encoded = try example(
          segments, images, addSpecialTokens: text.addsSpecialTokens(to: lesson.text, template),
          learnsEverything: rules.learnsEverything && !conversation.leavesOut)
        guard !encoded.endsInToken || !template.marksAnswers else {
          throw RowError("has an answer that begins or ends inside a token, so its tokens cannot be located")
        }
        let end = template.endOfAnswer.map { Array($0.utf8) }
        encoded.isEndless = lesson.answers.contains { range in
          end.flatMap { lesson.text.firstPlace(of: $0, in: range) } == nil
        }
        return encoded
      }
    } catch let error as VPatchError {
      // An error of the template for this row only.
      throw RowError(RowError.words(error))
    }
  }

  /// The parts of a conversation that count in the loss. If that is all or nothing, answers need not be located.
  private func lessons(_ conversation: Conversation, _ template: ChatTemplate) throws -> [Lesson] {
    if rules.needsAnswers, !rules.learnsEverything { return try template.lessons(conversation) }
    if rules.needsAnswers, conversation.leavesOut {
      return [try template.everything(conversation)]
    }
    return [Lesson(text: try template.render(conversation, addGenerationPrompt: false).text, answers: [])]
  }

  /// - Throws: `RowError` for content that the template leaves out although it changes the meaning.
  private func requireWritten(_ conversation: Conversation, _ template: ChatTemplate, _ lessons: [Lesson]) throws {
    for (name, path) in [("tools", \Conversation.tools), ("documents", \.documents)] {
      guard conversation[keyPath: path]?.isEmpty == false else { continue }
      var without = conversation
      without[keyPath: path] = nil
      guard template.reads(name), try differs(conversation, without, template) else {
        throw RowError("has \"\(name)\", which the model's chat template does not render")
      }
    }
    for key in ["tool_calls", "function_call"] {
      let calling = conversation.messages.firstIndex { $0.members.contains { $0.key == key && !$0.value.isNothing } }
      guard let calling else { continue }
      guard template.reads(key), try differs(conversation, conversation.without(key), template) else {
        throw RowError(
          "has a message (\(calling + 1)) with \"\(key)\", which the model's chat template does not render")
      }
    }
    for (i, message) in conversation.messages.enumerated() where message.role != .assistant {
      let said = Array(message.content.trimmed.utf8)
      let isThere = lessons.contains { $0.text.firstPlace(of: said, in: $0.text.indices) != nil }
      guard !said.isEmpty, !isThere else { continue }
      // It may be rendered differently; then another text is, too.
      var other = conversation
      other.messages[i] = message.with([.text(message.content + " \(ChatTemplate.probe)")])
      guard try differs(conversation, other, template) else {
        throw RowError(
          "has a message (\(i + 1)) of the role \"\(message.role.rawValue.printable)\", which the model's chat template "
            + "does not render")
      }
    }
  }

  /// Whether the template renders two conversations differently, or rejects one of them.
  private func differs(_ a: Conversation, _ b: Conversation, _ template: ChatTemplate) throws -> Bool {
    let text = try template.render(a, addGenerationPrompt: false).text
    return (try? template.render(b, addGenerationPrompt: false))?.text != text
  }

  /// Members of messages that are not used, and arguments unknown to the template.
  func unread(_ conversation: Conversation) throws -> [String] {
    let template = try text.template
    let keys = Set(conversation.messages.flatMap(\.members).filter { $0.value != .null }.map(\.key))
      .subtracting(Self.known)
    var names: [String] = []
    for key in keys.sorted() {
      // Reasoning is available under each of its names.
      if Message.thoughts.contains(key), Message.thoughts.contains(where: template.reads) { continue }
      if template.reads(key), (try? differs(conversation, conversation.without(key), template)) != false { continue }
      names.append("\(key) (of a message)")
    }
    names += conversation.arguments.map(\.key).filter { !template.reads($0) }.map { "\($0) (chat_template_kwargs)" }
    return names
  }

  private static let known = Set(["role", "content", "tool_calls", "function_call"] + LossMark.keys)
}

extension Conversation {
  /// Without a member of its messages.
  fileprivate func without(_ key: String) -> Conversation {
    var other = self
    other.messages = messages.map { message in
      Message(message.role, message.parts, members: message.members.filter { $0.key != key }, message.learning)
    }
    return other
  }

  /// Whether the row marks a message as not trained.
  fileprivate var leavesOut: Bool { messages.contains { $0.learning == .never } }
}

extension Message {
  /// No text, no reasoning, no tool calls.
  fileprivate var saysNothing: Bool {
    content.trimmed.isEmpty
      && !members.contains { member in
        member.key == "tool_calls" && !member.value.isNothing
          || Self.thoughts.contains(member.key) && member.value.string?.trimmed.isEmpty == false
      }
  }
}

extension JSON {
  var isNothing: Bool { self == .null || isEmpty }
}
