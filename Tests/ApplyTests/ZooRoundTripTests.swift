import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// Fine-tunes of a recipe in every family: proved, applied and reverted byte for byte, and refused with one more tensor.
@Suite("Round trips of recipes in every family") struct ZooRoundTripTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func create(_ tuned: String, _ recipe: Recipe) throws -> Patch {
    var options = CreateOptions()
    options.selection = .recipe(recipe)
    let create = Create(
      base: try SafetensorsCheckpoint(path: folder["base"]), tuned: try SafetensorsCheckpoint(path: folder[tuned]),
      options: options, work: WorkOptions(threads: 2))
    _ = try create.write(to: folder["p.vpatch"], replacing: true)
    return try Patch(path: folder["p.vpatch"])
  }

  @Test("sa-proj and gate-up", arguments: Zoo.all) func roundTrip(zoo: Zoo) throws {
    var random = TestRandom(UInt64(zoo.names.count))
    let model = zoo.model
    try folder.directory("base", model)
    for recipe in [Recipe.saProj, .gateUp] {
      let moved = zoo.moved(by: recipe)
      let tuned = model.map { moved.contains($0.name) ? Self.moved($0) : $0 }
      try folder.directory("tuned-\(recipe)", tuned)
      let patch = try create("tuned-\(recipe)", recipe)
      #expect(Set(patch.header.touched.map(\.name)) == moved)
      #expect(try Verify(patch, WorkOptions(threads: 1)).recipe(recipe).detail.contains("\(moved.count)"))
      for (start, direction, end) in [
        ("base", Direction.forward, "tuned-\(recipe)"), ("tuned-\(recipe)", .backward, "base"),
      ] {
        let rebuild = Rebuild(
          try SafetensorsCheckpoint(path: folder[start]), [PatchStep(patch, direction)], WorkOptions(threads: 2))
        _ = try rebuild.write(to: folder["\(recipe)-\(direction)"], full: true)
        #expect(
          try folder.tree("\(recipe)-\(direction)")["model.safetensors"] == folder.bytes("\(end)/model.safetensors"))
      }
      let other = try #require(Set(zoo.names).subtracting(moved).sorted().randomElement(using: &random))
      try folder.directory("outside-\(recipe)", tuned.map { $0.name == other ? Self.moved($0) : $0 })
      #expect {
        try create("outside-\(recipe)", recipe)
      } throws: {
        "\($0)".contains("changes 1 tensor outside the recipe \(recipe): \"\(other)\"")
      }
    }
  }

  /// Moves a tensor for certain, however small.
  private static func moved(_ tensor: TestTensor) -> TestTensor {
    var tuned = tensor.tuned()
    tuned.bytes[0] = tensor.bytes[0] ^ 1
    return tuned
  }
}
