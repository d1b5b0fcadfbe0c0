import TestModels
import Testing

@testable import Base
@testable import Checkpoints
@testable import Families

/// A tensor in memory that counts what is read.
final class MemoryTensor: TensorSource {
  let info: TensorInfo
  let bytes: [UInt8]
  private(set) var largestRead = 0

  init(_ grid: Grid, dtype: DType = .bf16) {
    bytes = grid.bytes
    info = TensorInfo(name: "stored", dtype: dtype, shape: grid.shape, byteCount: bytes.count)
  }

  init(_ tensor: TestTensor) {
    bytes = tensor.bytes
    info = tensor.info
  }

  func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    largestRead = max(largestRead, buffer.count)
    buffer.copyBytes(from: bytes[offset..<offset + buffer.count])
  }
}

@Suite("Layouts: views of rearranged tensors") struct RearrangedTensorTests {
  /// What a view gives, in random pieces.
  static func expect(_ view: RearrangedTensor, is grid: Grid, _ random: inout TestRandom) throws {
    let bytes = grid.bytes
    #expect(view.info.byteCount == bytes.count)
    var ranges = [0..<bytes.count, bytes.count / 2..<bytes.count, 0..<min(3, bytes.count)]
    for _ in 0..<20 where !bytes.isEmpty {
      let ends = [Int(random.next() % UInt64(bytes.count + 1)), Int(random.next() % UInt64(bytes.count + 1))].sorted()
      ranges.append(ends[0]..<ends[1])
    }
    for range in ranges {
      var found = [UInt8](repeating: 0xAA, count: range.count)
      try found.withUnsafeMutableBytes { try view.read(into: $0, at: range.lowerBound) }
      #expect(found == Array(bytes[range]), "\(range)")
    }
  }

  static func view(_ target: Grid, _ sources: [Grid], _ blocks: [TensorBlock?]) throws -> RearrangedTensor {
    let info = TensorInfo(name: "view", dtype: .bf16, shape: target.shape, byteCount: target.elements.count * 2)
    return RearrangedTensor(info, of: sources.map { MemoryTensor($0) }, try blocks.map { try #require($0) })
  }

  @Test("every slice of a transposition, a part, a stack, a join, and of interleaved rows", arguments: 0..<40)
  func slices(seed: Int) throws {
    var random = TestRandom(UInt64(seed))
    func size(_ most: UInt64 = 9) -> Int { Int(random.next() % most) + 1 }
    let (experts, rows, columns) = (size(5), 2 * size(), size(40))
    let grid = Grid.numbered([experts, rows, columns], from: seed)
    let box = TensorBox(shape: grid.shape)

    let transposed = grid.transposed
    let exchanged = TensorBlock(TensorBox(shape: transposed.shape), from: box.transposed!, source: 0)
    try Self.expect(try Self.view(transposed, [grid], [exchanged]), is: transposed, &random)

    let half = grid.deinterleaved(axis: 1, groups: 1).part(rows / 2..<rows, axis: 1)
    let halfBox = try #require(box.deinterleaving(axis: 1, groups: 1)?.slicing(rows / 2..<rows, axis: 1))
    let halfBlock = TensorBlock(TensorBox(shape: half.shape), from: halfBox, source: 0)
    try Self.expect(try Self.view(half, [grid], [halfBlock]), is: half, &random)

    // The other way: two halves become the interleaved whole.
    let halves = [half, grid.deinterleaved(axis: 1, groups: 1).part(0..<rows / 2, axis: 1)]
    let blocks = [1, 0].map { place in
      TensorBlock(
        box.deinterleaving(axis: 1, groups: 1)!.slicing(place * rows / 2..<(place + 1) * rows / 2, axis: 1)!,
        from: TensorBox(shape: half.shape), source: 1 - place)
    }
    try Self.expect(try Self.view(grid, halves, blocks), is: grid, &random)

    // Experts apart, transposed, with a part of each.
    let parts = (0..<experts).map { expert in
      Grid([columns, rows]) { grid[[expert, $0[1], $0[0]]] }
    }
    let stack = (0..<experts).map { expert in
      TensorBlock(box.selecting(expert, axis: 0), from: TensorBox(shape: [columns, rows]).transposed!, source: expert)
    }
    try Self.expect(try Self.view(grid, parts, stack), is: grid, &random)
  }

  @Test("windows and tiles of a large transposition, in flat memory")
  func large() throws {
    let (planes, rows, columns) = (3, 700, 1500)
    let stored = (0..<planes * rows * columns).map { UInt16(truncatingIfNeeded: $0 &* 40503) }
    var elements = stored
    for plane in 0..<planes {
      for row in 0..<rows {
        for column in 0..<columns {
          elements[(plane * columns + column) * rows + row] = stored[(plane * rows + row) * columns + column]
        }
      }
    }
    let shape = [planes, rows, columns]
    let source = MemoryTensor(TestTensor("stored", "BF16", shape, stored))
    let target = TestTensor("view", "BF16", [planes, columns, rows], elements)
    let block = try #require(
      TensorBlock(TensorBox(shape: target.shape), from: TensorBox(shape: shape).transposed!, source: 0))
    let view = RearrangedTensor(target.info, of: [source], [block])
    var found: [UInt8] = []
    try view.forEachPiece(of: 100_001) { _, bytes in found += bytes }
    #expect(found == target.bytes)
    #expect(source.largestRead <= 1 << 18)
    var middle = [UInt8](repeating: 0, count: 3_000_000)
    try middle.withUnsafeMutableBytes { try view.read(into: $0, at: 1_234_567) }
    #expect(middle == Array(target.bytes[1_234_567..<4_234_567]))
  }

  @Test("boxes of different shapes, and steps that do not divide, are no block")
  func refused() {
    let box = TensorBox(shape: [6, 4])
    #expect(TensorBlock(box, from: TensorBox(shape: [4, 6]), source: 0) == nil)
    #expect(box.slicing(3..<7, axis: 0) == nil)
    #expect(TensorBox(shape: [5]).transposed == nil)
    #expect(TensorBox(shape: [5, 2]).deinterleaving(axis: 0, groups: 1) == nil)
    #expect(TensorBox(shape: [12]).deinterleaving(axis: 0, groups: 1)!.slicing(3..<6, axis: 0) == nil)
  }

  @Test("empty tensors", arguments: [[0, 4], [4, 0], [0]])
  func empty(shape: [Int]) throws {
    let block = TensorBlock(TensorBox(shape: shape), from: TensorBox(shape: shape), source: 0)
    var random = TestRandom(1)
    let grid = Grid(shape) { _ in 0 }
    try Self.expect(try Self.view(grid, [grid], [block]), is: grid, &random)
  }
}
