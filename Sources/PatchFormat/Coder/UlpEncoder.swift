// Writes a chunk of the ulp coder (spec, section 5.1). A rANS encoder works backwards: the last element first, so
// that the decoder meets the first one first.

enum UlpEncoder {
  /// The data of a chunk, without the coder byte.
  /// - Parameter rowLength: elements in a row of the tensor, where there are rows.
  static func encode<Word: UlpWord>(
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
        rowLength: rowLength.flatMap { $0 % lanes == 0 && $0 / 16 <= 1 << 22 ? $0 : nil }))
    let tables = UlpTables(model)
    let (states, words) = encodeSymbols(
      model, tables, scales: scales, symbols: symbols, count: count, slots: slots)
    let choices = choiceBits(model, tables, base: base, target: target, format: format, slots: slots, extra: extra.bytes)

    var bits = BitWriter()
    model.write(to: &bits)
    var out = bits.bytes
    print("DBG n", count, "K", model.maps.count, "M", model.tables.count, "model", bits.bytes.count, "extra", extra.bytes.count, "choice", choices.count, "words", words.count * 2)
    out += [UInt8](littleEndian: UInt32(extra.bytes.count))
    out += [UInt8](littleEndian: UInt32(choices.count))
    out += extra.bytes
    out += choices
    for state in states { out += [UInt8](littleEndian: state) }
    out.reserveCapacity(out.count + words.count * 2)
    for word in words.reversed() {
      out.append(UInt8(truncatingIfNeeded: word))
      out.append(UInt8(truncatingIfNeeded: word >> 8))
    }
    return out
  }

  private static let lanes = UlpTables.lanes

  /// Codes the symbols, last to first, and notes the slot at which the decoder will find each.
  /// - Returns: the decoder's initial states, and the words in the reverse of the order of reading.
  private static func encodeSymbols(
    _ model: UlpModel, _ tables: UlpTables, scales: UnsafeMutableBufferPointer<UInt8>,
    symbols: UnsafeMutableBufferPointer<UInt8>, count: Int, slots: UnsafeMutableBufferPointer<UInt16>
  ) -> (states: [UInt32], words: [UInt16]) {
    var states = [UInt32](repeating: UlpTables.lowest, count: lanes)
    var words: [UInt16] = []
    words.reserveCapacity(count / 4)
    // Frequency (16 bits) and cumulative frequency (16 bits) for each table and symbol.
    var intervals = [UInt32](repeating: 0, count: model.tables.count << 8)
    for (t, table) in model.tables.enumerated() {
      var cumulative: UInt32 = 0
      for s in 0..<256 {
        intervals[t << 8 | s] = UInt32(table.frequencies[s]) | cumulative << 16
        cumulative += UInt32(table.frequencies[s])
      }
    }
    states.withUnsafeMutableBufferPointer { states in
      intervals.withUnsafeBufferPointer { intervals in
        tables.contexts.withUnsafeBufferPointer { contexts in
          for group in model.classes.indices.reversed() {
            let map = Int(model.classes[group]) << 8
            let first = group * model.groupSize
            var i = min(first + model.groupSize, count) - 1
            while i >= first {
              let interval = intervals[Int(contexts[map | Int(scales[i])]) << 8 | Int(symbols[i])]
              let frequency = interval & 0xFFFF
              var x = states[i & 15]
              if UInt64(x) >= UInt64(frequency) << 20 {
                words.append(UInt16(truncatingIfNeeded: x))
                x >>= 16
              }
              let (quotient, rest) = x.quotientAndRemainder(dividingBy: frequency)
              x = quotient << UInt32(FrequencyTable.bits) + rest + interval >> 16
              states[i & 15] = x
              slots[i] = UInt16(truncatingIfNeeded: x & UlpTables.slotMask)
              i -= 1
            }
          }
        }
      }
    }
    return (states, words)
  }

  /// The bits that tell a decoder that knows the target, and not the base, which table each element used.
  private static func choiceBits<Word: UlpWord>(
    _ model: UlpModel, _ tables: UlpTables, base: UnsafeBufferPointer<Word>, target: UnsafeBufferPointer<Word>,
    format: ElementFormat, slots: UnsafeMutableBufferPointer<UInt16>, extra: [UInt8]
  ) -> [UInt8] {
    var choices = BitWriter()
    extra.withUnsafeBytes { extra in
      let resolver = UlpResolver<Word>(model, tables, format: format)
      var bits = BitReader(extra)
      for (group, c) in model.classes.enumerated() {
        let first = group * model.groupSize
        for i in first..<min(first + model.groupSize, base.count) {
          let slot = UInt32(slots[i])
          let table = resolver.context(class: Int(c), base[i])
          let others = resolver.others(class: Int(c), target[i])
          if others != 0 {
            let consistent = resolver.consistent(class: Int(c), target[i], others: others, slot: slot, bits)
            for candidate in consistent.dropLast() {
              choices.write(candidate == table ? 1 : 0, 1)
              if candidate == table { break }
            }
          }
          bits.skip(resolver.extraBits(table: table, slot: slot))
        }
      }
    }
    choices.align()
    return choices.bytes
  }
}
