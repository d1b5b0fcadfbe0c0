import Apply
import Base
import Checkpoints
import Images
import TestModels
import Testing
import Text

@testable import Families
@testable import Model

/// The names of a vision-language model's tensors, and the form of its config, decide nothing but how they are read.
@Suite("Layouts of vision-language models") struct LayoutTests {
  private typealias Rename = @Sendable (String) -> String

  private static func replacing(_ rules: [(String, String)]) -> Rename {
    { name in
      let rule = rules.first { name.hasPrefix($0.0) }
      return rule.map { $0.1 + name.dropFirst($0.0.count) } ?? name
    }
  }

  /// As the tests' models name them: as on the hub, LLaVA's without `vision_model`.
  private static let qwen: [(String, Rename)] = [
    ("qwen2.5-vl (hub)", { $0 }),
    (
      "qwen2.5-vl (transformers ≥ 4.52)",
      replacing([("visual.", "model.visual."), ("model.", "model.language_model.")])
    ),
    ("qwen2.5-vl (base model)", replacing([("model.", "language_model.")])),
  ]

  private static let llava: [(String, Rename)] = [
    ("llava (hub)", replacing([("vision_tower.", "vision_tower.vision_model.")])),
    (
      "llava (transformers ≥ 4.52)",
      replacing([
        ("language_model.model.", "model.language_model."), ("language_model.lm_head.", "lm_head."),
        ("multi_modal_projector.", "model.multi_modal_projector."),
        ("vision_tower.", "model.vision_tower.vision_model."), ("image_newline", "model.image_newline"),
      ])
    ),
    (
      "llava (base model)",
      replacing([("language_model.model.", "language_model."), ("language_model.lm_head.", "lm_head.")])
    ),
  ]

  private static let original: Rename = replacing([
    ("language_model.model.", "model."), ("language_model.lm_head.", "lm_head."),
    ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
    ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
    ("vision_tower.", "model.vision_tower.vision_tower.vision_model."), ("image_newline", "model.image_newline"),
  ])

  /// The tiny model's row, with its image.
  private static func sequence(_ tiny: TinyModel, token: Int32 = 5) throws -> TokenSequence {
    let image = try ImageFile(path: tiny.images[0]).source
    return TokenSequence(try tiny.ids("input_ids").map { $0 == 5 ? token : $0 }, images: [image])
  }

  /// Every token's whole distribution.
  private static func distributions(_ model: LanguageModel, _ sequence: TokenSequence) throws -> [[Float]] {
    var rows: [[Float]] = []
    try model.forEachDistribution(of: [sequence], at: [0..<sequence.count]) { _, _, row in rows.append(Array(row)) }
    return rows
  }

  private static func model(_ folder: String) throws -> LanguageModel {
    try LanguageModel(ModelView(SafetensorsCheckpoint(path: folder)), compute: Compute(threads: 2))
  }

  @Test("every layout computes the same, to the bit", arguments: TinyModel.visionLanguageModels)
  func same(name: String) throws {
    let tiny = try TinyModel(name)
    let sequence = try Self.sequence(tiny)
    let expected = try Self.distributions(Self.model(tiny.folder), sequence)
    #expect(expected.count == sequence.count && expected.allSatisfy { $0.count == 512 })
    for (layout, rename) in name.contains("qwen") ? Self.qwen : Self.llava {
      let vision = try VisionFolder(name)
      try vision.rename(rename)
      let model = try Self.model(vision.base)
      #expect(model.weights.layout.name == layout)
      #expect(try Self.distributions(model, sequence) == expected, "\(layout)")
    }
  }

  @Test("buffers of whole numbers, as old checkpoints carry them, are passed over; weights that are none are not")
  func buffers() throws {
    let tiny = try TinyModel("tiny-llava-next")
    let sequence = try Self.sequence(tiny)
    let vision = try VisionFolder("tiny-llava-next")
    let name = "vision_tower.embeddings.position_ids"
    try vision.rewrite { $0 + [TestTensor(name, "I64", [1, 4], (0..<4).map(Int64.init))] }
    let model = try Self.model(vision.base)
    #expect(model.weights.parameter(named: name) == nil && model.weights.view.checkpoint.tensor(named: name) != nil)
    #expect(try Self.distributions(model, sequence) == Self.distributions(Self.model(tiny.folder), sequence))

    let quantised = "language_model.model.layers.1.mlp.up_proj.weight"
    try vision.rewrite {
      $0.map {
        guard $0.name == quantised else { return $0 }
        return TestTensor(quantised, "I8", $0.shape, Array($0.bytes.prefix($0.bytes.count / 2)))
      }
    }
    let refused = #expect(throws: VPatchError.self) { try Self.model(vision.base) }
    #expect(refused?.code == .refused)
    #expect(refused?.description.contains("\"\(quantised)\" of dtype I8, which is not supported") == true)
  }

  @Test("Qwen2.5-VL's config with the language model's numbers lying open") func open() throws {
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    try vision.edit { json in
      var open = json.setting("text_config", to: nil)
      for member in json["text_config"]!.object! where !["model_type", "rope_parameters"].contains(member.key) {
        open = open.setting(member.key, to: member.value)
      }
      return open.setting("rope_theta", to: JSON(1_000_000))
        .setting("rope_scaling", to: try JSON.parse(Array(#"{"type": "mrope", "mrope_section": [2, 3, 3]}"#.utf8)))
    }
    let tiny = try TinyModel("tiny-qwen2.5-vl")
    let sequence = try Self.sequence(tiny)
    let (open, nested) = (try Self.model(vision.base), try Self.model(tiny.folder))
    #expect(open.config.rotary == nested.config.rotary && open.config.rotary.sections == [2, 3, 3])
    #expect(try Self.distributions(open, sequence) == Self.distributions(nested, sequence))
  }

  @Test(
    "as LLaVA's authors save it: other names, and a token that no vocabulary has",
    arguments: ["tiny-llava-onevision", "tiny-llava-next"])
  func authors(name: String) throws {
    let tiny = try TinyModel(name)
    let isNext = name == "tiny-llava-next"
    let folder = try VisionFolder(name)
    try folder.rename(Self.original)
    let published = try #require(try ModelConfig.vision(ModelFolder(tiny.folder)))
    guard case .tiles(let grids, _) = published.packing else { throw VPatchError(.invalid, nil, "no tiles") }
    try folder.edit { json in
      var open = json["text_config"]!.setting("model_type", to: .string(isNext ? "llava_llama" : "llava_qwen"))
      open = open.setting("architectures", to: .array([.string("Llava\(isNext ? "Llama" : "Qwen")ForCausalLM")]))
      for (key, value) in [
        ("mm_vision_tower", "someone/tiny"), ("mm_projector_type", "mlp2x_gelu"),
        ("mm_patch_merge_type", "spatial_unpad"),
        ("mm_vision_select_feature", "patch"), ("image_aspect_ratio", isNext ? "anyres" : "anyres_max_9"),
      ] {
        open = open.setting(key, to: .string(value))
      }
      // Written width first.
      let pairs = grids.map { JSON.array([JSON($0.width), JSON($0.height)]) }
      open = open.setting("mm_vision_select_layer", to: .number("-2"))
      return open.setting("image_grid_pinpoints", to: .array(pairs))
    }
    // Towers that such configs name have known sizes, none of which is tiny: with that of the published config instead.
    let path = folder.base + "/config.json"
    let json = try JSON.parse(InputFile.contents(of: path, limit: 1 << 20))
    let refused = #expect(throws: VPatchError.self) { try ModelConfig.vision(ModelFolder(folder.base)) }
    #expect(refused?.description.contains("the unknown mm_vision_tower \"someone/tiny\"") == true)
    let config = try ModelConfig(folder: folder.base)
    #expect(config.isMultimodal)
    let vision = try VisionConfig.original(
      json, textHidden: config.hiddenSize, path: path, towers: ["tiny": published.tower])
    #expect(vision.featureLayers == published.featureLayers && vision.dropsFirst == published.dropsFirst)
    #expect(vision.projector == published.projector && vision.imageToken == -200)
    let weights = try ModelWeights(ModelView(SafetensorsCheckpoint(path: folder.base)), threads: 2)
    #expect(weights.layout.name == "llava (lmms-lab)")
    let model = try LanguageModel(
      config: config, weights: weights, compute: Compute(threads: 2),
      images: ImageReader(vision, ImageProcessor(folder: tiny.folder)))
    let expected = try Self.distributions(Self.model(tiny.folder), Self.sequence(tiny))
    #expect(try Self.distributions(model, Self.sequence(tiny, token: -200)) == expected)
  }
}
