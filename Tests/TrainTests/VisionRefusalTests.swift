import Apply
import Base
import Checkpoints
import Foundation
import Glibc
import TestModels
import Testing

/// What cannot be trained with images is said before the first step, and with what to do.
@Suite("Training with images: refusals") struct VisionRefusalTests {
  /// What is said of a model and its rows; nil where nothing is.
  private static func refusal(_ vision: VisionFolder, allowsOutside: Bool = false) -> String? {
    do {
      _ = try VisionTrainingTests.job(vision, VisionTrainingTests.options(.saProj)) {
        $0.rules.allowsOutside = allowsOutside
      }
      return nil
    } catch {
      return "\(error)"
    }
  }

  private static func write(_ row: String, to vision: VisionFolder) throws {
    // The second line, so that the number is seen to be counted.
    try vision.folder.write("rows.jsonl", #"{"input_ids": [1, 7, 8]}"# + "\n" + row)
  }

  private static func row(_ image: String) -> String { #"{"input_ids": [1, 5, 8], "image": "\#(image)"}"# }

  @Test(
    "images that cannot be used",
    arguments: [
      ("cut.png", "which is cut short: the PNG ends early (get the image again)"),
      ("head.png", "which is cut short: the PNG ends early (get the image again)"),
      ("cut.jpg", "which is cut short: the JPEG ends early (get the image again)"),
      (
        "bomb.png",
        "which is too large: 60000 × 60000; at most 178956970 pixels are read, and 1000000 a side "
          + "(scale it down)"
      ),
      ("empty.png", "which is empty (get the image again)"),
      ("a.gif", "which is a GIF (convert it to PNG, JPEG or WebP)"),
      ("none.png", "which is not there"), ("dangling.png", "which is a broken symbolic link"),
      ("folder", "which is not a file"),
      ("fifo.png", "which is not a file"),
      ("../out.png", "which is outside of the data file's folder (--allow-outside allows it)"),
      ("link.png", "which is outside of the data file's folder (--allow-outside allows it)"),
    ])
  func images(name: String, words: String) throws {
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    let folder = vision.folder
    let image = try folder.bytes("images/a.png")
    // Beside the folder of the data file.
    try folder.write("data/cut.png", Array(image.dropLast(image.count / 3)))
    try folder.write("data/head.png", Array(image.prefix(20)))
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures/images"
    let photo = try folder.bytes("\(fixtures)/rgb.jpg")
    try folder.write("data/cut.jpg", Array(photo.prefix(photo.count * 3 / 5)))
    try folder.write("data/bomb.png", TestImage.png(width: 4, height: 4, claimed: (60000, 60000)))
    try folder.write("data/empty.png", "")
    try folder.write("data/a.gif", "GIF89a")
    try folder.write("data/folder/file", "")
    try folder.write("out.png", image)
    try #require(mkfifo(folder["data/fifo.png"], 0o600) == 0)
    try #require(symlink("../out.png", folder["data/link.png"]) == 0)
    try #require(symlink("nowhere.png", folder["data/dangling.png"]) == 0)
    let rows = try folder.write("data/rows.jsonl", #"{"input_ids": [1, 7, 8]}"# + "\n" + Self.row(name))
    func job(_ allowsOutside: Bool) throws {
      _ = try VisionTrainingTests.job(vision, VisionTrainingTests.options(.saProj)) {
        $0.data = [rows]
        $0.rules.allowsOutside = allowsOutside
      }
    }
    let error = #expect(throws: VPatchError.self) { try job(false) }
    #expect(
      error?.description
        == "\(rows): 1 row cannot be used: line 2 names the image \"\(name)\", \(words); fix or remove it")
    if words.contains("--allow-outside") { try job(true) }
  }

  @Test(
    "rows whose images do not fit",
    arguments: [
      (
        #"{"input_ids": [1, 5, 5, 8], "images": ["images/a.png"]}"#,
        "has 2 image tokens (5) for 1 image: give one, or the 12 that the model uses for it, consecutively"
      ),
      (
        #"{"input_ids": [1, 5, 5, 5, 8], "images": ["images/a.png", "images/a.png"]}"#,
        "has 3 image tokens (5) for 2 images: give 2, one per image, or the 24 that the model uses for "
          + "them (12, 12), consecutively per image"
      ),
      (#"{"input_ids": [1, 5, 8]}"#, "has 1 image token (5) but no images"),
      (
        #"{"input_ids": [1, 7, 8], "image": "images/a.png"}"#,
        "has 0 image tokens (5) for 1 image: give one, or the 12 that the model uses for it, consecutively"
      ),
      (#"{"input_ids": [1, 7], "videos": ["a.mp4"]}"#, #"has "videos", which is not supported: only images are"#),
      (
        #"{"messages": [{"role": "user", "content": [{"type": "video", "video": "a.mp4"}]}]}"#,
        "message 1 has a video, which is not supported"
      ),
      (
        #"{"messages": [{"role": "user", "content": [{"type": "audio", "audio": "a.wav"}]}]}"#,
        "message 1 has sound, which is not supported"
      ),
      (
        row("https://example.org/a.png"),
        #""image" has an image at an address ("https://example.org/a.png"): vpatch does not download it; save it "#
          + "beside the data, and give the file's name"
      ),
      (
        row("thin.png"),
        "has an image that cannot be used (thin.png): has 1 × 10000 pixels; this model's maximum "
          + "aspect ratio is 200 (crop it)"
      ),
    ])
  func rows(row: String, words: String) throws {
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    try vision.folder.write("thin.png", TestImage.png(width: 1, height: 10_000))
    try Self.write(row, to: vision)
    #expect(
      Self.refusal(vision)
        == "\(vision.data): 1 row cannot be used: line 2 \(words); fix or remove it")
  }

  @Test("tiny and thin images are none", arguments: ["tiny-llava-next", "tiny-llava-onevision"])
  func shapes(name: String) throws {
    let vision = try VisionFolder(name)
    try vision.folder.write("thin.png", TestImage.png(width: 1, height: 10_000))
    try vision.folder.write("wide.png", TestImage.png(width: 10_000, height: 1))
    for image in ["images/c.png", "thin.png", "wide.png"] {
      try Self.write(Self.row(image), to: vision)
      #expect(Self.refusal(vision) == nil)
      try VisionTrainingTests.train(
        VisionTrainingTests.job(vision, VisionTrainingTests.options(.vision, steps: 1)))
    }
  }

  @Test("an image for a model without eyes") func blind() throws {
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    let blind = try TinyModel("tiny-llama")
    try Self.write(Self.row("images/a.png"), to: vision)
    let error = #expect(throws: VPatchError.self) {
      try VisionTrainingTests.job(vision, VisionTrainingTests.options(.saProj)) {
        $0.base = ModelView(try! SafetensorsCheckpoint(path: blind.folder))
      }
    }
    #expect(error?.reason == "1 row cannot be used: line 2 has an image, but the model takes no images")
  }

  // MARK: The model's files

  private static let took = "use the original preprocessor_config.json of the model"

  private static let clip = """
    {"image_processor_type": "CLIPImageProcessor", "crop_size": 56, "size": {"shortest_edge": 56}, "do_center_crop": true,
     "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    """

  @Test(
    "a preprocessor file that is missing, damaged or another model's",
    arguments: [
      ("tiny-qwen2.5-vl", nil, "preprocessor_config.json: is missing; it defines the model's image preprocessing"),
      ("tiny-llava-next", "{\"size\": [8", "preprocessor_config.json: is not valid JSON: "),
      ("tiny-llava-next", "{}", "preprocessor_config.json: has no \"image_processor_type\"; use the file that came"),
      (
        "tiny-qwen2.5-vl", clip,
        "config.json: needs patches, but the preprocessor_config.json beside it produces one picture of an image; "
          + took
      ),
      (
        "tiny-llava-onevision", clip,
        "config.json: needs tiles, but the preprocessor_config.json beside it produces one picture of an image; "
          + took
      ),
    ])
  func preprocessor(name: String, text: String?, words: String) throws {
    let vision = try VisionFolder(name)
    if let text {
      try vision.folder.write("model/preprocessor_config.json", text)
    } else {
      try #require(unlink(vision.base + "/preprocessor_config.json") == 0)
    }
    let refusal = try #require(Self.refusal(vision))
    #expect(refusal.contains("\(vision.base)/\(words)"), "\(refusal)")
  }

  @Test(
    "a preprocessor file that would give other features without a word",
    arguments: [
      (
        "tiny-qwen2.5-vl", "merge_size", "4",
        "needs patches of 2×14×14, merged 2 × 2, but the preprocessor_config.json beside it produces patches of 2×14×14"
          + ", merged 4 × 4"
      ),
      ("tiny-qwen2.5-vl", "patch_size", "16", "produces patches of 2×16×16, merged 2 × 2"),
      ("tiny-qwen2.5-vl", "temporal_patch_size", "1", "produces patches of 1×14×14, merged 2 × 2"),
      (
        "tiny-llava-onevision", "size", #"{"height": 28, "width": 28}"#,
        "needs images of 56 × 56, but the preprocessor_config.json beside it produces some of 28 × 28"
      ),
      (
        "tiny-llava-next", "image_grid_pinpoints", "[[168, 168]]",
        "line 1 has an image that cannot be used (a.png): the model takes other images: 3 × 3 tiles are not among its "
          + "image_grid_pinpoints (use this model's preprocessor_config.json)"
      ),
    ])
  func otherSizes(name: String, key: String, value: String, words: String) throws {
    let vision = try VisionFolder(name)
    try vision.edit("preprocessor_config.json") { $0.setting(key, to: try JSON.parse(Array(value.utf8))) }
    let refusal = try #require(Self.refusal(vision))
    #expect(refusal.contains(words), "\(refusal)")
  }

  private static let same = "use the config.json of the same model"

  @Test(
    "a config that is not of these weights",
    arguments: [
      ("tiny-qwen2.5-vl", "vision_config", "null", "config.json: has no usable \"hidden_size\" for its images"),
      (
        "tiny-llava-next", "vision_config", "null",
        "config.json: needs images of 336 × 336, but the preprocessor_config.json beside it produces some of 56 × 56"
      ),
      (
        "tiny-llava-next", "vision_config", #"{"model_type": "pixtral"}"#,
        "config.json: has the unknown vision tower type \"pixtral\"; known are clip_vision_model, "
          + "siglip_vision_model, dinov2 and that of qwen2_5_vl"
      ),
      ("tiny-llava-next", "model_type", "\"idefics3\"", "config.json: has the unknown model type \"idefics3\""),
      (
        "tiny-llava-next", "mm_vision_tower", "\"BAAI/EVA-CLIP\"",
        "config.json: has the unknown mm_vision_tower \"BAAI/EVA-CLIP\"; known are clip-vit-large-patch14, "
      ),
    ])
  func config(name: String, key: String, value: String, words: String) throws {
    let vision = try VisionFolder(name)
    try vision.edit { $0.setting(key, to: value == "null" ? nil : try JSON.parse(Array(value.utf8))) }
    let refusal = try #require(Self.refusal(vision))
    #expect(refusal.contains(words), "\(refusal)")
  }

  @Test("a tower without its weights, with one too few, or of another shape")
  func weights() throws {
    for name in TinyModel.visionLanguageModels {
      let vision = try VisionFolder(name)
      try vision.rewrite {
        $0.filter { !$0.name.contains("vision_tower") && !$0.name.contains("visual.") || $0.name.contains("merger") }
      }
      #expect(
        Self.refusal(vision)
          == "\(vision.base): has no vision tower among its tensors, but its config.json declares one; "
          + "use a checkpoint with the tower's tensors, as transformers saves it")
    }
    for (name, lost, words) in [
      ("tiny-qwen2.5-vl", "visual.blocks.1.attn.qkv.weight", "vision_tower.layers.1.attn.qkv.weight"),
      ("tiny-llava-next", "image_newline", "language_model.image_newline"),
      ("tiny-llava-onevision", "multi_modal_projector.linear_2.bias", "multi_modal_projector.linear_2.bias"),
    ] {
      let vision = try VisionFolder(name)
      try vision.rewrite { $0.filter { $0.name != lost } }
      #expect(
        Self.refusal(vision)
          == "\(vision.base): lacks the tensor \(words), which its config.json requires; \(Self.same)")
    }
    let vision = try VisionFolder("tiny-qwen2.5-vl")
    try vision.rewrite {
      $0.map { tensor in
        var tensor = tensor
        if tensor.name == "visual.blocks.0.mlp.gate_proj.weight" { tensor.shape.reverse() }
        return tensor
      }
    }
    #expect(
      Self.refusal(vision)
        == "\(vision.base): has \"visual.blocks.0.mlp.gate_proj.weight\" as BF16 32×64; its config.json requires "
        + "64×32; \(Self.same)")
  }
}
