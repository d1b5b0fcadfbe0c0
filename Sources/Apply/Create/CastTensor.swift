import PatchFormat

/// A float32 tensor rounded to a narrower dtype, to nearest, ties to even; NaNs stay NaNs and become quiet.
public final class CastTensor: TensorSource {
  public let info: TensorInfo
  private let source: any TensorSource
  private let round: (UInt32) -> UInt16

  /// - Returns: nil where there is no rule for these two dtypes.
  public init?(_ source: any TensorSource, to dtype: DType) {
    guard source.info.dtype == .f32 else { return nil }
    switch dtype {
    case .bf16: round = Self.bf16
    case .f16: round = Self.f16
    default: return nil
    }
    self.source = source
    info = TensorInfo(
      name: source.info.name, dtype: dtype, shape: source.info.shape, byteCount: source.info.byteCount / 2)
  }

  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws {
    let wide = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count * 2, alignment: 64)
    defer { wide.deallocate() }
    try source.read(into: wide, at: offset * 2)
    for i in 0..<buffer.count / 2 {
      let bits = UInt32(littleEndian: wide.load(fromByteOffset: i * 4, as: UInt32.self))
      buffer.storeBytes(of: round(bits).littleEndian, toByteOffset: i * 2, as: UInt16.self)
    }
  }

  static func bf16(_ bits: UInt32) -> UInt16 {
    if bits & 0x7FFF_FFFF > 0x7F80_0000 { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16) & 1) >> 16)
  }

  static func f16(_ bits: UInt32) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: (bits >> 16) & 0x8000)
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 | UInt16(truncatingIfNeeded: (bits >> 13) & 0x1FF) }
    // 65520 and above round to infinity.
    if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
    if magnitude >= 0x3880_0000 {
      let rebased = magnitude - 0x3800_0000
      return sign | UInt16(truncatingIfNeeded: (rebased &+ 0xFFF &+ (rebased >> 13) & 1) >> 13)
    }
    // Subnormal: the significand, shifted to units of 2⁻²⁴.
    guard magnitude >= 0x3300_0000 else { return sign }
    let shift = 126 - magnitude >> 23
    let significand = magnitude & 0x7F_FFFF | 0x80_0000
    let quotient = significand >> shift
    let rest = significand & (1 << shift - 1)
    let half = UInt32(1) << (shift - 1)
    let up = rest > half || (rest == half && quotient & 1 == 1)
    return sign | UInt16(truncatingIfNeeded: quotient + (up ? 1 : 0))
  }
}
