import Base

extension ModelConfig {
  /// The family of the language model, and whether the model has an image encoder.
  package static func family(of json: JSON, _ path: String) throws -> (Family, isMultimodal: Bool) {
    let type = json["model_type"]?.string ?? ""
    if let family = Family(rawValue: type) { return (family, json["mm_vision_tower"]?.string != nil) }
    switch type {
    case "qwen2_5_vl": return (.qwen2, true)
    case "llava", "llava_next", "llava_onevision":
      if let text = json["text_config"] {
        let name = text["model_type"]?.string ?? ""
        guard let family = Family(rawValue: name) else {
          throw unknown("has the unknown language model type \"\(name.printable)\"", path)
        }
        return (family, true)
      }
      return (try original(json, path), true)
    case "llava_llama", "llava_mistral", "llava_qwen": return (try original(json, path), true)
    default: throw unknown("has the unknown model type \"\(type.printable)\"", path)
    }
  }

  /// A config in the format of LLaVA's authors: only the name of the architecture tells which language model it is.
  private static func original(_ json: JSON, _ path: String) throws -> Family {
    let name = json["architectures"]?.array?.first?.string ?? json["model_type"]?.string ?? ""
    let families: [(String, Family)] = [("Qwen", .qwen2), ("Mistral", .mistral), ("Llama", .llama)]
    for (part, family) in families where name.contains(part) { return family }
    for (part, family) in families where json["model_type"]?.string == "llava_" + part.lowercased() { return family }
    throw unknown("has the unknown architecture \"\(name.printable)\"", path)
  }

  private static func unknown(_ what: String, _ path: String) -> VPatchError {
    let known = Family.allCases.map(\.rawValue) + ["qwen2_5_vl", "llava", "llava_next", "llava_onevision"]
    return VPatchError(
      .refused, path, "\(what)", remedy: "known are \(known.joined(separator: ", "))")
  }

  /// Defaults of transformers' config classes, for members that nested configs omit.
  static func standards(_ family: Family) -> [String: Int] {
    let shared = ["hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32]
    let own =
      switch family {
      case .llama:
        ["vocab_size": 32000, "intermediate_size": 11008, "max_position_embeddings": 2048]
      case .mistral:
        [
          "vocab_size": 32000, "intermediate_size": 14336, "num_key_value_heads": 8,
          "max_position_embeddings": 131_072,
        ]
      case .qwen2:
        [
          "vocab_size": 151_936, "intermediate_size": 22016, "num_key_value_heads": 32,
          "max_position_embeddings": 32768,
        ]
      }
    return shared.merging(own) { $1 }
  }

  /// Which modules have a bias. In LLaMA's class the config says so; in the others it is fixed.
  package static func biases(_ family: Family, _ json: JSON) -> Biases {
    switch family {
    case .llama:
      let attention = json["attention_bias"]?.bool ?? false
      return Biases(queries: attention, attentionOutput: attention, mlp: json["mlp_bias"]?.bool ?? false)
    case .mistral: return Biases(queries: false, attentionOutput: false, mlp: false)
    case .qwen2: return Biases(queries: true, attentionOutput: false, mlp: false)
    }
  }

  /// The sliding attention window in tokens; nil for full attention. LLaMA's class has no window, Mistral's always has
  /// one, Qwen2's if the config enables it. The default size is 4096 in both.
  package static func window(_ family: Family, _ json: JSON, _ path: String) throws -> Int? {
    let isAsked =
      switch family {
      case .llama: false
      case .mistral: true
      case .qwen2: json["use_sliding_window"]?.bool ?? false
      }
    guard isAsked else {
      if family == .qwen2, json["layer_types"]?.array?.contains(.string("sliding_attention")) ?? false {
        throw VPatchError(
          .invalid, path, "has layers of the type sliding_attention, and use_sliding_window is not true",
          remedy: "use the original config.json of the model")
      }
      return nil
    }
    guard let value = json["sliding_window"] else { return 4096 }
    guard value != .null else { return nil }
    guard let window = value.int, window > 0 else {
      throw VPatchError(.invalid, path, "has no usable \"sliding_window\"")
    }
    return window
  }
}
