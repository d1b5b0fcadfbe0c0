import Synchronization

/// Cache of words' ids, since most words in a text repeat. Thread-safe.
final class WordCache: Sendable {
  /// Longer words rarely repeat.
  static let longestWord = 48

  private final class Shard: Sendable {
    let table = Mutex(Table())
  }

  private let shards = (0..<16).map { _ in Shard() }

  /// Appends the ids of a word, computed by `encode` if the word is new.
  func encode(
    _ word: UnsafeBufferPointer<Unicode.Scalar>, into ids: inout [Int32],
    _ encode: (UnsafeBufferPointer<Unicode.Scalar>) -> [Int32]
  ) {
    guard word.count <= Self.longestWord else {
      ids += encode(word)
      return
    }
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for scalar in word { hash = (hash ^ UInt64(scalar.value)) &* 0x100_0000_01B3 }
    hash ^= hash >> 32
    let shard = shards[Int(truncatingIfNeeded: hash & 15)]
    let place = Int(truncatingIfNeeded: hash >> 4 & 0xFFFF_FFFF)
    if shard.table.withLock({ $0.append(word, at: place, to: &ids) }) { return }
    let new = encode(word)
    ids += new
    shard.table.withLock { $0.insert(word, at: place, new) }
  }

  private struct Table {
    struct Entry {
      let word: Range<Int>
      let ids: Range<Int>
    }

    static let capacity = 1 << 13
    var slots = [Int32](repeating: -1, count: 2 * capacity)
    var entries: [Entry] = []
    var words: [Unicode.Scalar] = []
    var ids: [Int32] = []

    func slot(of word: UnsafeBufferPointer<Unicode.Scalar>, at place: Int) -> Int {
      var slot = place & (slots.count - 1)
      while slots[slot] >= 0, !isSame(entries[Int(slots[slot])].word, word) { slot = (slot + 1) & (slots.count - 1) }
      return slot
    }

    func isSame(_ range: Range<Int>, _ word: UnsafeBufferPointer<Unicode.Scalar>) -> Bool {
      guard range.count == word.count else { return false }
      for i in 0..<word.count where words[range.lowerBound + i] != word[i] { return false }
      return true
    }

    func append(_ word: UnsafeBufferPointer<Unicode.Scalar>, at place: Int, to ids: inout [Int32]) -> Bool {
      let entry = slots[slot(of: word, at: place)]
      guard entry >= 0 else { return false }
      ids += self.ids[entries[Int(entry)].ids]
      return true
    }

    mutating func insert(_ word: UnsafeBufferPointer<Unicode.Scalar>, at place: Int, _ new: [Int32]) {
      // Full: start again; frequent words will soon be back.
      if entries.count == Self.capacity { self = Table() }
      let slot = slot(of: word, at: place)
      // Another thread has added it.
      guard slots[slot] < 0 else { return }
      slots[slot] = Int32(entries.count)
      entries.append(Entry(word: words.count..<words.count + word.count, ids: ids.count..<ids.count + new.count))
      words += word
      ids += new
    }
  }
}
