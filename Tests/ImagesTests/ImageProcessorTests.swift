import Base
import TestModels
import Testing

@testable import Images

@Suite("Image processors") struct ImageProcessorTests {
  private static let clip = #""image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]"#

  private func processor(_ text: String, file: String = "preprocessor_config.json") throws -> ImageProcessor {
    let folder = try TestFolder()
    try folder.write(file, text)
    return try ImageProcessor(folder: folder.path)
  }

  private func fixture(_ name: String) throws -> ImageProcessor {
    try ImageProcessor(folder: Fixtures.path("images/processors/\(name)"))
  }

  @Test("what others need of it") func facts() throws {
    let qwen = try fixture("qwen2-vl")
    #expect(qwen.patchRules?.patch == 14 && qwen.patchRules?.merge == 2 && qwen.patchRules?.temporal == 2)
    #expect(qwen.tileSide == nil)
    #expect(try fixture("llava-next").tileSide == 24)
    #expect(try fixture("siglip").tileSide == 28)
    #expect(try fixture("dinov2").tileSide == 28)
    #expect(try fixture("clip-uncropped").tileSide == nil)
  }

  @Test("plans follow from the size alone") func plans() throws {
    #expect(try fixture("clip").plan(width: 1, height: 10_000).shape == .crop(width: 24, height: 24))
    #expect(try fixture("llava-next").plan(width: 1, height: 10_000).shape == .tiles(rows: 1, columns: 2, side: 24))
    #expect(try fixture("llava-next").plan(width: 100, height: 50).shape == .tiles(rows: 1, columns: 2, side: 24))
    #expect(try fixture("qwen2-vl").plan(width: 100, height: 50).shape == .patches(rows: 4, columns: 8))
    let onevision = try fixture("llava-onevision")
    #expect(try onevision.plan(width: 100, height: 90).shape == .tiles(rows: 4, columns: 4, side: 24))
    #expect(try onevision.plan(width: 100, height: 90, images: 2).shape == .crop(width: 24, height: 24))
  }

  @Test("an image of 1 × 10,000") func tall() throws {
    let image = try ImageFile(path: Fixtures.path("images/tall.png"))
    for name in ["clip", "llava-next", "llava-onevision", "siglip", "dinov2"] {
      let processor = try fixture(name)
      #expect(try processor.process(image.decode()).plan == processor.plan(image.source))
    }
    let refusal = "'s maximum aspect ratio is 200; crop it"
    expectError("\(image.source.path): has 1 × 10000 pixels; this model\(refusal)") {
      _ = try fixture("qwen2-vl").plan(image.source)
    }
    expectError(
      "x.png: an image of 1 × 1000000 would become 1000000 × 1000000 for this model; "
        + "crop it to a less extreme shape"
    ) {
      _ = try fixture("llava-padded").plan(width: 1, height: 1_000_000, image: "x.png")
    }
  }

  @Test("explicit values do as a file does") func explicit() throws {
    let same = try ImageProcessor(
      layout: .single(padsToSquare: false), size: .shortestEdge(24), crop: PixelSize(width: 24, height: 24),
      normalization: .clip)
    #expect(try same == fixture("clip"))
  }

  @Test("what transformers 5 writes is read too") func processorConfig() throws {
    let text =
      #"{"image_processor": {"image_processor_type": "SiglipImageProcessor", "size": [28, 28], \#(Self.clip)}}"#
    #expect(try processor(text, file: "processor_config.json") == fixture("siglip"))
    // And goes before the older file, as with transformers; one without images does not.
    let folder = try TestFolder()
    try folder.write(
      "preprocessor_config.json", #"{"image_processor_type": "SiglipImageProcessor", "size": [8, 8], \#(Self.clip)}"#)
    #expect(try ImageProcessor(folder: folder.path).tileSide == 8)
    try folder.write("processor_config.json", #"{"processor_class": "LlavaProcessor"}"#)
    #expect(try ImageProcessor(folder: folder.path).tileSide == 8)
    try folder.write("processor_config.json", text)
    #expect(try ImageProcessor(folder: folder.path).tileSide == 28)
  }

  @Test(
    "files that are refused",
    arguments: [
      (
        #"{"image_processor_type": "ViTImageProcessor"}"#, #"has the unknown image_processor_type "ViTImageProcessor""#
      ),
      ("{}", #"has no "image_processor_type""#), ("[]", "is not an object"), ("{", "a key expected at byte 1"),
      (#"{"image_processor_type": 3}"#, "has the unknown image_processor_type 3"),
      (#"{"image_processor_type": "CLIPImageProcessor"}"#, #"has no "size""#),
      (#"{"image_processor_type": "CLIPImageProcessor", "size": 8}"#, #"has no "crop_size""#),
      (#"{"image_processor_type": "CLIPImageProcessor", "size": 8, "crop_size": 8}"#, #"has no "image_mean""#),
      (
        #"{"image_processor_type": "CLIPImageProcessor", "size": 8, "crop_size": 8, "image_mean": [1, 2]}"#,
        "image_mean is [1,2], not one number for each of three colours"
      ),
      (#"{"image_processor_type": "SiglipImageProcessor", "size": {"longest_edge": 8}}"#, "which is not a known form"),
      (#"{"image_processor_type": "SiglipImageProcessor", "size": 0, \#(clip)}"#, "shortest_edge is 0"),
      (#"{"image_processor_type": "SiglipImageProcessor", "size": 8.5, \#(clip)}"#, "which is not a known form"),
      (#"{"image_processor_type": "SiglipImageProcessor", "size": [8, 8], "resample": 5, \#(clip)}"#, "resample is 5"),
      (
        #"{"image_processor_type": "SiglipImageProcessor", "do_resize": 1}"#,
        "has a \"do_resize\" that is not true or false"
      ),
      (
        #"{"image_processor_type": "SiglipImageProcessor", "size": 8, "image_mean": 0, "image_std": [1, 0, 1]}"#,
        "image_std contains a zero"
      ),
      (#"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 8}"#, #"has no "image_grid_pinpoints""#),
      (
        #"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 8, "image_grid_pinpoints": "(1x1),...,(6x6)"}"#,
        #"image_grid_pinpoints is "(1x1),...,(6x6)", not a list of pairs"#
      ),
      (
        #"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 8, "image_grid_pinpoints": [[8]]}"#,
        "not a list of pairs"
      ),
      (
        #"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 8, "image_grid_pinpoints": [], \#(clip)}"#,
        "image_grid_pinpoints is empty"
      ),
      (
        #"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 8, "image_grid_pinpoints": [[8, 12]], \#(clip)}"#,
        "image_grid_pinpoints has 8 × 12, which is not a multiple of the tile size 8"
      ),
      (
        #"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 8, "image_grid_pinpoints": [[65536, 65536]], \#(clip)}"#,
        "image_grid_pinpoints has 65536 × 65536, which exceeds the maximum"
      ),
      // Few pixels in small tiles, each of which would be made large.
      (
        #"{"image_processor_type": "LlavaOnevisionImageProcessor", "size": 65536, "crop_size": 1, "image_grid_pinpoints": [[9, 9]], \#(clip)}"#,
        "image_grid_pinpoints has 9 × 9, which exceeds the maximum"
      ),
      (
        #"{"image_processor_type": "SiglipImageProcessor", "size": 8, "image_mean": 1e200, "image_std": 1}"#,
        "image_mean or image_std is not finite"
      ),
      (
        #"{"image_processor_type": "SiglipImageProcessor", "size": 8, "image_mean": 0, "image_std": 1e-44}"#,
        "values that are not finite"
      ),
      (#"{"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14}"#, #"has no "merge_size""#),
      (
        #"{"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}"#,
        "size's shortest_edge, or min_pixels, is missing"
      ),
      (
        """
        {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2, "temporal_patch_size": 2,
         "min_pixels": 9, "max_pixels": 8, \(clip)}
        """, "the limits of 9 to 8 pixels are not valid"
      ),
    ])
  func refused(text: String, reason: String) {
    do {
      _ = try processor(text)
      Issue.record("accepted: \(text)")
    } catch let error as VPatchError {
      #expect(error.description.contains(reason) && error.description.contains("preprocessor_config.json"), "\(error)")
      #expect(error.code == .invalid && error.remedy != nil)
    } catch { Issue.record(error) }
  }

  @Test("a folder without the file") func missing() throws {
    let folder = try TestFolder()
    expectError(
      "\(folder["preprocessor_config.json"]): is missing; it defines the model's image preprocessing; "
        + "copy it from the original model"
    ) { _ = try ImageProcessor(folder: folder.path) }
  }

  private func expectError(_ text: String, _ body: () throws -> Void) {
    do {
      try body()
      Issue.record("no error")
    } catch { #expect("\(error)" == text) }
  }
}
