import Base

extension ModelConfig {
  /// The families that a config names.
  /// - Returns: the decoder; the family of the vision-language model, if it is a known one; whether it has an image
  ///   encoder.
  static func families(
    of json: JSON, _ path: String
  ) throws -> (decoder: DecoderFamily, multimodal: MultimodalFamily?, isMultimodal: Bool) {
    let type = json["model_type"]?.string ?? ""
    if let decoder = DecoderFamily.named(type) { return (decoder, nil, json["mm_vision_tower"]?.string != nil) }
    guard let family = MultimodalFamily.named(type) else {
      throw unknown("has the unknown model type \"\(type.printable)\"", path)
    }
    switch family.decoder {
    case .always(let decoder): return (decoder, family, true)
    case .architecture: return (try original(json, path), family, true)
    case .textConfig:
      guard let text = json["text_config"] else { return (try original(json, path), family, true) }
      let name = text["model_type"]?.string ?? ""
      guard let decoder = DecoderFamily.named(name) else {
        throw unknown("has the unknown language model type \"\(name.printable)\"", path)
      }
      return (decoder, family, true)
    }
  }

  /// A config in the format of LLaVA's authors: only the name of the architecture tells which language model it is.
  private static func original(_ json: JSON, _ path: String) throws -> DecoderFamily {
    let name = json["architectures"]?.array?.first?.string ?? json["model_type"]?.string ?? ""
    let named = DecoderFamily.all.compactMap { family in family.architecture.map { ($0, family) } }
    // "LlavaMistralForCausalLM" has "Llava" in it, and "Llama" is not: the order does not matter.
    for (part, family) in named where name.contains(part) { return family }
    for (part, family) in named where json["model_type"]?.string == "llava_" + part.lowercased() { return family }
    throw unknown("has the unknown architecture \"\(name.printable)\"", path)
  }

  private static func unknown(_ what: String, _ path: String) -> VPatchError {
    let known = DecoderFamily.all.map(\.modelType) + MultimodalFamily.all.filter(\.isOfTransformers).map(\.modelType)
    return VPatchError(.refused, path, what, remedy: "known are \(known.joined(separator: ", "))")
  }
}

extension MultimodalFamily {
  /// Whether transformers has a class for it.
  fileprivate var isOfTransformers: Bool {
    if case .architecture = decoder { return false }
    return true
  }
}
