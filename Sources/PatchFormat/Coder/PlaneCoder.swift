// Differences and elements as byte planes: byte 0 of every element, then byte 1 of every element, and so on (spec,
// section 5). zstd finds repetitions in numbers only if bytes of the same significance are together.

package protocol PlaneWord: FixedWidthInteger, UnsignedInteger {}
extension UInt8: PlaneWord {}
extension UInt16: PlaneWord {}
extension UInt32: PlaneWord {}
extension UInt64: PlaneWord {}

/// Arithmetic on differences of elements of one width.
package struct Differences<Word: PlaneWord> {
  /// Whether elements are floats. Their differences are taken between ranks in the order of the values.
  package let isFloat: Bool

  @inline(__always)
  private func ordered(_ u: Word) -> Word {
    // Arithmetic shift of an unsigned word: all ones where the sign bit is set.
    let sign: Word = u &>> Word(Word.bitWidth - 1) == 0 ? 0 : Word.max &>> 1
    return isFloat ? u ^ sign : u
  }

  @inline(__always)
  package func difference(_ target: Word, _ base: Word) -> Word { ordered(target) &- ordered(base) }

  @inline(__always)
  package func target(_ base: Word, _ difference: Word) -> Word { ordered(ordered(base) &+ difference) }

  @inline(__always)
  package func base(_ target: Word, _ difference: Word) -> Word { ordered(ordered(target) &- difference) }

  @inline(__always)
  static func zigzag(_ d: Word) -> Word {
    d &<< 1 ^ (d &>> Word(Word.bitWidth - 1) == 0 ? 0 : Word.max)
  }

  @inline(__always)
  static func unzigzag(_ z: Word) -> Word { z &>> 1 ^ (z & 1 == 0 ? 0 : Word.max) }
}

enum Planes {
  /// Splits elements, given one by one, into planes.
  @inline(__always)
  package static func split<Word: PlaneWord>(_ count: Int, _: Word.Type, _ element: (Int) -> Word) -> [UInt8] {
    let width = Word.bitWidth / 8
    return [UInt8](unsafeUninitializedCapacity: count * width) { planes, initialized in
      for i in 0..<count {
        let value = element(i)
        for plane in 0..<width {
          planes[plane * count + i] = UInt8(truncatingIfNeeded: value &>> Word(8 * plane))
        }
      }
      initialized = count * width
    }
  }

  /// Returns element `i` of `count`.
  @inline(__always)
  package static func join<Word: PlaneWord>(_ planes: UnsafeRawBufferPointer, _ i: Int, of count: Int, _: Word.Type)
    -> Word
  {
    var value: Word = 0
    for plane in 0..<Word.bitWidth / 8 {
      value |= Word(truncatingIfNeeded: planes[plane * count + i]) &<< Word(8 * plane)
    }
    return value
  }
}

/// The sparse coder: gaps in LEB128, then the differences that are not zero (spec, section 5).
enum SparseCoder {
  package static func encode<Word: PlaneWord>(
    base: UnsafeBufferPointer<Word>, target: UnsafeBufferPointer<Word>, _ differences: Differences<Word>
  ) -> [UInt8] {
    var gaps: [UInt8] = []
    var values: [Word] = []
    var next = 0
    for i in 0..<base.count where base[i] != target[i] {
      var gap = UInt32(i - next)
      while gap >= 0x80 {
        gaps.append(UInt8(truncatingIfNeeded: gap) | 0x80)
        gap >>= 7
      }
      gaps.append(UInt8(gap))
      values.append(Differences.zigzag(differences.difference(target[i], base[i])))
      next = i + 1
    }
    return [UInt8](littleEndian: UInt32(values.count)) + gaps + Planes.split(values.count, Word.self) { values[$0] }
  }

  /// Calls `body` with the index and difference of each changed element.
  package static func decode<Word: PlaneWord>(
    _ bytes: [UInt8], count: Int, _: Word.Type, _ body: (Int, Word) -> Void
  ) throws(ChunkError) {
    guard bytes.count >= 4 else { throw ChunkError("ends within its data") }
    let changed = Int(bytes[0]) | Int(bytes[1]) << 8 | Int(bytes[2]) << 16 | Int(bytes[3]) << 24
    guard changed >= 1, changed <= count else { throw ChunkError("has an invalid number of changed elements") }
    var position = 4
    var indices: [Int] = []
    var next = 0
    for _ in 0..<changed {
      var gap = 0
      var shift = 0
      while true {
        guard position < bytes.count else { throw ChunkError("ends within its data") }
        let byte = bytes[position]
        position += 1
        gap |= Int(byte & 0x7F) << shift
        shift += 7
        if byte & 0x80 == 0 {
          guard byte != 0 || shift == 7 else { throw ChunkError("has a number that is not in its shortest form") }
          break
        }
        guard shift < 35 else { throw ChunkError("has a number that is not in its shortest form") }
      }
      guard gap < count - next else { throw ChunkError("changes an element beyond the end") }
      indices.append(next + gap)
      next += gap + 1
    }
    guard bytes.count - position == changed * (Word.bitWidth / 8) else {
      throw ChunkError("has data of the wrong length")
    }
    let values = (0..<changed).map { i in
      bytes.withUnsafeBytes { raw -> Word in
        Planes.join(UnsafeRawBufferPointer(rebasing: raw[position...]), i, of: changed, Word.self)
      }
    }
    guard values.allSatisfy({ $0 != 0 }) else { throw ChunkError("lists an unchanged element as changed") }
    for (index, value) in zip(indices, values) { body(index, Differences.unzigzag(value)) }
  }
}
