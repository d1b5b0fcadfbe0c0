/// Writes bits, least significant first (spec, section 1).
struct BitWriter {
  package private(set) var bytes: [UInt8] = []
  private var pending: UInt64 = 0
  private var pendingCount = 0

  /// Appends the lower `count` bits of `value`; at most 32.
  @inline(__always)
  package mutating func write(_ value: UInt32, _ count: Int) {
    pending |= UInt64(value) << UInt64(pendingCount)
    pendingCount += count
    while pendingCount >= 8 {
      bytes.append(UInt8(truncatingIfNeeded: pending))
      pending >>= 8
      pendingCount -= 8
    }
  }

  /// Pads the last byte with zero bits.
  mutating func align() {
    if pendingCount > 0 { write(0, 8 - pendingCount) }
  }
}

/// Reads what `BitWriter` wrote. Bits beyond the end are zero; see `isExhausted`.
struct BitReader {
  package let bytes: UnsafeRawBufferPointer
  package private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Whether more bits were read than exist.
  package var isExhausted: Bool { position > bytes.count * 8 }

  /// Returns the next `count` bits (at most 32) without consuming them.
  @inline(__always)
  package func peek(_ count: Int) -> UInt32 {
    let first = position >> 3
    var word: UInt64 = 0
    if first + 8 <= bytes.count {
      word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: first, as: UInt64.self))
    } else {
      var i = first
      while i < bytes.count {
        word |= UInt64(bytes[i]) << UInt64((i - first) * 8)
        i += 1
      }
    }
    return UInt32(truncatingIfNeeded: (word >> UInt64(position & 7)) & ((1 << UInt64(count)) - 1))
  }

  @inline(__always)
  package mutating func skip(_ count: Int) { position += count }

  @inline(__always)
  package mutating func read(_ count: Int) -> UInt32 {
    let value = peek(count)
    position += count
    return value
  }

  /// Skips to the next whole byte.
  /// - Returns: whether the skipped bits were zero.
  mutating func align() -> Bool {
    let rest = (8 - position & 7) & 7
    return read(rest) == 0
  }

  /// Whether everything was read except fewer than eight zero bits.
  package var isAtEnd: Bool {
    let rest = bytes.count * 8 - position
    return rest >= 0 && rest < 8 && peek(rest) == 0
  }
}
