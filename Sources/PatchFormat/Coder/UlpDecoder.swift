import CKernels

// Reads a chunk of the ulp coder in both directions (spec, section 5.1). The portable code here is the reference:
// the kernels in C decode the same bits faster, on processors that have the instructions.

/// A chunk of the ulp coder, taken apart but not yet decoded.
struct UlpDecoder<Word: UlpWord> {
  private let model: UlpModel
  private let tables: UlpTables
  private let format: ElementFormat
  private let count: Int
  private let extra: UnsafeRawBufferPointer
  private let choices: UnsafeRawBufferPointer
  private let initialStates: [UInt32]
  private let words: UnsafeRawBufferPointer

  /// - Parameter data: the chunk without its coder byte; must outlive the decoder.
  init(_ data: UnsafeRawBufferPointer, count: Int, format: ElementFormat) throws(ChunkError) {
    var bits = BitReader(data)
    model = try UlpModel(from: &bits, count: count, largestIndex: UlpSymbol.largestIndex(bits: Word.bitWidth))
    tables = UlpTables(model)
    self.format = format
    self.count = count
    var position = bits.position / 8
    func take(_ length: Int) throws(ChunkError) -> UnsafeRawBufferPointer {
      guard length <= data.count - position else { throw ChunkError("ends within its data") }
      defer { position += length }
      return UnsafeRawBufferPointer(rebasing: data[position..<position + length])
    }
    let lengths = try take(8)
    let extraCount = Int(UInt32(littleEndian: lengths.loadUnaligned(fromByteOffset: 0, as: UInt32.self)))
    let choiceCount = Int(UInt32(littleEndian: lengths.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
    extra = try take(extraCount)
    choices = try take(choiceCount)
    let states = try take(4 * UlpTables.lanes)
    initialStates = (0..<UlpTables.lanes).map {
      UInt32(littleEndian: states.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
    }
    guard initialStates.allSatisfy({ $0 >= UlpTables.lowest }) else { throw ChunkError("has an invalid initial state") }
    words = try take(data.count - position)
    guard words.count % 2 == 0 else { throw ChunkError("ends within a word") }
  }

  // MARK: Forward

  /// Target from base.
  func decode(
    base: UnsafeBufferPointer<Word>, into target: UnsafeMutableBufferPointer<Word>, kernel: Kernel
  ) throws(ChunkError) {
    var state = RansState(states: initialStates, words: words)
    var bits = BitReader(extra)
    var group = 0
    var done = 0
    if Word.bitWidth == 16, kernel != .portable {
      done = try decodeWithKernel(kernel, base: base, into: target, &state, &bits)
      group = done / model.groupSize
    }
    let scale = UlpScale<Word>(format)
    let limit = UInt32(1) << UInt32(Word.bitWidth - 1)
    var isValid = true
    state.withBuffers { state in
      tables.slots.withUnsafeBufferPointer { slots in
        tables.offsets.withUnsafeBufferPointer { offsets in
          while done < count, isValid {
            let map = Int(model.classes[group]) << 8
            let end = min((group + 1) * model.groupSize, count)
            for i in done..<end {
              let value = base[i]
              let offset = offsets[map | scale.of(value)]
              let symbol = state.step(i & 15, slots, offset: Int(offset))
              let index = abs(symbol - UlpSymbol.zero)
              var magnitude = UlpSymbol.smallestMagnitude(ofIndex: index)
              if index >= 16 {
                magnitude |= bits.read(UlpSymbol.extraBits(ofIndex: index))
                isValid = isValid && magnitude <= limit
              }
              let signed = Int32(bitPattern: magnitude)
              target[i] = Word(ordered: value.ordered &+ (symbol < UlpSymbol.zero ? 0 &- signed : signed))
            }
            isValid = isValid && !state.isExhausted && !bits.isExhausted
            done = end
            group += 1
          }
        }
      }
    }
    guard isValid else { throw ChunkError("has data that do not decode") }
    try finish(state, bits)
  }

  private func finish(_ state: RansState, _ bits: BitReader) throws(ChunkError) {
    guard state.isAtEnd, bits.isAtEnd else { throw ChunkError("does not end where its data end") }
  }

  /// Decodes as many elements as a kernel can: all but the last few.
  /// - Returns: how many.
  private func decodeWithKernel(
    _ kernel: Kernel, base: UnsafeBufferPointer<Word>, into target: UnsafeMutableBufferPointer<Word>,
    _ state: inout RansState, _ bits: inout BitReader
  ) throws(ChunkError) -> Int {
    let run = kernel == .avx512 ? vp_ulp16_decode_avx512 : vp_ulp16_decode_avx2
    var job = vp_ulp16_job()
    var failed = false
    state.states.withUnsafeMutableBufferPointer { states in
      model.classes.withUnsafeBufferPointer { classes in
        tables.slots.withUnsafeBufferPointer { slots in
          tables.offsets.withUnsafeBufferPointer { offsets in
            job.base = UnsafeRawPointer(base.baseAddress!).assumingMemoryBound(to: UInt16.self)
            job.target = UnsafeMutableRawPointer(target.baseAddress!).assumingMemoryBound(to: UInt16.self)
            job.count = count
            job.classes = classes.baseAddress
            job.group_size = model.groupSize
            job.offsets = offsets.baseAddress
            job.slots = slots.baseAddress
            job.exponent_shift = UInt32(format.exponentShift)
            job.exponent_mask = 1 << UInt32(format.exponentBits) - 1
            job.states = states.baseAddress
            job.words = words.baseAddress?.assumingMemoryBound(to: UInt8.self)
            job.word_count = words.count / 2
            job.extra = extra.baseAddress?.assumingMemoryBound(to: UInt8.self)
            job.extra_bits = extra.count * 8
            failed = run(&job) != 0
          }
        }
      }
    }
    guard !failed else { throw ChunkError("has data that do not decode") }
    state.position = job.next_word
    bits.skip(job.next_extra)
    return job.done
  }

  // MARK: Backward

  /// Base from target: what 5.1.5 describes.
  func decodeBackward(
    target: UnsafeBufferPointer<Word>, into base: UnsafeMutableBufferPointer<Word>
  ) throws(ChunkError) {
    let resolver = UlpResolver<Word>(model, tables, format: format)
    var state = RansState(states: initialStates, words: words)
    var bits = BitReader(extra)
    var choice = BitReader(choices)
    var isValid = true
    state.withBuffers { state in
      tables.slots.withUnsafeBufferPointer { slots in
        for (group, c) in model.classes.enumerated() where isValid {
          let first = group * model.groupSize
          for i in first..<min(first + model.groupSize, count) {
            let value = target[i]
            let slot = state.slot(i & 15)
            var table = resolver.context(class: Int(c), value)
            let others = resolver.others(class: Int(c), value)
            if others != 0 || table == Int(UlpModel.noTable) {
              let consistent = resolver.consistent(class: Int(c), value, others: others, slot: slot, bits)
              guard var chosen = consistent.last else {
                isValid = false
                break
              }
              for candidate in consistent.dropLast() where choice.read(1) == 1 {
                chosen = candidate
                break
              }
              table = chosen
            }
            guard let result = resolver.base(of: value, table: table, slot: slot, bits) else {
              isValid = false
              break
            }
            base[i] = result
            let symbol = state.step(i & 15, slots, offset: table << FrequencyTable.bits)
            bits.skip(UlpSymbol.extraBits(ofIndex: abs(symbol - UlpSymbol.zero)))
          }
          isValid = isValid && !state.isExhausted && !bits.isExhausted
        }
      }
    }
    guard isValid else { throw ChunkError("has data that do not decode") }
    try finish(state, bits)
    guard choice.isAtEnd else { throw ChunkError("does not end where its data end") }
  }
}

/// The sixteen states and the words that refill them.
private struct RansState {
  var states: [UInt32]
  let words: UnsafeRawBufferPointer
  /// The next word.
  var position = 0

  init(states: [UInt32], words: UnsafeRawBufferPointer) {
    self.states = states
    self.words = words
  }

  /// More words were needed than there are.
  var isExhausted: Bool { position > words.count / 2 }
  var isAtEnd: Bool { position == words.count / 2 && states.allSatisfy { $0 == UlpTables.lowest } }

  /// The states and the position in registers' reach, for a loop.
  struct Cursor {
    let states: UnsafeMutableBufferPointer<UInt32>
    let words: UnsafeRawBufferPointer
    var position: Int

    var isExhausted: Bool { position > words.count / 2 }

    @inline(__always)
    func slot(_ lane: Int) -> UInt32 { states[lane] & UlpTables.slotMask }

    /// Steps 1 to 3 of section 5.1.4.
    /// - Returns: the symbol.
    @inline(__always)
    mutating func step(_ lane: Int, _ slots: UnsafeBufferPointer<UInt32>, offset: Int) -> Int {
      var x = states[lane]
      let entry = slots[offset | Int(x & UlpTables.slotMask)]
      x = ((entry >> 8) & 0xFFF &+ 1) &* (x >> UInt32(FrequencyTable.bits)) &+ entry >> 20
      if x < UlpTables.lowest {
        var word: UInt16 = 0
        if position < words.count / 2 {
          word = UInt16(littleEndian: words.loadUnaligned(fromByteOffset: position * 2, as: UInt16.self))
        }
        x = x << 16 | UInt32(word)
        position += 1
      }
      states[lane] = x
      return Int(entry & 0xFF)
    }
  }

  mutating func withBuffers(_ body: (inout Cursor) -> Void) {
    states.withUnsafeMutableBufferPointer { buffer in
      var cursor = Cursor(states: buffer, words: words, position: position)
      body(&cursor)
      position = cursor.position
    }
  }
}
