import Checkpoints

/// A model prepared for coding: plain memory, since every element needs several lookups here.
final class UlpTables {
  /// Number of interleaved rANS states (spec, section 5.1).
  package static let lanes = 32
  /// States stay in `lowest` ..< 2³² between elements.
  package static let lowest: UInt32 = 1 << 16
  static let slotMask: UInt32 = 1 << UInt32(FrequencyTable.bits) - 1

  /// (classes, 256) table numbers, by scale; `UlpModel.noTable` where there is none.
  let contexts: UnsafeMutablePointer<UInt8>
  /// (classes, 256) the same as offsets into `slots`; `UInt32.max` where there is none. A scale without a table does
  /// not occur in the base.
  package let offsets: UnsafeMutablePointer<UInt32>
  /// (tables, 4096) the symbol (8 bits), its frequency − 1 (12 bits), slot − cumulative (12 bits).
  package let slots: UnsafeMutablePointer<UInt32>

  init(_ model: UlpModel) {
    let contextCount = model.maps.count << 8
    contexts = .allocate(capacity: contextCount)
    offsets = .allocate(capacity: contextCount)
    slots = .allocate(capacity: model.tables.count << FrequencyTable.bits)
    for (c, map) in model.maps.enumerated() {
      for (scale, table) in map.expanded.enumerated() {
        contexts[c << 8 | scale] = table
        offsets[c << 8 | scale] = table == UlpModel.noTable ? .max : UInt32(table) << UInt32(FrequencyTable.bits)
      }
    }
    var next = 0
    for table in model.tables {
      for (symbol, frequency) in table.frequencies.enumerated() where frequency > 0 {
        let entry = UInt32(symbol) | (UInt32(frequency) - 1) << 8
        // Written for vectorisation: there are as many slots as a small chunk has elements.
        let first = slots + next
        for i in 0..<Int(frequency) { first[i] = entry &+ UInt32(truncatingIfNeeded: i) &<< 20 }
        next += Int(frequency)
      }
    }
  }

  deinit {
    contexts.deallocate()
    offsets.deallocate()
    slots.deallocate()
  }
}

/// Which tables can have coded the difference that led to a target value (spec, section 5.1.5).
///
/// A superset is enough: impossible tables fail the consistency check later. Lookups use a bucket of neighbouring
/// values and a slice of neighbouring slots, which in a table stand for neighbouring differences.
final class UlpCandidates<Word: UlpWord> {
  /// For each class the table that only zeros use, as a bit. The masks leave it out: changes of zeros are large and
  /// spread widely, so this table would be a candidate for half of all values.
  let zeroTables: [UInt32]
  /// (classes, buckets, slices) one bit per table.
  let masks: UnsafeMutablePointer<UInt32>
  private static var bucketBits: Int { min(Word.bitWidth, 13) }
  private static var bucketShift: Int32 { Int32(Word.bitWidth - bucketBits) }
  private static var sliceBits: Int { 4 }
  private static var sliceShift: Int { FrequencyTable.bits - sliceBits }

  init(_ model: UlpModel, _ tables: UlpTables, _ format: ElementFormat) {
    let count = model.maps.count << (Self.bucketBits + Self.sliceBits)
    masks = .allocate(capacity: count)
    masks.initialize(repeating: 0, count: count)
    zeroTables = model.maps.map { map in
      let all = map.expanded
      return all[0] == UlpModel.noTable || all.dropFirst().contains(all[0]) ? 0 : 1 << UInt32(all[0])
    }
    for (c, map) in model.maps.enumerated() {
      let expanded = map.expanded.prefix(1 << format.exponentBits)
      var first = 0
      while first < expanded.count {
        var last = first
        while last + 1 < expanded.count, expanded[last + 1] == expanded[first] { last += 1 }
        if expanded[first] != UlpModel.noTable, 1 << UInt32(expanded[first]) != zeroTables[c] {
          mark(expanded[first], tables, class: c, Self.values(ofScales: first...last, format))
        }
        first = last + 1
      }
    }
  }

  deinit { masks.deallocate() }

  /// The ranks of the positive values of some scales. The ranks of the negative values mirror them at −½.
  private static func values(ofScales scales: ClosedRange<Int>, _ format: ElementFormat) -> ClosedRange<Int64> {
    // Scale 0 is only zero. Scale 1 includes the subnormals.
    let low =
      scales.lowerBound <= 1 ? Int64(scales.lowerBound) : Int64(scales.lowerBound) << Int64(format.exponentShift)
    let high = scales.upperBound == 0 ? 0 : Int64(scales.upperBound + 1) << Int64(format.exponentShift) - 1
    return low...high
  }

  private func mark(_ table: UInt8, _ tables: UlpTables, class c: Int, _ values: ClosedRange<Int64>) {
    for slice in 0..<1 << Self.sliceBits {
      let slots = tables.slots + Int(table) << FrequencyTable.bits + slice << Self.sliceShift
      let lowest = UlpSymbol.differences(ofSymbol: Int(slots[0] & 0xFF)).lowerBound
      let highest = UlpSymbol.differences(ofSymbol: Int(slots[1 << Self.sliceShift - 1] & 0xFF)).upperBound
      mark(table, class: c, slice, from: values.lowerBound + lowest, through: values.upperBound + highest)
      mark(table, class: c, slice, from: -1 - values.upperBound + lowest, through: -1 - values.lowerBound + highest)
    }
  }

  /// Marks the buckets of an interval of target values, modulo 2ⁿ.
  private func mark(_ table: UInt8, class c: Int, _ slice: Int, from low: Int64, through high: Int64) {
    let buckets = 1 << Self.bucketBits
    let smallest = Int64(-1) << Int64(Word.bitWidth - 1)
    let first = (low - smallest) >> Int64(Self.bucketShift)
    let last = min((high - smallest) >> Int64(Self.bucketShift), first + Int64(buckets) - 1)
    for bucket in first...last {
      masks[(c * buckets + Int(bucket) & (buckets - 1)) << Self.sliceBits | slice] |= 1 << UInt32(table)
    }
  }

  @inline(__always)
  package func tables(class c: Int, target ordered: Int32, slot: UInt32) -> UInt32 {
    let bucket = Int((ordered &>> Self.bucketShift) &+ Int32(1 << (Self.bucketBits - 1)))
    return masks[(c &<< Self.bucketBits | bucket) &<< Self.sliceBits | Int(slot) &>> Self.sliceShift]
  }
}
