/// The tokens of a word during merging: a doubly linked list, and a heap of possible merges.
struct Symbols {
  private struct Symbol {
    var id: Int32
    /// Indices in the list; -1 at its ends.
    var previous: Int32
    var next: Int32
    var isMerged = false
  }

  /// A merge of the symbol at an index with the next one.
  private struct Candidate {
    /// Rank, then index: the earliest merge first, and of equal ones the leftmost.
    let order: UInt64
    let id: UInt32

    var place: Int { Int(order & 0xFFFF_FFFF) }
  }

  private var symbols: [Symbol] = []
  /// A binary heap: no element precedes its parent.
  private var heap: [Candidate] = []

  init(capacity: Int) { symbols.reserveCapacity(capacity) }

  mutating func append(_ id: Int32) {
    let place = Int32(symbols.count)
    if place > 0 { symbols[Int(place) - 1].next = place }
    symbols.append(Symbol(id: id, previous: place - 1, next: -1))
  }

  var ids: [Int32] { symbols.lazy.filter { !$0.isMerged }.map(\.id) }

  mutating func merge(by table: MergeTable) {
    guard symbols.count > 1 else { return }
    for place in 0..<symbols.count - 1 { consider(place, table) }
    while let best = pop() {
      let symbol = symbols[best.place]
      guard !symbol.isMerged, symbol.next >= 0 else { continue }
      let next = symbols[Int(symbol.next)]
      // One of the two may have been merged with another since.
      guard table[symbol.id, next.id]?.id == best.id else { continue }
      symbols[best.place].id = Int32(best.id)
      symbols[best.place].next = next.next
      symbols[Int(symbol.next)].isMerged = true
      if next.next >= 0 { symbols[Int(next.next)].previous = Int32(best.place) }
      if symbol.previous >= 0 { consider(Int(symbol.previous), table) }
      consider(best.place, table)
    }
  }

  private mutating func consider(_ place: Int, _ table: MergeTable) {
    let next = symbols[place].next
    guard next >= 0, let merge = table[symbols[place].id, symbols[Int(next)].id] else { return }
    push(Candidate(order: UInt64(merge.rank) << 32 | UInt64(place), id: merge.id))
  }

  private mutating func push(_ candidate: Candidate) {
    var hole = heap.count
    heap.append(candidate)
    while hole > 0, candidate.order < heap[(hole - 1) / 2].order {
      heap[hole] = heap[(hole - 1) / 2]
      hole = (hole - 1) / 2
    }
    heap[hole] = candidate
  }

  private mutating func pop() -> Candidate? {
    guard let best = heap.first else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return best }
    var hole = 0
    while true {
      var child = 2 * hole + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].order < heap[child].order { child += 1 }
      guard heap[child].order < last.order else { break }
      heap[hole] = heap[child]
      hole = child
    }
    heap[hole] = last
    return best
  }
}
