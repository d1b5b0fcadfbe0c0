import Base
import Measure

/// One task of a suite: items, how they are shown, and what is measured of them.
package struct EvaluationTask: Sendable {
  package let name: String
  package let role: ForgettingRecord.Role
  package let kind: any TaskKind
  package let prompt: PromptFormat
  package let items: [EvaluationItem]

  package init(
    name: String, role: ForgettingRecord.Role, kind: any TaskKind, prompt: PromptFormat = PromptFormat(.raw),
    items: [EvaluationItem]
  ) {
    self.name = name
    self.role = role
    self.kind = kind
    self.prompt = prompt
    self.items = items
  }

  /// Needs the base's probabilities beside the model's own.
  package var isDivergence: Bool { type(of: kind).comparesWithBase }

  /// What the result depends on besides the model and the items.
  var settings: [JSON.Member] {
    [JSON.Member("kind", .string(type(of: kind).name))] + (showsPrompts ? prompt.settings : []) + kind.settings
  }

  var usesChat: Bool { showsPrompts && prompt.style == .chat }

  private var showsPrompts: Bool {
    items.contains { item in
      if case .text = item.content { return false }
      return true
    }
  }

  /// What the items and the way they are asked are, by content: SHA-256 over a canonical JSON object
  /// (docs/evaluation.md, "Probe sets").
  package var probeSet: ContentDigest {
    SHA256Hasher.hash(
      JSON.dictionary([
        "format": "vpatch.probe-set.1", "settings": .object(settings), "items": .array(items.map(\.json)),
        "examples": .array(prompt.examples.map(\.json)),
      ]).canonical())
  }
}

extension JSON: ExpressibleByStringLiteral {
  package init(stringLiteral value: String) { self = .string(value) }
}
