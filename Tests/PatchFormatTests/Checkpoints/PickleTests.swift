import Base
import Checkpoints
import Foundation
import Testing

/// Pickles as the object of a legacy file of torch.save, which has no checksum that would hide them.
@Suite("A pickle runs nothing, and one that is not of weights is refused by name") struct PickleTests {
  let scratch = Scratch()

  private static let start: [UInt8] =
    [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E] + [
      0x80, 2, 0x4D, 0xE9, 3, 0x2E,
    ]
    + [0x80, 2, 0x7D] + string("little_endian") + [0x88, 0x73, 0x2E]

  private static func string(_ text: String) -> [UInt8] {
    [0x58] + withUnsafeBytes(of: UInt32(text.utf8.count).littleEndian) { Array($0) } + Array(text.utf8)
  }

  private static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }

  /// A dictionary with one tensor "w" of four floats: [0, 1, 2, 3].
  private static func tensor(
    storage: [UInt8] = global("torch", "FloatStorage"), numel: UInt8 = 4, offset: UInt8 = 0, shape: [UInt8] = [4],
    strides: [UInt8] = [1]
  ) -> [UInt8] {
    func tuple(_ values: [UInt8]) -> [UInt8] { [0x28] + values.flatMap { [0x4B, $0] } + [0x74] }
    let identifier =
      [0x28] + string("storage") + storage + string("0") + string("cpu") + [0x4B, numel, 0x4E, 0x74, 0x51]
    let call =
      global("torch._utils", "_rebuild_tensor_v2") + [0x28] + identifier + [0x4B, offset] + tuple(shape)
      + tuple(strides) + [0x89] + global("collections", "OrderedDict") + [0x29, 0x52, 0x74, 0x52]
    return [0x7D] + string("w") + call + [0x73]
  }

  private func open(_ object: [UInt8]) throws -> any Checkpoint {
    let keys: [UInt8] = [0x80, 2, 0x5D] + Self.string("0") + [0x61, 0x2E]
    let storage =
      withUnsafeBytes(of: UInt64(4).littleEndian) { Array($0) }
      + [Float](arrayLiteral: 0, 1, 2, 3).flatMap { value in
        withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
      }
    return try Containers.open(
      scratch.write(Self.start + [0x80, 2] + object + [0x2E] + keys + storage, as: "w.bin"))
  }

  @Test func aTensor() throws {
    let checkpoint = try open(Self.tensor())
    #expect(checkpoint.tensors.map(\.name) == ["w"])
    let every = try open(Self.tensor(offset: 1, shape: [2], strides: [2]))
    let bytes = try every.source(of: every.tensors[0]).bytes()
    #expect(bytes == [0, 0, 0x80, 0x3F, 0, 0, 0x40, 0x40])
  }

  @Test(
    "Calls",
    arguments: [
      ("os", "system"), ("posix", "system"), ("builtins", "eval"), ("subprocess", "Popen"), ("torch", "load"),
      ("torch.storage", "_load_from_bytes"), ("__builtin__", "getattr"), ("collections", "Counter"),
    ]) func calls(_ module: String, _ name: String) throws
  {
    let call = Self.global(module, name) + [0x28] + Self.string("touch \(scratch.file("executed"))") + [0x74, 0x52]
    for object in [call, [0x7D] + Self.string("w") + call + [0x73]] {
      let error = refusal(name) { _ = try open(object) }
      #expect(error?.reason.contains("\(module).\(name)") == true, "\(error!)")
    }
    #expect(try PathKind.of(scratch.file("executed")) == .missing)
  }

  static let malformed: [(String, [UInt8])] = [
    ("an unknown instruction", [0x7D, 0x49]), ("an extension", [0x82, 1]), ("a persistent string", Array("Px\n".utf8)),
    ("an instance", Array("(ios\nsystem\n".utf8)), ("nothing on the stack", [0x74]), ("no mark", [0x7D, 0x75]),
    ("a mark below", [0x7D, 0x28, 0x73]), ("an unset reference", [0x68, 7]), ("two values", [0x4E, 0x4E]),
    ("items of a number", [0x4B, 1, 0x28, 0x4B, 1, 0x4B, 2, 0x75]),
    ("an odd number of items", [0x7D, 0x28, 0x4E, 0x75]),
    ("a long string", [0x58, 0xFF, 0xFF, 0xFF, 0x7F]), ("no UTF-8", [0x58, 1, 0, 0, 0, 0xFF]),
    ("a call of a string", string("x") + [0x29, 0x52]), ("protocol 9", [0x80, 9]),
    ("a state of a number", [0x4B, 1, 0x7D, 0x62]),
    ("no tensors", [0x7D]), ("a number", [0x4B, 1]),
  ]

  @Test("Malformed", arguments: malformed.map(\.0)) func isMalformed(_ what: String) {
    let bytes = Self.malformed.first { $0.0 == what }!.1
    #expect(refusal(what) { _ = try open(bytes) }?.remedy != nil)
  }

  @Test("Tensors that their storage does not have") func beyondTheStorage() {
    for (what, object) in [
      ("an offset", Self.tensor(offset: 1)), ("a stride", Self.tensor(shape: [2, 2], strides: [3, 1])),
      ("a shape", Self.tensor(shape: [5])), ("a larger storage", Self.tensor(numel: 5, shape: [5])),
      ("a smaller storage", Self.tensor(numel: 3, shape: [3])),
      ("no stride", Self.tensor(shape: [2, 2], strides: [1])),
      ("another class", Self.tensor(storage: Self.global("torch", "bfloat16"))),
    ] {
      #expect(refusal(what) { _ = try TorchFixtures.root(open(object)) }?.remedy != nil)
    }
  }

  @Test("Depth and cycles cost no more than their bytes") func depth() throws {
    // A list in a list, 200,000 deep.
    let nested = [UInt8](repeating: 0x5D, count: 200_000) + [UInt8](repeating: 0x61, count: 199_999)
    #expect(refusal("nested lists") { _ = try open(nested) } != nil)
    // A dictionary that contains itself.
    let cycle: [UInt8] = [0x7D, 0x71, 0] + Self.string("a") + [0x68, 0, 0x73] + Self.string("b") + [0x68, 0, 0x73]
    #expect(refusal("a cycle") { _ = try open(cycle) } != nil)
    // Each dictionary has the one before it twice: 2^40 leaves in a few hundred bytes.
    let doubled: [UInt8] =
      [0x7D, 0x71, 0]
      + (0..<28).flatMap { i -> [UInt8] in
        let (last, next) = (UInt8(i), UInt8(i + 1))
        return [0x7D, 0x71, next] + Self.string("a") + [0x68, last, 0x73] + Self.string("b") + [0x68, last, 0x73]
      }
    #expect(refusal("a bomb") { _ = try open([0x28] + doubled + [0x74]) } != nil)
  }
}
