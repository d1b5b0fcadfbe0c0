// Converts narrow floats to the bits of a float32 and back. A float32 can represent all of their values, so every cast
// goes through one.

/// The layout of a float of at most 16 bits: sign, exponent, mantissa, and special values.
package struct FloatFormat: Sendable {
  /// How a format represents infinity and NaN.
  enum Specials: Sendable {
    /// With the largest exponent, as in IEEE 754.
    case ieee
    /// No infinity; all ones are NaN. Values that are too large become the largest number (`F8_E4M3`).
    case allOnes
    /// No infinity, no −0: its bits are NaN, and values that are too large become NaN (`F8_E4M3FNUZ`, `F8_E5M2FNUZ`).
    case negativeZero
    /// Only an exponent, without sign, zero and infinity (`F8_E8M0`).
    case exponentOnly
  }

  package let exponentBits: Int
  let mantissaBits: Int
  package let bias: Int
  let specials: Specials

  package static let f16 = FloatFormat(exponentBits: 5, mantissaBits: 10, bias: 15, specials: .ieee)
  package static let bf16 = FloatFormat(exponentBits: 8, mantissaBits: 7, bias: 127, specials: .ieee)
  package static let known: [String: FloatFormat] = [
    "F16": f16, "BF16": bf16,
    "F8_E5M2": FloatFormat(exponentBits: 5, mantissaBits: 2, bias: 15, specials: .ieee),
    "F8_E4M3": FloatFormat(exponentBits: 4, mantissaBits: 3, bias: 7, specials: .allOnes),
    "F8_E5M2FNUZ": FloatFormat(exponentBits: 5, mantissaBits: 2, bias: 16, specials: .negativeZero),
    "F8_E4M3FNUZ": FloatFormat(exponentBits: 4, mantissaBits: 3, bias: 8, specials: .negativeZero),
    "F8_E8M0": FloatFormat(exponentBits: 8, mantissaBits: 0, bias: 127, specials: .exponentOnly),
  ]

  private var signShift: Int { exponentBits + mantissaBits }
  private var infinity: UInt32 { (1 << exponentBits - 1) << mantissaBits }
  private var nan: UInt32 { specials == .negativeZero ? 1 << signShift : 1 << signShift - 1 }
  /// The bits of the largest number.
  package var largest: UInt32 {
    switch specials {
    case .ieee: infinity - 1
    case .allOnes, .exponentOnly: nan - 1
    case .negativeZero: nan - 1
    }
  }

  // MARK: Narrowing

  /// Rounds to nearest, ties to even. NaNs stay NaNs and become quiet, with their sign if the format has one.
  func narrowed(_ bits: UInt32) -> UInt32 {
    let magnitude = bits & 0x7FFF_FFFF
    guard specials != .exponentOnly else { return power(magnitude) }
    let sign = (bits >> 31) << signShift
    guard magnitude <= 0x7F80_0000 else { return specials == .negativeZero ? nan : sign | quiet(magnitude) }
    let rounded = magnitude == 0x7F80_0000 ? largest + 1 : self.rounded(magnitude)
    guard rounded > largest else {
      return rounded == 0 && specials == .negativeZero ? 0 : sign | rounded
    }
    return switch specials {
    case .ieee: sign | infinity
    case .allOnes: sign | largest
    case .negativeZero, .exponentOnly: nan
    }
  }

  /// In 16 bits a NaN keeps its upper bits; in 8 bits all are set.
  private func quiet(_ magnitude: UInt32) -> UInt32 {
    guard signShift > 7 else { return nan }
    return infinity | 1 << (mantissaBits - 1) | (magnitude & 0x7F_FFFF) >> (23 - mantissaBits)
  }

  /// The bits of a rounded magnitude, which may exceed the largest.
  private func rounded(_ magnitude: UInt32) -> UInt32 {
    let exponent = max(Int(magnitude >> 23), 1)
    let significand = magnitude & 0x7F_FFFF | (magnitude >= 0x80_0000 ? 0x80_0000 : 0)
    let field = exponent - 127 + bias
    let shift = 23 - mantissaBits + max(0, 1 - field)
    guard shift <= 24 else { return 0 }
    let quotient = significand >> shift
    let rest = significand & (1 << shift - 1)
    let half = UInt32(1) << (shift - 1)
    let up: UInt32 = rest > half || (rest == half && quotient & 1 == 1) ? 1 : 0
    return UInt32(max(field - 1, 0)) << mantissaBits + quotient + up
  }

  /// `F8_E8M0`: the nearest power of two, ties up. The sign is lost, and zero becomes the smallest.
  private func power(_ magnitude: UInt32) -> UInt32 {
    guard magnitude < 0x7F80_0000 else { return nan }
    let rest = magnitude & 0x7F_FFFF
    let isUp = rest > 0x40_0000 || (rest == 0x40_0000 && magnitude >= 0x80_0000)
    return magnitude >> 23 + (isUp ? 1 : 0)
  }

  // MARK: Widening

  /// The bits of the float32 with the same value.
  package func widened(_ bits: UInt32) -> UInt32 {
    if specials == .exponentOnly { return bits == nan ? 0x7FC0_0000 : bits == 0 ? 0x40_0000 : bits << 23 }
    if specials == .negativeZero, bits == nan { return 0x7FC0_0000 }
    let sign = (bits >> signShift) << 31
    let magnitude = bits & (1 << signShift - 1)
    let mantissa = magnitude & (1 << mantissaBits - 1)
    let field = Int(magnitude >> mantissaBits)
    if magnitude > largest {
      if specials == .ieee, mantissa == 0 { return sign | 0x7F80_0000 }
      return sign | 0x7FC0_0000 | (specials == .ieee ? mantissa << (23 - mantissaBits) : 0)
    }
    guard field > 0 else {
      return sign | Float(sign: .plus, exponent: 1 - bias - mantissaBits, significand: Float(mantissa)).bitPattern
    }
    return sign | UInt32(field - bias + 127) << 23 | mantissa << (23 - mantissaBits)
  }
}
