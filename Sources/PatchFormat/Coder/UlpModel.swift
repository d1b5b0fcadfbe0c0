// The "model" part of a chunk of the ulp coder, as bits (spec, section 5.1.1):
//
//   2 bits   K − 1 classes          5 bits   M − 1 tables
//   K > 1:   22 bits  G/32 − 1: elements in a group
//   K maps:  8 bits first scale E, 8 bits L − 1, the table of E in 5 bits, then for each further scale
//            0 = the same as the scale before, or 1 and its table in 5 bits; 31 = no table
//   M tables (section 5.1.3)
//   K > 1:   the class of each group, 1 bit for K = 2, else 2
//   zero bits up to a whole byte

/// The frequency tables, and which of them each element uses.
struct UlpModel: Equatable {
  /// Elements per group. All elements of a group have the same class.
  var groupSize: Int
  /// The class of each group.
  package var classes: [UInt8]
  package var maps: [ContextMap]
  package var tables: [FrequencyTable]

  /// Maps scales to tables, for one class.
  struct ContextMap: Equatable {
    package let first: Int
    /// The tables of the scales from `first` on; `noTable` for scales that do not occur in the base.
    package let tables: [UInt8]

    /// The table of every scale 0 … 255.
    var expanded: [UInt8] {
      (0..<256).map { tables.indices.contains($0 - first) ? tables[$0 - first] : UlpModel.noTable }
    }
  }

  static let maximumTables = 31
  static let noTable: UInt8 = 31

  package func write(to bits: inout BitWriter) {
    bits.write(UInt32(maps.count - 1), 2)
    bits.write(UInt32(tables.count - 1), 5)
    if maps.count > 1 { bits.write(UInt32(groupSize / UlpTables.lanes - 1), 22) }
    for map in maps {
      bits.write(UInt32(map.first), 8)
      bits.write(UInt32(map.tables.count - 1), 8)
      bits.write(UInt32(map.tables[0]), 5)
      for (previous, table) in zip(map.tables, map.tables.dropFirst()) {
        bits.write(table == previous ? 0 : 1, 1)
        if table != previous { bits.write(UInt32(table), 5) }
      }
    }
    for table in tables { table.write(to: &bits) }
    if maps.count > 1 {
      for c in classes { bits.write(UInt32(c), maps.count == 2 ? 1 : 2) }
    }
    bits.align()
  }

  /// - Parameter count: elements in the chunk.
  init(from bits: inout BitReader, count: Int, largestIndex: Int) throws(ChunkError) {
    let classCount = Int(bits.read(2)) + 1
    let tableCount = Int(bits.read(5)) + 1
    guard tableCount <= Self.maximumTables else { throw ChunkError("has more than 31 frequency tables") }
    groupSize = classCount > 1 ? (Int(bits.read(22)) + 1) * UlpTables.lanes : max(count, 1)
    maps = []
    for _ in 0..<classCount {
      let first = Int(bits.read(8))
      let length = Int(bits.read(8)) + 1
      guard first + length <= 256 else { throw ChunkError("has a context map beyond the last scale") }
      var tables = [UInt8(bits.read(5))]
      for _ in 1..<length {
        tables.append(bits.read(1) == 0 ? tables.last! : UInt8(bits.read(5)))
      }
      guard tables.allSatisfy({ $0 < tableCount || $0 == Self.noTable }) else {
        throw ChunkError("refers to a missing frequency table")
      }
      guard !bits.isExhausted else { throw ChunkError("ends within its model") }
      maps.append(ContextMap(first: first, tables: tables))
    }
    tables = []
    for _ in 0..<tableCount { tables.append(try FrequencyTable(from: &bits, largestIndex: largestIndex)) }
    let groupCount = (count + groupSize - 1) / groupSize
    classes = [UInt8](repeating: 0, count: groupCount)
    if classCount > 1 {
      let width = classCount == 2 ? 1 : 2
      guard bits.position + groupCount * width <= bits.bytes.count * 8 else {
        throw ChunkError("ends within its model")
      }
      for i in 0..<groupCount {
        classes[i] = UInt8(bits.read(width))
        guard classes[i] < classCount else { throw ChunkError("refers to a missing class") }
      }
    }
    guard bits.align(), !bits.isExhausted else { throw ChunkError("ends within its model") }
  }

  init(groupSize: Int, classes: [UInt8], maps: [ContextMap], tables: [FrequencyTable]) {
    self.groupSize = groupSize
    self.classes = classes
    self.maps = maps
    self.tables = tables
  }
}

/// The frequencies of the symbols 0 … 255, with the sum 4,096 (spec, section 5.1.3).
struct FrequencyTable: Equatable {
  package static let bits = 12
  package static let total = 1 << bits

  /// 256 frequencies.
  package private(set) var frequencies: [UInt16]
  /// The symbol that gets the rest of the sum.
  private let remainder: Int

  /// The largest number up to `frequency` that can be written with four significant bits.
  static func representable(_ frequency: Int) -> Int {
    let n = Int.bitWidth - frequency.leadingZeroBitCount
    return n <= 4 ? frequency : (frequency >> (n - 4)) << (n - 4)
  }

  /// - Parameter counts: how often each of the 256 symbols occurs; at least one is not zero.
  init(counts: [UInt32]) {
    let total = counts.reduce(0) { $0 + Int($1) }
    let top = counts.indices.max { counts[$0] < counts[$1] }!
    frequencies = [UInt16](repeating: 0, count: 256)
    remainder = top
    var left = Self.total
    // Rounding errors are carried over, so that they do not all fall on the most frequent symbol.
    var owed = 0
    for symbol in counts.indices where symbol != top && counts[symbol] > 0 {
      let exact = Int(counts[symbol]) * (Self.total << 8) / total
      let wanted = max(exact + owed, 1 << 8)
      let lower = Self.representable(max(wanted >> 8, 1))
      let n = Int.bitWidth - lower.leadingZeroBitCount
      let upper = lower + 1 << max(n - 4, 0)
      let chosen = wanted - lower << 8 <= upper << 8 - wanted ? lower : upper
      frequencies[symbol] = UInt16(chosen)
      owed = max(-(exact / 4), min(exact / 4, exact + owed - chosen << 8))
      left -= chosen
    }
    // Many rare symbols, each with the minimum frequency, can exceed the total.
    while left < 1 {
      let largest = frequencies.indices.max { frequencies[$0] < frequencies[$1] }!
      let lower = Self.representable(Int(frequencies[largest]) - 1)
      left += Int(frequencies[largest]) - lower
      frequencies[largest] = UInt16(lower)
    }
    frequencies[top] = UInt16(left)
  }

  private var span: ClosedRange<Int> {
    frequencies.firstIndex { $0 > 0 }!...frequencies.lastIndex { $0 > 0 }!
  }

  package func write(to bits: inout BitWriter) {
    bits.write(UInt32(span.lowerBound), 8)
    bits.write(UInt32(span.count - 1), 8)
    bits.write(UInt32(remainder - span.lowerBound), 8)
    var previous = 6
    for symbol in span where symbol != remainder {
      let f = Int(frequencies[symbol])
      let n = Int.bitWidth - f.leadingZeroBitCount
      switch n - previous {
      case 0: bits.write(0, 1)
      case 1: bits.write(0b001, 3)
      case -1: bits.write(0b101, 3)
      default: bits.write(UInt32(0b11 | n << 2), 6)
      }
      previous = n
      if n > 0 {
        let m = min(n - 1, 3)
        bits.write(UInt32(f >> (n - 1 - m)) & (1 << UInt32(m) - 1), m)
      }
    }
  }

  init(from bits: inout BitReader, largestIndex: Int) throws(ChunkError) {
    let first = Int(bits.read(8))
    let length = Int(bits.read(8)) + 1
    remainder = first + Int(bits.read(8))
    guard first >= UlpSymbol.zero - largestIndex, first + length - 1 <= UlpSymbol.zero + largestIndex,
      remainder < first + length
    else { throw ChunkError("has a frequency table with symbols that its dtype does not have") }
    frequencies = [UInt16](repeating: 0, count: 256)
    var left = Self.total
    var n = 6
    for symbol in first..<first + length where symbol != remainder {
      if bits.read(1) == 1 {
        n = bits.read(1) == 1 ? Int(bits.read(4)) : bits.read(1) == 0 ? n + 1 : n - 1
      }
      guard 0...12 ~= n else { throw ChunkError("has a frequency of more than twelve bits") }
      guard n > 0 else { continue }
      let m = min(n - 1, 3)
      let f = 1 << (n - 1) + Int(bits.read(m)) << (n - 1 - m)
      frequencies[symbol] = UInt16(f)
      left -= f
      guard left >= 1 else { throw ChunkError("has frequencies that add up to more than 4096") }
    }
    guard !bits.isExhausted else { throw ChunkError("ends within its model") }
    frequencies[remainder] = UInt16(left)
  }
}

/// Why a chunk cannot be decoded.
package struct ChunkError: Error, Equatable, Sendable {
  package let reason: String
  package init(_ reason: String) { self.reason = reason }
}
