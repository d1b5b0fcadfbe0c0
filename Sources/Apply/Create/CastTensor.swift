import Checkpoints

/// A float tensor cast to another float dtype like PyTorch's `.to()`: to nearest, ties to even; F64 is first rounded to
/// F32. Values beyond the largest number become the largest in F8_E4M3, NaN in the FNUZ dtypes, infinity in the others.
/// NaNs stay NaNs and become quiet.
package final class CastTensor: TensorSource {
  package let info: TensorInfo
  /// Losses in everything read so far, if they are counted.
  package private(set) var losses = CastLosses()
  private let source: any TensorSource
  private let from: Element
  private let to: Element
  private let isCounting: Bool

  /// - Parameter isCounting: whether losses are counted.
  /// - Returns: nil where a dtype is not a float, or both are the same.
  package init?(_ source: any TensorSource, to dtype: DType, isCounting: Bool = false) {
    guard let from = Element(source.info.dtype), let to = Element(dtype), source.info.dtype != dtype else { return nil }
    self.source = source
    self.from = from
    self.to = to
    self.isCounting = isCounting
    info = TensorInfo(
      name: source.info.name, dtype: dtype, shape: source.info.shape,
      byteCount: source.info.byteCount / from.width * to.width)
  }

  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    let count = buffer.count / to.width
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count * from.width, 1), alignment: 64)
    defer { bytes.deallocate() }
    let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[..<(count * from.width)])
    try source.read(into: piece, at: offset / to.width * from.width)
    for i in 0..<count {
      let bits = from.read(bytes, i)
      to.write(bits, into: buffer, i)
      if isCounting, to.mayLose(buffer, i) { losses.add(from.value(bytes, i), as: to.value(buffer, i), to) }
    }
  }
}

extension CastTensor {
  /// Elements of a dtype, read and written as the bits of a float32.
  package enum Element {
    case f64
    case f32
    case narrow(FloatFormat, width: Int)

    package init?(_ dtype: DType) {
      switch dtype.name {
      case "F64": self = .f64
      case "F32": self = .f32
      default:
        guard let format = FloatFormat.known[dtype.name] else { return nil }
        self = .narrow(format, width: dtype.name.hasSuffix("16") ? 2 : 1)
      }
    }

    package var width: Int {
      switch self {
      case .f64: 8
      case .f32: 4
      case .narrow(_, let width): width
      }
    }

    @inline(__always)
    package func read(_ bytes: UnsafeMutableRawBufferPointer, _ i: Int) -> UInt32 {
      switch self {
      case .f64: Float(Self.double(bytes, i)).bitPattern
      case .f32: UInt32(littleEndian: bytes.load(fromByteOffset: i * 4, as: UInt32.self))
      case .narrow(let format, let width): format.widened(Self.bits(bytes, i, width))
      }
    }

    @inline(__always)
    package func write(_ bits: UInt32, into bytes: UnsafeMutableRawBufferPointer, _ i: Int) {
      switch self {
      case .f64:
        bytes.storeBytes(
          of: Double(Float(bitPattern: bits)).bitPattern.littleEndian, toByteOffset: i * 8, as: UInt64.self)
      case .f32: bytes.storeBytes(of: bits.littleEndian, toByteOffset: i * 4, as: UInt32.self)
      case .narrow(let format, 2):
        bytes.storeBytes(
          of: UInt16(truncatingIfNeeded: format.narrowed(bits)).littleEndian, toByteOffset: i * 2, as: UInt16.self)
      case .narrow(let format, _): bytes[i] = UInt8(truncatingIfNeeded: format.narrowed(bits))
      }
    }

    package func value(_ bytes: UnsafeMutableRawBufferPointer, _ i: Int) -> Double {
      if case .f64 = self { return Self.double(bytes, i) }
      return Double(Float(bitPattern: read(bytes, i)))
    }

    /// A finite value beyond this was clamped: smaller ones round to the largest number.
    var largestRounded: Double {
      guard case .narrow(let format, _) = self, format.specials == .allOnes else { return .infinity }
      let largest = [format.largest - 1, format.largest].map { Double(Float(bitPattern: format.widened($0))) }
      return largest[1] + (largest[1] - largest[0]) / 2
    }

    /// Whether a written element is zero, the largest number, or beyond. All other elements are only rounded.
    @inline(__always)
    func mayLose(_ bytes: UnsafeMutableRawBufferPointer, _ i: Int) -> Bool {
      switch self {
      case .f64: return false
      case .f32:
        let magnitude = UInt32(littleEndian: bytes.load(fromByteOffset: i * 4, as: UInt32.self)) & 0x7FFF_FFFF
        return magnitude == 0 || magnitude >= 0x7F80_0000
      case .narrow(let format, let width):
        if format.specials == .exponentOnly { return true }
        let bits = Self.bits(bytes, i, width)
        let magnitude = bits & (width == 2 ? 0x7FFF : 0x7F)
        return magnitude == 0 || magnitude >= format.largest
      }
    }

    private static func bits(_ bytes: UnsafeMutableRawBufferPointer, _ i: Int, _ width: Int) -> UInt32 {
      width == 1 ? UInt32(bytes[i]) : UInt32(UInt16(littleEndian: bytes.load(fromByteOffset: i * 2, as: UInt16.self)))
    }

    private static func double(_ bytes: UnsafeMutableRawBufferPointer, _ i: Int) -> Double {
      Double(bitPattern: UInt64(littleEndian: bytes.load(fromByteOffset: i * 8, as: UInt64.self)))
    }
  }
}
