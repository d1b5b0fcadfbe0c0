import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// Elements that share bytes, or are larger than a number.
@Suite("Diff: dtypes of other widths") struct DiffPackedTests {
  /// Bits an element, as safetensors 0.8 has them.
  static let dtypes = [
    ("F4", 4), ("F6_E2M3", 6), ("F6_E3M2", 6), ("F8_E8M0", 8), ("F8_E4M3FNUZ", 8), ("F8_E5M2FNUZ", 8), ("C64", 64),
    ("X9", 8),
  ]

  @Test("elements are counted as what they are, whatever the threads", arguments: dtypes)
  func counts(dtype: String, bits: Int) throws {
    var random = TestRandom(UInt64(bits))
    // More than a block of the meter, and one beyond the piece that is read at a time.
    for count in [24, 2048 * 8 + 8] + (dtype == "F6_E2M3" ? [180_000] : []) {
      let old = (0..<count * bits / 8).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      var new = old
      var changed = 0
      for element in 0..<count where random.next() % 5 == 0 {
        let bit = element * bits + Int(random.next() % UInt64(bits))
        new[bit / 8] ^= 1 << (bit % 8)
        changed += 1
      }
      let folder = try TestFolder()
      try folder.file("a", [TestTensor("t", dtype, [count], bytes: old)])
      try folder.file("b", [TestTensor("t", dtype, [count], bytes: new)])
      let (a, b) = (try SafetensorsCheckpoint(path: folder["a"]), try SafetensorsCheckpoint(path: folder["b"]))
      for threads in [1, 2] {
        let change = try CheckpointDiff.compute(a, b, threads: threads).tensors[0].change
        #expect(change.elements == count && change.changed == changed)
        #expect(change.relativeChange == nil && change.maxDelta == nil)
      }
      guard changed > 0 else { continue }
      let work = WorkOptions(threads: 1)
      _ = try Create(base: a, tuned: b, options: CreateOptions(), work: work).write(to: folder["p"])
      let moved = try WeightChange(Patch(path: folder["p"]), base: a, work).components[0].all.change
      #expect(moved.elements == count && moved.changed == changed)
    }
  }

  @Test("a length that is not the shape's: bytes") func lies() throws {
    let folder = try TestFolder()
    try folder.file("a", [TestTensor("t", "F6_E2M3", [4], bytes: [0, 0, 0, 0])])
    try folder.file("b", [TestTensor("t", "F6_E2M3", [4], bytes: [0, 1, 0, 1])])
    let diff = try CheckpointDiff.compute(
      SafetensorsCheckpoint(path: folder["a"]), SafetensorsCheckpoint(path: folder["b"]), threads: 1)
    #expect(diff.tensors[0].change.elements == 4 && diff.tensors[0].change.changed == 2)
  }

  @Test("what speaks against a fine-tune is said") func notes() throws {
    let folder = try TestFolder()
    let model = TestModel.llama()
    try folder.file("model", model)
    try folder.file("part", model.tuned(TestModel.attention).filter { $0.name.contains("self_attn") })
    try folder.file("lora", [.weights("base_model.model.q_proj.lora_A.weight", [4, 4])])
    func said(_ a: String, _ b: String) throws -> String {
      let diff = try CheckpointDiff.compute(
        SafetensorsCheckpoint(path: folder[a]), SafetensorsCheckpoint(path: folder[b]), threads: 1)
      for note in diff.notes {
        #expect(diff.table().contains(note) && diff.html().contains("As base and tuned model"))
      }
      return diff.notes.joined()
    }
    #expect(try said("model", "model") == "")
    #expect(try said("model", "part").contains("B holds only 8 of the base's 20 tensors"))
    #expect(try said("part", "model").contains("A lacks 12 tensors"))
    #expect(try said("model", "lora").contains("B is a LoRA adapter"))
    #expect(try said("lora", "model").contains("A is a LoRA adapter"))
  }
}
