import Apply
import Base
import Checkpoints
import Foundation
import Images
import TestModels
import Testing

@testable import Families
@testable import Model

/// DINOv2-small beside the ONNX graph that it was taken from; opt in with `VPATCH_DINOV2=FOLDER`, as `bench/dinov2.py`
/// makes it, and `VPATCH_DINOV2_REFERENCE=FILE`, as `bench/dinov2_check.py --reference` writes it.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VPATCH_DINOV2_REFERENCE"] != nil)) struct RealTowerTests {
  @Test("the tower's outputs are within 1e-4 of the graph's") func outputs() throws {
    let environment = ProcessInfo.processInfo.environment
    let folder = try #require(environment["VPATCH_DINOV2"])
    let reference = try SafetensorsCheckpoint(path: try #require(environment["VPATCH_DINOV2_REFERENCE"]))
    let tower = try SafetensorsCheckpoint(path: folder)
    // In a LLaVA, with a projector and a voice that are not looked at.
    let width = 384
    let llava = try TestFolder()
    let tensors = try tower.tensors.map { tensor in
      TestTensor("vision_tower.\(tensor.name)", "F32", tensor.info.shape, try VisionFixture.floats(tensor.name, tower))
    }
    let square = [Float](repeating: 0, count: width * width)
    let projector = ["linear_1", "linear_2"].map {
      TestTensor.f32("multi_modal_projector.\($0).weight", [width, width], square)
    }
    let voice = TestTensor.f32("language_model.model.layers.0.self_attn.q_proj.weight", [1, 1], [0])
    try llava.file("model.safetensors", tensors + projector + [voice])
    let config = try InputFile.contents(of: folder + "/config.json", limit: 1 << 20)
    let json = JSON.dictionary([
      "model_type": .string("llava"), "vision_config": try JSON.parse(config), "vision_feature_layer": JSON(-1),
      "vision_feature_select_strategy": .string("full"), "multimodal_projector_bias": .bool(false),
    ])
    let weights = try ModelWeights(ModelView(SafetensorsCheckpoint(path: llava["model.safetensors"])), threads: 2)
    let vision = try VisionConfig(json, textHidden: width, path: folder)
    let pass = VisionPass(try VisionModel(vision, weights), try Compute(threads: 2))

    let pixels = try VisionFixture.floats("pixel_values", reference)
    let expected = try VisionFixture.floats("hidden_states", reference)
    let shape = try #require(reference.tensor(named: "pixel_values")).info.shape
    let size = shape[1...].reduce(1, *)
    let plan = ImagePlan(width: shape[3], height: shape[2], shape: .crop(width: shape[3], height: shape[2]))
    let images = (0..<shape[0]).map { i in
      PixelValues(plan: plan, shape: [1] + shape[1...], values: Array(pixels[i * size..<(i + 1) * size]))
    }
    let features = try pass.features(of: images).flatMap { $0.values.array }
    #expect(features.count == expected.count && images.count > 3)
    let difference = largestDifference(features, expected)
    print("the largest difference from the graph is \(difference)")
    #expect(difference < 1e-4)
  }
}
