// The low-rank coder (spec, section 5.2). After the coder byte:
//
//   u32   length of the choice bits in bytes
//   …     choice bits: for each element whose prediction several bases give, which of them is the base
//   …     a stored chunk of another coder: the difference from the prediction to the target

import CKernels
import Checkpoints

extension ChunkCoder {
  /// The elements of a chunk, and the factors of their tensor's change.
  package struct Prediction {
    let factors: Factors
    let elements: Range<Int>

    /// - Parameter elements: indices in the tensor.
    package init(_ factors: Factors, elements: Range<Int>) {
      self.factors = factors
      self.elements = elements
    }

    /// The predicted target. Reads must be of whole elements.
    package func predict(
      from base: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer, kernel: Kernel = .chosen
    ) {
      LowRankCoder.predict(self, from: base, into: result, kernel)
    }
  }
}

enum LowRankCoder {
  typealias Prediction = ChunkCoder.Prediction

  /// The data of a chunk, without the coder byte.
  static func encode(
    base: UnsafeRawBufferPointer, target: UnsafeRawBufferPointer, format: ElementFormat, rowLength: Int?,
    _ prediction: Prediction, _ kernel: Kernel
  ) -> [UInt8] {
    let predicted = UnsafeMutableRawBufferPointer.allocate(byteCount: base.count, alignment: 64)
    defer { predicted.deallocate() }
    predict(prediction, from: base, into: predicted, kernel)
    let middle = UnsafeRawBufferPointer(predicted)
    let rest = ChunkCoder.encodeDifference(base: middle, target: target, format: format, rowLength: rowLength)
    var choices = BitWriter()
    let inverted = UnsafeMutableRawBufferPointer.allocate(byteCount: base.count, alignment: 64)
    defer { inverted.deallocate() }
    invert(prediction, from: middle, into: inverted, kernel) { i, count, first in
      let position = kernel.lowRank.position(prediction.factors.type, format.element(i, of: base))
      let choice = position - first
      precondition(choice < count, "the base is a candidate of its own prediction")
      choices.write(choice: choice, of: count)
      return choice
    }
    precondition(UnsafeRawBufferPointer(inverted).elementsAreEqual(base), "a prediction that cannot be inverted")
    choices.align()
    return [UInt8](littleEndian: UInt32(choices.bytes.count)) + choices.bytes + rest
  }

  /// - Throws: `ChunkError`, `Zstd.Failure`.
  static func decode(
    _ data: UnsafeRawBufferPointer, from input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
    format: ElementFormat, direction: Direction, _ prediction: Prediction, _ kernel: Kernel
  ) throws {
    guard data.count >= 4 else { throw ChunkError("ends within its data") }
    let length = Int(UInt32(littleEndian: data.loadUnaligned(as: UInt32.self)))
    guard length <= data.count - 4 else { throw ChunkError("ends within its data") }
    let bits = UnsafeRawBufferPointer(rebasing: data[4..<4 + length])
    let rest = UnsafeRawBufferPointer(rebasing: data[(4 + length)...])
    guard rest.first != Coder.lowRank.rawValue else { throw ChunkError("uses the low-rank coder within itself") }
    let predicted = UnsafeMutableRawBufferPointer.allocate(byteCount: input.count, alignment: 64)
    defer { predicted.deallocate() }
    if direction == .forward { predict(prediction, from: input, into: predicted, kernel) }
    try ChunkCoder.decodeDifference(
      rest, from: direction == .forward ? UnsafeRawBufferPointer(predicted) : input,
      into: direction == .forward ? output : predicted, format: format, direction: direction, kernel: kernel)
    guard direction == .backward else { return }
    var reader = BitReader(bits)
    var isValid = true
    invert(prediction, from: UnsafeRawBufferPointer(predicted), into: output, kernel) { _, count, _ in
      guard count > 0, let choice = reader.readChoice(of: count) else {
        isValid = false
        return 0
      }
      return choice
    }
    guard isValid, reader.isAtEnd else { throw ChunkError("has choices that do not match its prediction") }
  }

  fileprivate static func predict(
    _ prediction: Prediction, from base: UnsafeRawBufferPointer, into result: UnsafeMutableRawBufferPointer,
    _ kernel: Kernel
  ) {
    let width = base.count / max(prediction.elements.count, 1)
    for rectangle in prediction.factors.rectangles(prediction.elements) {
      prediction.factors.withJob(rectangle) { job in
        job.input = base.baseAddress! + rectangle.start * width
        job.output = result.baseAddress! + rectangle.start * width
        kernel.lowRank.predict(&job)
      }
    }
  }

  /// - Parameter choose: returns which of several bases is the right one. It gets the element's index in the chunk, the
  ///   number of bases, and the position of the first in the order of values. Called in the order of elements. The
  ///   number is zero where no base gives the prediction.
  private static func invert(
    _ prediction: Prediction, from predicted: UnsafeRawBufferPointer, into base: UnsafeMutableRawBufferPointer,
    _ kernel: Kernel, _ choose: (_ element: Int, _ count: UInt64, _ first: UInt64) -> UInt64
  ) {
    let width = predicted.count / max(prediction.elements.count, 1)
    let format = ElementFormat(width: width)
    let (type, lowRank) = (prediction.factors.type, kernel.lowRank)
    for rectangle in prediction.factors.rectangles(prediction.elements) {
      let ambiguous = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: rectangle.count)
      defer { ambiguous.deallocate() }
      prediction.factors.withJob(rectangle) { job in
        job.input = predicted.baseAddress! + rectangle.start * width
        job.output = base.baseAddress! + rectangle.start * width
        job.ambiguous = ambiguous.baseAddress
        lowRank.invert(&job)
        ambiguous.forEachNonZero { i, known in
          let element = rectangle.start + i
          let (count, first) =
            known == UInt8(VP_LOWRANK_LOOK_UP)
            ? lowRank.candidates(&job, i, format.element(element, of: predicted))
            : (UInt64(known), lowRank.position(type, format.element(element, of: UnsafeRawBufferPointer(base))))
          let choice = count == 1 ? 0 : choose(element, count, first)
          format.setElement(element, of: base, to: lowRank.element(type, first + choice))
        }
      }
    }
  }
}

extension UnsafeMutableBufferPointer<UInt8> {
  /// Calls `body` with the indices and values that are not zero, ascending. Without a branch for each element, which
  /// would be hard to foresee.
  fileprivate func forEachNonZero(_ body: (Int, UInt8) -> Void) {
    let bytes = UnsafeRawBufferPointer(self)
    for start in stride(from: 0, to: count, by: 8) {
      var eight =
        start + 8 <= count
        ? UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        : self[start...].reversed().reduce(0) { $0 << 8 | UInt64($1) }
      while eight != 0 {
        let i = eight.trailingZeroBitCount / 8
        body(start + i, self[start + i])
        eight &= ~(0xFF << UInt64(8 * i))
      }
    }
  }
}

extension vp_lowrank_kernels {
  /// The bases that give a prediction at an index of the rectangle: their number, and the position of the first.
  fileprivate func candidates(
    _ job: inout vp_lowrank_job, _ index: Int, _ prediction: UInt64
  ) -> (count: UInt64, first: UInt64) {
    var first: UInt64 = 0
    let count = candidates(&job, index / job.columns, index % job.columns, prediction, &first)
    return (count, first)
  }
}

extension BitWriter {
  /// Writes one of `count` values (at most 2³²) as a truncated binary code.
  mutating func write(choice: UInt64, of count: UInt64) {
    let bits = 63 - count.leadingZeroBitCount
    // So many values get `bits` bits, the others one more.
    let short = (2 << UInt64(bits)) - count
    let (code, length) = choice < short ? (choice, bits) : (choice + short, bits + 1)
    // The most significant bit first: the reader knows after `bits` bits whether another one follows.
    for i in (0..<length).reversed() { write(UInt32(truncatingIfNeeded: code >> UInt64(i) & 1), 1) }
  }
}

extension BitReader {
  /// Reads one of `count` values (at most 2³²) in truncated binary code; nil beyond the end.
  mutating func readChoice(of count: UInt64) -> UInt64? {
    let bits = 63 - count.leadingZeroBitCount
    let short = (2 << UInt64(bits)) - count
    var code: UInt64 = 0
    for _ in 0..<bits { code = code << 1 | UInt64(read(1)) }
    if code >= short { code = (code << 1 | UInt64(read(1))) - short }
    return isExhausted ? nil : code
  }
}

extension ElementFormat {
  fileprivate func element(_ i: Int, of bytes: UnsafeRawBufferPointer) -> UInt64 {
    width == 2
      ? UInt64(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)))
      : UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self)))
  }

  fileprivate func setElement(_ i: Int, of bytes: UnsafeMutableRawBufferPointer, to bits: UInt64) {
    if width == 2 {
      bytes.storeBytes(of: UInt16(truncatingIfNeeded: bits).littleEndian, toByteOffset: 2 * i, as: UInt16.self)
    } else {
      bytes.storeBytes(of: UInt32(truncatingIfNeeded: bits).littleEndian, toByteOffset: 4 * i, as: UInt32.self)
    }
  }
}

extension Kernel {
  /// With AVX-512 where there is, unless `VPATCH_ISA` names another one.
  var lowRank: vp_lowrank_kernels {
    guard self == .avx2, vp_has_fma() != 0 else { return vp_lowrank_baseline }
    return Kernel.usesAVX512 ? vp_lowrank_avx512 : vp_lowrank_avx2
  }
}
