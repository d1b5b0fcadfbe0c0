/// The 32 rANS states of a decoder, and the words that refill them (spec, section 5.1.4).
struct RansState {
  package let states: UnsafeMutablePointer<UInt32>
  private let words: UnsafeRawPointer?
  let wordCount: Int
  /// Index of the next word.
  package var position = 0

  /// - Parameter states: the `UlpTables.lanes` initial states. Decoding updates them.
  init(states: UnsafeMutablePointer<UInt32>, words: UnsafeRawBufferPointer) {
    self.states = states
    self.words = words.baseAddress
    wordCount = words.count / 2
  }

  /// Whether more words were read than exist.
  package var isExhausted: Bool { position > wordCount }

  /// Whether all words are used and all states equal the encoder's initial state.
  package var isAtEnd: Bool {
    position == wordCount && (0..<UlpTables.lanes).allSatisfy { states[$0] == UlpTables.lowest }
  }

  @inline(__always)
  package func slot(_ lane: Int) -> UInt32 { states[lane] & UlpTables.slotMask }

  /// Decodes one symbol (steps 1 to 3).
  /// - Parameter table: the slots of the context's table.
  /// - Returns: the symbol.
  @inline(__always)
  package mutating func step(_ lane: Int, _ table: UnsafePointer<UInt32>) -> Int {
    var x = states[lane]
    let entry = table[Int(x & UlpTables.slotMask)]
    x = ((entry &>> 8) & 0xFFF &+ 1) &* (x &>> UInt32(FrequencyTable.bits)) &+ entry &>> 20
    if x < UlpTables.lowest {
      var word: UInt16 = 0
      if position < wordCount {
        word = UInt16(littleEndian: words!.loadUnaligned(fromByteOffset: position &* 2, as: UInt16.self))
      }
      x = x &<< 16 | UInt32(word)
      position &+= 1
    }
    states[lane] = x
    return Int(entry & 0xFF)
  }
}
