import Base
import Text

/// One item of a task: what the model is shown, and what is right.
package struct EvaluationItem: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    /// A document.
    case text(String)
    /// A question, with images among it.
    case question([Message.Part])
    /// A conversation up to the answer.
    case messages([Message])

    /// A question in words.
    package static func prompt(_ text: String) -> Content { .question([.text(text)]) }

    /// What is said and shown, in order.
    var parts: [Message.Part] {
      switch self {
      case .text(let text): [.text(text)]
      case .question(let parts): parts
      case .messages(let messages): messages.flatMap(\.parts)
      }
    }
  }

  package var content: Content
  /// Of the bytes of the images that the content names, by their paths.
  package var images: [String: ContentDigest] = [:]
  /// Answers that count as right; the first is the one to show as an example.
  package var answers: [String] = []
  /// Of a multiple choice.
  package var choices: [String] = []
  /// Which of the choices are right.
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

  /// A text alone is one; an image is what its file holds, whatever it is called.
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

  /// What stands for it in the digest of its task's probe set.
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
