import Base
import Measure

/// One task of a suite: its items, the prompt format, and the metric.
package struct EvaluationTask: Sendable {
  package let name: String
  package let role: ForgettingRecord.Role
  package let kind: Kind
  package let prompt: PromptFormat
  package let items: [EvaluationItem]

  package enum Kind: Sendable {
    case perplexity(PerplexityTask)
    case multipleChoice(MultipleChoiceTask)
    case exactMatch(ExactMatchTask)
    case optionLetter(OptionLetterTask)
    case clock(ClockTask)
    case divergence(DivergenceTask)
    case mass(MassTask)

    /// Values of `kind` in suites.
    enum Name: String, CaseIterable {
      case perplexity, mass, kl, clock
      case multipleChoice = "multiple-choice"
      case exactMatch = "exact-match"
      case optionLetter = "option-letter"
    }

    var name: Name {
      switch self {
      case .perplexity: .perplexity
      case .multipleChoice: .multipleChoice
      case .exactMatch: .exactMatch
      case .optionLetter: .optionLetter
      case .clock: .clock
      case .divergence: .kl
      case .mass: .mass
      }
    }

    var ownSettings: [JSON.Member] {
      switch self {
      case .perplexity(let task): task.settings
      case .multipleChoice(let task): task.settings
      case .exactMatch(let task): task.settings
      case .optionLetter(let task): task.settings
      case .clock(let task): task.settings
      case .divergence(let task): task.settings
      case .mass(let task): task.settings
      }
    }
  }

  package init(
    name: String, role: ForgettingRecord.Role, kind: Kind, prompt: PromptFormat = PromptFormat(.raw),
    items: [EvaluationItem]
  ) {
    self.name = name
    self.role = role
    self.kind = kind
    self.prompt = prompt
    self.items = items
  }

  /// Whether it needs the base's probabilities as well as the model's.
  package var isDivergence: Bool {
    if case .divergence = kind { return true }
    return false
  }

  /// Settings that the result depends on besides the model and the items.
  var settings: [JSON.Member] {
    [JSON.Member("kind", .string(kind.name.rawValue))] + (showsPrompts ? prompt.settings : []) + kind.ownSettings
  }

  var usesChat: Bool { showsPrompts && prompt.style == .chat }

  private var showsPrompts: Bool {
    items.contains { item in
      if case .text = item.content { return false }
      return true
    }
  }

  /// Digest of the items and their prompts: SHA-256 of a canonical JSON object (docs/evaluation.md, "Probe sets").
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
