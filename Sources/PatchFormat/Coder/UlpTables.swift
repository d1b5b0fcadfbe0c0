/// A model laid out for coding.
struct UlpTables {
  /// Sixteen interleaved rANS states (spec, section 5.1).
  static let lanes = 16
  /// States stay in `lowest` ..< 2³² between elements.
  static let lowest: UInt32 = 1 << 16
  static let slotMask: UInt32 = 1 << UInt32(FrequencyTable.bits) - 1

  /// For each class 256 table numbers, by scale; `UlpModel.noTable` where there is none.
  let contexts: [UInt8]
  /// The same as offsets into `slots`. A scale without a table is not the base's: any table will do, since the
  /// result cannot have the fingerprint that is promised.
  let offsets: [UInt32]
  /// For each table and slot: the symbol (8 bits), its frequency − 1 (12 bits), slot − cumulative (12 bits).
  let slots: [UInt32]

  init(_ model: UlpModel) {
    contexts = model.maps.flatMap(\.expanded)
    offsets = contexts.map { $0 == UlpModel.noTable ? 0 : UInt32($0) << UInt32(FrequencyTable.bits) }
    slots = [UInt32](unsafeUninitializedCapacity: model.tables.count << FrequencyTable.bits) { buffer, count in
      var next = 0
      for table in model.tables {
        for symbol in 0..<256 {
          let f = UInt32(table.frequencies[symbol])
          for i in 0..<f {
            buffer[next] = UInt32(symbol) | (f - 1) << 8 | i << 20
            next += 1
          }
        }
      }
      count = next
    }
  }
}

/// Which tables could have coded the difference that led to a target value (spec, section 5.1.5).
///
/// A superset is enough: what cannot be is never consistent. Values are looked up in buckets of neighbours.
struct UlpCandidates<Word: UlpWord> {
  /// For each class and bucket of target values, one bit a table.
  private let masks: [UInt32]
  private static var bucketBits: Int { min(Word.bitWidth, 14) }
  private static var bucketShift: Int32 { Int32(Word.bitWidth - bucketBits) }

  init(_ model: UlpModel, exponentShift: Int, exponentBits: Int) {
    let buckets = 1 << Self.bucketBits
    var masks = [UInt32](repeating: 0, count: model.maps.count * buckets)
    let smallest = Int64(-1) << Int64(Word.bitWidth - 1)
    let size = Int64(1) << Int64(Word.bitWidth)
    for (c, map) in model.maps.enumerated() {
      let expanded = map.expanded.prefix(1 << exponentBits)
      var first = 0
      while first < expanded.count {
        var last = first
        while last + 1 < expanded.count, expanded[last + 1] == expanded[first] { last += 1 }
        defer { first = last + 1 }
        guard expanded[first] != UlpModel.noTable else { continue }
        // The base values of these scales: one interval above zero, its mirror below.
        let low = first == 0 ? 0 : first == 1 ? 1 : Int64(first) << Int64(exponentShift)
        let high = last == 0 ? 0 : Int64(last + 1) << Int64(exponentShift) - 1
        let differences = model.tables[Int(expanded[first])].differences
        for (baseLow, baseHigh) in [(low, high), (-1 - high, -1 - low)] {
          let from = baseLow + differences.lowerBound
          let length = min(baseHigh + differences.upperBound - from + 1, size)
          // Modulo 2ⁿ, bucket by bucket.
          var bucket = (from - smallest) >> Int64(Self.bucketShift)
          let end = (from - smallest + length - 1) >> Int64(Self.bucketShift)
          let lastBucket = min(end, bucket + Int64(buckets) - 1)
          while bucket <= lastBucket {
            masks[c * buckets + Int(bucket & Int64(buckets - 1))] |= 1 << UInt32(expanded[first])
            bucket += 1
          }
        }
      }
    }
    self.masks = masks
  }

  @inline(__always)
  func tables(class c: Int, target ordered: Int32) -> UInt32 {
    let bucket = Int((ordered &>> Self.bucketShift) &+ Int32(1 << (Self.bucketBits - 1)))
    return masks[c << Self.bucketBits | bucket]
  }
}
