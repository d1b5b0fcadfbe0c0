import Families

/// A set of components that a fine-tune may change.
///
/// A recipe that names projections includes only their `weight` and `bias`: an adapter (`q_proj.lora_A.weight`), a
/// quantised tensor (`q_proj.qweight`) or a norm beside them (`q_norm`) is outside. A fused projection (`qkv_proj`,
/// `gate_up_proj` of Phi-3) is included if all its parts are.
package enum Recipe: String, CaseIterable, Hashable, Sendable {
  case saProj = "sa-proj"
  case saQKV = "sa-qkv"
  case gateUp = "gate-up"
  case mlp
  case down
  case llm
  case projector
  case vision
  case full

  /// Whether this recipe allows the component to change.
  package func contains(_ component: Component) -> Bool {
    switch self {
    case .llm:
      switch component.region {
      case .embedding, .decoderLayer, .finalNorm, .head: true
      case .projector, .resampler, .visionTower, .other: false
      }
    case .projector: component.region == .projector
    case .vision: component.region == .visionTower
    case .full: true
    case .saProj, .saQKV, .gateUp, .mlp, .down:
      component.region == .decoderLayer && modules.contains(component.name)
        && (component.parameter == "weight" || component.parameter == "bias")
    }
  }

  /// A one-line description.
  package var summary: String {
    switch self {
    case .saProj: "self-attention projections q, k, v, o of the language model"
    case .saQKV: "self-attention projections q, k, v of the language model"
    case .gateUp: "MLP gate and up projections of the language model"
    case .mlp: "MLP gate, up and down projections of the language model"
    case .down: "MLP down projections of the language model"
    case .llm: "the whole language model: layers, norms, embeddings, head"
    case .projector: "the projector between vision tower and language model"
    case .vision: "the vision tower"
    case .full: "every tensor"
    }
  }

  /// The smallest recipe that allows all these components; nil if there are none.
  package static func recognise(changed: some Collection<Component>) -> Recipe? {
    guard !changed.isEmpty else { return nil }
    return bySize.first { recipe in changed.allSatisfy(recipe.contains) }
  }

  /// Every recipe after those that it contains. Otherwise the order does not matter, since other recipes share no
  /// component.
  static let bySize: [Recipe] = [
    .saQKV, .saProj, .down, .gateUp, .mlp, .projector, .vision, .llm, .full,
  ]

  /// The modules of a decoder layer that the recipe names.
  private var modules: [String] {
    let qkv = ["q_proj", "k_proj", "v_proj", "qkv_proj"].map { "self_attn.\($0)" }
    let gateUp = ["gate_proj", "up_proj", "gate_up_proj"].map { "mlp.\($0)" }
    return switch self {
    case .saProj: qkv + ["self_attn.o_proj"]
    case .saQKV: qkv
    case .gateUp: gateUp
    case .mlp: gateUp + ["mlp.down_proj"]
    case .down: ["mlp.down_proj"]
    case .llm, .projector, .vision, .full: []
    }
  }
}

extension Recipe: CustomStringConvertible {
  package var description: String { rawValue }
}
