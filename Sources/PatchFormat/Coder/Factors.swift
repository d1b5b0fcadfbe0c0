import Base
import CKernels
import Checkpoints

/// The factors of a tensor's change, in memory, as a chunk needs them.
package struct Factors: Sendable {
  package private(set) var rule: LowRank
  package let matrices: LowRank.Matrices
  /// Kernel type of the tensor.
  let type: vp_float
  private let u: Factor
  private let v: Factor

  /// The rule's rounding. The factors are the same with either.
  package var roundsChange: Bool {
    get { rule.roundsChange }
    set { rule.roundsChange = newValue }
  }

  /// The bytes of the adapter's tensor that a factor is in.
  package struct Factor: Sendable {
    package let info: TensorInfo
    package let bytes: [UInt8]

    package init(info: TensorInfo, bytes: [UInt8]) {
      self.info = info
      self.bytes = bytes
    }

    package init(_ source: any TensorSource) throws {
      self.init(info: source.info, bytes: try source.bytes())
    }
  }

  /// - Parameter tensor: the tensor that changes. `rule.problem(of:)` must have no objection.
  package init(_ rule: LowRank, of tensor: TensorInfo, u: Factor, v: Factor) {
    self.rule = rule
    self.u = u
    self.v = v
    matrices = LowRank.Matrices(tensor)!
    type = tensor.dtype.kernelType!
  }

  /// A part of a tensor inside one slice: whole rows, or a part of one.
  struct Rectangle {
    let slice: Int
    let rows: Range<Int>
    let columns: Range<Int>
    /// Elements from the beginning of the part that was asked for.
    let start: Int

    var count: Int { rows.count * columns.count }
  }

  /// The rectangles that make up a range of elements, in their order.
  func rectangles(_ elements: Range<Int>) -> [Rectangle] {
    var found: [Rectangle] = []
    var at = elements.lowerBound
    while at < elements.upperBound {
      let (line, column) = (at / matrices.columns, at % matrices.columns)
      let (slice, row) = (line / matrices.rows, line % matrices.rows)
      let rest = elements.upperBound - at
      let rows: Range<Int>
      let columns: Range<Int>
      if column == 0, rest >= matrices.columns {
        rows = row..<min(row + rest / matrices.columns, matrices.rows)
        columns = 0..<matrices.columns
      } else {
        rows = row..<row + 1
        columns = column..<min(column + rest, matrices.columns)
      }
      let rectangle = Rectangle(slice: slice, rows: rows, columns: columns, start: at - elements.lowerBound)
      found.append(rectangle)
      at += rectangle.count
    }
    return found
  }

  /// Calls `body` with a kernel job for a rectangle, without its input and outputs.
  func withJob<R>(_ rectangle: Rectangle, _ body: (inout vp_lowrank_job) throws -> R) rethrows -> R {
    let stride = rectangle.columns.count + Int(VP_LOWRANK_TILE)
    let left = [Float](unsafeUninitializedCapacity: rectangle.rows.count * rule.rank) { buffer, count in
      u.read(rule.u, rectangle.slice, rectangle.rows, rule.rank) { i, k, value in buffer[i * rule.rank + k] = value }
      count = rectangle.rows.count * rule.rank
    }
    let right = [Float](unsafeUninitializedCapacity: rule.rank * stride) { buffer, count in
      buffer.initialize(repeating: 0)
      v.read(rule.v, rectangle.slice, rectangle.columns, rule.rank) { i, k, value in buffer[k * stride + i] = value }
      count = rule.rank * stride
    }
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: rule.rank * Int(VP_LOWRANK_TILE) * MemoryLayout<Double>.stride, alignment: 64)
    defer { scratch.deallocate() }
    return try left.withUnsafeBufferPointer { left in
      try right.withUnsafeBufferPointer { right in
        var job = vp_lowrank_job()
        job.type = type
        job.rounds_change = rule.roundsChange ? 1 : 0
        job.scale = rule.scale
        job.rank = rule.rank
        job.u = left.baseAddress
        job.v = right.baseAddress
        job.v_stride = stride
        job.scratch = scratch.baseAddress!.assumingMemoryBound(to: Double.self)
        job.rows = rectangle.rows.count
        job.columns = rectangle.columns.count
        job.stride = rectangle.columns.count
        return try body(&job)
      }
    }
  }
}

extension Factors.Factor {
  /// Calls `body` with line, rank index and value of each element of some lines; lines count from the first one.
  fileprivate func read(
    _ view: LowRank.View, _ slice: Int, _ lines: Range<Int>, _ rank: Int, _ body: (Int, Int, Float) -> Void
  ) {
    func each(_ value: (Int) -> Float) {
      for i in lines {
        let start = view.offset + slice * view.slice + i * view.line
        for k in 0..<rank { body(i - lines.lowerBound, k, value(start + k * view.rank)) }
      }
    }
    bytes.withUnsafeBytes { bytes in
      func u16(_ i: Int) -> UInt16 { UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)) }
      switch info.dtype {
      case .bf16: each { Float(bitPattern: UInt32(u16($0)) << 16) }
      case .f16: each { Float(widening: u16($0)) }
      default:
        each {
          Float(bitPattern: UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self)))
        }
      }
    }
  }
}

extension Float {
  /// The value of float16 bits. Swift has no Float16 on every processor.
  fileprivate init(widening bits: UInt16) {
    let magnitude = UInt32(bits & 0x7FFF)
    let sign = UInt32(bits & 0x8000) << 16
    if magnitude >= 0x7C00 {
      self.init(bitPattern: sign | 0x7F80_0000 | (magnitude & 0x3FF) << 13)
    } else {
      // Read as a float32 it has the wrong bias. The product corrects that exactly, for subnormals too.
      let scaled = Float(bitPattern: magnitude << 13) * Float(bitPattern: UInt32(127 + 112) << 23)
      self.init(bitPattern: scaled.bitPattern | sign)
    }
  }
}
