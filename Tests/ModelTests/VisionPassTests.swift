import Apply
import Base
import CCompute
import Checkpoints
import Images
import TestModels
import Testing

@testable import Families
@testable import Model

/// How images go through a model, whatever the tower.
@Suite("Vision: passes") struct VisionPassTests {
  @Test("the same bits on any number of threads, and for an image alone", arguments: VisionFixture.all)
  func determinism(name: String) throws {
    var results: [[Float]] = []
    for threads in [1, 2, 3] {
      let fixture = try VisionFixture(name, threads: threads)
      for parameter in fixture.weights.parameters { parameter.beginTuning() }
      let pass = try fixture.pass()
      let rows = try fixture.rows(pass, keeping: .activations)
      let upstream = Floats(try fixture.floats("upstream"))
      try withExtendedLifetime(upstream) { try pass.backward(gradient: upstream.start) }
      results.append(rows + fixture.weights.parameters.flatMap { $0.tuning!.gradient.array })
    }
    #expect(results[0] == results[1] && results[0] == results[2])
    // Frozen, one after the other.
    let fixture = try VisionFixture(name)
    let pass = try fixture.pass()
    let together = try fixture.rows(pass)
    let features = try fixture.images.reversed().flatMap { try pass.features(of: [$0]) }
    #expect(try fixture.rows(at: pass.forward(features.reversed())) == together)
    #expect(zip(together, results[0]).allSatisfy { $0 == $1 })
  }

  @Test("an image of few patches has the same features alone and among others") func few() throws {
    let fixture = try VisionFixture("qwen2.5-vl")
    let images = fixture.images.map { image in
      PixelValues(
        plan: ImagePlan(width: 8, height: 8, shape: .patches(rows: 2, columns: 2)), shape: [4, 96],
        values: Array(image.values.prefix(384)))
    }
    let pass = try fixture.pass()
    let together = try pass.features(of: images + [fixture.images[0]])
    for (alone, other) in zip(images, together) {
      #expect(try pass.features(of: [alone])[0].values.array == other.values.array)
    }
  }

  @Test("gradients of a few tensors are those of all, and others get none", arguments: VisionFixture.all)
  func some(name: String) throws {
    let all = try VisionFixture(name)
    let names = Set(all.gradientNames)
    let layers = names.filter { $0.contains("1.") && !$0.contains("projector") && !$0.contains("merger") }
    let projector = names.filter { $0.contains("projector") || $0.contains("merger") }
    let embedding = names.filter { $0.contains("embed") }
    var subsets = [layers, projector, embedding, names.filter { $0.contains("norm2") || $0.contains("mlp.0") }]
    subsets += names.contains("image_newline") ? [["image_newline"]] : []
    subsets += [names.filter { $0.hasSuffix("fc1.weight") || $0.hasSuffix("qkv.bias") }, names.subtracting(projector)]
    for subset in subsets where !subset.isEmpty {
      let fixture = try VisionFixture(name)
      for parameter in fixture.weights.parameters where subset.contains(parameter.name) { parameter.beginTuning() }
      let pass = try fixture.pass()
      #expect(pass.model.isTuned && pass.model.isTowerTuned == !subset.isSubset(of: projector.union(["image_newline"])))
      _ = try pass.forward(fixture.images, keeping: .activations)
      let upstream = Floats(try fixture.floats("upstream"))
      try withExtendedLifetime(upstream) { try pass.backward(gradient: upstream.start) }
      for parameter in fixture.weights.parameters where subset.contains(parameter.name) {
        let expected = try fixture.floats("grad." + parameter.name)
        let largest = expected.map(abs).max()!
        let gradient = parameter.tuning!.gradient.array
        #expect(largestDifference(gradient, expected) < 1e-4 * largest + 1e-5, "\(parameter.name)")
      }
    }
  }

  @Test("recipes reach tower, projector, or both")
  func recipes() throws {
    let fixture = try VisionFixture("llava-onevision")
    let names = fixture.weights.parameters.map(\.name)
    func tuned(_ recipe: Recipe) throws -> Set<String> {
      let fixture = try VisionFixture("llava-onevision")
      for name in Selection.recipe(recipe).filter(names, in: fixture.weights.layout) {
        fixture.weights.parameter(named: name)!.beginTuning()
      }
      let pass = try fixture.pass()
      _ = try pass.forward(fixture.images, keeping: .inputs)
      let upstream = Floats(try fixture.floats("upstream"))
      try withExtendedLifetime(upstream) { try pass.backward(gradient: upstream.start) }
      return Set(
        fixture.weights.parameters.filter { $0.tuning?.gradient.array.contains { $0 != 0 } ?? false }.map(\.name))
    }
    let all = Set(fixture.gradientNames)
    #expect(try tuned(.full) == all)
    #expect(try tuned(.projector) == all.filter { $0.contains("projector") })
    #expect(try tuned(.vision) == all.filter { $0.contains("vision_tower") })
    #expect(try tuned(.llm) == ["image_newline"])
    #expect(try tuned(.saProj) == [])
  }

  @Test("products of bf16 numbers come near", .enabled(if: vp_has_bf16()), arguments: VisionFixture.all)
  func bf16(name: String) throws {
    let fixture = try VisionFixture(name)
    let pass = try VisionPass(VisionModel(fixture.config, fixture.weights), Compute(threads: 2, precision: .bf16))
    let distance = relativeDistance(try fixture.rows(pass), try fixture.floats("features"))
    #expect(distance < 0.03 && distance > 1e-5)
  }

  @Test("all features, the class token's too; several images, each in one piece")
  func otherRows() throws {
    let full = try VisionFixture("llava-dinov2") { $0.setting("vision_feature_select_strategy", to: .string("full")) }
    #expect(largestDifference(try full.rows(full.pass()), try full.floats("features_full")) < 1e-4)
    let tiled = try VisionFixture("llava-onevision")
    let singles = tiled.images.map { image in
      let plan = ImagePlan(width: image.plan.width, height: image.plan.height, shape: .crop(width: 16, height: 16))
      return PixelValues(plan: plan, shape: [1, 3, 16, 16], values: Array(image.values.prefix(768)))
    }
    let expected = try tiled.floats("features_of_several")
    let pass = try tiled.pass()
    let rows = try withExtendedLifetime(pass) {
      Array(UnsafeBufferPointer(start: try pass.forward(singles), count: expected.count))
    }
    #expect(try singles.reduce(0) { try $0 + tiled.config.tokens($1.plan) } * 16 == expected.count)
    #expect(largestDifference(rows, expected) < 1e-4)
  }

  @Test(
    "the tiny models' images, from their pixels",
    arguments: ["tiny-qwen2.5-vl", "tiny-llava-onevision", "tiny-llava-next"])
  func tinyModels(name: String) throws {
    let tiny = try TinyModel(name)
    let path = tiny.folder + "/config.json"
    let config = try VisionConfig(
      JSON.parse(InputFile.contents(of: path, limit: 1 << 20)), textHidden: 64, path: path)
    #expect(config.imageToken == 5)
    let weights = try ModelWeights(ModelView(SafetensorsCheckpoint(path: tiny.folder)), threads: 2)
    let isQwen = name == "tiny-qwen2.5-vl"
    let shape: ImagePlan.Shape = isQwen ? .patches(rows: 6, columns: 8) : .tiles(rows: 2, columns: 2, side: 56)
    let plan = ImagePlan(width: 112, height: 84, shape: shape)
    let image = PixelValues(
      plan: plan, shape: isQwen ? [48, 1176] : [5, 3, 56, 56], values: try tiny.floats("pixel_values"))
    let expected = try VisionFixture.floats(
      name, SafetensorsCheckpoint(path: "\(VisionFixture.fixtures)/vision/features.safetensors"))
    #expect(try config.tokens(plan) * 64 == expected.count)
    #expect(try config.tokens(plan) == tiny.ids("input_ids").count { $0 == 5 })
    let pass = try VisionPass(VisionModel(config, weights), Compute(threads: 2))
    let rows = try withExtendedLifetime(pass) {
      Array(UnsafeBufferPointer(start: try pass.forward([image]), count: expected.count))
    }
    #expect(largestDifference(rows, expected) < 1e-4)
  }

  @Test("models as their authors save them, with the same numbers") func original() throws {
    let folder = try TestFolder()
    let tensors = try SafetensorsCheckpoint(path: "\(VisionFixture.fixtures)/vision/llava-onevision").testTensors().map
    { tensor in
      var tensor = tensor
      for (name, other) in [
        ("language_model.model.", "model."), ("language_model.lm_head", "lm_head"),
        ("image_newline", "model.image_newline"),
        ("multi_modal_projector.linear_1", "model.mm_projector.0"),
        ("multi_modal_projector.linear_2", "model.mm_projector.2"),
        ("vision_tower.", "model.vision_tower.vision_tower.vision_model."),
      ] where tensor.name.hasPrefix(name) {
        tensor.name = other + tensor.name.dropFirst(name.count)
        break
      }
      return tensor
    }
    let given = try VisionFixture("llava-onevision").config
    try folder.directory(
      "model", tensors,
      files: [
        "config.json": #"""
        {"mm_vision_tower": "somebody/tiny", "mm_projector_type": "mlp2x_gelu", "mm_patch_merge_type": "spatial_unpad",
         "image_aspect_ratio": "anyres_max_1", "image_grid_pinpoints": [[16, 16], [32, 32], [48, 16]]}
        """#
      ])
    let fixture = try VisionFixture(folder: folder["model"], reference: "llava-onevision") { json, path in
      var tower = given.tower
      tower.family = .siglip
      return try VisionConfig.original(json, textHidden: 16, path: path, towers: ["tiny": tower])
    }
    #expect(largestDifference(try fixture.rows(fixture.pass()), try fixture.floats("features")) < 1e-4)
    // A tower that lies elsewhere.
    try folder.directory("without", tensors.filter { !$0.name.contains("vision_tower") } + [])
    let weights = try ModelWeights(ModelView(SafetensorsCheckpoint(path: folder["without"])), threads: 1)
    let error = #expect(throws: VPatchError.self) { try VisionModel(fixture.config, weights) }
    #expect("\(error!)".contains("vision tower"))
  }

  @Test("a config of other weights is refused") func otherWeights() throws {
    for (key, value) in [("num_hidden_layers", 2), ("intermediate_size", 25), ("image_size", 20)] {
      let fixture = try VisionFixture("llava-next") { json in
        json.setting("vision_config", to: json["vision_config"]!.setting(key, to: JSON(value)))
      }
      let error = #expect(throws: VPatchError.self) { try fixture.pass() }
      #expect("\(error!)".contains("config.json"))
    }
  }

  @Test("pixels that are not the plan's are refused") func otherPixels() throws {
    let fixture = try VisionFixture("qwen2.5-vl")
    let plan = fixture.images[0].plan
    let image = PixelValues(plan: plan, shape: [60, 108], values: Array(repeating: 0, count: 60 * 108))
    let error = #expect(throws: VPatchError.self) { try fixture.pass().forward([image]) }
    #expect("\(error!)".contains("60 × 96"))
  }
}
