/// Finds out which tables are consistent with a target value, where the base is not known (spec, section 5.1.5).
struct UlpResolver<Word: UlpWord> {
  private let tables: UlpTables
  private let candidates: UlpCandidates<Word>
  private let scale: UlpScale<Word>

  init(_ model: UlpModel, _ tables: UlpTables, format: ElementFormat) {
    self.tables = tables
    candidates = UlpCandidates(model, exponentShift: format.exponentShift, exponentBits: format.exponentBits)
    scale = UlpScale(format)
  }

  /// The table for a base value in a class; `UlpModel.noTable` where there is none.
  @inline(__always)
  func context(class c: Int, _ value: Word) -> Int {
    Int(tables.contexts[c << 8 | scale.of(value)])
  }

  /// The tables, as bits, that could have been used besides that of the target's own exponent.
  @inline(__always)
  func others(class c: Int, _ target: Word) -> UInt32 {
    candidates.tables(class: c, target: target.ordered) & ~(1 << UInt32(context(class: c, target)))
  }

  @inline(__always)
  func extraBits(table: Int, slot: UInt32) -> Int {
    let symbol = Int(tables.slots[table << FrequencyTable.bits | Int(slot)] & 0xFF)
    return UlpSymbol.extraBits(ofIndex: UlpSymbol.index(ofSymbol: symbol))
  }

  /// The base that a table leads to; nil where its extra bits make a difference that does not exist.
  @inline(__always)
  func base(of target: Word, table: Int, slot: UInt32, _ extra: BitReader) -> Word? {
    let symbol = Int(tables.slots[table << FrequencyTable.bits | Int(slot)] & 0xFF)
    let index = UlpSymbol.index(ofSymbol: symbol)
    var magnitude = UlpSymbol.smallestMagnitude(ofIndex: index)
    if index >= 16 {
      magnitude |= extra.peek(UlpSymbol.extraBits(ofIndex: index))
      guard magnitude <= UInt32(1) << UInt32(Word.bitWidth - 1) else { return nil }
    }
    let signed = Int32(bitPattern: magnitude)
    let difference = symbol < UlpSymbol.zero ? 0 &- signed : signed
    return Word(ordered: target.ordered &- difference)
  }

  /// The consistent tables in the order of the spec: first that of the target's own exponent.
  func consistent(class c: Int, _ target: Word, others: UInt32, slot: UInt32, _ extra: BitReader) -> TableList {
    var list = TableList()
    let own = context(class: c, target)
    if own != Int(UlpModel.noTable), let value = base(of: target, table: own, slot: slot, extra),
      context(class: c, value) == own
    {
      list.append(own)
    }
    var rest = others
    while rest != 0 {
      let table = rest.trailingZeroBitCount
      rest &= rest - 1
      if let value = base(of: target, table: table, slot: slot, extra), context(class: c, value) == table {
        list.append(table)
      }
    }
    return list
  }
}

/// Up to 32 table numbers, without an allocation.
struct TableList: RandomAccessCollection {
  private var storage = SIMD32<UInt8>()
  private(set) var endIndex = 0
  var startIndex: Int { 0 }
  subscript(i: Int) -> Int { Int(storage[i]) }
  mutating func append(_ table: Int) {
    storage[endIndex] = UInt8(table)
    endIndex += 1
  }
}
