/// A rule: a prefix of whole name parts, and how to read the rest.
package struct Rule: Hashable, Sendable {
  package enum Reading: Hashable, Sendable {
    /// The language model without its head: its layers below this path, embeddings, the last norm.
    case languageModel(layers: String = "layers")
    /// `lm_head`, under the family's name.
    case head
    /// Multi-token prediction: layers after the last one, which guess further tokens.
    case prediction
    /// One learned vector in the embedding space; the whole name, without a module.
    case imageNewline
    /// A projector. Its modules keep their names below this root.
    case projector(root: String)
    /// lmms-lab's projector, an `nn.Sequential`: `0` and `2` are `linear_1` and `linear_2`.
    case sequentialProjector
    case resampler
    /// A vision tower whose blocks are below one of these paths.
    case visionTower(blocks: [String])
  }

  package let prefix: NamePath
  package let reading: Reading
  /// The paths of the reading's layers, split once.
  private let stems: [NamePath]

  init(_ prefix: String, _ reading: Reading) {
    self.prefix = NamePath(prefix)
    self.reading = reading
    switch reading {
    case .languageModel(let layers): stems = [NamePath(layers)]
    case .visionTower(let blocks): stems = blocks.map { NamePath($0) }
    default: stems = []
    }
  }

  /// The component of a name; nil where this rule does not match.
  package func read(_ path: NamePath) -> Component? {
    guard path.parts.starts(with: prefix.parts) else { return nil }
    let rest = path.parts.dropFirst(prefix.parts.count)
    guard rest.isEmpty == (reading == .imageNewline) else { return nil }
    switch reading {
    case .languageModel:
      if let (layer, inner) = block(rest) { return Component(.decoderLayer, layer: layer, inner) }
      guard rest.count == 2, let module = rest.first else { return nil }
      if Self.embeddings.contains(module) { return Component(.embedding, rest) }
      return Self.finalNorms.contains(module) ? Component(.finalNorm, rest) : nil
    case .prediction:
      return Component(.prediction, path.parts)
    case .head:
      return rest.count == 1 ? Component(.head, ["lm_head"] + rest) : nil
    case .imageNewline:
      return Component(.embedding, ["image_newline"])
    case .projector(let root):
      return Component(.projector, [Substring(root)] + rest)
    case .sequentialProjector:
      let first = Self.linear(rest[rest.startIndex])
      return Component(.projector, ["multi_modal_projector", first] + rest.dropFirst())
    case .resampler:
      return Component(.resampler, ["vision_resampler"] + rest)
    case .visionTower:
      if let (layer, inner) = block(rest) { return Component(.visionTower, layer: layer, inner) }
      return Component(.visionTower, rest)
    }
  }

  /// The language model's modules outside its layers and head.
  private static let embeddings: Set<Substring> = [
    "embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in", "embeddings",
    "tokens_embed", "word_embedding",
    // Positions.
    "wpe", "embed_positions", "positions_embed",
    // Gemma 3n and 4: a further embedding for each layer, and what the first one adds to it.
    "embed_tokens_per_layer", "per_layer_model_projection",
    // Norms of embeddings.
    "word_embeddings_layernorm", "per_layer_projection_norm",
  ]
  private static let finalNorms: Set<Substring> = [
    "norm", "ln_f", "norm_f", "final_layernorm", "final_layer_norm", "embedding_norm",
  ]

  /// `<stem>.<i>.<module>.<parameter>`, or a parameter of the layer itself, such as Gemma 4's `layer_scalar`: the
  /// number and the parts after it.
  private func block(_ rest: ArraySlice<Substring>) -> (Int, ArraySlice<Substring>)? {
    for stem in stems.lazy.map(\.parts) where rest.starts(with: stem) {
      let numbered = rest.dropFirst(stem.count)
      guard let first = numbered.first, let index = NamePath.index(first) else { continue }
      let inner = numbered.dropFirst()
      // A weight belongs to a module. One that belongs to the layer would be of no known family.
      guard inner.count >= 2 || inner.first.map({ $0 != "weight" && $0 != "bias" }) == true else { continue }
      return (index, inner)
    }
    return nil
  }

  /// Between the two linear layers of the sequence is an activation, which has no tensors. Other sequences exist (Yi-VL
  /// has norms in it), so only these two are renamed.
  private static func linear(_ part: Substring) -> Substring {
    switch part {
    case "0": "linear_1"
    case "2": "linear_2"
    default: part
    }
  }
}

extension Component {
  /// The component with these parts as module path and parameter.
  package init(_ region: Region, layer: Int? = nil, _ parts: some BidirectionalCollection<Substring>) {
    let module = parts.dropLast().joined(separator: ".")
    let last = String(parts.last ?? "")
    self.init(
      region: region, layer: layer,
      name: module.isEmpty ? last : module, parameter: module.isEmpty ? "" : last)
  }
}
