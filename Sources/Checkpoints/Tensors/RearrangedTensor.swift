/// A tensor whose elements lie elsewhere: a rearrangement of the bytes of one or several stored tensors.
///
/// Blocks that are contiguous on both sides are read straight into the caller's buffer. The others (transpositions) are
/// put together in a window of whole rows, which serves the reads that follow.
package final class RearrangedTensor: TensorSource {
  package let info: TensorInfo
  private let sources: [any TensorSource]
  private let blocks: [Block]
  private let width: Int
  private let isDirect: Bool
  /// The bytes of the tensor that are in memory.
  private var window: [UInt8] = []
  private var windowStart = 0

  /// Bytes of a window.
  private static let windowSize = 1 << 22
  /// Bytes that are read from a source before they are distributed.
  private static let tileSize = 1 << 18

  private struct Block {
    let block: TensorBlock
    /// Elements of the target from the first to behind the last, for the loops from each level on.
    let extents: [Int]
    /// The level whose source is contiguous and whose target is not, directly above the innermost; nil if there is none.
    let plane: Int?

    init(_ block: TensorBlock) {
      self.block = block
      let loops = block.loops
      extents = (0...loops.count).map { level in loops[level...].reduce(1) { $0 + ($1.count - 1) * $1.target } }
      let level = loops.count - 2
      plane = level >= 0 && loops[level].source == 1 && loops[level + 1].target == 1 ? level : nil
    }

    var isDirect: Bool { block.loops.last.map { $0.target == 1 && $0.source == 1 } ?? true }
    var end: Int { block.targetStart + extents[0] }
  }

  /// - Parameters:
  ///   - sources: tensors of this dtype.
  ///   - blocks: cover each element once.
  package init(_ info: TensorInfo, of sources: [any TensorSource], _ blocks: [TensorBlock]) {
    precondition(info.dtype.bitsPerElement % 8 == 0)
    precondition(blocks.reduce(0) { $0 + $1.elementCount } == info.elementCount)
    self.info = info
    self.sources = sources
    width = info.dtype.bitsPerElement / 8
    self.blocks = blocks.filter { $0.elementCount > 0 }.map(Block.init).sorted {
      $0.block.targetStart < $1.block.targetStart
    }
    isDirect = self.blocks.allSatisfy(\.isDirect)
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    if isDirect, offset % width == 0, buffer.count % width == 0 { return try fill(buffer, from: offset / width) }
    var done = 0
    while done < buffer.count {
      let position = offset + done
      if !(windowStart..<windowStart + window.count).contains(position) {
        try loadWindow(at: position, wanted: buffer.count - done)
      }
      let count = min(buffer.count - done, windowStart + window.count - position)
      window.withUnsafeBytes { bytes in
        let from = position - windowStart
        UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count]).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: bytes[from..<from + count]))
      }
      done += count
    }
  }

  /// Whole rows, if they fit. A large read gets what it wants, a small one is the first of many.
  private func loadWindow(at position: Int, wanted: Int) throws {
    let row = max(info.shape.last ?? 1, 1) * width
    let unit = row <= Self.windowSize / 2 ? row : width
    let start = position / unit * unit
    let size = wanted >= TensorPiece.size ? position - start + wanted : Self.windowSize
    let count = min((min(size, Self.windowSize) + unit - 1) / unit * unit, info.byteCount - start)
    if window.count != count { window = [UInt8](repeating: 0, count: count) }
    windowStart = start
    do {
      try window.withUnsafeMutableBytes { try fill($0, from: start / width) }
    } catch {
      window = []
      throw error
    }
  }

  // MARK: Elements

  /// The part of the target that a read wants.
  private struct Wanted {
    let range: Range<Int>
    let buffer: UnsafeMutableRawBufferPointer
    let width: Int

    func pointer(_ element: Int) -> UnsafeMutableRawPointer {
      buffer.baseAddress! + (element - range.lowerBound) * width
    }
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer, from first: Int) throws {
    guard !buffer.isEmpty else { return }
    let wanted = Wanted(range: first..<first + buffer.count / width, buffer: buffer, width: width)
    for block in blocks where block.block.targetStart < wanted.range.upperBound && block.end > wanted.range.lowerBound {
      try copy(block, 0, block.block.targetStart, block.block.sourceStart, wanted)
    }
  }

  private func copy(_ block: Block, _ level: Int, _ target: Int, _ source: Int, _ wanted: Wanted) throws {
    let loops = block.block.loops
    guard level < loops.count else { return try run(block, target, source, TensorBlock.Loop.one, 0..<1, wanted) }
    let loop = loops[level]
    let inner = block.extents[level + 1]
    let range = wanted.range
    // The indexes at which some of the inner elements are wanted, and those at which all are.
    let some = Self.indexes(loop, from: range.lowerBound - target - inner + 1, below: range.upperBound - target)
    if level == loops.count - 1 { return try run(block, target, source, loop, some, wanted) }
    var all = some.lowerBound..<some.lowerBound
    if block.plane == level {
      all = Self.indexes(loop, from: range.lowerBound - target, below: range.upperBound - target - inner + 1)
      if all.isEmpty { all = some.lowerBound..<some.lowerBound }
    }
    for i in some where !all.contains(i) {
      try copy(block, level + 1, target + i * loop.target, source + i * loop.source, wanted)
    }
    if !all.isEmpty { try transpose(block, all, loop, loops[level + 1], target, source, wanted) }
  }

  /// The indexes of a loop whose target lies in a range of offsets.
  private static func indexes(_ loop: TensorBlock.Loop, from low: Int, below high: Int) -> Range<Int> {
    let first = low <= 0 ? 0 : (low + loop.target - 1) / loop.target
    let end = high <= 0 ? 0 : min(loop.count, (high - 1) / loop.target + 1)
    return min(first, end)..<end
  }

  /// The innermost loop.
  private func run(
    _ block: Block, _ target: Int, _ source: Int, _ loop: TensorBlock.Loop, _ indexes: Range<Int>, _ wanted: Wanted
  ) throws {
    guard !indexes.isEmpty else { return }
    let tensor = sources[block.block.source]
    let first = source + indexes.lowerBound * loop.source
    if loop.target == 1, loop.source == 1 {
      let bytes = UnsafeMutableRawBufferPointer(
        start: wanted.pointer(target + indexes.lowerBound), count: indexes.count * width)
      return try tensor.read(into: bytes, at: first * width)
    }
    // Reads what lies between the elements too, unless that is far more.
    let stride = max(loop.source, 1)
    let step = max(1, min(Self.tileSize / width / stride, stride * width > 4096 ? 1 : indexes.count))
    try withScratch(((step - 1) * loop.source + 1) * width) { scratch in
      for i in Swift.stride(from: indexes.lowerBound, to: indexes.upperBound, by: step) {
        let count = min(step, indexes.upperBound - i)
        let span = UnsafeMutableRawBufferPointer(rebasing: scratch[..<(((count - 1) * loop.source + 1) * width)])
        try tensor.read(into: span, at: (source + i * loop.source) * width)
        for k in 0..<count {
          wanted.pointer(target + (i + k) * loop.target).copyMemory(
            from: span.baseAddress! + k * loop.source * width, byteCount: width)
        }
      }
    }
  }

  /// A plane of whole rows: `rows` is contiguous in the source, `columns` in the target.
  private func transpose(
    _ block: Block, _ indexes: Range<Int>, _ rows: TensorBlock.Loop, _ columns: TensorBlock.Loop, _ target: Int,
    _ source: Int, _ wanted: Wanted
  ) throws {
    let tensor = sources[block.block.source]
    let runBytes = indexes.count * width
    let step = max(1, min(columns.count, Self.tileSize / runBytes))
    try withScratch(step * runBytes) { scratch in
      for first in stride(from: 0, to: columns.count, by: step) {
        let count = min(step, columns.count - first)
        for k in 0..<count {
          try tensor.read(
            into: UnsafeMutableRawBufferPointer(rebasing: scratch[k * runBytes..<(k + 1) * runBytes]),
            at: (source + indexes.lowerBound + (first + k) * columns.source) * width)
        }
        let output = wanted.pointer(target + indexes.lowerBound * rows.target + first)
        let tile = Tile(from: scratch.baseAddress!, rows: indexes.count, columns: count, to: output, rows.target)
        switch width {
        case 1: tile.transpose(UInt8.self)
        case 2: tile.transpose(UInt16.self)
        case 4: tile.transpose(UInt32.self)
        default: tile.transpose(UInt64.self)
        }
      }
    }
  }

  private func withScratch(_ size: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    defer { scratch.deallocate() }
    try body(scratch)
  }
}

extension TensorBlock.Loop {
  /// A single element.
  fileprivate static let one = TensorBlock.Loop(count: 1, target: 1, source: 1)
}

/// `columns` runs of `rows` elements that become `rows` runs of `columns` elements, `stride` elements apart.
private struct Tile {
  let from: UnsafeMutableRawPointer
  let rows: Int
  let columns: Int
  let to: UnsafeMutableRawPointer
  let stride: Int

  init(from: UnsafeMutableRawPointer, rows: Int, columns: Int, to: UnsafeMutableRawPointer, _ stride: Int) {
    (self.from, self.rows, self.columns, self.to, self.stride) = (from, rows, columns, to, stride)
  }

  /// In squares that fit into the processor's first cache.
  func transpose<Element: FixedWidthInteger & BitwiseCopyable>(_: Element.Type) {
    let (size, side) = (MemoryLayout<Element>.size, 32)
    for top in Swift.stride(from: 0, to: rows, by: side) {
      for left in Swift.stride(from: 0, to: columns, by: side) {
        for row in top..<min(top + side, rows) {
          for column in left..<min(left + side, columns) {
            let value = from.loadUnaligned(fromByteOffset: (column * rows + row) * size, as: Element.self)
            to.storeBytes(of: value, toByteOffset: (row * stride + column) * size, as: Element.self)
          }
        }
      }
    }
  }
}
