import Apply
import Base
import Checkpoints
import Foundation
import TestModels
import Testing

@testable import Families
@testable import Model

/// Models as they lie on the hub: their configs, written here as they are published, and the names and shapes of their
/// tensors (fixtures/keys).
@Suite("Layouts of published models") struct LayoutHubTests {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"

  /// A folder with these tensors, whose bytes are a hole in the file, and this config.
  private static func folder(_ keys: String, _ config: String) throws -> TestFolder {
    let folder = try TestFolder()
    let text = try String(contentsOfFile: "\(fixtures)/keys/\(keys).tsv", encoding: .utf8)
    let tensors = text.split(separator: "\n").map { line in
      let columns = line.split(separator: "\t")
      let shape = columns[1].split(separator: "x").map { Int($0)! }
      return TensorInfo(
        name: String(columns[0]), dtype: .bf16, shape: shape, byteCount: 2 * shape.reduce(1, *))
    }
    let header = SafetensorsHeader.text(for: tensors, metadata: [])
    let path = try folder.write("model.safetensors", [UInt8](littleEndian: UInt64(header.count)) + header)
    let file = try #require(FileHandle(forWritingAtPath: path))
    try file.truncate(atOffset: UInt64(8 + header.count + tensors.reduce(0) { $0 + $1.byteCount }))
    try folder.write("config.json", config)
    return folder
  }

  /// The tensors that nothing depends on.
  private static func unused(_ folder: TestFolder) throws -> (config: ModelConfig, vision: VisionConfig, Set<String>) {
    let weights = try ModelWeights(ModelView(SafetensorsCheckpoint(path: folder.path)), threads: 2)
    let config = try ModelConfig(folder: folder.path)
    let vision = try #require(try ModelConfig.vision(ModelFolder(folder.path)))
    // Both throw for a tensor that is missing, or of another shape.
    let decoder = try Decoder(config, weights)
    let images = try VisionModel(vision, weights)
    let used = Set((decoder.parameters + images.parameters).map(\.name))
    return (config, vision, Set(weights.parameters.map(\.name)).subtracting(used))
  }

  static let qwenText = """
    {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "bos_token_id": 151643,
     "eos_token_id": 151645, "vision_start_token_id": 151652, "vision_end_token_id": 151653, "vision_token_id": 151654,
     "image_token_id": 151655, "video_token_id": 151656, "hidden_act": "silu", "initializer_range": 0.02,
     "max_position_embeddings": 128000, "model_type": "qwen2_5_vl", "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
     "sliding_window": 32768, "torch_dtype": "bfloat16", "transformers_version": "4.41.2", "use_cache": true,
     "use_sliding_window": false, "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    """

  static func qwenVision(_ width: Int) -> String {
    """
    "vision_config": {"depth": 32, "hidden_act": "silu", "hidden_size": 1280, "intermediate_size": 3420,
     "num_heads": 16, "in_chans": 3, "out_hidden_size": \(width), "patch_size": 14, "spatial_merge_size": 2,
     "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2,
     "temporal_patch_size": 2}}
    """
  }

  static let qwen3B =
    qwenText + """
      "hidden_size": 2048, "intermediate_size": 11008, "max_window_layers": 70, "num_attention_heads": 16,
      "num_hidden_layers": 36, "num_key_value_heads": 2, "tie_word_embeddings": true, "vocab_size": 151936,
      """ + qwenVision(2048)
  static let qwen7B =
    qwenText + """
      "hidden_size": 3584, "intermediate_size": 18944, "max_window_layers": 28, "num_attention_heads": 28,
      "num_hidden_layers": 28, "num_key_value_heads": 4, "tie_word_embeddings": false, "vocab_size": 152064,
      """ + qwenVision(3584)

  @Test(
    "Qwen2.5-VL-3B and -7B-Instruct",
    arguments: [("Qwen2.5-VL-3B-Instruct", qwen3B, true), ("Qwen2.5-VL-7B-Instruct", qwen7B, false)])
  func published(keys: String, text: String, isTied: Bool) throws {
    let (config, vision, unused) = try Self.unused(Self.folder(keys, text))
    #expect(unused.isEmpty && config.isTied == isTied && config.window == nil && config.maximumLength == 128_000)
    #expect(config.rotary.sections == [16, 24, 24] && config.rotary.theta == 1e6 && config.headSize == 128)
    #expect(config.endTokens == [151_645] && vision.imageToken == 151_655)
    #expect(vision.tower.windows == .init(side: 4, fullLayers: [7, 15, 23, 31]))
    #expect(vision.projector == .merger(side: 2))
  }

  @Test("Qwen2.5-VL as transformers 5 writes it: nested, with rope_parameters") func qwenNested() throws {
    let open = try JSON.parse(Array(Self.qwen7B.utf8))
    var inner = open.setting("vision_config", to: nil).setting("rope_scaling", to: nil).setting("rope_theta", to: nil)
    inner = inner.setting("model_type", to: .string("qwen2_5_vl_text")).setting(
      "rope_parameters",
      to: try JSON.parse(
        Array(#"{"mrope_section": [16, 24, 24], "rope_theta": 1000000.0, "rope_type": "default"}"#.utf8)))
    let nested = JSON.dictionary([
      "model_type": .string("qwen2_5_vl"), "text_config": inner, "vision_config": open["vision_config"],
      "image_token_id": JSON(151_655), "tie_word_embeddings": .bool(false),
    ])
    let (config, vision, unused) = try Self.unused(Self.folder("Qwen2.5-VL-7B-Instruct", nested.pretty()))
    let flat = try ModelConfig(open, generation: nil, path: "config.json")
    #expect(unused.isEmpty && config.rotary == flat.rotary && config.layers == 28 && config.endTokens == [151_645])
    #expect(try vision.tower == VisionConfig(open, textHidden: 3584, path: "config.json").tower)
  }

  static let clipText = """
    "vision_config": {"hidden_size": 1024, "image_size": 336, "intermediate_size": 4096,
     "model_type": "clip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 24, "patch_size": 14,
     "projection_dim": 768, "vocab_size": 32000}, "vision_feature_layer": -2,
     "vision_feature_select_strategy": "default"
    """

  static func next(_ token: Int, _ text: String) -> String {
    """
    {"architectures": ["LlavaNextForConditionalGeneration"], "ignore_index": -100, "image_token_index": \(token),
     "image_grid_pinpoints": [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]],
     "model_type": "llava_next", "projector_hidden_act": "gelu", "text_config": {\(text)},
     "tie_word_embeddings": false, "torch_dtype": "float16", "use_image_newline_parameter": true, \(clipText)}
    """
  }

  static let mistral = next(
    32000,
    """
    "_name_or_path": "mistralai/Mistral-7B-Instruct-v0.2", "architectures": ["MistralForCausalLM"],
    "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral", "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05, "rope_theta": 1000000.0, "sliding_window": null, "torch_dtype": "bfloat16",
    "vocab_size": 32064
    """)

  @Test("llava-v1.6-mistral-7b-hf, which leaves half of its numbers to transformers") func llavaNext() throws {
    let (config, vision, unused) = try Self.unused(Self.folder("llava-v1.6-mistral-7b-hf", Self.mistral))
    #expect(config.hiddenSize == 4096 && config.layers == 32 && config.heads == 32 && config.keyValueHeads == 8)
    #expect(config.window == nil && config.maximumLength == 32768 && config.rotary.theta == 1e6 && !config.isTied)
    #expect(vision.tower == .clip336 && vision.featureLayers == [23] && vision.imageToken == 32000)
    // What stands above the layer that is read.
    #expect(unused.count == 18)
    #expect(unused.allSatisfy { $0.contains("encoder.layers.23.") || $0.contains("post_layernorm") })
  }

  static let siglipText = """
    "vision_config": {"hidden_size": 1152, "image_size": 384, "intermediate_size": 4304,
     "model_type": "siglip_vision_model", "num_attention_heads": 16, "num_hidden_layers": 26, "patch_size": 14,
     "vision_use_head": false}, "vision_feature_layer": -1, "vision_feature_select_strategy": "full"
    """

  static var pinpoints: String {
    let sides = Array(stride(from: 384, through: 2304, by: 384))
    return "\(sides.flatMap { height in sides.map { [height, $0] } })"
  }

  static func onevision(_ text: String, isTied: Bool) -> String {
    """
    {"architectures": ["LlavaOnevisionForConditionalGeneration"], "ignore_index": -100, "image_token_index": 151646,
     "image_grid_pinpoints": \(pinpoints), "model_type": "llava_onevision", "projector_hidden_act": "gelu",
     "text_config": {"architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643, "eos_token_id": 151645,
      "model_type": "qwen2", "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": \(isTied),
      "torch_dtype": "bfloat16", \(text)},
     "tie_word_embeddings": false, "torch_dtype": "float16", "use_image_newline_parameter": true,
     "video_token_index": 151647, "vision_aspect_ratio": "anyres_max_9", \(siglipText)}
    """
  }

  static let half = onevision(
    """
    "hidden_size": 896, "intermediate_size": 4864, "max_window_layers": 21, "num_attention_heads": 14,
    "num_hidden_layers": 24, "num_key_value_heads": 2, "vocab_size": 152000
    """, isTied: true)
  static let seven = onevision(
    """
    "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_hidden_layers": 28,
    "num_key_value_heads": 4, "vocab_size": 152128
    """, isTied: false)

  static let lmms = """
    {"architectures": ["LlavaQwenForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
     "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 3584, "image_aspect_ratio": "anyres_max_9",
     "image_crop_resolution": null, "image_grid_pinpoints": \(pinpoints), "image_split_resolution": null,
     "image_token_index": 151646, "initializer_range": 0.02, "intermediate_size": 18944,
     "max_position_embeddings": 32768, "max_window_layers": 28, "mm_hidden_size": 1152,
     "mm_newline_position": "one_token", "mm_patch_merge_type": "spatial_unpad", "mm_projector_lr": null,
     "mm_projector_type": "mlp2x_gelu", "mm_resampler_type": null, "mm_spatial_pool_mode": "bilinear",
     "mm_tunable_parts": "mm_vision_tower,mm_mlp_adapter,mm_language_model", "mm_use_im_patch_token": false,
     "mm_use_im_start_end": false, "mm_vision_select_feature": "patch", "mm_vision_select_layer": -2,
     "mm_vision_tower": "google/siglip-so400m-patch14-384", "mm_vision_tower_lr": 2e-06, "model_type": "llava",
     "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "rms_norm_eps": 1e-06,
     "rope_scaling": null, "rope_theta": 1000000.0, "sliding_window": 131072, "tie_word_embeddings": false,
     "tokenizer_model_max_length": 32768, "torch_dtype": "bfloat16", "use_cache": true, "use_mm_proj": true,
     "use_sliding_window": false, "vocab_size": 152064}
    """

  @Test(
    "LLaVA-OneVision: two of the hub, one as its authors save it",
    arguments: [
      ("llava-onevision-qwen2-0.5b-ov-hf", half, Int32(151_646)),
      ("llava-onevision-qwen2-7b-ov-hf", seven, 151_646),
      ("lmms-lab_llava-onevision-qwen2-7b-ov", lmms, -200),
      (
        "lmms-lab_llava-onevision-qwen2-7b-ov",
        lmms.replacing("\"model_type\": \"llava\"", with: "\"model_type\": \"llava_qwen\""), -200
      ),
    ])
  func llavaOneVision(keys: String, text: String, token: Int32) throws {
    let (config, vision, unused) = try Self.unused(Self.folder(keys, text))
    #expect(config.window == nil && config.maximumLength == 32768 && config.rotary.theta == 1e6)
    #expect(vision.tower == .siglip384 && vision.featureLayers == [26] && !vision.dropsFirst)
    #expect(vision.imageToken == token && vision.projector == .mlp(.gelu, hasBias: true))
    guard case .tiles(let grids, 9) = vision.packing else { throw VPatchError(.invalid, nil, "no tiles") }
    #expect(grids.count == 36)
    #expect(unused.count == 2 && unused.allSatisfy { $0.contains("post_layernorm") })
  }

  @Test("llava-1.5-7b-hf and llama3-llava-next-8b-hf: what they leave out is as transformers has it")
  func standards() throws {
    func read(_ text: String) throws -> (ModelConfig, VisionConfig) {
      let json = try JSON.parse(Array(text.utf8))
      let config = try ModelConfig(json, generation: nil, path: "config.json")
      return (config, try VisionConfig(json, textHidden: config.hiddenSize, path: "config.json"))
    }
    let (llava, imageEncoder) = try read(
      """
      {"architectures": ["LlavaForConditionalGeneration"], "ignore_index": -100, "image_token_index": 32000,
       "model_type": "llava", "pad_token_id": 32001, "projector_hidden_act": "gelu", "text_config": {
        "_name_or_path": "lmsys/vicuna-7b-v1.5", "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 4096, "model_type": "llama", "rms_norm_eps": 1e-05, "torch_dtype": "float16",
        "vocab_size": 32064}, "tie_word_embeddings": false, "torch_dtype": "float16", \(Self.clipText)}
      """)
    #expect(llava.hiddenSize == 4096 && llava.intermediateSize == 11008 && llava.layers == 32)
    #expect(llava.heads == 32 && llava.keyValueHeads == 32 && llava.headSize == 128 && llava.normEpsilon == 1e-5)
    #expect(llava.rotary.theta == 10_000 && llava.maximumLength == 4096 && llava.vocabularySize == 32064)
    #expect(
      imageEncoder.tower == .clip336 && imageEncoder.packing == .plain && imageEncoder.dropsFirst
        && imageEncoder.featureLayers == [23])
    let (llama3, _) = try read(
      Self.next(
        128_256,
        """
        "_name_or_path": "meta-llama/Meta-Llama-3-8B-Instruct", "architectures": ["LlamaForCausalLM"],
        "bos_token_id": 128000, "eos_token_id": 128009, "intermediate_size": 14336, "max_position_embeddings": 8192,
        "model_type": "llama", "num_key_value_heads": 8, "rms_norm_eps": 1e-05, "rope_theta": 500000.0,
        "torch_dtype": "bfloat16", "vocab_size": 128320
        """))
    #expect(llama3.keyValueHeads == 8 && llama3.intermediateSize == 14336 && llama3.rotary.theta == 500_000)
    #expect(llama3.endTokens == [128_009] && llama3.vocabularySize == 128_320 && llama3.hiddenSize == 4096)
  }
}
