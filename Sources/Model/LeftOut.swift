import Base
import Families

/// Finds tensors of a checkpoint that no computation would read and whose absence would go unnoticed: an unmerged
/// adapter, a norm of another family, a bias that the config denies. A model with one is refused.
///
/// Exceptions are tensors that transformers' class of the model has and a text does not need, and those that it does
/// not report when loading (5.24: `_adjust_missing_and_unexpected_keys` in modeling_utils.py; the classes of these
/// families have no `_keys_to_ignore_on_load_unexpected`).
enum LeftOut {
  /// Parts of dotted names that are ignored anywhere: buffers that old versions saved.
  private static let buffers: [[Substring]] = [["rotary_emb", "inv_freq"]]

  /// - Throws: `refused`, with the names of the tensors.
  static func require(_ decoder: Decoder, _ vision: VisionModel?, _ weights: ModelWeights) throws {
    let used = Set(
      (decoder.parameters + [decoder.tiedHead].compactMap(\.self) + (vision?.parameters ?? [])).map(\.name.bytesKey))
    let canonical = Set(weights.names.filter { used.contains($0.bytesKey) }.map(weights.layout.canonicalName(of:)))
    let left = weights.names.filter { name in
      !used.contains(name.bytesKey) && !isBuffer(name, hasTower: vision != nil)
        && !(vision?.passesOver(weights.layout.component(of: name), used: canonical) ?? false)
    }
    guard !left.isEmpty else { return }
    let shown = left.prefix(5).map { "\"\($0.printable)\"" }.joined(separator: ", ")
    throw VPatchError(
      .refused, weights.view.path,
      "has \(Format.counted(left.count, "tensor")) that would not be used: \(shown)"
        + (left.count > 5 ? ", …" : ""), remedy: remedy(left, weights, canonical))
  }

  private static func isBuffer(_ name: String, hasTower: Bool) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return buffers.contains { parts.suffix($0.count).elementsEqual($0) } || hasTower && parts.last == "position_ids"
  }

  private static func remedy(_ names: [String], _ weights: ModelWeights, _ canonical: Set<String>) -> String {
    func has(_ part: String) -> Bool { names.contains { $0.contains(part) } }
    if has("lora_") || has("base_layer") {
      return "merge the adapter first and save the whole model (in PEFT: merge_and_unload, then save_pretrained)"
    }
    if names.allSatisfy({ $0.hasSuffix(".bias") }) {
      return "set attention_bias or mlp_bias in config.json if the model has these, or remove them from the file"
    }
    if names.contains(where: { canonical.contains(weights.layout.canonicalName(of: $0)) }) {
      return "the file has the same tensor under two names: remove one of them"
    }
    return "use the config.json of the same model, or remove them from the file"
  }
}

extension VisionModel {
  /// Whether transformers' class has this tensor, although no output of the language model depends on it.
  /// - Parameter used: canonical names of the tensors that outputs depend on.
  fileprivate func passesOver(_ component: Component, used: Set<String>) -> Bool {
    guard component.region == .visionTower else { return false }
    if let layer = component.layer {
      // Layers above the one that is used.
      guard (config.usedLayers..<config.tower.layers).contains(layer) else { return false }
      var first = component
      first.layer = 0
      return config.usedLayers == 0 || first.canonicalName.map(used.contains) ?? false
    }
    return Self.unread[config.tower.family]!.contains { component.name == $0 || component.name.hasPrefix($0 + ".") }
  }

  /// Unused modules and tensors of a tower outside its layers.
  private static let unread: [VisionConfig.Tower.Family: [String]] = [
    .clip: ["post_layernorm"], .siglip: ["post_layernorm", "head"], .dinov2: ["layernorm", "embeddings.mask_token"],
    .qwen: [],
  ]
}
