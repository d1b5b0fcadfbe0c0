import Base
import Images
import TestModels
import Testing

@testable import Families

/// What configs say of images, in the forms in which models are published.
@Suite("Vision: configs") struct VisionConfigTests {
  static func config(_ text: String, textHidden: Int = 4096) throws -> VisionConfig {
    try VisionConfig(JSON.parse(Array(text.utf8)), textHidden: textHidden, path: "config.json")
  }

  @Test("LLaVA-1.5, of which the hub's config says little")
  func llava() throws {
    let config = try Self.config(#"{"model_type": "llava", "image_token_index": 32000, "vision_feature_layer": -2}"#)
    #expect(config.tower == .clip336 && config.featureLayers == [23] && config.usedLayers == 23)
    #expect(config.dropsFirst && config.packing == .plain && config.imageToken == 32000)
    #expect(config.projector == .mlp(.gelu, hasBias: true))
    #expect(try config.tokens(ImagePlan(width: 90, height: 700, shape: .crop(width: 336, height: 336))) == 576)
    // What vision_config leaves out is as in the class of its type.
    let short = try Self.config(
      #"{"model_type": "llava", "vision_config": {"hidden_size": 1024, "num_attention_heads": 16, "patch_size": 14}}"#)
    #expect(short.tower.layers == 12 && short.tower.intermediateSize == 3072 && short.tower.imageSize == 224)
    #expect(short.tower.family == .clip && short.tower.activation == .quickGELU && short.tower.normEpsilon == 1e-5)
  }

  @Test("layers that are read") func layers() throws {
    func layers(_ value: String) throws -> [Int] {
      try Self.config(#"{"model_type": "llava", "vision_feature_layer": \#(value)}"#).featureLayers
    }
    #expect(try layers("-1") == [24] && layers("0") == [0] && layers("24") == [24] && layers("null") == [23])
    #expect(try layers("[-2, 5, -25]") == [23, 5, 0])
    for wrong in ["25", "-26", "[]", "[1, 30]", "\"last\"", "1.5"] {
      #expect(throws: VPatchError.self) { try layers(wrong) }
    }
  }

  @Test("LLaVA-NeXT and LLaVA-OneVision") func tiled() throws {
    let next = try Self.config(#"{"model_type": "llava_next"}"#)
    guard case .tiles(let grids, nil) = next.packing else { throw Unexpected() }
    #expect(grids.map(\.height) == [336, 672, 672, 1008, 336] && grids.map(\.width) == [672, 336, 672, 336, 1008])
    // The number that the model's card gives for a square image: 576 + 48 · 49.
    let square = ImagePlan(width: 900, height: 900, shape: .tiles(rows: 2, columns: 2, side: 336))
    #expect(try next.tokens(square) == 2928)
    let onevision = try Self.config(#"{"model_type": "llava_onevision"}"#)
    #expect(onevision.tower == .siglip384 && onevision.featureLayers == [26] && !onevision.dropsFirst)
    guard case .tiles(let many, 9) = onevision.packing else { throw Unexpected() }
    #expect(many.count == 36 && onevision.imageToken == 151_646)
    #expect(try onevision.tokens(ImagePlan(width: 9, height: 9, shape: .crop(width: 384, height: 384))) == 730)
    let tiles = ImagePlan(width: 2304, height: 2304, shape: .tiles(rows: 6, columns: 6, side: 384))
    // 162 · 162 features are shrunk to 81 · 81.
    #expect(try onevision.tokens(tiles) == 729 + 81 * 82)
  }

  @Test("Qwen2.5-VL, in old and new words") func qwen() throws {
    let hub = try Self.config(
      #"""
      {"model_type": "qwen2_5_vl", "image_token_id": 151655, "vision_config": {"depth": 32, "hidden_act": "silu",
       "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "in_chans": 3, "out_hidden_size": 2048,
       "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14, "window_size": 112,
       "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2, "temporal_patch_size": 2}}
      """#, textHidden: 2048)
    #expect(hub.tower.windows == VisionConfig.Windows(side: 4, fullLayers: [7, 15, 23, 31]))
    #expect(hub.tower.headSize == 80 && hub.tower.patchValues == 1176 && hub.projector == .merger(side: 2))
    let plan = ImagePlan(width: 448, height: 336, shape: .patches(rows: 24, columns: 32))
    #expect(try hub.tokens(plan) == 192)
    #expect(try hub.grid(plan)! == (12, 16))
    let tiny = try VisionFixture("qwen2.5-vl")
    #expect(tiny.config.tower.layers == 3 && tiny.config.tower.windows!.fullLayers == [1])
    #expect(throws: VPatchError.self) {
      try Self.config(
        #"{"model_type": "qwen2_5_vl", "vision_config": {"hidden_size": 1280, "out_hidden_size": 3584}}"#,
        textHidden: 2048)
    }
  }

  @Test("models as their authors save them") func original() throws {
    let onevision = try Self.config(
      #"""
      {"model_type": "llava_qwen", "mm_vision_tower": "google/siglip-so400m-patch14-384", "mm_projector_type":
       "mlp2x_gelu", "mm_patch_merge_type": "spatial_unpad", "image_aspect_ratio": "anyres_max_9",
       "image_grid_pinpoints": [[384, 768], [768, 384]], "mm_vision_select_layer": -2,
       "mm_vision_select_feature": "patch"}
      """#)
    #expect(onevision.tower == .siglip384 && onevision.featureLayers == [26] && !onevision.dropsFirst)
    #expect(onevision.imageToken == -200)
    guard case .tiles(let grids, 9) = onevision.packing else { throw Unexpected() }
    // Width first: the authors' order.
    #expect(grids == [.init(height: 768, width: 384), .init(height: 384, width: 768)])
    let ranged = try Self.config(
      #"""
      {"mm_vision_tower": "google/siglip-so400m-patch14-384", "mm_projector_type": "mlp2x_gelu", "mm_patch_merge_type":
       "spatial_unpad", "image_aspect_ratio": "anyres_max_9", "image_grid_pinpoints": "(1x1),...,(2x3)"}
      """#)
    guard case .tiles(let range, 9) = ranged.packing else { throw Unexpected() }
    #expect(range.map { $0.width / 384 } == [1, 1, 1, 2, 2, 2] && range.map { $0.height / 384 } == [1, 2, 3, 1, 2, 3])
    let llava = try Self.config(
      #"{"mm_vision_tower": "openai/clip-vit-large-patch14", "mm_projector_type": "linear", "image_aspect_ratio": "pad"}"#
    )
    #expect(llava.tower.imageSize == 224 && llava.featureLayers == [23] && llava.dropsFirst)
    #expect(llava.projector == .linear(hasBias: true) && llava.packing == .plain)
  }

  @Test(
    "what is not known is refused by name",
    arguments: [
      (#"{"model_type": "llama"}"#, "llama"), (#"{"model_type": "mllama"}"#, "mllama"),
      (#"{"model_type": "llava", "vision_config": {"model_type": "pixtral"}}"#, "pixtral"),
      (#"{"model_type": "llava", "vision_config": {"model_type": "dinov2_with_registers"}}"#, "dinov2_with_registers"),
      (#"{"model_type": "llava", "vision_config": {"model_type": "dinov2", "use_swiglu_ffn": true}}"#, "SwiGLU"),
      (#"{"model_type": "llava", "vision_config": {"hidden_act": "relu"}}"#, "relu"),
      (#"{"model_type": "llava", "projector_hidden_act": "mish"}"#, "mish"),
      (#"{"model_type": "llava", "vision_feature_select_strategy": "cls"}"#, "cls"),
      (#"{"model_type": "llava", "vision_config": {"num_attention_heads": 5}}"#, "5 heads"),
      (#"{"model_type": "llava", "vision_config": {"image_size": 0}}"#, "image_size"),
      (#"{"model_type": "llava", "vision_config": {"image_size": [224, 336]}}"#, "image_size"),
      (#"{"model_type": "llava", "vision_config": {"patch_size": 500}}"#, "500"),
      (#"{"model_type": "llava", "vision_config": {"hidden_size": 1099511627776}}"#, "hidden_size"),
      (#"{"model_type": "llava", "vision_config": {"num_channels": 4}}"#, "4 channels"),
      (#"{"model_type": "llava", "vision_config": {"layer_norm_eps": 1e99}}"#, "layer_norm_eps"),
      (#"{"model_type": "llava_onevision", "vision_aspect_ratio": "anyres_max_9223372036854775807"}"#, "anyres_max_9"),
      (
        #"{"model_type": "qwen2_5_vl", "vision_config": {"hidden_size": 64, "spatial_merge_size": 1048576}}"#,
        "spatial_merge_size"
      ),
      (#"{"model_type": "llava", "image_token_index": 9999999999}"#, "image_token_index"),
      (#"{"model_type": "llava_next", "vision_feature_select_strategy": "full"}"#, "default"),
      (#"{"model_type": "llava_next", "image_grid_pinpoints": [[336]]}"#, "image_grid_pinpoints"),
      (#"{"model_type": "llava_onevision", "vision_aspect_ratio": "pad"}"#, "vision_aspect_ratio"),
      (#"{"model_type": "qwen2_5_vl"}"#, "hidden_size"),
      (#"{"model_type": "qwen2_5_vl", "vision_config": {"hidden_size": 64, "window_size": 8}}"#, "windows"),
      (#"{"mm_vision_tower": "BAAI/EVA-CLIP-8B"}"#, "EVA"),
      (
        #"{"mm_vision_tower": "openai/clip-vit-large-patch14", "mm_patch_merge_type": "spatial_unpad", "image_aspect_ratio": "anyres", "image_grid_pinpoints": "(2x2),(1x1)"}"#,
        "image_grid_pinpoints"
      ),
      (#"{"mm_vision_tower": "openai/clip-vit-large-patch14", "mm_projector_type": "ldp"}"#, "ldp"),
      (
        #"{"mm_vision_tower": "openai/clip-vit-large-patch14", "mm_patch_merge_type": "unires"}"#, "unires"
      ),
    ])
  func refused(text: String, word: String) throws {
    let error = #expect(throws: VPatchError.self) { try Self.config(text) }
    #expect("\(error!)".contains(word), "\(error!)")
  }

  @Test("images of another model are refused")
  func plans() throws {
    let llava = try Self.config(#"{"model_type": "llava"}"#)
    let next = try Self.config(#"{"model_type": "llava_next"}"#)
    let qwen = try VisionFixture("qwen2.5-vl").config
    let cases: [(VisionConfig, ImagePlan.Shape)] = [
      (llava, .crop(width: 224, height: 224)), (llava, .crop(width: 336, height: 672)),
      (llava, .tiles(rows: 1, columns: 2, side: 336)), (llava, .patches(rows: 24, columns: 24)),
      (next, .tiles(rows: 1, columns: 2, side: 384)), (next, .tiles(rows: 3, columns: 3, side: 336)),
      (next, .patches(rows: 24, columns: 24)), (qwen, .patches(rows: 3, columns: 4)),
      (qwen, .patches(rows: 0, columns: 0)), (qwen, .crop(width: 224, height: 224)),
      (try VisionFixture("llava-dinov2").config, .crop(width: 3, height: 300)),
    ]
    for (config, shape) in cases {
      let error = #expect(throws: VPatchError.self) {
        try config.tokens(ImagePlan(width: 500, height: 400, shape: shape))
      }
      #expect("\(error!)".contains("preprocessor_config.json"))
    }
  }

  struct Unexpected: Error {}
}
