import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// Stacks made into patches, and patches moved to another base.
@Suite("Composites") struct CompositeTests {
  let folder: TestFolder
  let work = WorkOptions(threads: 2)
  let base = TestModel.llama()

  init() throws {
    folder = try TestFolder()
    try folder.file("base", base)
  }

  private func checkpoint(_ name: String) throws -> SafetensorsCheckpoint {
    try SafetensorsCheckpoint(path: folder[name])
  }

  private func patch(_ name: String, _ tuned: [TestTensor], from: String = "base") throws -> Patch {
    try folder.file("\(name)-model", tuned)
    var options = CreateOptions()
    options.name = name
    _ = try Create(base: checkpoint(from), tuned: checkpoint("\(name)-model"), options: options, work: work)
      .write(to: folder["\(name).vpatch"])
    return try Patch(path: folder["\(name).vpatch"])
  }

  /// The result of a stack, written over its base or over a model that is another stack.
  private func apply(
    _ members: [(Patch, Double)], _ method: MergeMethod = .sum, to input: String = "base", from steps: [PatchStep] = []
  ) throws -> [UInt8] {
    let definition = try StackDefinition(members.map { (patch: $0.0, scale: $0.1) }, method: method)
    let library = try OpenPatches(members.map(\.0), undoPath: nil, scratchBeside: folder["scratch"])
    let forward = try [PatchStep].stack(
      definition, name: "s", over: ModelView(checkpoint(input), steps), library, work)
    _ = try Rebuild(checkpoint(input), steps + forward, work).write(to: folder["out"], full: true, force: true)
    return try folder.bytes("out")
  }

  @Test("one patch as it is, and its file to the byte") func one() throws {
    let a = try patch("a", base.tuned("q_proj"))
    #expect(try apply([(a, 1)]) == folder.bytes("a-model"))
  }

  @Test(
    "what a stack that changes nothing is to be given makes it change something",
    arguments: [
      ("sum", 0, "give it a member with a scale other than 0", "sum", 1),
      ("sum toward-base=1", 1, "give it a --toward-base below 1", "sum toward-base=0.25", 1),
      ("linear toward-base=1", 1, "give it a --toward-base below 1", "linear toward-base=0.25", 1),
      ("ties lambda=0", 1, "give it a --lambda other than 0", "ties lambda=0.5", 1),
      (
        "dare-ties lambda=0 toward-base=1", 0,
        "give it a member with a scale other than 0, and a --toward-base below 1, and a --lambda other than 0",
        "dare-ties lambda=1 toward-base=0.25", 1
      ),
      ("sum", 1e-30, "too small to move a weight: give it other scales", "sum", 1),
      ("sum toward-base=0.9999999999999999", 1, "give it other scales, or a smaller --toward-base", "sum", 1),
      ("dare density=1e-9", 1, "give it other scales, or a larger --density", "dare density=0.5", 1),
    ] as [(String, Double, String, String, Double)])
  func nothing(method: String, scale: Double, remedy: String, other: String, otherScale: Double) throws {
    let a = try patch("a", base.tuned("q_proj"))
    let error = #expect(throws: VPatchError.self) { try apply([(a, scale)], MergeMethod(text: method)) }
    #expect(error?.code == .refused && error?.remedy?.hasSuffix(remedy) == true, "\(error as Any)")
    #expect(try apply([(a, otherScale)], MergeMethod(text: other)) != folder.bytes("base"))
  }

  @Test("patches of different tensors: each takes its own bits, and nothing is encoded anew") func disjoint() throws {
    let a = try patch("a", base.tuned(TestModel.attention))
    let b = try patch("b", base.tuned(TestModel.gateUp))
    try folder.file("both", base.tuned(TestModel.attention).tuned(TestModel.gateUp))
    #expect(try apply([(b, 1), (a, 1)]) == folder.bytes("both"))
  }

  @Test(
    "any order, and taking one out of the middle", arguments: ["sum", "ties density=0.4", "dare density=0.5 seed=3"])
  func order(method: String) throws {
    let method = try MergeMethod(text: method)
    let members = try (0..<4).map { i in
      (try patch("p\(i)", base.tuned(["q_proj", "up_proj"], seed: UInt64(i + 1))), [1, 0.5, -0.25, 1.5][i])
    }
    let all = try apply(members, method)
    #expect(try apply(members.reversed(), method) == all)
    let without = members.enumerated().filter { $0.offset != 1 }.map(\.element)
    let direct = try apply(without, method)
    #expect(direct != all)
    // Over the model that is the whole stack: its composite off, the other on.
    let definition = try StackDefinition(members.map { (patch: $0.0, scale: $0.1) }, method: method)
    let library = try OpenPatches(members.map(\.0), undoPath: folder["undo.vpatch"], scratchBeside: folder["s"])
    let step = try [PatchStep].stack(definition, name: nil, over: ModelView(checkpoint("base")), library, work)[0]
    _ = try Rebuild(checkpoint("base"), [step], work).write(to: folder["model"])
    #expect(try folder.bytes("model") == all)
    #expect(try apply(without, method, to: "model", from: [PatchStep(step.patch, .backward)]) == direct)
  }

  @Test("a composite says what it is made of, and reverts") func undo() throws {
    let members = [(try patch("a", base.tuned("q_proj")), 0.5), (try patch("b", base.tuned("q_proj", seed: 4)), 1.0)]
    let definition = try StackDefinition(members.map { (patch: $0.0, scale: $0.1) }, method: .sum)
    let library = try OpenPatches(members.map(\.0), undoPath: folder["undo.vpatch"], scratchBeside: folder["s"])
    let step = try [PatchStep].stack(definition, name: "both", over: ModelView(checkpoint("base")), library, work)[0]
    _ = try Rebuild(checkpoint("base"), [step], work).write(to: folder["model"])
    let undo = try Patch(path: folder["undo.vpatch"])
    #expect(undo.annotations["made"]?["stack"]?["identity"]?.string == definition.identity.hex)
    _ = try Rebuild(checkpoint("model"), [PatchStep(undo, .backward)], work).write(to: folder["back"])
    #expect(try folder.bytes("back") == folder.bytes("base"))
    let state = try #require(try Provenance.of(checkpoint("model"))).state
    #expect(state.entries.map(\.stack?.definition) == [definition])
    #expect(state.entries[0].stack?.memberLines.sorted() == ["a@0.5  sa-qkv", "b  sa-qkv"])
  }

  @Test("members of different bases, and scales that make nothing") func refused() throws {
    let a = try patch("a", base.tuned("q_proj"))
    let onTop = try patch("b", base.tuned("q_proj").tuned("o_proj"), from: "a-model")
    #expect {
      try StackDefinition([(patch: a, scale: 1), (patch: onTop, scale: 1)], method: .sum)
    } throws: { error in
      (error as? VPatchError)?.remedy?.contains("'vpatch compose'") == true
    }
    #expect(throws: VPatchError.self) { try apply([(a, 0)]) }
    #expect(throws: VPatchError.self) {
      try StackDefinition([(patch: a, scale: 1), (patch: a, scale: 1)], method: .sum)
    }
  }

  // MARK: Rebase

  private func rebase(_ patch: Patch, onto new: String) throws -> Patch {
    _ = try Rebase(patch, from: checkpoint("base"), onto: checkpoint(new), work)
      .write(to: folder["moved.vpatch"], name: nil)
    return try Patch(path: folder["moved.vpatch"])
  }

  @Test("where both bases have the tensor, the patch's own bits") func rebasedExactly() throws {
    let a = try patch("a", base.tuned("q_proj"))
    try folder.file("new", base.tuned(TestModel.gateUp))
    let moved = try rebase(a, onto: "new")
    try folder.file("expected", base.tuned(TestModel.gateUp).tuned("q_proj"))
    _ = try Rebuild(checkpoint("new"), [PatchStep(moved, .forward)], work).write(to: folder["out"])
    #expect(try folder.bytes("out") == folder.bytes("expected"))
    #expect(moved.annotations["made"]?["rebased"]?["from"]?.string == a.identity.hex)
  }

  @Test("where they differ, the difference is added, and measurements stay behind") func rebasedByDifference() throws {
    let tuned = base.tuned("q_proj")
    let a = try patch("a", tuned)
    try a.write(
      annotations: .dictionary(["name": .string("a"), "forgetting": .array([.dictionary(["task": .string("x")])])]),
      to: folder["a.vpatch"], replacing: true)
    let newTensors = base.tuned(["q_proj", "embed"], seed: 8)
    try folder.file("new", newTensors)
    let moved = try rebase(Patch(path: folder["a.vpatch"]), onto: "new")
    #expect(moved.annotations["forgetting"] == nil)
    #expect(moved.name == "a")
    _ = try Rebuild(checkpoint("new"), [PatchStep(moved, .forward)], work).write(to: folder["out"])
    let name = "model.layers.0.self_attn.q_proj.weight"
    func values(_ tensors: [TestTensor]) -> [UInt16] {
      tensors[name].bytes.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    }
    func wide(_ bits: UInt16) -> Double { Double(Float(bitPattern: UInt32(bits) << 16)) }
    let result = values(try checkpoint("out").testTensors())
    for (i, (o, (t, n))) in zip(values(base), zip(values(tuned), values(newTensors))).enumerated() {
      let sum = wide(n) + (wide(t) - wide(o))
      let expected = t == o ? n : n == o ? t : UInt16(FloatFormat.bf16.narrowed(Float(sum).bitPattern))
      // Float holds such a sum exactly: eight bits each, of like size.
      #expect(Double(Float(sum)) == sum)
      #expect(result[i] == expected)
    }
  }

  @Test("what has no difference to add is refused") func rebaseRefused() throws {
    let a = try patch("a", base + [.weights("extra", [4, 4])])
    try folder.file("new", base + [.weights("extra", [2, 4])])
    #expect(throws: VPatchError.self) { try rebase(a, onto: "new") }
    let b = try patch("b", base.tuned("q_proj"))
    try folder.file("other", base.without("q_proj"))
    #expect(throws: VPatchError.self) { try rebase(b, onto: "other") }
    #expect(throws: VPatchError.self) {
      try Rebase(b, from: checkpoint("b-model"), onto: checkpoint("base"), work)
        .write(to: folder["x"], name: nil)
    }
  }
}
