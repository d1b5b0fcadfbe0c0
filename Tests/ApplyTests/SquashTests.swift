import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// Chains squashed to one patch.
@Suite("Compose") struct SquashTests {
  let folder: TestFolder
  let work = WorkOptions(threads: 2)

  init() throws { folder = try TestFolder() }

  /// Writes the models as files m0, m1, …, and makes the patches between neighbours.
  private func chain(_ models: [[TestTensor]]) throws -> [Patch] {
    for (i, model) in models.enumerated() { try folder.file("m\(i)", model, metadata: [("step", "\(i)")]) }
    return try (1..<models.count).map { i in
      let (a, b) = (
        try SafetensorsCheckpoint(path: folder["m\(i - 1)"]), try SafetensorsCheckpoint(path: folder["m\(i)"])
      )
      _ = try Create(base: a, tuned: b, options: .anyDifference, work: work).write(
        to: folder["p\(i)"], replacing: true)
      return try Patch(path: folder["p\(i)"])
    }
  }

  /// The squashed patch makes the last model of the first and the first of the last, byte for byte.
  @discardableResult
  private func expectExact(_ models: [[TestTensor]], base: Bool) throws -> Squash.Result {
    let patches = try chain(models)
    let result = try Squash(patches, base: base ? SafetensorsCheckpoint(path: folder["m0"]) : nil, work)
      .write(to: folder["all"], name: "all", note: nil)
    let all = try Patch(path: folder["all"])
    #expect(all.header.baseRoot == patches[0].header.baseRoot)
    #expect(all.header.targetRoot == patches.last!.header.targetRoot)
    let last = "m\(models.count - 1)"
    for (input, direction, expected) in [("m0", Direction.forward, last), (last, .backward, "m0")] {
      _ = try Rebuild(try SafetensorsCheckpoint(path: folder[input]), [PatchStep(all, direction)], work)
        .write(to: folder["out-\(expected)"], full: true)
      #expect(try folder.bytes("out-\(expected)") == folder.bytes(expected))
    }
    return result
  }

  @Test("what only one patch touches is copied, without the base") func disjoint() throws {
    let base = TestModel.llama()
    let result = try expectExact(
      [base, base.tuned(TestModel.attention), base.tuned(TestModel.attention).tuned(TestModel.gateUp)], base: false)
    #expect(result.encoded == 0)
    #expect(result.copied == 12)
  }

  @Test("the same identity as the patch made in one step") func identity() throws {
    let base = TestModel.llama()
    let middle = base.tuned(TestModel.attention)
    let last = middle.tuned(TestModel.attention, seed: 2)
    try expectExact([base, middle, last], base: true)
    let all = try Patch(path: folder["all"])
    _ = try Create(
      base: SafetensorsCheckpoint(path: folder["m0"]), tuned: SafetensorsCheckpoint(path: folder["m2"]),
      options: CreateOptions(), work: work
    ).write(to: folder["direct"])
    #expect(try Patch(path: folder["direct"]).identity == all.identity)
  }

  @Test("tensors that several patches change with the ulp coder need the base") func overlapping() throws {
    let base = TestModel.llama()
    let middle = base.tuned("q_proj")
    let models = [base, middle, middle.tuned("q_proj", seed: 2)]
    let patches = try chain(models)
    #expect {
      try Squash(patches, base: nil, work).write(to: folder["all"], name: nil, note: nil)
    } throws: { error in
      let error = error as? VPatchError
      return error?.code == .refused && error?.remedy == "give the base of the chain: --base MODEL"
    }
    #expect(!folder.exists("all"))
    try expectExact(models, base: true)
  }

  @Test("differences without context add up") func sparse() throws {
    func model(_ edits: [Int: UInt64]) -> [TestTensor] {
      [TestTensor("n", "I64", [100], (0..<100).map { UInt64($0) &+ (edits[$0] ?? 0) })]
    }
    let models = [model([:]), model([3: 5, 50: 7]), model([3: 4, 51: 9]), model([3: 4, 50: 1, 51: 9])]
    #expect(try expectExact(models, base: false).encoded == 1)
  }

  @Test("tensors that come, change and go") func comeAndGo() throws {
    let base = TestModel.llama()
    let added = TestTensor.weights("extra.weight", [8, 16])
    let grown = TestTensor.weights("model.norm.weight", [32])
    let models = [
      base, base + [added], base + [added.tuned()], (base + [added.tuned(seed: 2)]).replacing(grown),
      (base + [added.tuned(seed: 2)]).replacing(grown.tuned()).without("embed"),
    ]
    try expectExact(models, base: true)
    // The norm is first replaced row by row, which holds only half of it.
    let patches = try chain(Array(models.prefix(3)))
    _ = try Squash(patches, base: nil, work).write(to: folder["two"], name: nil, note: nil)
    #expect(try Patch(path: folder["two"]).tensor(named: "extra.weight")?.operation == .add)
  }

  @Test("a tensor that is as before is not touched") func thereAndBack() throws {
    let base = TestModel.llama()
    let models = [base, base.tuned("q_proj").tuned("o_proj"), base.tuned("o_proj")]
    try expectExact(models, base: false)
    #expect(try Patch(path: folder["all"]).header.touched.allSatisfy { $0.name.contains("o_proj") })
  }

  @Test("a chain that ends where it began is refused") func nothing() throws {
    let base = TestModel.llama()
    let patches = try chain([base, base.tuned("q_proj"), base])
    #expect(throws: VPatchError.self) {
      try Squash(patches, base: nil, work).write(to: folder["all"], name: nil, note: nil)
    }
    #expect(!folder.exists("all"))
  }

  @Test("a wrong base, siblings, one patch alone") func refused() throws {
    let base = TestModel.llama()
    let patches = try chain([base, base.tuned("q_proj"), base.tuned("q_proj").tuned("o_proj")])
    #expect(throws: VPatchError.self) { try Squash(patches, base: SafetensorsCheckpoint(path: folder["m1"]), work) }
    #expect(throws: VPatchError.self) { try Squash([patches[1], patches[0]], base: nil, work) }
    #expect(throws: VPatchError.self) { try Squash([patches[0]], base: nil, work) }
  }
}
