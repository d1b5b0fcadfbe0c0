import Base
import Checkpoints

/// The difference of a matrix between the two sides of a patch, in float64, a block of rows at a time.
final class MatrixDifference {
  let rows: Int
  let columns: Int
  private let name: String
  private let base: @Sendable () throws -> any TensorSource
  private let target: @Sendable () throws -> any TensorSource
  private let reader: NumberReader
  private let width: Int

  /// Bytes of a block in float64.
  private static let blockBytes = 64 << 20

  /// - Parameters: sources of matrices of one shape and dtype; each call returns a new one.
  init(
    _ info: TensorInfo, base: @escaping @Sendable () throws -> any TensorSource,
    target: @escaping @Sendable () throws -> any TensorSource
  ) throws {
    guard let reader = NumberReader(info.dtype), info.dtype.element.isFloat, info.shape.count == 2 else {
      preconditionFailure("a matrix of floats")
    }
    name = info.name
    (rows, columns) = (info.shape[0], info.shape[1])
    (self.base, self.target, self.reader) = (base, target, reader)
    width = reader.width
  }

  var blockRows: Int { max(1, min(rows, Self.blockBytes / (8 * max(1, columns)))) }

  /// Rows of each block.
  var blocks: [Range<Int>] {
    stride(from: 0, to: rows, by: blockRows).map { $0..<min($0 + blockRows, rows) }
  }

  /// Calls `body` with each block in order, [rows of the block × columns].
  /// - Parameter row: the first row of the first block.
  func forEachBlock(from row: Int = 0, _ body: (Range<Int>, UnsafeMutablePointer<Double>) throws -> Void) throws {
    let sides = (try base(), try target())
    let block = UnsafeMutablePointer<Double>.allocate(capacity: blockRows * columns)
    defer { block.deallocate() }
    for range in blocks where range.lowerBound >= row {
      try read(range, sides, into: block)
      try body(range, block)
    }
  }

  private func read(
    _ range: Range<Int>, _ sides: (any TensorSource, any TensorSource), into out: UnsafeMutablePointer<Double>
  ) throws {
    let count = range.count * columns
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count * width, 1), alignment: 64)
    let before = UnsafeMutablePointer<Double>.allocate(capacity: max(count, 1))
    defer {
      bytes.deallocate()
      before.deallocate()
    }
    let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[..<(count * width)])
    for (side, numbers) in [(sides.0, before), (sides.1, out)] {
      try side.read(into: piece, at: range.lowerBound * columns * width)
      reader.read(UnsafeRawPointer(piece.baseAddress!), count, numbers)
    }
    for i in 0..<count { out[i] -= before[i] }
  }
}
