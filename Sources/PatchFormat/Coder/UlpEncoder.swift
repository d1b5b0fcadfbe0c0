import CKernels
import Checkpoints
import Glibc

// Encodes a chunk of the ulp coder (spec, section 5.1). A rANS encoder works backwards: it encodes the last element
// first, so that the decoder gets the first one first.

enum UlpEncoder {
  /// The data of a chunk, without the coder byte.
  /// - Parameter rowLength: elements per row of the tensor; nil without rows.
  package static func encode<Word: UlpWord>(
    base: UnsafeBufferPointer<Word>, target: UnsafeBufferPointer<Word>, format: ElementFormat, rowLength: Int?
  ) -> [UInt8] {
    let count = base.count
    let scales = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(count, 1))
    let symbols = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(count, 1))
    let slots = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: max(count, 1))
    defer {
      scales.deallocate()
      symbols.deallocate()
      slots.deallocate()
    }
    var extra = BitWriter()
    let scale = UlpScale<Word>(format)
    for i in 0..<count {
      let difference = Word.difference(target[i], base[i])
      scales[i] = UInt8(truncatingIfNeeded: scale.of(base[i]))
      let index = UlpSymbol.index(of: difference.magnitude)
      symbols[i] = UInt8(truncatingIfNeeded: difference < 0 ? UlpSymbol.zero - index : UlpSymbol.zero + index)
      if index >= 16 {
        let bits = UlpSymbol.extraBits(ofIndex: index)
        extra.write(difference.magnitude & (1 << UInt32(bits) - 1), bits)
      }
    }
    extra.align()

    let model = UlpModel.fit(
      UlpStatistics(
        scales: UnsafeBufferPointer(rebasing: scales[..<count]),
        symbols: UnsafeBufferPointer(rebasing: symbols[..<count]),
        rowLength: rowLength.flatMap { $0 % lanes == 0 && $0 / lanes <= 1 << 22 ? $0 : nil }))
    let tables = UlpTables(model)
    let (states, words) = encodeSymbols(
      model, tables, scales: scales, symbols: symbols, count: count, slots: slots)
    let choices = choiceBits(
      model, tables, base: base, target: target, format: format, slots: slots, extra: extra.bytes)

    var bits = BitWriter()
    model.write(to: &bits)
    var out = bits.bytes
    out += [UInt8](littleEndian: UInt32(extra.bytes.count))
    out += [UInt8](littleEndian: UInt32(choices.count))
    out += extra.bytes
    out += choices
    for state in states { out += [UInt8](littleEndian: state) }
    out += words
    return out
  }

  private static let lanes = UlpTables.lanes

  /// Encodes the symbols, last to first, and records the slot that the decoder will see for each.
  /// - Returns: the decoder's initial states, and the words in reading order, as bytes.
  private static func encodeSymbols(
    _ model: UlpModel, _ tables: UlpTables, scales: UnsafeMutableBufferPointer<UInt8>,
    symbols: UnsafeMutableBufferPointer<UInt8>, count: Int, slots: UnsafeMutableBufferPointer<UInt16>
  ) -> (states: [UInt32], words: [UInt8]) {
    let intervals = SymbolInterval.all(of: model)
    var states = [UInt32](repeating: UlpTables.lowest, count: lanes)
    // A symbol takes at most twelve bits. The words are written from the end downwards.
    let words = UnsafeMutablePointer<UInt16>.allocate(capacity: count + 1)
    defer { words.deallocate() }
    var next = count + 1
    states.withUnsafeMutableBufferPointer { states in
      intervals.withUnsafeBufferPointer { intervals in
        for group in model.classes.indices.reversed() {
          let map = tables.contexts + Int(model.classes[group]) << 8
          let first = group * model.groupSize
          var i = min(first + model.groupSize, count) - 1
          while i >= first {
            let interval = intervals[Int(map[Int(scales[i])]) << 8 | Int(symbols[i])]
            var x = states[i & (lanes - 1)]
            if x >= interval.limit {
              next &-= 1
              words[next] = UInt16(truncatingIfNeeded: x).littleEndian
              x &>>= 16
            }
            // x / frequency · 4096 + x mod frequency + cumulative
            x = x &+ interval.quotient(x) &* (4096 &- interval.frequency) &+ interval.cumulative
            states[i & (lanes - 1)] = x
            slots[i] = UInt16(truncatingIfNeeded: x & UlpTables.slotMask)
            i &-= 1
          }
        }
      }
    }
    return (states, Array(UnsafeRawBufferPointer(start: words + next, count: (count + 1 - next) * 2)))
  }

  /// The choice bits: they tell a decoder that knows the target, not the base, which table each element used.
  private static func choiceBits<Word: UlpWord>(
    _ model: UlpModel, _ tables: UlpTables, base: UnsafeBufferPointer<Word>, target: UnsafeBufferPointer<Word>,
    format: ElementFormat, slots: UnsafeMutableBufferPointer<UInt16>, extra: [UInt8]
  ) -> [UInt8] {
    if Word.bitWidth == 16, Kernel.chosen == .avx2 {
      return choiceBitsWithKernel(model, tables, base: base, target: target, format: format, slots: slots, extra: extra)
    }
    var choices = BitWriter()
    extra.withUnsafeBytes { extra in
      let resolver = UlpResolver<Word>(model, tables, format: format)
      var bits = BitReader(extra)
      for (group, c) in model.classes.enumerated() {
        let map = resolver.map(ofClass: Int(c))
        var i = group * model.groupSize
        let end = min(i + model.groupSize, base.count)
        while i < end {
          let slot = UInt32(slots[i])
          let table = resolver.context(map, base[i])
          if resolver.onlyConsistent(map, target[i], slot: slot, bits) == nil {
            var found = resolver.consistent(map, target[i], slot: slot, bits)
            found.keep { candidate in
              choices.write(candidate == table ? 1 : 0, 1)
              return candidate == table
            }
          }
          bits.skip(resolver.extraBits(table: table, slot: slot))
          i &+= 1
        }
      }
    }
    choices.align()
    return choices.bytes
  }
}

extension UlpEncoder {
  private static func choiceBitsWithKernel<Word: UlpWord>(
    _ model: UlpModel, _ tables: UlpTables, base: UnsafeBufferPointer<Word>, target: UnsafeBufferPointer<Word>,
    format: ElementFormat, slots: UnsafeMutableBufferPointer<UInt16>, extra: [UInt8]
  ) -> [UInt8] {
    // Up to 30 bits per element; nearly all elements need none. `calloc`: untouched pages cost nothing.
    let room = base.count * 30
    let bits = calloc(room / 8 + 1, 1)!.assumingMemoryBound(to: UInt8.self)
    defer { free(bits) }
    let values = UnsafeRawPointer(base.baseAddress!).assumingMemoryBound(to: UInt16.self)
    let count = extra.withUnsafeBytes { extra in
      UlpResolver<Word>(model, tables, format: format).withKernel(target: target, extra: extra) {
        vp_ulp16_find_choices_avx2($0, values, slots.baseAddress, bits, room)
      }
    }
    precondition(count <= room, "a difference that could not be decoded backwards")
    return Array(UnsafeBufferPointer(start: bits, count: (count + 7) / 8))
  }
}

/// The position of a symbol among the 4,096 slots of its table, with constants for division by its frequency.
private struct SymbolInterval {
  let frequency: UInt32
  let cumulative: UInt32
  /// A state of this size or more first emits a word.
  let limit: UInt32
  /// With k = ⌈log₂ frequency⌉: ⌈2ᵏ⁺³² / frequency⌉ − 2³², and k. Multiplication is faster than division (Granlund and
  /// Montgomery, 1994).
  private let factor: UInt32
  private let shift: UInt32

  private init(frequency: UInt32, cumulative: UInt32) {
    self.frequency = frequency
    self.cumulative = cumulative
    // With a frequency of 4,096 a state never overflows.
    limit = frequency >= 4096 ? .max : frequency << 20
    shift = UInt32(32 - (max(frequency, 1) - 1).leadingZeroBitCount)
    let power = UInt64(1) << UInt64(shift + 32)
    factor = frequency == 0 ? 0 : UInt32(truncatingIfNeeded: (power + UInt64(frequency) - 1) / UInt64(frequency))
  }

  /// ⌊x / frequency⌋, exact for every x.
  @inline(__always)
  func quotient(_ x: UInt32) -> UInt32 {
    let high = UInt32(truncatingIfNeeded: (UInt64(x) &* UInt64(factor)) &>> 32)
    let sum = UInt64(high) &+ UInt64(x)
    return UInt32(truncatingIfNeeded: sum &>> UInt64(shift))
  }

  /// Shape (tables, 256).
  static func all(of model: UlpModel) -> [SymbolInterval] {
    model.tables.flatMap { table in
      var cumulative: UInt32 = 0
      return table.frequencies.map { frequency in
        defer { cumulative += UInt32(frequency) }
        return SymbolInterval(frequency: UInt32(frequency), cumulative: cumulative)
      }
    }
  }
}
