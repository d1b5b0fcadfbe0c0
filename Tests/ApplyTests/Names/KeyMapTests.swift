import TestModels
import Testing

@testable import Families

@Suite("Components: key mapping")
struct ComponentsKeyMapTests {
  @Test("LLaVA-OneVision maps one to one between hub, transformers ≥ 4.52 and lmms-lab")
  func llavaOneVision() throws {
    let hub = try KeyList("llava-onevision-qwen2-7b-ov-hf")
    let lists = [
      hub, hub.renamed(KeyList.llavaIn452), try KeyList("lmms-lab_llava-onevision-qwen2-7b-ov"),
    ]
    let canonical = lists.map { list in Set(list.names.map(list.layout.canonicalName(of:))) }
    #expect(canonical.map(\.count) == lists.map(\.names.count))
    #expect(canonical[0] == canonical[1] && canonical[1] == canonical[2])
    for tuned in lists {
      for base in lists {
        let map = try KeyMap.auto(from: tuned.names, to: base.names)
        #expect(map.isComplete)
        #expect(map.names.count == 765)
        #expect(Set(map.names.values) == Set(base.names))
        #expect(map.isIdentity == (tuned.names == base.names))
        #expect(map.tunedLayout == tuned.layout && map.baseLayout == base.layout)
      }
    }
  }

  @Test(
    "wrappers at any place, on either side, of all tensors or of some",
    arguments: [
      "_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module", "module", "_forward_module",
      "_fsdp_wrapped_module._checkpoint_wrapped_module", "module._orig_mod", "_orig_mod.module",
      "modules_to_save.default",
    ])
  func wrappersInside(wrapper: String) throws {
    for file in ["tiny-llama", "Qwen2.5-VL-3B-Instruct", "llava-onevision-qwen2-0.5b-ov-hf"] {
      let names = try KeyList(file).names
      var random = TestRandom(UInt64(wrapper.utf8.count))
      for share in [1, 2, 5] {
        let place = Int(random.next() % 4)
        var expected: [String: String] = [:]
        for name in names {
          var parts = name.split(separator: ".").map(String.init)
          // A wrapped module is so in all of its tensors.
          let isWrapped = share == 1 || (parts.first { Int($0) != nil }.flatMap(Int.init) ?? 1) % share == 0
          if isWrapped { parts.insert(wrapper, at: min(place, parts.count - 1)) }
          expected[parts.joined(separator: ".")] = name
        }
        #expect(try KeyMap.auto(from: expected.keys.sorted(), to: names).names == expected)
        #expect(try KeyMap.auto(from: names, to: expected.keys.sorted()).isComplete)
      }
    }
  }

  @Test(
    "prefixes of a whole, with wrappers inside",
    arguments: [
      "module.", "_orig_mod.", "base_model.model.", "model.", "model.module.", "_forward_module.model.",
    ])
  func prefixes(prefix: String) throws {
    let names = try KeyList("tiny-llama").names
    let inner = names.map { $0.replacing(".0.", with: ".0._checkpoint_wrapped_module.") }
    let map = try KeyMap.auto(from: inner.map { prefix + $0 }, to: names)
    #expect(map.names == Dictionary(uniqueKeysWithValues: zip(inner.map { prefix + $0 }, names)))
    // A few of them too, as a file of the trained tensors has them.
    let few = inner.filter { $0.contains("self_attn") }.map { prefix + $0 }
    #expect(try KeyMap.auto(from: few, to: names).names.count == few.count)
  }

  @Test("a wrapper's name that is the model's own stays") func ownModule() throws {
    let names = ["a.module.weight", "a.weight", "b.module.weight"]
    #expect(try KeyMap.auto(from: names, to: names).isIdentity)
    #expect(throws: KeyMapError.self) { try KeyMap.auto(from: ["a._orig_mod.w", "a.w"], to: ["a.w"]) }
  }

  @Test("the partners are the right ones")
  func partners() throws {
    let hub = try KeyList("llava-onevision-qwen2-7b-ov-hf").names
    let lmms = try KeyList("lmms-lab_llava-onevision-qwen2-7b-ov").names
    let map = try KeyMap.auto(from: lmms, to: hub).names
    let expected: KeyValuePairs = [
      "model.layers.27.self_attn.k_proj.bias":
        "language_model.model.layers.27.self_attn.k_proj.bias",
      "model.embed_tokens.weight": "language_model.model.embed_tokens.weight",
      "model.norm.weight": "language_model.model.norm.weight",
      "lm_head.weight": "language_model.lm_head.weight",
      "model.image_newline": "image_newline",
      "model.mm_projector.0.bias": "multi_modal_projector.linear_1.bias",
      "model.mm_projector.2.weight": "multi_modal_projector.linear_2.weight",
      "model.vision_tower.vision_tower.vision_model.encoder.layers.4.self_attn.out_proj.weight":
        "vision_tower.vision_model.encoder.layers.4.self_attn.out_proj.weight",
      "model.vision_tower.vision_tower.vision_model.post_layernorm.bias":
        "vision_tower.vision_model.post_layernorm.bias",
    ]
    for (tuned, base) in expected { #expect(map[tuned] == base) }
  }

  @Test(
    "every hub list maps to its layout in transformers ≥ 4.52 and back",
    arguments: KeyList.all.filter {
      $0.contains("VL") || $0.contains("vl") || $0.hasPrefix("l")
        || $0.hasPrefix("tiny-llava")
    })
  func hubTo452(file: String) throws {
    let hub = try KeyList(file)
    guard hub.layout.name.hasSuffix("(hub)") else { return }
    let isQwen = hub.layout.name.hasPrefix("qwen")
    let new = hub.renamed(isQwen ? KeyList.qwenIn452 : KeyList.llavaIn452)
    let there = try KeyMap.auto(from: hub.names, to: new.names)
    let back = try KeyMap.auto(from: new.names, to: hub.names)
    #expect(there.isComplete && back.isComplete)
    #expect(there.names == Dictionary(uniqueKeysWithValues: zip(hub.names, new.names)))
    #expect(back.names == Dictionary(uniqueKeysWithValues: zip(new.names, hub.names)))
  }

  @Test("a vision tower without vision_model (transformers ≥ 5.6) is the same tower")
  func flattenedTower() throws {
    let old = try KeyList("llava-v1.6-mistral-7b-hf")
    let new = old.renamed(["vision_tower.vision_model.": "vision_tower."])
    let map = try KeyMap.auto(from: new.names, to: old.names)
    #expect(map.isComplete && !map.isIdentity)
  }

  @Test("what has no partner is reported")
  func leftovers() throws {
    let vlm = try KeyList("Qwen2.5-VL-7B-Instruct")
    let llm = vlm.names.filter { !$0.hasPrefix("visual.") && $0 != "lm_head.weight" }
    let map = try KeyMap.auto(
      from: llm.map { $0.dropFirst("model.".count) }.map(String.init) + ["extra.weight"],
      to: vlm.names)
    #expect(map.names.count == 338)
    #expect(map.names["layers.0.mlp.up_proj.weight"] == "model.layers.0.mlp.up_proj.weight")
    #expect(map.onlyInTuned == ["extra.weight"])
    #expect(map.onlyInBase.count == 391)
    #expect(map.onlyInBase.first == "lm_head.weight")
    #expect(!map.isComplete)
  }

  @Test("a wrapper that every name carries comes off, in models known and unknown")
  func wrappers() throws {
    let llama = try KeyList("tiny-llama").names
    let wrapped = try KeyMap.auto(from: llama.map { "module.\($0)" }, to: llama)
    #expect(wrapped.isComplete)
    #expect(wrapped.names["module.lm_head.weight"] == "lm_head.weight")
    #expect(wrapped.tunedLayout.name == "llama")

    let bert = ["encoder.layer.0.output.dense.weight", "encoder.layer.1.output.dense.weight"]
    let map = try KeyMap.auto(from: bert, to: bert.map { "bert.\($0)" })
    #expect(map.isComplete)
    #expect(map.names[bert[1]] == "bert." + bert[1])
    // Both prefixes at once would be a guess: the encoder is not the decoder.
    #expect(throws: KeyMapError.self) {
      try KeyMap.auto(from: bert.map { "a.\($0)" }, to: bert.map { "b.\($0)" })
    }
  }

  @Test("two names for one tensor are refused, on either side")
  func ambiguity() throws {
    let hub = try KeyList("tiny-llava-next").names
    let twice = hub + ["vision_tower.vision_model.post_layernorm.bias"]
    let error = #expect(throws: KeyMapError.self) { try KeyMap.auto(from: twice, to: hub) }
    #expect(
      error?.description
        == "'vision_tower.post_layernorm.bias' and 'vision_tower.vision_model.post_layernorm.bias' "
        + "of the tuned model mean the same tensor; remove one of them from the checkpoint")
    #expect(
      throws: KeyMapError.ambiguous(
        side: .base, first: "vision_tower.post_layernorm.bias",
        second: "vision_tower.vision_model.post_layernorm.bias")
    ) { try KeyMap.auto(from: hub, to: twice) }
    let repeated = #expect(throws: KeyMapError.self) {
      try KeyMap.auto(from: ["a.weight", "a.weight"], to: ["a.weight"])
    }
    #expect(
      repeated?.description
        == "the tuned model lists 'a.weight' twice; write the checkpoint again")
  }

  @Test("models with nothing in common are refused, naming one tensor of each")
  func nothingInCommon() throws {
    let llama = try KeyList("tiny-llama").names
    let error = #expect(throws: KeyMapError.self) {
      try KeyMap.auto(from: ["h.0.attn.c_attn.weight"], to: llama)
    }
    #expect(
      error?.description
        == "no tensor of the tuned model (layout gpt2 (base model), e.g. 'h.0.attn.c_attn.weight') is in "
        + "the base (layout llama, e.g. 'lm_head.weight'); give the base that it was tuned from")
    let empty = #expect(throws: KeyMapError.self) { try KeyMap.auto(from: [], to: llama) }
    #expect(empty?.description.contains("(which has no tensors)") == true)
  }

  @Test("a wrong base is explained where only the prefixes differ")
  func hint() throws {
    let hub = try KeyList("Qwen2.5-VL-7B-Instruct")
    let new = hub.renamed(KeyList.qwenIn452)
    let hint = try #require(KeyMap.hint(expected: hub.names, found: new.names))
    #expect(
      hint.description
        == "729 of 729 tensors exist under other names: expected 'model.embed_tokens.weight' "
        + "(qwen2.5-vl (hub)), found 'model.language_model.embed_tokens.weight' "
        + "(qwen2.5-vl (transformers ≥ 4.52)); this may be the right model saved in another layout")
    let untied = new.names.filter { $0 != "lm_head.weight" }
    #expect(KeyMap.hint(expected: hub.names, found: untied)?.paired == 728)
  }

  @Test("no hint for the same names, nor for another model")
  func noHint() throws {
    let big = try KeyList("Qwen2.5-VL-7B-Instruct")
    let small = try KeyList("Qwen2.5-VL-3B-Instruct")
    let llava = try KeyList("llava-onevision-qwen2-7b-ov-hf")
    #expect(KeyMap.hint(expected: big.names, found: big.names) == nil)
    #expect(KeyMap.hint(expected: big.names, found: llava.names) == nil)
    #expect(
      KeyMap.hint(expected: big.names, found: small.renamed(KeyList.qwenIn452).names) == nil)
    #expect(KeyMap.hint(expected: big.names, found: ["a"]) == nil)
  }
}
