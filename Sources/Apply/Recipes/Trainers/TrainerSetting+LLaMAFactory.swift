import Base
import Families

/// How LLaMA-Factory 0.9.5 selects. In a layer it knows only the first part of a path, such as `mlp`, and it looks for
/// `.3.mlp` anywhere in a name, also in a vision tower. It freezes the vision tower and the projector of the families
/// that it lists.
extension TrainerSetting {
  init(llamaFactory recipe: RecipeParameters) throws {
    let rule = LLaMAFactoryRule(recipe)
    var closest: Set<String> = []
    for setting in rule.settings {
      let found = rule.selected(by: setting)
      if found == rule.wanted {
        try recipe.require(.llamaFactory, selecting: found)
        let lines = setting.lines
        self.init(
          .llamaFactory, text: lines.map { "\($0.key): \($0.value)" }.joined(separator: "\n"),
          values: .object(lines.map { JSON.Member($0.key, $0.json) }), tuned: recipe.names)
        return
      }
      if found.isSubset(of: rule.wanted), found.count > closest.count { closest = found }
    }
    let missing = rule.names.first { rule.wanted.contains($0) && !closest.contains($0) } ?? ""
    throw recipe.cannot(.llamaFactory, rule.reason(for: missing))
  }
}

/// The members of a config that choose parameters.
struct LLaMAFactorySetting {
  var isFull = false
  /// Number of layers from the last one.
  var layers = 0
  var modules: [String] = []
  var extra: [String] = []
  var freezesVision = true
  var freezesProjector = true
  /// Whether the model has a vision part that LLaMA-Factory knows.
  var isComposite = false

  struct Line {
    let key: String
    let value: String
    let json: JSON

    init(_ key: String, _ value: String) { (self.key, self.value, json) = (key, value, .string(value)) }
    init(_ key: String, _ value: Int) { (self.key, self.value, json) = (key, "\(value)", JSON(value)) }
    init(_ key: String, _ value: Bool) { (self.key, self.value, json) = (key, "\(value)", .bool(value)) }
  }

  var lines: [Line] {
    var lines = [Line("finetuning_type", isFull ? "full" : "freeze")]
    if !isFull {
      lines.append(Line("freeze_trainable_layers", modules.isEmpty ? 0 : layers))
      if !modules.isEmpty { lines.append(Line("freeze_trainable_modules", modules.joined(separator: ","))) }
      if !extra.isEmpty { lines.append(Line("freeze_extra_modules", extra.joined(separator: ","))) }
    }
    guard isComposite else { return lines }
    return lines + [
      Line("freeze_vision_tower", freezesVision), Line("freeze_multi_modal_projector", freezesProjector),
    ]
  }
}

/// `_setup_freeze_tuning` and `_setup_full_tuning` of LLaMA-Factory.
struct LLaMAFactoryRule {
  let names: [String]
  let wanted: Set<String>
  private let layers: Int
  /// For each name, what follows each number in it.
  private let tails: [[(number: Int, rest: String)]]
  private let known: Keys?

  private struct Keys {
    let projector: [String]
    let vision: [String]
  }

  init(_ recipe: RecipeParameters) {
    names = recipe.all.map(\.name)
    wanted = Set(recipe.names)
    tails = names.map { name in
      let parts = name.split(separator: ".")
      return parts.indices.dropFirst().dropLast().compactMap { i in
        NamePath.index(parts[i]).map { ($0, parts[(i + 1)...].joined(separator: ".")) }
      }
    }
    let config = recipe.config["text_config"] ?? recipe.config
    let numbers = ["num_hidden_layers", "num_layers", "n_layer"]
    layers = numbers.lazy.compactMap { config[$0]?.int ?? recipe.config[$0]?.int }.first { $0 > 0 } ?? 0
    known = recipe.config["model_type"]?.string.flatMap { Self.composite[$0] }
  }

  /// Those that may select what is wanted, the simplest first.
  var settings: [LLaMAFactorySetting] {
    let frozen = known == nil ? [(true, true)] : [(true, true), (true, false), (false, false), (false, true)]
    return frozen.flatMap { vision, projector in
      var setting = LLaMAFactorySetting(
        layers: layers, freezesVision: vision, freezesProjector: projector, isComposite: known != nil)
      setting.modules = hiddenModules.filter { isPart(setting, \.modules, $0) }
      setting.extra = otherModules.filter { isPart(setting, \.extra, $0) }
      var full = setting
      full.isFull = true
      return [full, setting]
    }
  }

  /// Whether a module adds only what is wanted, and adds something.
  private func isPart(
    _ setting: LLaMAFactorySetting, _ list: WritableKeyPath<LLaMAFactorySetting, [String]>, _ module: String
  ) -> Bool {
    var one = setting
    (one.modules, one.extra) = ([], [])
    let before = selected(by: one)
    one[keyPath: list] = [module]
    let found = selected(by: one)
    return found.isSubset(of: wanted) && !found.subtracting(before).isEmpty
  }

  func selected(by setting: LLaMAFactorySetting) -> Set<String> {
    var forbidden: [String] = []
    if let known {
      forbidden = (setting.freezesVision ? known.vision : []) + (setting.freezesProjector ? known.projector : [])
    }
    let keys = setting.extra + (setting.freezesProjector ? [] : known?.projector ?? [])
    func isChosen(_ at: Int) -> Bool {
      setting.isFull || keys.contains { names[at].contains($0) }
        // ".3.mlp" anywhere in the name.
        || tails[at].contains { tail in
          tail.number < setting.layers && setting.modules.contains { tail.rest.hasPrefix($0) }
        }
    }
    let found = names.indices.filter { at in isChosen(at) && !forbidden.contains { names[at].contains($0) } }
    return Set(found.map { names[$0] })
  }

  /// What it calls modules: the part of a path behind the first layers' numbers.
  private var hiddenModules: [String] {
    names.compactMap { name in
      let mark = [".0.", ".1."].first { name.contains($0) }
      return mark.flatMap { name.ranges(of: $0).last }.flatMap { range in
        name[range.upperBound...].split(separator: ".").first.map(String.init)
      }
    }.unique
  }

  /// The modules outside of layers.
  private var otherModules: [String] {
    names.compactMap { name in
      let parts = name.split(separator: ".")
      let isNumbered = parts.dropFirst().dropLast().contains { part in part.allSatisfy(\.isNumber) }
      return isNumbered || parts.count < 2 ? nil : String(parts[parts.count - 2])
    }.unique
  }

  /// Why no setting selects a parameter alone.
  func reason(for name: String) -> String {
    guard let mark = name.ranges(of: /\.\d+\./).first, layers > 0,
      let module = name[mark.upperBound...].split(separator: ".").first
    else { return "it has no name for \"\(name)\" alone" }
    var setting = LLaMAFactorySetting(layers: layers, isComposite: known != nil)
    setting.modules = [String(module)]
    let extra = selected(by: setting).subtracting(wanted).min()
    return "in a layer it knows only the first part of a path, and \"\(module)\""
      + (extra.map { " is also \"\($0)\"" } ?? " does not select \"\(name)\"")
  }

  /// The vision parts that it knows, by model type (`COMPOSITE_MODELS`).
  private static let composite: [String: Keys] = {
    let usual = Keys(projector: ["multi_modal_projector"], vision: ["vision_tower"])
    func qwen(_ vision: String..., projector: [String] = ["visual.merger"]) -> Keys {
      Keys(projector: projector, vision: ["visual.patch_embed", "visual.blocks"] + vision)
    }
    func vision(_ keys: String..., projector: [String] = usual.projector) -> Keys {
      Keys(projector: projector, vision: keys)
    }
    let deepstack = qwen("visual.pos_embed", "visual.deepstack_merger_list")
    let merger = qwen("visual.pos_embed", projector: ["model.visual.merger"])
    return [
      "dots_ocr": vision("vision_tower", projector: ["vision_tower.merger"]), "gemma3": usual,
      "gemma3n": vision("vision_tower", "audio_tower"),
      "gemma4": vision("vision_tower", "audio_tower", projector: ["model.embed_vision", "model.embed_audio"]),
      "glm4v": qwen(), "glm4v_moe": qwen(), "glm_ocr": qwen(), "internvl": usual, "interns1": usual,
      "kimi_vl": usual, "llama4": vision("vision_model"), "llava": usual, "llava_next": usual,
      "llava_next_video": usual, "minicpmv4_6": vision("model.vision_tower", projector: ["model.merger"]),
      "mistral3": vision("vision_tower", projector: ["model.multi_modal_projector"]),
      "mllama": vision("vision_model"), "paligemma": usual, "qwen2_audio": vision("audio_tower"),
      "qwen2_5_omni_thinker": qwen("audio_tower", projector: ["visual.merger", "audio_tower.proj"]),
      "qwen2_vl": qwen(), "qwen2_5_vl": qwen(), "qwen3_vl": deepstack, "qwen3_vl_moe": deepstack,
      "qwen3_omni_moe_thinker": qwen(
        "visual.pos_embed", "visual.deepstack_merger_list", "audio_tower",
        projector: ["visual.merger", "audio_tower.proj"]),
      "qwen3_5": merger, "qwen3_5_moe": merger, "video_llava": usual,
    ]
  }()
}
