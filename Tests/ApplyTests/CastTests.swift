import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Rounding to the base's dtype") struct CastTests {
  /// float32 bits → bf16 bits, to nearest, ties to even.
  static let bf16Pairs: [(UInt32, UInt32)] = [
    (0x3F80_0000, 0x3F80), (0x3F80_7FFF, 0x3F80), (0x3F80_8000, 0x3F80), (0x3F80_8001, 0x3F81), (0x3F81_8000, 0x3F82),
    (0x3F81_7FFF, 0x3F81), (0x8000_0000, 0x8000), (0x0000_0001, 0x0000), (0x0000_8000, 0x0000), (0x0000_8001, 0x0001),
    (0x7F7F_FFFF, 0x7F80), (0x7F7F_7FFF, 0x7F7F), (0xFF7F_8000, 0xFF80), (0x7F80_0000, 0x7F80), (0xFF80_0000, 0xFF80),
    (0x7FC0_0000, 0x7FC0), (0x7F80_0001, 0x7FC0), (0xFFFF_FFFF, 0xFFFF),
  ]
  /// float32 bits → f16 bits.
  static let f16Pairs: [(UInt32, UInt32)] = [
    (0x3F80_0000, 0x3C00), (0x3F80_1000, 0x3C00), (0x3F80_1001, 0x3C01), (0x3F80_3000, 0x3C02), (0x8000_0000, 0x8000),
    (0x477F_E000, 0x7BFF), (0x477F_EFFF, 0x7BFF), (0x477F_F000, 0x7C00), (0xC780_0000, 0xFC00), (0x7F80_0000, 0x7C00),
    (0x3880_0000, 0x0400), (0x387F_C000, 0x03FF), (0x387F_F000, 0x0400), (0x3380_0000, 0x0001), (0x3300_0000, 0x0000),
    (0x3300_0001, 0x0001), (0x33C0_0000, 0x0002), (0x0000_0001, 0x0000), (0x7FC0_0000, 0x7E00), (0x7F80_0001, 0x7E00),
    (0xFFC0_2000, 0xFE01),
  ]

  @Test("bf16", arguments: bf16Pairs) func toBF16(bits: UInt32, rounded: UInt32) {
    #expect(FloatFormat.bf16.narrowed(bits) == rounded)
  }

  @Test("f16", arguments: f16Pairs) func toF16(bits: UInt32, rounded: UInt32) {
    #expect(FloatFormat.f16.narrowed(bits) == rounded)
  }

  @Test("what needs no rounding is not rounded") func identity() {
    for value in UInt32(0)...0xFFFF where value & 0x7FFF <= 0x7F80 {
      #expect(FloatFormat.bf16.narrowed(value << 16) == value)
    }
  }

  /// All casts that PyTorch made, with what was lost in them (fixtures/casts/make.py).
  @Test("as PyTorch casts, every pair of dtypes") func asPyTorch() throws {
    let path = URL(filePath: #filePath).appending(path: "../../../fixtures/casts/casts.safetensors").standardized.path
    let casts = try SafetensorsCheckpoint(path: path)
    let losses = try #require(
      try casts.files[0].header.metadata.first { $0.key == "losses" }?.value.string.map {
        try JSON.parse(Array($0.utf8))
      })
    let pairs = casts.tensors.filter { $0.name.contains(".") }
    #expect(pairs.count == 72)
    for pair in pairs {
      let names = pair.name.split(separator: ".").map(String.init)
      let source = StoredTensor(try #require(casts.tensor(named: names[0])), in: casts)
      let cast = try #require(CastTensor(source, to: pair.info.dtype, isCounting: true))
      #expect(cast.info.byteCount == pair.info.byteCount)
      let reader = try #require(CastTensor.Element(pair.info.dtype))
      let ours = try Self.bytes(cast)
      let theirs = try Self.bytes(StoredTensor(pair, in: casts))
      for i in 0..<ours.count / reader.width {
        let range = i * reader.width..<(i + 1) * reader.width
        // PyTorch makes other NaNs in its vector loops than in its scalar ones.
        let values = [ours, theirs].map { bytes in
          var bytes = bytes
          return bytes.withUnsafeMutableBytes { reader.value($0, i) }
        }
        guard ours[range] != theirs[range], !(values[0].isNaN && values[1].isNaN) else { continue }
        Issue.record("\(pair.name) element \(i): \(values[0]), PyTorch \(values[1])")
        break
      }
      let counted = cast.losses
      #expect(
        [counted.infinite, counted.notANumber, counted.clamped, counted.zero, counted.unsigned]
          == losses[pair.name]?.array?.compactMap(\.int), "\(pair.name)")
    }
  }

  private static func bytes(_ source: any TensorSource) throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: source.info.byteCount) { buffer, count in
      try source.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
      count = source.info.byteCount
    }
  }

  @Test("what is no float is not cast, nor what has the dtype") func noCast() throws {
    let folder = try TestFolder()
    try folder.file(
      "a", [TestTensor("i", "I32", [1], bytes: [0, 0, 0, 0]), TestTensor("f", "F32", [1], bytes: [0, 0, 0, 0])])
    let model = try SafetensorsCheckpoint(path: folder["a"])
    let (float, integer) = (StoredTensor(model.tensors[0], in: model), StoredTensor(model.tensors[1], in: model))
    #expect(CastTensor(float, to: .f32) == nil && CastTensor(float, to: DType("I32")!) == nil)
    #expect(CastTensor(float, to: DType("F4")!) == nil && CastTensor(integer, to: .f32) == nil)
    #expect(CastTensor(float, to: .f64) != nil)
  }

  @Test("a float32 result becomes a patch of the base's dtype") func patch() throws {
    let folder = try TestFolder()
    let model = TestModel.llama()
    try folder.file("base", model)
    let tuned = model.tuned("self_attn")
    // Each weight a little beside its bf16 value, so that rounding finds it again.
    try folder.file(
      "wide",
      tuned.map { tensor in
        let words = stride(from: 0, to: tensor.bytes.count, by: 2).map { i in
          UInt32(tensor.bytes[i]) << 16 | UInt32(tensor.bytes[i + 1]) << 24 | 0x1234
        }
        return TestTensor(tensor.name, "F32", tensor.shape, words)
      })
    try folder.file("tuned", tuned)
    func create(_ name: String, cast: Bool) throws -> (Patch, CreateResult) {
      var options = CreateOptions()
      options.castToBase = cast
      let create = Create(
        base: try SafetensorsCheckpoint(path: folder["base"]), tuned: try SafetensorsCheckpoint(path: folder[name]),
        options: options,
        work: WorkOptions(threads: 2))
      let result = try create.write(to: folder["\(name).vpatch"], replacing: true)
      return (try Patch(path: folder["\(name).vpatch"]), result)
    }
    let (cast, result) = try create("wide", cast: true)
    #expect(result.cast.count == 8)
    #expect(result.recipe == .saProj)
    #expect(try cast.identity == create("tuned", cast: false).0.identity)
    #expect(try create("wide", cast: false).0.header.touched.allSatisfy { $0.operation == .replace })
  }
}
