import Base
import Text

/// One item of a task: the prompt or document, and the right answers.
package struct EvaluationItem: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    /// A document.
    case text(String)
    /// A question, which may contain images.
    case question([Message.Part])
    /// A conversation up to the answer.
    case messages([Message])

    /// A question without images.
    package static func prompt(_ text: String) -> Content { .question([.text(text)]) }

    /// Text and images, in order.
    var parts: [Message.Part] {
      switch self {
      case .text(let text): [.text(text)]
      case .question(let parts): parts
      case .messages(let messages): messages.flatMap(\.parts)
      }
    }
  }

  package var content: Content
  /// Digests of the images, by path.
  package var images: [String: ContentDigest] = [:]
  /// Answers that count as right; the first is shown in few-shot examples.
  package var answers: [String] = []
  /// Of a multiple choice item.
  package var choices: [String] = []
  /// Indices of the right choices.
  package var correct: [Int] = []

  package init(
    _ content: Content, answers: [String] = [], choices: [String] = [], correct: [Int] = [],
    images: [String: ContentDigest] = [:]
  ) {
    self.content = content
    self.images = images
    self.answers = answers
    self.choices = choices
    self.correct = correct
  }

  /// A lone text is a JSON string; an image is represented by the digest of its content, not by its path.
  private func json(_ parts: [Message.Part]) -> JSON {
    guard !parts.images.isEmpty else { return .string(parts.text) }
    return .array(
      parts.map { part in
        switch part {
        case .text(let text): return .dictionary(["text": .string(text)])
        case .image(let path):
          guard let digest = images[path] else { preconditionFailure("an image without its digest") }
          return .dictionary(["image": .string(digest.hex)])
        }
      })
  }

  /// The item's representation in the digest of its task's probe set.
  var json: JSON {
    func list<Element>(_ elements: [Element], _ json: (Element) -> JSON) -> JSON? {
      elements.isEmpty ? nil : .array(elements.map(json))
    }
    var members: [JSON.Member] =
      switch content {
      case .text(let text): [.init("text", .string(text))]
      case .question(let parts): [.init("prompt", json(parts))]
      case .messages(let messages):
        [
          .init(
            "messages",
            .array(
              messages.map {
                .dictionary(["role": .string($0.role.rawValue), "content": json($0.parts)])
              }))
        ]
      }
    if let answers = list(answers, { .string($0) }) { members.append(.init("answers", answers)) }
    if let choices = list(choices, { .string($0) }) { members.append(.init("choices", choices)) }
    if let correct = list(correct, { JSON($0) }) { members.append(.init("correct", correct)) }
    return .object(members)
  }
}
