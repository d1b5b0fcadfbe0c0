import PatchFormat
import Text

/// How the items of a task are shown to the model.
public struct PromptFormat: Sendable, Equatable {
  public enum Style: String, Sendable, CaseIterable {
    /// The text as it stands.
    case raw
    /// In the model's chat template, with what opens the answer.
    case chat
  }

  public var style: Style
  /// A message before the first, in a chat.
  public var system: String?
  /// A text around each prompt, with `{prompt}` where it goes.
  public var template: String?
  /// What stands between a prompt and its answer.
  public var delimiter: String
  /// Items with their answers, shown before each item.
  public var examples: [EvaluationItem] = []

  static let slot = "{prompt}"

  public init(
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

  /// A prompt as a text.
  func text(_ prompt: String) -> String {
    guard let template else { return prompt }
    let range = template.firstRange(of: Self.slot)!
    return template.replacingCharacters(in: range, with: prompt)
  }

  /// All that stands before the answer, in a raw prompt.
  func rawContext(_ item: EvaluationItem) -> String {
    examples.map { text($0.promptText) + delimiter + $0.shownAnswer + "\n\n" }.joined() + text(item.promptText)
  }

  /// The conversation up to the answer.
  func conversation(_ item: EvaluationItem) -> [Message] {
    let opening = system.map { [Message(.system, $0)] } ?? []
    return opening + examples.flatMap { turns($0) + [Message(.assistant, $0.shownAnswer)] } + turns(item)
  }

  private func turns(_ item: EvaluationItem) -> [Message] {
    if case .messages(let messages) = item.content { return messages }
    return [Message(.user, text(item.promptText))]
  }

  /// The tokens of all that stands before the answer.
  func tokens(_ item: EvaluationItem, _ tokenizer: some EvaluationTokenizer) throws -> TokenSequence {
    switch style {
    case .raw: TokenSequence(try tokenizer.encode(rawContext(item), addingSpecialTokens: true))
    case .chat: try tokenizer.encode(chat: conversation(item))
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<String.Index>, with text: String) -> String {
    self[..<range.lowerBound] + text + self[range.upperBound...]
  }
}

extension EvaluationItem {
  fileprivate var promptText: String {
    if case .prompt(let text) = content { return text }
    preconditionFailure("an item without a prompt in a task of prompts")
  }

  /// The answer as an example shows it.
  fileprivate var shownAnswer: String { choices.isEmpty ? answers[0] : choices[correct[0]] }
}
