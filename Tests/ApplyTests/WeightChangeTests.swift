import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Change of weights by patches") struct WeightChangeTests {
  let folder: TestFolder
  let model = TestModel.llama()
  let work = WorkOptions(threads: 2)

  init() throws {
    folder = try TestFolder()
    try folder.file("base", model)
    for (name, parts) in [("sa", TestModel.attention), ("mlp", TestModel.gateUp)] {
      try folder.file(name, model.tuned(parts))
      _ = try Create(
        base: SafetensorsCheckpoint(path: folder["base"]), tuned: SafetensorsCheckpoint(path: folder[name]),
        options: CreateOptions(),
        work: work
      ).write(to: folder["\(name).vpatch"])
    }
  }

  private func patch(_ name: String) throws -> Patch { try Patch(path: folder["\(name).vpatch"]) }

  @Test("what a patch moves is what a comparison with its target finds") func patch() throws {
    let (base, tuned) = (try SafetensorsCheckpoint(path: folder["base"]), try SafetensorsCheckpoint(path: folder["sa"]))
    let change = try WeightChange(try patch("sa"), base: base, work).components
    let diff = try CheckpointDiff.compute(base, tuned, threads: 1).components
    #expect(change.map(\.label) == diff.map(\.label))
    #expect(change.map(\.changedLayers) == diff.map(\.changedLayers))
    for (a, b) in zip(change, diff) {
      #expect(a.all.change.elements == b.all.change.elements && a.all.changedTensors == b.all.changedTensors)
      if a.all.changedTensors > 0 { #expect(a.all.change == b.all.change) }
    }
    #expect(change.count { $0.all.changedTensors > 0 } == 4)
    #expect(throws: VPatchError.self) { try WeightChange(try patch("sa"), base: tuned, work) }
  }

  @Test("what a stack moves: each member at its scale") func stack() throws {
    let base = try SafetensorsCheckpoint(path: folder["base"])
    let patches = [try patch("sa"), try patch("mlp")]
    let stack = try StackDefinition([(patches[0], 1), (patches[1], 0)], method: .sum)
    let change = try WeightChange(stack, patches: patches, base: base, work).components
    let alone = try WeightChange(patches[0], base: base, work).components
    #expect(zip(change, alone).allSatisfy { $0.all.change.changed == $1.all.change.changed })
    let both = try WeightChange(
      StackDefinition([(patches[0], 1), (patches[1], 1)], method: .sum), patches: patches, base: base, work)
    #expect(both.components.count { $0.all.changedTensors > 0 } == 6)
  }
}
