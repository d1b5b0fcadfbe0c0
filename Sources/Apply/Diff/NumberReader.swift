import Checkpoints

/// Converts the bytes of a dtype to numbers. All values are exact, except 64-bit integers beyond ±2⁵³.
struct NumberReader: Sendable {
  typealias Numbers = UnsafeMutablePointer<Double>

  package let width: Int
  package let numbers: Change.Numbers
  /// Reads `count` elements, little-endian and aligned to their width, into `out`.
  package let read: @Sendable (_ bytes: UnsafeRawPointer, _ count: Int, _ out: Numbers) -> Void

  /// Nil for an unknown dtype.
  init?(_ dtype: DType) {
    guard dtype.isKnown else { return nil }
    width = dtype.element.width
    numbers = dtype.element.isFloat ? .floats : .integers
    switch dtype.name {
    case "BF16":
      read = { Self.convert($0, $1, $2) { (x: UInt16) in Double(Float(bitPattern: UInt32(x) << 16)) } }
    case "F16": read = { Self.convert($0, $1, $2) { (x: UInt16) in Self.half(UInt32(x)) } }
    case "F32": read = { Self.convert($0, $1, $2) { (x: UInt32) in Double(Float(bitPattern: x)) } }
    case "F64": read = { Self.convert($0, $1, $2) { (x: UInt64) in Double(bitPattern: x) } }
    // E5M2 is the upper byte of F16.
    case "F8_E5M2": read = { Self.convert($0, $1, $2) { (x: UInt8) in Self.half(UInt32(x) << 8) } }
    case "F8_E4M3": read = { Self.convert($0, $1, $2) { (x: UInt8) in Self.e4m3(UInt32(x)) } }
    case "I64": read = { Self.convert($0, $1, $2) { (x: Int64) in Double(x) } }
    case "U64": read = { Self.convert($0, $1, $2) { (x: UInt64) in Double(x) } }
    case "I32": read = { Self.convert($0, $1, $2) { (x: Int32) in Double(x) } }
    case "U32": read = { Self.convert($0, $1, $2) { (x: UInt32) in Double(x) } }
    case "I16": read = { Self.convert($0, $1, $2) { (x: Int16) in Double(x) } }
    case "U16": read = { Self.convert($0, $1, $2) { (x: UInt16) in Double(x) } }
    case "I8": read = { Self.convert($0, $1, $2) { (x: Int8) in Double(x) } }
    case "U8", "BOOL": read = { Self.convert($0, $1, $2) { (x: UInt8) in Double(x) } }
    default: return nil
    }
  }

  @inline(__always)
  private static func convert<T>(
    _ bytes: UnsafeRawPointer, _ count: Int, _ out: Numbers, _ value: (T) -> Double
  ) {
    let elements = bytes.assumingMemoryBound(to: T.self)
    for i in 0..<count { out[i] = value(elements[i]) }
  }

  /// Sign, 5 bits of exponent (bias 15), 10 of mantissa. Integer arithmetic without branches, so that the loop is
  /// vectorised.
  @inline(__always)
  private static func half(_ x: UInt32) -> Double {
    let magnitude = (x & 0x7FFF) << 13
    let isSpecial = magnitude >= 0x1F << 23
    let isSmall = magnitude < 1 << 23
    // Moves the exponent to a float's. A subnormal gets the exponent 1, whose implicit one is subtracted again.
    let bits = magnitude &+ (isSpecial ? 224 << 23 : isSmall ? 113 << 23 : 112 << 23)
    let value = Float(bitPattern: bits) - (isSmall ? Float(bitPattern: 113 << 23) : 0)
    return Double(Float(bitPattern: value.bitPattern | (x & 0x8000) << 16))
  }

  /// Sign, 4 bits of exponent (bias 7), 3 of mantissa. No infinities; only all ones are NaN.
  @inline(__always)
  private static func e4m3(_ x: UInt32) -> Double {
    let magnitude = (x & 0x7F) << 20
    let isSmall = magnitude < 1 << 23
    let bits = x & 0x7F == 0x7F ? 0x7FC0_0000 : magnitude &+ (isSmall ? 121 << 23 : 120 << 23)
    let value = Float(bitPattern: bits) - (isSmall ? Float(bitPattern: 121 << 23) : 0)
    return Double(Float(bitPattern: value.bitPattern | (x & 0x80) << 24))
  }
}
