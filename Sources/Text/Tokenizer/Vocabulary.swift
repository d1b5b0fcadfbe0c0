/// The entries of a vocabulary, by bytes and by id.
///
/// Compares bytes: Swift's strings compare by canonical equivalence, and vocabularies have both spellings of "é". It
/// also needs one array instead of a string per entry.
struct Vocabulary: Sendable {
  private var bytes: [UInt8] = []
  /// The range of an id's entry; empty if there is none.
  private var ranges: [Range<UInt32>] = []
  /// Ids plus one, at the hash of their bytes or after it; 0 is free.
  private var slots: [UInt32]
  private(set) var count = 0

  /// One more than the highest id.
  var idEnd: Int { ranges.count }

  /// - Parameter capacity: maximum number of entries.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [UInt32](repeating: 0, count: size)
  }

  /// - Returns: false if the text or the id already exists.
  mutating func add(_ text: String, id: Int) -> Bool {
    precondition(count * 2 <= slots.count, "more entries than the capacity")
    var text = text
    return text.withUTF8 { utf8 in
      var slot = Self.hash(utf8) & (slots.count - 1)
      while slots[slot] != 0 {
        if entry(Int(slots[slot]) - 1, is: utf8) { return false }
        slot = (slot + 1) & (slots.count - 1)
      }
      if id >= ranges.count { ranges.append(contentsOf: repeatElement(0..<0, count: id + 1 - ranges.count)) }
      guard ranges[id].isEmpty else { return false }
      let start = UInt32(bytes.count)
      bytes.append(contentsOf: utf8)
      ranges[id] = start..<UInt32(bytes.count)
      slots[slot] = UInt32(id) + 1
      count += 1
      return true
    }
  }

  func id(of utf8: UnsafeBufferPointer<UInt8>) -> Int32? {
    var slot = Self.hash(utf8) & (slots.count - 1)
    while slots[slot] != 0 {
      let id = Int(slots[slot]) - 1
      if entry(id, is: utf8) { return Int32(id) }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  func id(of text: String) -> Int32? {
    var text = text
    return text.withUTF8 { id(of: $0) }
  }

  /// The entry of an id.
  func text(of id: Int) -> String? {
    guard ranges.indices.contains(id), !ranges[id].isEmpty else { return nil }
    return String(decoding: bytes[Int(ranges[id].lowerBound)..<Int(ranges[id].upperBound)], as: UTF8.self)
  }

  private func entry(_ id: Int, is utf8: UnsafeBufferPointer<UInt8>) -> Bool {
    let range = ranges[id]
    guard range.count == utf8.count else { return false }
    for i in 0..<utf8.count where bytes[Int(range.lowerBound) + i] != utf8[i] { return false }
    return true
  }

  /// FNV-1a, with its high bits folded in.
  private static func hash(_ utf8: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: (hash ^ hash >> 29) & 0x7FFF_FFFF)
  }
}
