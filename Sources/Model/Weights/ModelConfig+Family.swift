import PatchFormat

extension ModelConfig {
  /// Which rules the language model follows, and whether it has eyes.
  static func family(of json: JSON, _ path: String) throws -> (Family, isMultimodal: Bool) {
    let type = json["model_type"]?.string ?? ""
    if let family = Family(rawValue: type) { return (family, json["mm_vision_tower"]?.string != nil) }
    switch type {
    case "qwen2_5_vl": return (.qwen2, true)
    case "llava", "llava_next", "llava_onevision":
      if let text = json["text_config"] {
        let name = text["model_type"]?.string ?? ""
        guard let family = Family(rawValue: name) else {
          throw unknown("has a language model of the type \"\(name.printable)\"", path)
        }
        return (family, true)
      }
      return (try original(json, path), true)
    case "llava_llama", "llava_mistral", "llava_qwen": return (try original(json, path), true)
    default: throw unknown("is of the model type \"\(type.printable)\"", path)
    }
  }

  /// What LLaVA's authors write: only the architecture's name says which language model it is.
  private static func original(_ json: JSON, _ path: String) throws -> Family {
    let name = json["architectures"]?.array?.first?.string ?? json["model_type"]?.string ?? ""
    let families: [(String, Family)] = [("Qwen", .qwen2), ("Mistral", .mistral), ("Llama", .llama)]
    for (part, family) in families where name.contains(part) { return family }
    for (part, family) in families where json["model_type"]?.string == "llava_" + part.lowercased() { return family }
    throw unknown("is of the architecture \"\(name.printable)\"", path)
  }

  private static func unknown(_ what: String, _ path: String) -> VPatchError {
    let known = Family.allCases.map(\.rawValue) + ["qwen2_5_vl", "llava", "llava_next", "llava_onevision"]
    return VPatchError(
      .refused, path, "\(what), which is not known", remedy: "known are \(known.joined(separator: ", "))")
  }

  /// What configs inside configs leave out: the defaults of transformers' config classes.
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
}
