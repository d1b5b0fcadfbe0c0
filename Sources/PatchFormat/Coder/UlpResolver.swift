import CKernels
import Checkpoints

/// Finds the tables that are consistent with a target value, where the base is unknown (spec, section 5.1.5).
struct UlpResolver<Word: UlpWord> {
  private let model: UlpModel
  private let format: ElementFormat
  private let tables: UlpTables
  private let slots: UnsafeMutablePointer<UInt32>
  private let candidates: UlpCandidates<Word>
  private let scale: UlpScale<Word>

  init(_ model: UlpModel, _ tables: UlpTables, format: ElementFormat) {
    self.model = model
    self.format = format
    self.tables = tables
    slots = tables.slots
    candidates = UlpCandidates(model, tables, format)
    scale = UlpScale(format)
  }

  /// Calls `body` with the lookup tables for the C kernels. Only for elements of 16 bits.
  func withKernel<R>(
    target: UnsafeBufferPointer<Word>, extra: UnsafeRawBufferPointer,
    _ body: (UnsafePointer<vp_ulp16_resolver>) -> R
  ) -> R {
    precondition(Word.bitWidth == 16)
    return model.classes.withUnsafeBufferPointer { classes in
      candidates.zeroTables.withUnsafeBufferPointer { zeroTables in
        var resolver = vp_ulp16_resolver()
        resolver.target = UnsafeRawPointer(target.baseAddress!).assumingMemoryBound(to: UInt16.self)
        resolver.count = target.count
        resolver.classes = classes.baseAddress
        resolver.group_size = model.groupSize
        resolver.class_count = model.maps.count
        resolver.offsets = UnsafePointer(tables.offsets)
        resolver.slots = UnsafePointer(tables.slots)
        resolver.masks = UnsafePointer(candidates.masks)
        resolver.zero_tables = zeroTables.baseAddress
        resolver.exponent_shift = UInt32(format.exponentShift)
        resolver.exponent_mask = 1 << UInt32(format.exponentBits) - 1
        resolver.extra = extra.baseAddress?.assumingMemoryBound(to: UInt8.self)
        resolver.extra_bits = extra.count * 8
        return body(&resolver)
      }
    }
  }

  /// The lookup tables of a class.
  struct Map {
    package let number: Int
    /// The table that only zeros use, and its bit mask; there is none if the mask is 0.
    let zeroTable: Int
    let zeroBit: UInt32
    /// (256) table numbers, by scale; `UlpModel.noTable` where there is none.
    let contexts: UnsafeMutablePointer<UInt8>
  }

  package func map(ofClass c: Int) -> Map {
    let zero = candidates.zeroTables[c]
    return Map(
      number: c, zeroTable: zero == 0 ? 0 : zero.trailingZeroBitCount, zeroBit: zero,
      contexts: tables.contexts + c << 8)
  }

  /// The table for a base value; `UlpModel.noTable` where there is none.
  @inline(__always)
  package func context(_ map: Map, _ value: Word) -> Int { Int(map.contexts[scale.of(value)]) }

  @inline(__always)
  func extraBits(table: Int, slot: UInt32) -> Int {
    UlpSymbol.extraBits(ofIndex: abs(Int(slots[table << FrequencyTable.bits | Int(slot)] & 0xFF) &- UlpSymbol.zero))
  }

  /// The base value that a table yields, if that base value uses the same table.
  @inline(__always)
  private func base(_ map: Map, of target: Word, table: Int, slot: UInt32, _ extra: BitReader) -> Word? {
    let symbol = Int(slots[table << FrequencyTable.bits | Int(slot)] & 0xFF)
    let index = abs(symbol &- UlpSymbol.zero)
    var magnitude = UlpSymbol.smallestMagnitude(ofIndex: index)
    if index >= 16 {
      magnitude |= extra.peek(UlpSymbol.extraBits(ofIndex: index))
      guard magnitude <= UInt32(1) &<< UInt32(Word.bitWidth - 1) else { return nil }
    }
    let signed = Int32(bitPattern: magnitude)
    let value = Word(ordered: target.ordered &- (symbol < UlpSymbol.zero ? 0 &- signed : signed))
    return context(map, value) == table ? value : nil
  }

  /// The table and base value, if exactly one is consistent, as nearly always.
  @inline(__always)
  func onlyConsistent(_ map: Map, _ target: Word, slot: UInt32, _ extra: BitReader) -> (table: Int, base: Word)? {
    let table = context(map, target)
    var others = candidates.tables(class: map.number, target: target.ordered, slot: slot)
    guard table != Int(UlpModel.noTable), let result = base(map, of: target, table: table, slot: slot, extra) else {
      return nil
    }
    others &= ~(1 &<< UInt32(table))
    // The zero table is always a candidate, and hardly ever the right one.
    if map.zeroBit != 0, base(map, of: target, table: map.zeroTable, slot: slot, extra) != nil { return nil }
    while others != 0 {
      let other = others.trailingZeroBitCount
      others &= others &- 1
      if base(map, of: target, table: other, slot: slot, extra) != nil { return nil }
    }
    return (table, result)
  }

  /// The consistent tables in the order of the spec: the table of the target's own scale first.
  @inline(never)
  func consistent(_ map: Map, _ target: Word, slot: UInt32, _ extra: BitReader) -> Consistent<Word> {
    var found = Consistent<Word>()
    let own = context(map, target)
    var others = candidates.tables(class: map.number, target: target.ordered, slot: slot) | map.zeroBit
    if own != Int(UlpModel.noTable) {
      others &= ~(1 &<< UInt32(own))
      if let value = base(map, of: target, table: own, slot: slot, extra) { found.append(own, value) }
    }
    while others != 0 {
      let table = others.trailingZeroBitCount
      others &= others &- 1
      if let value = base(map, of: target, table: table, slot: slot, extra) { found.append(table, value) }
    }
    return found
  }
}

/// The consistent tables, with the base value that each yields. Nearly always there is just one.
struct Consistent<Word: UlpWord> {
  package private(set) var table = 0
  package private(set) var base: Word = 0
  package private(set) var count = 0
  /// All but the first.
  private var more: [(table: Int, base: Word)] = []

  @inline(__always)
  package mutating func append(_ table: Int, _ base: Word) {
    if count == 0 {
      self.table = table
      self.base = base
    } else {
      more.append((table, base))
    }
    count &+= 1
  }

  /// Asks for each candidate but the last, in order, whether it is the chosen one, and keeps that one.
  package mutating func keep(_ isChosen: (Int) -> Bool) {
    var next = 0
    while next < more.count, !isChosen(table) {
      (table, base) = more[next]
      next += 1
    }
  }
}
