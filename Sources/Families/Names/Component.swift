/// The place of a tensor in a model, independent of the file's naming scheme.
///
/// A `ModelLayout` finds it. Rules match whole parts of the dotted name: `self_attn.q_proj` of a vision tower is a
/// different component from the language model's.
package struct Component: Hashable, Sendable {
  /// The part of the model that a tensor belongs to, in the order of tables.
  package enum Region: String, CaseIterable, Sendable {
    /// The language model's embeddings of tokens and positions, and LLaVA's `image_newline` beside them.
    case embedding
    /// A decoder layer of the language model.
    case decoderLayer = "decoder layer"
    /// The norm after the last decoder layer.
    case finalNorm = "final norm"
    /// The language model's output head.
    case head
    /// Layers that predict further tokens (`mtp`).
    case prediction = "multi-token prediction"
    /// Maps vision features into the language model: LLaVA's MLP, Qwen's merger.
    case projector
    /// A resampler between vision tower and projector (lmms-lab).
    case resampler
    case visionTower = "vision tower"
    /// Tensors that no rule matches. Only the recipe `full` includes them.
    case other
  }

  package var region: Region
  /// Index of the language model's decoder layer or of the vision tower's block. For `.other` the first number in the
  /// name, so that tables of unknown models still have layers.
  package var layer: Int?
  /// The module's path inside its region: `self_attn.q_proj`, `embed_tokens`, `multi_modal_projector.linear_1`. For
  /// `.other` the whole path, with `*` for the layer.
  package var name: String
  /// The tensor's name in its module: `weight`, `bias`; empty for a tensor outside any module.
  package var parameter: String

  package init(region: Region, layer: Int? = nil, name: String, parameter: String) {
    self.region = region
    self.layer = layer
    self.name = name
    self.parameter = parameter
  }

  /// `name.parameter`, or only the name if there is no parameter.
  package var path: String { parameter.isEmpty ? name : "\(name).\(parameter)" }

  /// The layout-independent tensor name; nil for `.other`, which has only the file's name.
  package var canonicalName: String? {
    let layers = layer.map { "layers.\($0)." } ?? ""
    switch region {
    case .embedding, .decoderLayer, .finalNorm: return "language_model.\(layers)\(path)"
    case .visionTower: return "vision_tower.\(layers)\(path)"
    case .head, .prediction, .projector, .resampler: return path
    case .other: return nil
    }
  }
}

extension Component: CustomStringConvertible {
  /// Readable text: `layer 3 self_attn.q_proj.weight`, `vision tower block 0 mlp.fc1.bias`.
  package var description: String {
    switch (region, layer) {
    case (.decoderLayer, let layer?): "layer \(layer) \(path)"
    case (.visionTower, let layer?): "vision tower block \(layer) \(path)"
    case (.visionTower, nil): "vision tower \(path)"
    case (.other, let layer?): "layer \(layer) \(path)"
    default: path
    }
  }
}

extension Component: Comparable {
  /// Table order: region, then layer (none first), then name and parameter.
  package static func < (a: Component, b: Component) -> Bool {
    (a.region, a.layer ?? -1, a.name, a.parameter) < (b.region, b.layer ?? -1, b.name, b.parameter)
  }
}

extension Component.Region: Comparable, CustomStringConvertible {
  package static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
  package var description: String { rawValue }

  private var rank: Int {
    switch self {
    case .embedding: 0
    case .decoderLayer: 1
    case .finalNorm: 2
    case .head: 3
    case .prediction: 4
    case .projector: 5
    case .resampler: 6
    case .visionTower: 7
    case .other: 8
    }
  }
}
