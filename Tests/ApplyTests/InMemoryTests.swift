import Foundation
import PatchFormat
import Synchronization
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Tensors in memory: decoded in the caller's bytes, and collected for a patch") struct InMemoryTests {
  let folder: TestFolder
  let model = TestModel.llama(layers: 2, width: 32)

  init() throws { folder = try TestFolder() }

  private func patch(_ tuned: [TestTensor]) throws -> Patch {
    try folder.file("base", model)
    try folder.file("tuned", tuned)
    let create = Create(
      base: try SafetensorsCheckpoint(path: folder["base"]), tuned: try SafetensorsCheckpoint(path: folder["tuned"]),
      options: CreateOptions(), work: WorkOptions(threads: 2))
    _ = try create.write(to: folder["p.vpatch"], replacing: true)
    return try Patch(path: folder["p.vpatch"])
  }

  /// Decodes in place.
  private func turn(
    _ patch: Patch, _ tensor: PatchTensor, _ direction: Direction, _ bytes: inout [UInt8], largestCopy: Int
  ) throws {
    try bytes.withUnsafeMutableBytes {
      try patch.decode(tensor, direction, from: UnsafeRawBufferPointer($0), into: $0, largestCopy: largestCopy)
    }
  }

  @Test("beside its own memory and within it, both directions", arguments: [0, 1 << 20])
  func roundTrip(largestCopy: Int) throws {
    let tuned = model.tuned(TestModel.attention)
    let patch = try patch(tuned)
    #expect(patch.header.touched.count == 8)
    for tensor in patch.header.touched {
      var bytes = model[tensor.name].bytes
      try turn(patch, tensor, .forward, &bytes, largestCopy: largestCopy)
      #expect(bytes == tuned[tensor.name].bytes)
      try turn(patch, tensor, .backward, &bytes, largestCopy: largestCopy)
      #expect(bytes == model[tensor.name].bytes)
      var beside = [UInt8](repeating: 0, count: bytes.count)
      try beside.withUnsafeMutableBytes { output in
        try bytes.withUnsafeBytes { try patch.decode(tensor, .forward, from: $0, into: output) }
      }
      #expect(beside == tuned[tensor.name].bytes)
    }
  }

  @Test("bytes of another model stay as they are", arguments: [0, 1 << 20])
  func wrongBytes(largestCopy: Int) throws {
    let patch = try patch(model.tuned(TestModel.attention))
    for tensor in patch.header.touched {
      var bytes = model[tensor.name].bytes
      bytes[bytes.count / 2] ^= 1
      let before = bytes
      let error = #expect(throws: VPatchError.self) {
        try turn(patch, tensor, .forward, &bytes, largestCopy: largestCopy)
      }
      #expect(error?.code == .wrongBase && bytes == before)
    }
  }

  @Test("what is decoded in its place is taken back where a later chunk cannot be read")
  func takenBack() throws {
    // Several chunks of 2 MiB.
    let name = "model.layers.0.mlp.up_proj.weight"
    let large = TestTensor.weights(name, [3 << 10, 1 << 10])
    try folder.file("base", [large])
    try folder.file("tuned", [large.tuned()])
    _ = try Create(
      base: try SafetensorsCheckpoint(path: folder["base"]), tuned: try SafetensorsCheckpoint(path: folder["tuned"]),
      options: CreateOptions(), work: WorkOptions(threads: 2)
    ).write(to: folder["p.vpatch"])
    let patch = try Patch(path: folder["p.vpatch"])
    let tensor = try #require(patch.tensor(named: name))
    #expect(tensor.chunks.count > 2)
    // The last chunk is damaged after the patch was opened.
    let last = try #require(tensor.chunks.last)
    let file = try FileHandle(forUpdating: URL(filePath: folder["p.vpatch"]))
    try file.seek(toOffset: UInt64(patch.payloadStart + last.offset + last.stored / 2))
    let byte = try folder.bytes("p.vpatch")[patch.payloadStart + last.offset + last.stored / 2]
    try file.write(contentsOf: [byte ^ 1])
    try file.close()
    var bytes = large.bytes
    #expect(throws: VPatchError.self) { try turn(patch, tensor, .forward, &bytes, largestCopy: 0) }
    #expect(bytes == large.bytes)
  }

  @Test("tensors that are not changed, and bytes of other lengths, are refused")
  func refused() throws {
    let patch = try patch(model.tuned(TestModel.attention))
    let same = try #require(patch.header.tensors.first { $0.operation == .same })
    var bytes = model[same.name].bytes
    #expect(throws: VPatchError.self) { try turn(patch, same, .forward, &bytes, largestCopy: 0) }
    var short = Array(model[patch.header.touched[0].name].bytes.dropLast())
    #expect(throws: VPatchError.self) { try turn(patch, patch.header.touched[0], .forward, &short, largestCopy: 0) }
  }

  @Test("collected tensors give the same patch in any order, borrowed or copied", arguments: 0..<4)
  func collected(seed: Int) throws {
    let tuned = model.tuned(TestModel.gateUp)
    let expected = try patch(tuned).identity
    let base = try SafetensorsCheckpoint(path: folder["base"])
    let collection = TensorCollection(over: base, scratchBeside: folder["q.vpatch"])
    var random = TestRandom(UInt64(seed))
    var kept: [UnsafeMutableRawBufferPointer] = []
    defer { for buffer in kept { buffer.deallocate() } }
    for tensor in tuned.shuffled(using: &random) {
      let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.bytes.count, alignment: 64)
      copy.copyBytes(from: tensor.bytes)
      if random.next() % 2 == 0 {
        try collection.add(tensor.info, borrowing: UnsafeRawBufferPointer(copy))
        kept.append(copy)
      } else {
        try collection.add(tensor.info, copying: UnsafeRawBufferPointer(copy))
        // The caller uses its memory again.
        for i in copy.indices { copy[i] = 0xFF }
        copy.deallocate()
      }
    }
    _ = try Create(
      base: base, tuned: collection.checkpoint(), options: CreateOptions(), work: WorkOptions(threads: 2)
    ).write(to: folder["q.vpatch"])
    #expect(try Patch(path: folder["q.vpatch"]).identity == expected)
  }

  @Test("threads that are made for one call do each part once", arguments: [1, 2, 7, 40])
  func ownThreads(count: Int) {
    let counts = Counts(count)
    OwnThreads.run(count) { counts.add($0) }
    #expect(counts.all == [Int](repeating: 1, count: count))
  }
}

private final class Counts: Sendable {
  private let counts: Mutex<[Int]>
  init(_ count: Int) { counts = Mutex([Int](repeating: 0, count: count)) }
  func add(_ index: Int) { counts.withLock { $0[index] += 1 } }
  var all: [Int] { counts.withLock { $0 } }
}
