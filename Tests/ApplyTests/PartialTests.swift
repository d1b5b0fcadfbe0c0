import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("The trained tensors alone") struct PartialTests {
  let folder: TestFolder
  let model = TestModel.llama()

  init() throws { folder = try TestFolder() }

  @discardableResult
  private func create(_ base: String, _ tuned: String, _ change: (inout CreateOptions) -> Void = { _ in }) throws
    -> (Patch, CreateResult)
  {
    var options = CreateOptions()
    change(&options)
    let create = Create(
      base: try SafetensorsCheckpoint(path: folder[base]), tuned: try SafetensorsCheckpoint(path: folder[tuned]),
      options: options,
      work: WorkOptions(threads: 2))
    let result = try create.write(to: folder["p.vpatch"], replacing: true)
    return (try Patch(path: folder["p.vpatch"]), result)
  }

  @Test("the same patch as from the whole, whatever was trained, under wrapped names and in F32", arguments: 0..<8)
  func sameAsWhole(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    let trained = Set(model.indices.filter { _ in random.next() % 3 == 0 } + [Int(random.next() % UInt64(model.count))])
    let tuned = model.indices.map { trained.contains($0) ? model[$0].tuned() : model[$0] }
    let part = trained.sorted().map { tuned[$0] }
    try folder.directory("base", model, shards: seed % 3)
    try folder.directory("whole", tuned)
    let whole = try create("base", "whole").0
    let wrapped = part.map { tensor in
      tensor.renamed(tensor.name.replacing("layers.1.", with: "layers.1._checkpoint_wrapped_module._orig_mod."))
    }
    // A bfloat16 is the upper half of a float32.
    let wide = part.map { tensor in
      TestTensor(
        tensor.name, "F32", tensor.shape,
        bytes: stride(from: 0, to: tensor.bytes.count, by: 2).flatMap {
          [0, 0, tensor.bytes[$0], tensor.bytes[$0 + 1]]
        })
    }
    for (name, tensors) in [("part", part), ("wrapped", wrapped), ("wide", wide)] {
      try folder.file(name, tensors)
      let (patch, result) = try create("base", name) {
        $0.isPartial = true
        $0.mapKeys = name == "wrapped"
        $0.castToBase = name == "wide"
      }
      #expect(patch.identity == whole.identity && patch.header.targetRoot == whole.header.targetRoot)
      #expect(result.kept.count == model.count - trained.count)
      let rebuild = Rebuild(
        try SafetensorsCheckpoint(path: folder["base"]), [PatchStep(patch, .forward)], WorkOptions(threads: 2))
      _ = try rebuild.write(to: folder["out-\(name)"], full: true)
      #expect(
        try SafetensorsCheckpoint(path: folder["out-\(name)"]).root(WorkOptions(threads: 1)) == patch.header.targetRoot)
    }
  }

  @Test("without the option it is refused, and nothing is written") func refused() throws {
    try folder.file("base", model)
    try folder.file("part", model.tuned(TestModel.attention).filter { $0.name.contains("self_attn") })
    #expect {
      try create("base", "part")
    } throws: { error in
      "\(error)".contains("holds only 8 of the base's 20 tensors, as if it had only the trained ones")
    }
    #expect(try folder.names() == ["base", "part"])
    // Where what else would change is left out, nothing is removed.
    let (patch, _) = try create("base", "part") {
      $0.selection = .recipe(.saProj)
      $0.dropOthers = true
    }
    let (partial, _) = try create("base", "part") { $0.isPartial = true }
    #expect(patch.identity == partial.identity)
    let (removing, _) = try create("base", "part") { $0.allowsRemovals = true }
    #expect(removing.header.touched.count { $0.operation == .remove } == 12)
  }

  @Test("codes with scales are not cast, on either side") func codes() throws {
    let name = "model.layers.0.mlp.up_proj.weight"
    let codes = [TestTensor(name, "F8_E4M3", [4], bytes: [1, 2, 3, 4]), .f32(name + "_scale_inv", [1], [2])]
    let numbers = [TestTensor.bf16(name, [4], [1, 2, 3, 4]), .f32(name + "_scale_inv", [1], [3])]
    try folder.file("codes", codes)
    try folder.file("numbers", numbers)
    for (base, tuned) in [("codes", "numbers"), ("numbers", "codes")] {
      #expect {
        try create(base, tuned) { $0.castToBase = true }
      } throws: {
        "\($0)".contains("they cannot be cast; leave out --cast-to-base")
      }
    }
    // Without scales they are numbers.
    try folder.file("plain", [codes[0]])
    try folder.file("tuned", [numbers[0]])
    let (patch, result) = try create("plain", "tuned") { $0.castToBase = true }
    #expect(patch.header.touched.map(\.operation) == [.change] && result.casts.map(\.values) == [4])
  }
}
