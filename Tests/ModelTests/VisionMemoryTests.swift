import Apply
import TestModels
import Testing

@testable import Model

/// What a step with images is said to need.
@Suite("Vision: memory") struct VisionMemoryTests {
  @Test("a tower's memory grows with what is tuned in it") func tower() throws {
    let fixture = try VisionFixture("qwen2.5-vl")
    let model = try VisionModel(fixture.config, fixture.weights)
    func bytes(_ word: String, _ keeping: ActivationCheckpointing = .activations) throws -> Int {
      try model.memory(
        for: fixture.images.map(\.plan), tuned: fixture.weights.parameters.filter { $0.name.contains(word) },
        keeping: keeping
      ).activations
    }
    let none = try bytes("nothing")
    #expect(try bytes("merger") == none)
    // Of a tower that is not kept from its first layer on, one layer's memory serves all below.
    #expect(try none < bytes("blocks.2.") && bytes("blocks.2.") < bytes("blocks.1."))
    #expect(try bytes("blocks.1.") == bytes("blocks.0.") && bytes("patch_embed") == bytes("blocks.0."))
    #expect(try bytes("blocks.0.", .inputs) < bytes("blocks.0."))
  }

  @Test("a tuned projector keeps all layers above it, where there are images")
  func projector() throws {
    let tiny = try TinyModel("tiny-llava-onevision")
    let model = try ParityTests.model(tiny)
    let sequence = try ParityTests.examples(tiny)[0].sequence
    func estimate(_ recipe: Recipe, hasImages: Bool, models: Int = 1) throws -> MemoryEstimate {
      let tuned = model.weights.parameters.filter {
        Selection.recipe(recipe).contains($0.name, in: model.weights.layout)
      }
      return try MemoryEstimate(
        model, tuned: tuned, changing: tuned, tokens: sequence.count, images: hasImages ? [sequence] : [],
        keeping: .activations,
        models: models)
    }
    let text = try estimate(.projector, hasImages: false)
    let seen = try estimate(.projector, hasImages: true)
    let language = try estimate(.saProj, hasImages: true)
    #expect(seen.activations > text.activations)
    // As many layers as where the first one's attention is tuned.
    #expect(seen.activations == language.activations)
    #expect(try estimate(.full, hasImages: true).activations > seen.activations)
    #expect(try estimate(.projector, hasImages: true, models: 2).activations > seen.activations)
  }
}
