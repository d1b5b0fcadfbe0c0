import Families

/// A set of components that a fine-tune may change.
///
/// Most recipes are sets of roles in the language model (`Component.Role`), so they have the same meaning under every
/// family's names. A fused tensor is included if all its parts are. An adapter (`q_proj.lora_A.weight`) or a quantised
/// tensor (`q_proj.qweight`) has no role.
package enum Recipe: String, CaseIterable, Hashable, Sendable {
  case saProj = "sa-proj"
  case saQKV = "sa-qkv"
  case attentionOutput = "attention-output"
  case gateUp = "gate-up"
  case gateUpDense = "gate-up-dense"
  case gateUpExperts = "gate-up-experts"
  case mlp
  case down
  case experts
  case router
  case norms
  case embeddings
  case llm
  case projector
  case vision
  case full

  /// Whether this recipe allows the component to change.
  package func contains(_ component: Component) -> Bool { contains(Kind(component)) }

  /// All of a component that matters to recipes. A model has few kinds, and up to a million components.
  private struct Kind: Hashable {
    let region: Component.Region
    let role: Component.Role?

    init(_ component: Component) {
      region = component.region
      role = component.role
    }
  }

  private func contains(_ kind: Kind) -> Bool {
    switch self {
    case .llm:
      switch kind.region {
      case .embedding, .decoderLayer, .finalNorm, .head, .prediction: true
      case .projector, .resampler, .visionTower, .other: false
      }
    case .embeddings: (kind.region == .embedding || kind.region == .head) && kind.role == nil
    case .projector: kind.region == .projector
    case .vision: kind.region == .visionTower
    case .full: true
    default: kind.role.map { Self.roles[self]?.contains($0) ?? false } ?? false
    }
  }

  /// A one-line description.
  package var summary: String {
    switch self {
    case .saProj: "self-attention projections q, k, v, o of the language model"
    case .saQKV: "self-attention projections q, k, v of the language model"
    case .attentionOutput: "self-attention output projections (o) of the language model"
    case .gateUp: "MLP gate and up projections of the language model"
    case .gateUpDense: "those of MLPs without experts"
    case .gateUpExperts: "those of experts, including shared experts"
    case .mlp: "MLP gate, up and down projections of the language model"
    case .down: "MLP down projections of the language model"
    case .experts: "gate, up and down projections of experts"
    case .router: "routers, which choose the experts of a token"
    case .norms: "norms of the language model"
    case .embeddings: "embeddings and output head of the language model"
    case .llm: "the whole language model: layers, norms, embeddings, head"
    case .projector: "the projector between vision tower and language model"
    case .vision: "the vision tower"
    case .full: "every tensor"
    }
  }

  /// The recipes with their descriptions, one a line, for help texts.
  package static var list: String {
    let width = 2 + (allCases.map(\.rawValue.count).max() ?? 0)
    return allCases.map { recipe in
      "  " + recipe.rawValue + String(repeating: " ", count: width - recipe.rawValue.count) + recipe.summary
    }.joined(separator: "\n")
  }

  /// The smallest recipe that allows all these components; nil if there are none.
  /// - Parameter model: all components of the model. They decide whether a narrow recipe, such as `gate-up-experts`,
  ///   says more than the general one: not in a model without experts, or with nothing else.
  package static func recognise(
    changed: some Collection<Component>, of model: some Sequence<Component>
  ) -> Recipe? {
    let kinds = Set(changed.map(Kind.init))
    guard !kinds.isEmpty, let smallest = bySize.first(where: { kinds.allSatisfy($0.contains) }) else { return nil }
    guard let general = smallest.general else { return smallest }
    let isNarrower = model.contains { general.contains($0) && !smallest.contains($0) }
    return isNarrower ? smallest : general
  }

  /// Every recipe after those that it contains. `experts` shares components with `gate-up` and `down`, but what it shares
  /// with `gate-up` is a recipe too, and `down` is preferred.
  static let bySize: [Recipe] = [
    .saQKV, .attentionOutput, .saProj, .gateUpDense, .gateUpExperts, .gateUp, .down, .experts, .mlp, .router, .norms,
    .embeddings, .projector, .vision, .llm, .full,
  ]

  /// The recipe that this one is a part of in models with and without experts.
  private var general: Recipe? {
    switch self {
    case .gateUpDense, .gateUpExperts: .gateUp
    case .experts: .mlp
    default: nil
    }
  }

  /// The roles that a recipe names.
  private static let roles: [Recipe: Set<Component.Role>] = [
    .saProj: [.attentionInput, .attentionOutput],
    .saQKV: [.attentionInput],
    .attentionOutput: [.attentionOutput],
    .gateUp: [.mlpInput, .expertInput],
    .gateUpDense: [.mlpInput],
    .gateUpExperts: [.expertInput],
    .mlp: [.mlpInput, .mlpOutput, .expertInput, .expertOutput],
    .down: [.mlpOutput, .expertOutput],
    .experts: [.expertInput, .expertOutput],
    .router: [.router],
    .norms: [.norm],
  ]
}

extension Recipe: CustomStringConvertible {
  package var description: String { rawValue }
}
