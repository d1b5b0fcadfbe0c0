import PatchFormat
import Text

/// One item of a task: what the model is shown, and what is right.
public struct EvaluationItem: Sendable, Equatable {
  public enum Content: Sendable, Equatable {
    /// A document.
    case text(String)
    /// A question in words.
    case prompt(String)
    /// A conversation up to the answer.
    case messages([Message])
  }

  public var content: Content
  /// Answers that count as right; the first is the one to show as an example.
  public var answers: [String] = []
  /// Of a multiple choice.
  public var choices: [String] = []
  /// Which of the choices are right.
  public var correct: [Int] = []

  public init(_ content: Content, answers: [String] = [], choices: [String] = [], correct: [Int] = []) {
    self.content = content
    self.answers = answers
    self.choices = choices
    self.correct = correct
  }

  /// What stands for it in the digest of its task's probe set.
  var json: JSON {
    func list<Element>(_ elements: [Element], _ json: (Element) -> JSON) -> JSON? {
      elements.isEmpty ? nil : .array(elements.map(json))
    }
    var members: [JSON.Member] =
      switch content {
      case .text(let text): [.init("text", .string(text))]
      case .prompt(let text): [.init("prompt", .string(text))]
      case .messages(let messages):
        [
          .init(
            "messages",
            .array(
              messages.map {
                .dictionary(["role": .string($0.role.rawValue), "content": .string($0.content)])
              }))
        ]
      }
    if let answers = list(answers, { .string($0) }) { members.append(.init("answers", answers)) }
    if let choices = list(choices, { .string($0) }) { members.append(.init("choices", choices)) }
    if let correct = list(correct, { JSON($0) }) { members.append(.init("correct", correct)) }
    return .object(members)
  }
}
