import Checkpoints

/// The bits of a float of 8, 16 or 32 bits. Ranks are integers in the order of the values (spec, section 4).
protocol UlpWord: FixedWidthInteger, UnsignedInteger, Sendable {}
extension UInt8: UlpWord {}
extension UInt16: UlpWord {}
extension UInt32: UlpWord {}

extension UlpWord {
  /// The rank of the value among all values. Neighbours differ by one ulp.
  @inline(__always)
  package var ordered: Int32 {
    let signed = Self.signExtended(Int32(truncatingIfNeeded: self))
    return signed ^ ((signed >> 31) & Self.lowerBits)
  }

  /// The value of a rank, modulo 2ⁿ.
  @inline(__always)
  init(ordered: Int32) {
    let signed = Self.signExtended(ordered)
    self.init(truncatingIfNeeded: signed ^ ((signed >> 31) & Self.lowerBits))
  }

  /// The lower n bits as a two's complement integer.
  @inline(__always)
  static func signExtended(_ value: Int32) -> Int32 {
    let shift = Int32(32 - bitWidth)
    return (value &<< shift) &>> shift
  }

  /// The difference from `base` to `target`, in ulps modulo 2ⁿ.
  @inline(__always)
  package static func difference(_ target: Self, _ base: Self) -> Int32 {
    signExtended(target.ordered &- base.ordered)
  }

  private static var lowerBits: Int32 { Int32(bitPattern: UInt32(1) << UInt32(bitWidth - 1) - 1) }
}

/// The scale of a value: its exponent, but 0 only for ±0. Subnormals have scale 1, since their ulps are those of
/// exponent 1.
struct UlpScale<Word: UlpWord> {
  private let shift: Word
  private let exponent: Word
  private let magnitude: Word

  init(_ format: ElementFormat) {
    shift = Word(format.exponentShift)
    exponent = Word(truncatingIfNeeded: 1 << format.exponentBits - 1)
    magnitude = Word.max &>> 1
  }

  @inline(__always)
  package func of(_ value: Word) -> Int {
    value & magnitude == 0 ? 0 : max(Int((value &>> shift) & exponent), 1)
  }
}

/// Splits a difference into a symbol and extra bits (spec, section 5.1.2).
enum UlpSymbol {
  /// The symbol of "unchanged".
  package static let zero = 128

  @inline(__always)
  package static func of(_ difference: Int32) -> Int {
    let index = index(of: difference.magnitude)
    return difference < 0 ? zero - index : zero + index
  }

  @inline(__always)
  package static func index(of magnitude: UInt32) -> Int {
    if magnitude < 16 { return Int(magnitude) }
    let k = 31 - magnitude.leadingZeroBitCount
    return 16 + 2 * (k - 4) + Int((magnitude >> UInt32(k - 1)) & 1)
  }

  @inline(__always)
  package static func index(ofSymbol symbol: Int) -> Int { abs(symbol - zero) }

  @inline(__always)
  static func extraBits(ofIndex index: Int) -> Int { index < 16 ? 0 : 3 + (index - 16) >> 1 }

  /// The smallest magnitude of an index. The extra bits are added to it.
  @inline(__always)
  static func smallestMagnitude(ofIndex index: Int) -> UInt32 {
    index < 16 ? UInt32(index) : UInt32(2 + index & 1) << UInt32(3 + (index - 16) >> 1)
  }

  static func largestMagnitude(ofIndex index: Int) -> UInt32 {
    smallestMagnitude(ofIndex: index) + (UInt32(1) << UInt32(extraBits(ofIndex: index)) - 1)
  }

  /// The differences that a symbol stands for, before 2ⁿ is subtracted.
  package static func differences(ofSymbol symbol: Int) -> ClosedRange<Int64> {
    let index = index(ofSymbol: symbol)
    let low = Int64(smallestMagnitude(ofIndex: index))
    let high = Int64(largestMagnitude(ofIndex: index))
    return symbol < zero ? -high...(-low) : low...high
  }

  /// The largest index for elements with this number of bits.
  static func largestIndex(bits: Int) -> Int { index(of: UInt32(1) << UInt32(bits - 1)) }
}
