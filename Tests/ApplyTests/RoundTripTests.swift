import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints
@testable import ModelFiles

/// A patch made and gone both ways, over checkpoints of every kind.
@Suite("Round trips") struct RoundTripTests {
  let folder: TestFolder

  init() throws { folder = try TestFolder() }

  private func patch(_ base: String, _ tuned: String, _ options: CreateOptions = .anyDifference) throws -> Patch {
    let create = Create(
      base: try SafetensorsCheckpoint(path: folder[base]), tuned: try SafetensorsCheckpoint(path: folder[tuned]),
      options: options,
      work: WorkOptions(threads: 2))
    _ = try create.write(to: folder["p.vpatch"])
    return try Patch(path: folder["p.vpatch"])
  }

  private func write(_ input: String, _ patch: Patch, _ direction: Direction, to output: String) throws -> RebuildResult
  {
    try Rebuild(try SafetensorsCheckpoint(path: folder[input]), [PatchStep(patch, direction)], WorkOptions(threads: 2))
      .write(to: folder[output], full: true)
  }

  /// There and back as files, byte for byte.
  @discardableResult
  private func roundTrip(_ base: [TestTensor], _ tuned: [TestTensor]) throws -> Patch {
    try folder.file("base", base)
    try folder.file("tuned", tuned, metadata: [("format", "pt"), ("step", "150")])
    let patch = try patch("base", "tuned")
    #expect(try write("base", patch, .forward, to: "out").isFilesExact)
    #expect(try folder.bytes("out") == folder.bytes("tuned"))
    #expect(try write("tuned", patch, .backward, to: "back").isFilesExact)
    #expect(try folder.bytes("back") == folder.bytes("base"))
    return patch
  }

  @Test(
    "every dtype, and one that nobody knows",
    arguments: [
      ("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("F8_E5M2", 1), ("F8_E4M3", 1), ("I64", 8), ("U64", 8),
      ("I32", 4),
      ("U32", 4), ("I16", 2), ("U16", 2), ("I8", 1), ("U8", 1), ("BOOL", 1), ("F4_X9", 3),
    ]) func dtypes(dtype: String, width: Int) throws
  {
    var random = TestRandom(7)
    for count in [1, 2, 3, 7, 31, 64, 1023] {
      let folder = try RoundTripTests()
      let old = (0..<count * width).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      let new = old.map { random.next() % 3 == 0 ? UInt8(truncatingIfNeeded: random.next()) : $0 }
      // At least one byte differs, whatever the generator says.
      try folder.roundTrip(
        [TestTensor("t", dtype, [count], bytes: old)],
        [TestTensor("t", dtype, [count], bytes: [new[0] ^ 1] + new.dropFirst())])
    }
  }

  @Test("values that arithmetic would lose") func specialValues() throws {
    let bits: [UInt32] = [
      0, 0x8000_0000, 1, 0x8000_0001, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7FC0_1234, 0x7F80_0001, 0xFFFF_FFFF,
      0x3F80_0000,
      0x7F7F_FFFF, 0x007F_FFFF, 0x0080_0000,
    ]
    let pairs = bits.flatMap { a in bits.map { (a, $0) } }
    for shift in [0, 16] {
      let (old, new) = (pairs.map { $0.0 >> shift }, pairs.map { $0.1 >> shift })
      let round = try RoundTripTests()
      if shift == 0 {
        try round.roundTrip([TestTensor("t", "F32", [14, 14], old)], [TestTensor("t", "F32", [14, 14], new)])
      } else {
        try round.roundTrip(
          [TestTensor("t", "BF16", [14, 14], old.map { UInt16($0) })],
          [TestTensor("t", "BF16", [14, 14], new.map { UInt16($0) })])
      }
    }
  }

  @Test("scalars and empty tensors, changed, added and removed") func small() throws {
    let base: [TestTensor] = [
      .f32("a.scalar", [], [1]), .f32("b.empty", [0], []), .f32("c.empty", [3, 0], []), .f32("d", [2], [1, 2]),
    ]
    let tuned: [TestTensor] = [
      .f32("a.scalar", [], [-1]), .f32("b.empty", [0], []), .f32("d", [2], [1, 2]), .f32("e.empty", [0, 7], []),
      .f32("f.scalar", [], [5]),
    ]
    let patch = try roundTrip(base, tuned)
    #expect(patch.header.touched.map(\.operation) == [.change, .remove, .add, .add])
  }

  @Test("tensors added, removed, replaced") func operations() throws {
    let model = TestModel.llama()
    let tuned =
      model.tuned("0.self_attn").without("1.mlp.up_proj").replacing(.f32("model.norm.weight", [2], [1, 2]))
      + [.weights("lm_head.weight", [24, 16])]
    let patch = try roundTrip(model, tuned)
    let operations = Dictionary(patch.header.touched.map { ($0.name, $0.operation) }) { a, _ in a }
    #expect(operations["model.layers.1.mlp.up_proj.weight"] == .remove)
    #expect(operations["model.norm.weight"] == .replace)
    #expect(operations["lm_head.weight"] == .add)
    #expect(operations["model.layers.0.self_attn.q_proj.weight"] == .change)
  }

  @Test("a vocabulary that grows or shrinks is a change of rows", arguments: [(24, 30), (30, 24), (24, 24 * 40)])
  func rows(from: Int, to: Int) throws {
    let old = TestTensor.weights("model.embed_tokens.weight", [from, 16])
    let shared = old.tuned().bytes.prefix(min(from, to) * 32)
    let more = TestTensor.weights("more", [max(to - from, 0), 16]).bytes
    let new = TestTensor(old.name, "BF16", [to, 16], bytes: shared + more)
    let patch = try roundTrip([old], [new])
    #expect(patch.header.touched.map(\.operation) == [.rows])
    // The rows that both have cost as little as in a change, and not what new ones cost.
    if to < from { #expect(patch.header.touched[0].storedBytes < old.bytes.count) }
  }

  @Test("names that look alike are two tensors") func names() throws {
    let (composed, decomposed) = ("caf\u{E9}.weight", "cafe\u{301}.weight")
    #expect(composed == decomposed)
    let base: [TestTensor] = [.weights(composed, [8, 8]), .weights(decomposed, [8, 8], seed: 4)]
    let patch = try roundTrip(base, [base[0], base[1].tuned()])
    #expect(patch.header.touched.map(\.name.bytesKey) == [decomposed.bytesKey])
    // One of them alone is allowed: the change of the other is not excused by it.
    var options = CreateOptions()
    options.selection = .only(try NamePattern("caf\u{E9}[.]weight"))
    #expect(throws: VPatchError.self) { try self.patch("base", "tuned", options) }
  }

  @Test("names of every kind", arguments: ["", " ", "\"\\", "\u{1}", "日本語", "..", "a/b", "__metadata", "\u{1F600}"])
  func oddNames(name: String) throws {
    let tensor = TestTensor.weights(name + "x", [64])
    try roundTrip([tensor], [tensor.tuned()])
  }

  @Test("a header's own order and spaces come back") func headers() throws {
    func file(_ name: String, _ value: UInt8, _ text: String) throws {
      try folder.write(name, [UInt8](littleEndian: UInt64(text.utf8.count)) + Array(text.utf8) + [1, value])
    }
    try file(
      "base", 2,
      #"{ "b":{"data_offsets":[1,2],"shape":[1],"dtype":"U8"}, "a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}   "#
    )
    try file(
      "tuned", 3,
      #"{"a":{"dtype":"U8","shape":[ 1 ],"data_offsets":[0,1]},"__metadata__":{"z":"é","y":"1"},"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#
    )
    let patch = try patch("base", "tuned")
    _ = try write("base", patch, .forward, to: "out")
    _ = try write("tuned", patch, .backward, to: "back")
    #expect(try folder.bytes("out") == folder.bytes("tuned"))
    #expect(try folder.bytes("back") == folder.bytes("base"))
  }

  @Test("a file that is changed between check and use is found out") func replaced() throws {
    let model = TestModel.llama()
    try folder.file("base", model)
    try folder.file("tuned", model.tuned("self_attn"))
    let patch = try patch("base", "tuned")
    let rebuild = Rebuild(
      try SafetensorsCheckpoint(path: folder["base"]), [PatchStep(patch, .forward)],
      WorkOptions(
        threads: 1,
        // Between the check of the base and the writing, somebody writes into the open file.
        progress: WorkProgress { [folder] phase, done, _ in
          guard phase == "writing", done == 0, let bytes = try? folder.bytes("base") else { return }
          try? InPlace.write(bytes.map { $0 ^ 0xFF }, to: folder["base"])
        }))
    #expect(throws: VPatchError.self) { try rebuild.write(to: folder["out"]) }
    #expect(try folder.names() == ["base", "p.vpatch", "tuned"])
  }
}
