import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import Families

/// Settings of training tools, evaluated with another regular expression engine than the one that checked them.
@Suite("Recipes: settings of training tools") struct TrainerSettingTests {
  private func parameters(
    _ recipe: Recipe, _ tensors: [TestTensor], _ type: String, layers: Int = 4, _ more: [(String, JSON)] = []
  ) throws -> RecipeParameters? {
    let infos = tensors.map(\.info)
    let names = infos.map(\.name)
    let chosen = Selection.recipe(recipe).filter(names, in: ModelLayout.recognise(names: names))
    guard !chosen.isEmpty else { return nil }
    let config = JSON.object(
      ([("model_type", .string(type)), ("num_hidden_layers", JSON(layers))] + more).map { JSON.Member($0.0, $0.1) })
    return try RecipeParameters(recipe, tensors: chosen, of: infos, model: "model", config: config)
  }

  @Test("the running model's names are those that transformers has", arguments: RuntimeTwin.families)
  func names(family: String) throws {
    let twin = try RuntimeTwin(family)
    let vision = [
      "aya_vision": "siglip_vision_model", "gemma3": "siglip_vision_model", "llava_onevision": "siglip_vision_model",
      "paligemma": "siglip_vision_model", "mistral3": "pixtral", "internvl": "internvl_vision",
    ]
    var config = [("model_type", JSON.string(family))]
    if let type = vision[family] { config.append(("vision_config", .dictionary(["model_type": .string(type)]))) }
    let model = RuntimeModel(twin.hub.map(\.info), config: .object(config.map { JSON.Member($0.0, $0.1) }))
    #expect(Set(model.parameters.map(\.name)) == Set(twin.runtime.map(\.name)))
    let ranks = Dictionary(uniqueKeysWithValues: twin.runtime.map { ($0.name, $0.shape.count) })
    #expect(model.parameters.allSatisfy { ranks[$0.name] == $0.rank })
  }

  @Test("each tool's pattern selects exactly the recipe", arguments: Zoo.all)
  func patterns(zoo: Zoo) throws {
    for recipe in [Recipe.saProj, .gateUp, .norms, .embeddings, .llm, .vision] {
      guard let parameters = try parameters(recipe, zoo.model, zoo.family) else { continue }
      let (all, wanted) = (parameters.all.map(\.name), Set(parameters.names))
      let hf = try Regex(#require(TrainerSetting(.hf, parameters).values["pattern"]?.string))
      #expect(Set(all.filter { $0.wholeMatch(of: hf) != nil }) == wanted, "\(recipe)")
      let swift = try Regex(
        #require(TrainerSetting(.msSwift, parameters).values["trainable_parameters_regex"]?.string))
      #expect(Set(all.filter { $0.firstMatch(of: swift) != nil }) == wanted, "\(recipe)")
      let axolotl = try #require(
        TrainerSetting(.axolotl, parameters).values["unfrozen_parameters"]?.array?.first?.string)
      let compiled = try Regex(TrainerSetting.escapingDots(axolotl))
      #expect(Set(all.filter { $0.prefixMatch(of: compiled) != nil }) == wanted, "\(recipe) \(axolotl)")
      #expect(!axolotl.contains("\\."))
    }
  }

  @Test("sa-proj can be told to every tool but LLaMA-Factory's in some families", arguments: Zoo.all)
  func attention(zoo: Zoo) throws {
    let parameters = try #require(try parameters(.saProj, zoo.model, zoo.family))
    let peft = try TrainerSetting(.peft, parameters)
    let weights = parameters.names.filter { $0.hasSuffix(".weight") }.map { String($0.dropLast(7)) }
    let all = Set(parameters.all.map { $0.name.split(separator: ".").dropLast().joined(separator: ".") })
    if let ends = peft.values["target_modules"]?.array?.compactMap(\.string) {
      #expect(all.filter { name in ends.contains { name == $0 || name.hasSuffix(".\($0)") } } == Set(weights))
    } else {
      let modules = try Regex(#require(peft.values["target_modules"]?.string))
      #expect(all.filter { $0.wholeMatch(of: modules) != nil } == Set(weights))
    }
    #expect(Set(peft.tuned) == Set(parameters.names.filter { $0.hasSuffix(".weight") }))
    do {
      let setting = try TrainerSetting(.llamaFactory, parameters)
      #expect(setting.values["freeze_trainable_layers"] == JSON(4))
      #expect(Set(setting.tuned) == Set(parameters.names))
    } catch let error as VPatchError {
      #expect(error.code == .refused && error.reason.contains("LLaMA-Factory cannot tune exactly"), "\(error)")
      #expect(error.remedy == "freeze by name in Python: vpatch recipe sa-proj model --for hf")
    }
  }

  @Test("LLaMA-Factory cannot tell gate-up from down; it can tell sa-proj, norms and embeddings of a plain model")
  func factory() throws {
    let zoo = try #require(Zoo.all.first { $0.family == "mistral" })
    for recipe in [Recipe.saProj, .norms, .embeddings, .mlp, .full, .llm] {
      _ = try TrainerSetting(.llamaFactory, #require(try parameters(recipe, zoo.model, "mistral")))
    }
    for recipe in [Recipe.gateUp, .down, .saQKV] {
      let parameters = try #require(try parameters(recipe, zoo.model, "mistral"))
      let error = try #require(throws: VPatchError.self) { try TrainerSetting(.llamaFactory, parameters) }
      #expect(error.reason.contains("knows only the first part of a path"), "\(error)")
    }
    // Norms of heads are in the attention's module.
    let normed = try #require(Zoo.all.first { $0.family == "qwen3" })
    let parameters = try #require(try parameters(.saProj, normed.model, "qwen3"))
    let error = try #require(throws: VPatchError.self) { try TrainerSetting(.llamaFactory, parameters) }
    #expect(error.reason.contains("\"self_attn\" is also \"model.layers.0.self_attn.k_norm.weight\""), "\(error)")
  }

  @Test("fused experts: parameters for PEFT, and no part of one") func experts() throws {
    let twin = try RuntimeTwin("qwen3_moe")
    let parameters = try #require(try parameters(.gateUp, twin.hub, "qwen3_moe"))
    #expect(parameters.names.contains { $0.hasSuffix("mlp.experts.gate_up_proj") })
    let peft = try TrainerSetting(.peft, parameters)
    #expect(peft.values["target_parameters"]?.array?.contains(.string("mlp.experts.gate_up_proj")) == true)

    // PEFT would take a module of the name gate_proj, in a dense layer, for a part of experts.
    let mixed = try RuntimeTwin("deepseek_v3")
    let dense = try TrainerSetting(.peft, #require(try self.parameters(.gateUp, mixed.hub, "deepseek_v3")))
    #expect(dense.values["target_modules"] == .array([]))
    #expect(dense.values["target_parameters"]?.array?.contains(.string("mlp.gate_proj.weight")) == true)

    // A recipe that had only the gates: they share a parameter with up.
    let infos = twin.hub.map(\.info)
    let gates = infos.map(\.name).filter { $0.hasSuffix("gate_proj.weight") }
    let config = JSON.dictionary(["model_type": .string("qwen3_moe")])
    let error = try #require(throws: VPatchError.self) {
      try RecipeParameters(.gateUp, tensors: gates, of: infos, model: "model", config: config)
    }
    #expect(error.reason.contains("up_proj.weight\" is in it too"), "\(error)")
    #expect(error.remedy == "choose a recipe that has both, such as llm")
    let whole = try #require(try self.parameters(.llm, twin.hub, "qwen3_moe"))
    #expect(try !TrainerSetting(.hf, whole).text.isEmpty)
  }

  @Test("LoRA cannot tune vectors") func vectors() throws {
    let zoo = try #require(Zoo.all.first { $0.family == "mistral" })
    for recipe in [Recipe.norms, .llm, .full] {
      let parameters = try #require(try parameters(recipe, zoo.model, "mistral"))
      let error = try #require(throws: VPatchError.self) { try TrainerSetting(.peft, parameters) }
      #expect(error.reason.contains("LoRA cannot tune parameters of one axis"), "\(error)")
    }
  }

  @Test("a tied head is no parameter; a model without its head has a prefix in memory") func heads() throws {
    let tensors: [TestTensor] = [
      .weights("lm_head.weight", [4, 4]), .weights("model.embed_tokens.weight", [4, 4]),
      .weights("model.layers.0.self_attn.q_proj.weight", [4, 4]),
    ]
    let tied = try #require(try parameters(.embeddings, tensors, "llama", [("tie_word_embeddings", .bool(true))]))
    #expect(tied.names == ["model.embed_tokens.weight"])
    let apart = try #require(try parameters(.embeddings, tensors, "llama"))
    #expect(apart.names == ["lm_head.weight", "model.embed_tokens.weight"])
    let base: [TestTensor] = [
      .weights("embed_tokens.weight", [4, 4]), .weights("layers.0.self_attn.q_proj.weight", [4, 4]),
    ]
    #expect(
      try #require(try parameters(.saProj, base, "llama")).names == ["model.layers.0.self_attn.q_proj.weight"])
    let gpt2: [TestTensor] = [.weights("wte.weight", [4, 4]), .weights("h.0.attn.c_attn.weight", [4, 12])]
    #expect(try #require(try parameters(.saProj, gpt2, "gpt2")).names == ["transformer.h.0.attn.c_attn.weight"])
  }
}

@Suite("Recipes: names folded to an expression") struct FoldedNamesTests {
  private let all = (0..<12).flatMap { layer in
    ["q_proj", "k_proj", "v_proj", "o_proj", "q_norm"].map { "model.layers.\(layer).self_attn.\($0).weight" }
  }

  private func folded(_ chosen: [String]) throws -> String {
    let text = FoldedNames(chosen, of: all).expression()
    #expect(try Set(NamePattern(text).filter(all)) == Set(chosen), "\(text)")
    return text
  }

  @Test("all layers are any number, some are listed") func layers() throws {
    let projections = all.filter { $0.hasSuffix("_proj.weight") }
    #expect(try folded(projections) == "model\\.layers\\.\\d+\\.self_attn\\.[qkvo]_proj\\.weight")
    let some = projections.filter { $0.contains(".3.") || $0.contains(".11.") }
    #expect(try folded(some) == "model\\.layers\\.(?:3|11)\\.self_attn\\.[qkvo]_proj\\.weight")
    #expect(try folded(all) == "model\\.layers\\.\\d+\\.self_attn\\.(?:q_proj|k_proj|v_proj|o_proj|q_norm)\\.weight")
  }

  @Test("any choice of names is selected exactly") func choices() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20 {
      let share = Int.random(in: 1...9, using: &random)
      let chosen = all.filter { _ in Int.random(in: 0..<10, using: &random) < share }
      if !chosen.isEmpty { _ = try folded(chosen) }
    }
  }
}
