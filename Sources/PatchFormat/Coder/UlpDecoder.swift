import CKernels
import Checkpoints

// Decodes a chunk of the ulp coder in both directions (spec, section 5.1). This portable code is the reference. The C
// kernel decodes the same bits faster on processors with the required instructions.

/// A parsed chunk of the ulp coder, before decoding.
struct UlpDecoder<Word: UlpWord> {
  private let model: UlpModel
  private let tables: UlpTables
  private let format: ElementFormat
  private let count: Int
  private let extra: UnsafeRawBufferPointer
  private let choices: UnsafeRawBufferPointer
  private let initialStates: [UInt32]
  private let words: UnsafeRawBufferPointer

  /// - Parameter data: the chunk without its coder byte. It must outlive the decoder.
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

  /// Decodes the target from the base.
  package func decode(
    base: UnsafeBufferPointer<Word>, into target: UnsafeMutableBufferPointer<Word>, kernel: Kernel
  ) throws(ChunkError) {
    var states = initialStates
    let isValid = states.withUnsafeMutableBufferPointer { states in
      var state = RansState(states: states.baseAddress!, words: words)
      var bits = BitReader(extra)
      var done: Int? = 0
      if Word.bitWidth == 16, kernel == .avx2 {
        done = decodeWithKernel(base: base, into: target, &state, &bits)
      }
      guard let done, decode(from: done, base: base, into: target, &state, &bits) else { return false }
      return state.isAtEnd && bits.isAtEnd
    }
    guard isValid else { throw ChunkError.undecodable }
  }

  /// Decodes the elements from `start` on.
  /// - Returns: whether the data are valid.
  private func decode(
    from start: Int, base: UnsafeBufferPointer<Word>, into target: UnsafeMutableBufferPointer<Word>,
    _ state: inout RansState, _ bits: inout BitReader
  ) -> Bool {
    let scale = UlpScale<Word>(format)
    let limit = UInt32(1) << UInt32(Word.bitWidth - 1)
    var i = start
    while i < count {
      let group = i / model.groupSize
      let offsets = tables.offsets + Int(model.classes[group]) << 8
      let end = min((group + 1) * model.groupSize, count)
      while i < end {
        let value = base[i]
        let offset = offsets[scale.of(value)]
        guard offset != .max else { return false }
        let symbol = state.step(i & (UlpTables.lanes - 1), tables.slots + Int(offset))
        let index = abs(symbol &- UlpSymbol.zero)
        var magnitude = UlpSymbol.smallestMagnitude(ofIndex: index)
        if index >= 16 {
          magnitude |= bits.read(UlpSymbol.extraBits(ofIndex: index))
          guard magnitude <= limit else { return false }
        }
        let signed = Int32(bitPattern: magnitude)
        target[i] = Word(ordered: value.ordered &+ (symbol < UlpSymbol.zero ? 0 &- signed : signed))
        i &+= 1
      }
      guard !state.isExhausted, !bits.isExhausted else { return false }
    }
    return true
  }

  /// Decodes as many elements as the C kernel can: all but the last few.
  /// - Returns: how many; nil if the data are invalid.
  private func decodeWithKernel(
    base: UnsafeBufferPointer<Word>, into target: UnsafeMutableBufferPointer<Word>,
    _ state: inout RansState, _ bits: inout BitReader
  ) -> Int? {
    model.classes.withUnsafeBufferPointer { classes in
      var job = vp_ulp16_job()
      job.base = UnsafeRawPointer(base.baseAddress!).assumingMemoryBound(to: UInt16.self)
      job.target = UnsafeMutableRawPointer(target.baseAddress!).assumingMemoryBound(to: UInt16.self)
      job.count = count
      job.classes = classes.baseAddress
      job.group_size = model.groupSize
      job.class_count = model.maps.count
      job.offsets = UnsafePointer(tables.offsets)
      job.slots = UnsafePointer(tables.slots)
      job.exponent_shift = UInt32(format.exponentShift)
      job.exponent_mask = 1 << UInt32(format.exponentBits) - 1
      job.states = state.states
      job.words = words.baseAddress?.assumingMemoryBound(to: UInt8.self)
      job.word_count = state.wordCount
      job.extra = extra.baseAddress?.assumingMemoryBound(to: UInt8.self)
      job.extra_bits = extra.count * 8
      guard vp_ulp16_decode_avx2(&job) == 0 else { return nil }
      state.position = job.next_word
      bits.skip(job.next_extra)
      return job.done
    }
  }

  // MARK: Backward

  /// Decodes the base from the target (spec, section 5.1.5).
  func decodeBackward(
    target: UnsafeBufferPointer<Word>, into base: UnsafeMutableBufferPointer<Word>, kernel: Kernel
  ) throws(ChunkError) {
    var states = initialStates
    let isValid = states.withUnsafeMutableBufferPointer { states in
      if Word.bitWidth == 16, kernel == .avx2 {
        let result = UnsafeMutableRawPointer(base.baseAddress!).assumingMemoryBound(to: UInt16.self)
        return UlpResolver<Word>(model, tables, format: format).withKernel(target: target, extra: extra) {
          vp_ulp16_decode_backward_avx2(
            $0, result, states.baseAddress, words.baseAddress?.assumingMemoryBound(to: UInt8.self), words.count / 2,
            choices.baseAddress?.assumingMemoryBound(to: UInt8.self), choices.count * 8) == 0
        }
      }
      var state = RansState(states: states.baseAddress!, words: words)
      return decodeBackward(target: target, into: base, &state)
    }
    guard isValid else { throw ChunkError.undecodable }
  }

  private func decodeBackward(
    target: UnsafeBufferPointer<Word>, into base: UnsafeMutableBufferPointer<Word>, _ state: inout RansState
  ) -> Bool {
    let resolver = UlpResolver<Word>(model, tables, format: format)
    var bits = BitReader(extra)
    var choice = BitReader(choices)
    for (group, c) in model.classes.enumerated() {
      let map = resolver.map(ofClass: Int(c))
      var i = group * model.groupSize
      let end = min(i + model.groupSize, count)
      while i < end {
        let value = target[i]
        let lane = i & (UlpTables.lanes - 1)
        let slot = state.slot(lane)
        let table: Int
        if let only = resolver.onlyConsistent(map, value, slot: slot, bits) {
          (table, base[i]) = only
        } else {
          var found = resolver.consistent(map, value, slot: slot, bits)
          guard found.count > 0 else { return false }
          found.keep { _ in choice.read(1) == 1 }
          (table, base[i]) = (found.table, found.base)
        }
        let symbol = state.step(lane, tables.slots + table << FrequencyTable.bits)
        bits.skip(UlpSymbol.extraBits(ofIndex: abs(symbol &- UlpSymbol.zero)))
        i &+= 1
      }
      guard !state.isExhausted, !bits.isExhausted else { return false }
    }
    return state.isAtEnd && bits.isAtEnd && choice.isAtEnd
  }
}

extension ChunkError {
  fileprivate static var undecodable: ChunkError { ChunkError("has data that cannot be decoded") }
}
