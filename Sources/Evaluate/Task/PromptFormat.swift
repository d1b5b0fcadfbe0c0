import Base
import Text

/// How the items of a task are rendered as prompts.
package struct PromptFormat: Sendable, Equatable {
  package enum Style: String, Sendable, CaseIterable {
    /// Plain text.
    case raw
    /// The model's chat template, with the start of the answer.
    case chat
  }

  package var style: Style
  /// System message of a chat.
  package var system: String?
  /// Text around each prompt, with `{prompt}` in the prompt's place.
  package var template: String?
  /// Text between a prompt and its answer.
  package var delimiter: String
  /// Few-shot examples: items with answers, shown before each item.
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

  /// A question within the template. Leading images stay before the template's text.
  func framed(_ question: [Message.Part]) -> [Message.Part] {
    guard let template else { return question }
    let range = template.firstRange(of: Self.slot)!
    let head = question.leadingImages
    return question[..<head] + [.text(String(template[..<range.lowerBound]))] + question[head...]
      + [.text(String(template[range.upperBound...]))]
  }

  /// Everything before the answer, in a raw prompt.
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

  /// The tokens of everything before the answer.
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
    preconditionFailure("an item without a prompt in a task that needs prompts")
  }

  /// The answer as an example shows it.
  fileprivate var shownAnswer: String { choices.isEmpty ? answers[0] : choices[correct[0]] }
}
