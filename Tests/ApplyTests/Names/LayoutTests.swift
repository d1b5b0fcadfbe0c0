import Testing

@testable import Apply
@testable import Families

@Suite("Components: layouts")
struct ComponentsLayoutTests {
  @Test(
    "a layout is recognised from names alone, in any order",
    arguments: [
      ("Qwen2.5-VL-3B-Instruct", "qwen2.5-vl (hub)"),
      ("Qwen2.5-VL-7B-Instruct", "qwen2.5-vl (hub)"),
      ("llava-onevision-qwen2-0.5b-ov-hf", "llava (hub)"),
      ("llava-onevision-qwen2-7b-ov-hf", "llava (hub)"),
      ("llava-v1.6-mistral-7b-hf", "llava (hub)"),
      ("lmms-lab_llava-onevision-qwen2-7b-ov", "llava (lmms-lab)"),
      ("tiny-llama", "llama"),
      ("tiny-qwen2", "llama"),
      ("tiny-llava-next", "llava (hub)"),
      ("tiny-llava-onevision", "llava (hub)"),
      ("tiny-qwen2.5-vl", "qwen2.5-vl (hub)"),
    ])
  func recognised(file: String, layout: String) throws {
    let names = try KeyList(file).names
    #expect(ModelLayout.recognise(names: names).name == layout)
    #expect(ModelLayout.recognise(names: names.reversed()).name == layout)
  }

  @Test("the layouts of transformers ≥ 4.52 and the bare base models")
  func renamedLayouts() throws {
    let llava = try KeyList("llava-onevision-qwen2-7b-ov-hf")
    let qwen = try KeyList("Qwen2.5-VL-7B-Instruct")
    let llama = try KeyList("tiny-llama")
    #expect(llava.renamed(KeyList.llavaIn452).layout.name == "llava (transformers ≥ 4.52)")
    #expect(qwen.renamed(KeyList.qwenIn452).layout.name == "qwen2.5-vl (transformers ≥ 4.52)")
    #expect(
      llava.renamed(["language_model.model.": "language_model."]).layout.name
        == "llava (base model)")
    #expect(qwen.renamed(["model.": "language_model."]).layout.name == "qwen2.5-vl (base model)")
    #expect(llama.renamed(["model.": ""]).layout.name == "llama (base model)")
    #expect(
      llama.renamed(["model.": "model.language_model."]).layout.name
        == "llama (model.language_model)")
    #expect(
      llama.renamed(["model.": "language_model.model.", "lm_head.": "language_model.lm_head."])
        .layout.name == "llama (language_model.model)")
  }

  @Test("every tensor of every real model has a place", arguments: KeyList.all)
  func nothingIsOther(file: String) throws {
    let list = try KeyList(file)
    let other = list.names.filter { list.layout.component(of: $0).region == .other }
    #expect(other == [])
    #expect(Set(list.names.map { list.layout.component(of: $0) }).count == list.names.count)
  }

  @Test("components say where a tensor sits")
  func places() throws {
    let hub = try KeyList("llava-onevision-qwen2-7b-ov-hf").layout
    let qwen = try KeyList("Qwen2.5-VL-7B-Instruct").layout
    let lmms = try KeyList("lmms-lab_llava-onevision-qwen2-7b-ov").layout
    #expect(
      hub.component(of: "language_model.model.layers.3.self_attn.q_proj.bias")
        == Component(region: .decoderLayer, layer: 3, name: "self_attn.q_proj", parameter: "bias"))
    #expect(
      hub.component(of: "language_model.lm_head.weight")
        == Component(region: .head, name: "lm_head", parameter: "weight"))
    #expect(
      hub.component(of: "language_model.model.embed_tokens.weight")
        == Component(region: .embedding, name: "embed_tokens", parameter: "weight"))
    #expect(
      hub.component(of: "language_model.model.norm.weight")
        == Component(region: .finalNorm, name: "norm", parameter: "weight"))
    #expect(
      hub.component(of: "image_newline")
        == Component(region: .embedding, name: "image_newline", parameter: ""))
    #expect(
      hub.component(of: "vision_tower.vision_model.encoder.layers.7.self_attn.q_proj.weight")
        == Component(region: .visionTower, layer: 7, name: "self_attn.q_proj", parameter: "weight"))
    #expect(
      hub.component(of: "vision_tower.vision_model.embeddings.class_embedding")
        == Component(region: .visionTower, name: "embeddings", parameter: "class_embedding"))
    #expect(
      lmms.component(of: "model.mm_projector.2.weight")
        == Component(
          region: .projector, name: "multi_modal_projector.linear_2", parameter: "weight"))
    #expect(lmms.component(of: "model.vision_resampler.query").region == .resampler)
    #expect(
      qwen.component(of: "visual.blocks.31.mlp.gate_proj.weight")
        == Component(region: .visionTower, layer: 31, name: "mlp.gate_proj", parameter: "weight"))
    #expect(
      qwen.component(of: "visual.merger.mlp.0.weight")
        == Component(region: .projector, name: "visual.merger.mlp.0", parameter: "weight"))
  }

  @Test("DINOv2's blocks are layers, CLIP's others keep their names")
  func dinov2() throws {
    let names = [
      "language_model.model.layers.0.self_attn.q_proj.weight", "multi_modal_projector.linear_1.weight",
      "vision_tower.encoder.layer.7.attention.attention.query.weight", "vision_tower.embeddings.cls_token",
      "vision_tower.encoder.layer.11.layer_scale1.lambda1", "vision_tower.layernorm.bias",
      "vision_tower.vision_model.encoder.layer.3.mlp.fc1.weight",
    ]
    let layout = ModelLayout.recognise(names: names)
    #expect(layout.name == "llava (hub)")
    #expect(
      names.dropFirst(2).map(layout.canonicalName(of:)) == [
        "vision_tower.layers.7.attention.attention.query.weight", "vision_tower.embeddings.cls_token",
        "vision_tower.layers.11.layer_scale1.lambda1", "vision_tower.layernorm.bias",
        "vision_tower.encoder.layer.3.mlp.fc1.weight",
      ])
    #expect(
      layout.component(of: names[2])
        == Component(region: .visionTower, layer: 7, name: "attention.attention.query", parameter: "weight"))
    #expect(names.filter { Recipe.vision.contains(layout.component(of: $0)) } == Array(names.dropFirst(2)))
  }

  @Test("components are described and ordered for tables")
  func words() throws {
    let layout = try KeyList("llava-onevision-qwen2-0.5b-ov-hf").layout
    let names = [
      "vision_tower.vision_model.encoder.layers.2.mlp.fc1.bias", "language_model.model.norm.weight",
      "language_model.model.layers.10.mlp.up_proj.weight", "image_newline",
      "language_model.model.layers.9.mlp.up_proj.weight", "multi_modal_projector.linear_1.bias",
      "vision_tower.vision_model.post_layernorm.bias",
    ]
    #expect(
      names.map(layout.component(of:)).sorted().map(\.description) == [
        "image_newline", "layer 9 mlp.up_proj.weight", "layer 10 mlp.up_proj.weight",
        "norm.weight", "multi_modal_projector.linear_1.bias",
        "vision tower post_layernorm.bias", "vision tower block 2 mlp.fc1.bias",
      ])
    #expect(Component.Region.allCases == Component.Region.allCases.sorted())
    #expect(Component.Region.visionTower.description == "vision tower")
  }

  @Test(
    "names that only resemble a decoder layer's are other",
    arguments: [
      "xmodel.layers.0.self_attn.q_proj.weight", "model.layersx.0.self_attn.q_proj.weight",
      "model.layers.-1.self_attn.q_proj.weight", "model.layers.+1.self_attn.q_proj.weight",
      "model.layers.00.self_attn.q_proj.weight", "model.layers.01.self_attn.q_proj.weight",
      "model.layers.0x1.self_attn.q_proj.weight", "model.layers.١.self_attn.q_proj.weight",
      "model.layers.99999999999999999999.self_attn.q_proj.weight",
      "model.layers..self_attn.q_proj.weight", "model.layers.0..q_proj.weight",
      "model.layers.0.self_attn.q_proj.weight.", ".model.layers.0.self_attn.q_proj.weight",
      "model.layers.0.self_attn.q_proj.weight\u{301}",
      "model.layers.0.self_attn.q_proj.weight\u{0}", "model.layers.0.self_attn.q_proj.weight ",
      "model.layers.0.weight", "model.layers.0", "model.layers", "model", "", ".", "..",
      "MODEL.layers.0.self_attn.q_proj.weight", "model/layers/0/self_attn/q_proj/weight",
      "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
      "model.embed_tokens.extra.weight", "model.norm", "lm_head", "lm_head.extra.weight",
      "model.visual.blocks.0.mlp.gate_proj.weight", "layers.0.self_attn.q_proj.weight",
    ])
  func hostileNames(name: String) throws {
    let layout = try KeyList("tiny-llama").layout
    let component = layout.component(of: name)
    #expect(component.region == .other)
    #expect(layout.canonicalName(of: name) == name)
    #expect(Recipe.allCases.filter { $0.contains(component) } == [.full])
  }

  @Test("names below a projection are in the layer, and in no recipe but llm")
  func belowAProjection() throws {
    let layout = try KeyList("tiny-llama").layout
    for suffix in [
      "self_attn.q_proj.weight.extra", "self_attn.q_proj.lora_A.weight", "self_attn.q_proj.qweight",
      "self_attn.q_proj.base_layer.weight", "self_attn.q_projx.weight", "xself_attn.q_proj.weight",
      "cross_attn.q_proj.weight", "mlp.experts.0.gate_proj.qweight", "mlp.gate_projection.weight",
    ] {
      let component = layout.component(of: "model.layers.0.\(suffix)")
      #expect(component.region == .decoderLayer && component.layer == 0)
      #expect(Recipe.allCases.filter { $0.contains(component) } == [.llm, .full], "\(suffix)")
    }
  }

  @Test("an unknown architecture is generic, with its layers shown for tables")
  func generic() {
    let layout = ModelLayout.recognise(names: ["stack.0.attention.q.weight", "table.weight"])
    #expect(layout.name == "generic")
    #expect(
      layout.component(of: "stack.11.attention.q.weight")
        == Component(region: .other, layer: 11, name: "stack.*.attention.q", parameter: "weight"))
    #expect(layout.component(of: "stack.11.attention.q.weight").description == "layer 11 stack.*.attention.q.weight")
    #expect(ModelLayout.recognise(names: []).name == "generic")
    let tower = ["vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight"]
    #expect(ModelLayout.recognise(names: tower).name == "generic")
  }

  @Test("a name of absurd length or depth is other, at no cost")
  func absurdNames() throws {
    let layout = try KeyList("tiny-llama").layout
    let prefix = "model.layers.0.self_attn.q_proj."
    let longest = prefix + String(repeating: "x", count: 1024 - prefix.count)
    #expect(layout.component(of: longest).region == .decoderLayer)
    #expect(layout.component(of: longest + "x").region == .other)
    let dots = String(repeating: ".", count: 1_000_000)
    let isWhole = layout.component(of: dots).name == dots
    #expect(isWhole)
  }

  @Test("a stray vision tower in a language model does not reach its recipes")
  func strayTower() throws {
    let names =
      try KeyList("tiny-llama").names + [
        "vision_tower.encoder.layers.0.self_attn.q_proj.weight",
        "visual.blocks.0.mlp.gate_proj.weight", "model.visual.blocks.0.mlp.gate_proj.weight",
      ]
    let layout = ModelLayout.recognise(names: names)
    for name in names.suffix(3) {
      let holding = Recipe.allCases.filter { $0.contains(layout.component(of: name)) }
      #expect(Set(holding).isSubset(of: [.vision, .full]), "\(name)")
    }
  }
}
