import Base
import Text

/// How the items of a task are shown to the model.
package struct PromptFormat: Sendable, Equatable {
  package enum Style: String, Sendable, CaseIterable {
    /// The text as it stands.
    case raw
    /// In the model's chat template, with what opens the answer.
    case chat
  }

  package var style: Style
  /// A message before the first, in a chat.
  package var system: String?
  /// A text around each prompt, with `{prompt}` where it goes.
  package var template: String?
  /// What stands between a prompt and its answer.
  package var delimiter: String
  /// Items with their answers, shown before each item.
  package var examples: [EvaluationItem] = []

  static let slot = "{prompt}"

  package init(
    _ style: Style, system: String? = nil, template: String? = nil, delimiter: String? = nil,
    examples: [EvaluationItem] = []
  ) {
    self.style = style
    self.system = system
    self.template = template
    self.delimiter = delimiter ?? (style == .raw ? " " : "")
    self.examples = examples
  }

  var settings: [JSON.Member] {
    JSON.dictionary([
      "format": .string(style.rawValue), "n_shot": JSON(examples.count), "system": system.map { .string($0) },
      "template": template.map { .string($0) }, "delimiter": .string(delimiter),
    ]).object!
  }

  /// A question in the template. Images that begin it stay before the template's text.
  func framed(_ question: [Message.Part]) -> [Message.Part] {
    guard let template else { return question }
    let range = template.firstRange(of: Self.slot)!
    let head = question.leadingImages
    return question[..<head] + [.text(String(template[..<range.lowerBound]))] + question[head...]
      + [.text(String(template[range.upperBound...]))]
  }

  /// All that stands before the answer, in a raw prompt.
  func rawContext(_ item: EvaluationItem) -> [Message.Part] {
    examples.flatMap { framed($0.question) + [.text(delimiter + $0.shownAnswer + "\n\n")] } + framed(item.question)
  }

  /// The conversation up to the answer.
  func conversation(_ item: EvaluationItem) -> [Message] {
    let opening = system.map { [Message(.system, $0)] } ?? []
    return opening + examples.flatMap { messages($0) + [Message(.assistant, $0.shownAnswer)] } + messages(item)
  }

  private func messages(_ item: EvaluationItem) -> [Message] {
    if case .messages(let messages) = item.content { return messages }
    return [Message(.user, framed(item.question).asMessage)]
  }

  /// The tokens of all that stands before the answer.
  func tokens(_ item: EvaluationItem, _ tokenizer: some EvaluationTokenizer) throws -> TokenSequence {
    switch style {
    case .raw: try tokenizer.encode(rawContext(item), addingSpecialTokens: true)
    case .chat: try tokenizer.encode(chat: conversation(item))
    }
  }
}

extension EvaluationItem {
  fileprivate var question: [Message.Part] {
    if case .question(let parts) = content { return parts }
    preconditionFailure("an item without a prompt in a task of prompts")
  }

  /// The answer as an example shows it.
  fileprivate var shownAnswer: String { choices.isEmpty ? answers[0] : choices[correct[0]] }
}
