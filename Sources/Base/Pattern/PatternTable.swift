/// Matches a pattern in time linear in the text, for any pattern and text. The end of the match that backtracking would
/// find depends only on the state and the position. So it is computed once for each state at each position, from the
/// end of the text to its beginning: a state that takes a character uses the next position, every other state uses
/// states at the same position.
struct PatternTable {
  private enum State {
    /// Takes a character of the set with this index.
    case set(Int, next: Int)
    /// Continues at the first; at the second if that fails.
    case split(Int, Int)
    case lookAhead(Int, negative: Bool, next: Int)
    /// Continues where the inner match ends, at this or any later position. The results of `next` are stored, as those
    /// of the state with index `kept`.
    case atomic(Int, next: Int, kept: Int, innerCanBeEmpty: Bool)
    case anchor(Pattern.Anchor, next: Int)
    case accept
  }

  private var states: [State] = []
  /// Without duplicates.
  private var sets: [ScalarSet] = []
  /// The states whose results are stored.
  private var kept: [Int] = []
  private var start = 0
  /// All states, each after those at the same position that it depends on.
  private var order: [Int] = []

  init(_ node: Pattern.Node) {
    start = add(node, next: add(.accept))
    order = sorted()
  }

  /// The ends of the matches that start at a position.
  struct Ends {
    fileprivate let first: Int
    fileprivate var ends: [Int32]

    subscript(position: Int) -> Int? {
      let end = ends[position - first]
      return end < 0 ? nil : Int(end)
    }
  }

  /// - Parameter first: the first position of interest.
  func ends(in text: UnsafeBufferPointer<Unicode.Scalar>, from first: Int) -> Ends {
    // No text in memory has 2³¹ characters: a line of a file has at most 64 MiB.
    precondition(text.count < Int32.max)
    let none: Int32 = -1
    let count = text.count - first + 1
    var found = Ends(first: first, ends: Array(repeating: none, count: count))
    var keptEnds = Array(repeating: Array(repeating: none, count: count), count: kept.count)
    var behind = Array(repeating: none, count: states.count)
    var here = behind
    var isMember = Array(repeating: false, count: sets.count)
    let ordered = order.map { (index: $0, state: states[$0]) }
    for position in stride(from: text.count, through: first, by: -1) {
      // At the end of the text there are no results behind it, and no set membership is needed.
      if position < text.count { for i in sets.indices { isMember[i] = sets[i].contains(text[position]) } }
      here.withUnsafeMutableBufferPointer { here in
        for (i, state) in ordered {
          switch state {
          case .set(let set, let next): here[i] = isMember[set] ? behind[next] : none
          case .split(let one, let other): here[i] = here[one] >= 0 ? here[one] : here[other]
          case .lookAhead(let inner, let negative, let next):
            here[i] = (here[inner] >= 0) != negative ? here[next] : none
          case .atomic(let inner, let next, let kept, _):
            let end = Int(here[inner])
            here[i] = end < 0 ? none : end == position ? here[next] : keptEnds[kept][end - first]
          case .anchor(let anchor, let next): here[i] = anchor.holds(at: position, in: text) ? here[next] : none
          case .accept: here[i] = Int32(position)
          }
        }
      }
      for (i, state) in kept.enumerated() { keptEnds[i][position - first] = here[state] }
      found.ends[position - first] = here[start]
      swap(&here, &behind)
    }
    return found
  }

  // MARK: Building

  private mutating func add(_ state: State) -> Int {
    states.append(state)
    return states.count - 1
  }

  /// - Returns: the state that matches the node and continues at `next`.
  private mutating func add(_ node: Pattern.Node, next: Int) -> Int {
    switch node {
    case .set(let set):
      let known = sets.firstIndex(of: set)
      if known == nil { sets.append(set) }
      return add(.set(known ?? sets.count - 1, next: next))
    case .sequence(let nodes): return nodes.reversed().reduce(next) { add($1, next: $0) }
    case .alternatives(let nodes):
      let last = add(nodes.last!, next: next)
      return nodes.dropLast().reversed().reduce(last) { other, node in add(.split(add(node, next: next), other)) }
    case .repetition(let inner, let least, let most, .possessive):
      let repetition = Pattern.Node.repetition(inner, least, most, .greedy)
      let inner = add(repetition, next: add(.accept))
      kept.append(next)
      return add(.atomic(inner, next: next, kept: kept.count - 1, innerCanBeEmpty: repetition.canBeEmpty))
    case .repetition(let inner, let least, let most, let mode):
      func split(_ inside: Int, _ outside: Int) -> State {
        mode == .lazy ? .split(outside, inside) : .split(inside, outside)
      }
      var entry = next
      if most == .max {
        entry = add(.accept)
        states[entry] = split(add(inner, next: entry), next)
      } else {
        for _ in least..<most { entry = add(split(add(inner, next: entry), next)) }
      }
      for _ in 0..<least { entry = add(inner, next: entry) }
      return entry
    case .lookAhead(let inner, let negative):
      return add(.lookAhead(add(inner, next: add(.accept)), negative: negative, next: next))
    case .anchor(let anchor): return add(.anchor(anchor, next: next))
    }
  }

  /// The states at the same position that a state depends on.
  private func dependencies(of state: Int) -> [Int] {
    switch states[state] {
    case .set, .accept: []
    case .split(let one, let other): [one, other]
    case .lookAhead(let inner, _, let next): [inner, next]
    case .atomic(let inner, let next, _, let innerCanBeEmpty): innerCanBeEmpty ? [inner, next] : [inner]
    case .anchor(_, let next): [next]
    }
  }

  /// Topological order. There are no cycles: an unlimited repetition takes a character each time.
  private func sorted() -> [Int] {
    var order: [Int] = []
    var isPlaced = Array(repeating: false, count: states.count)
    for state in states.indices {
      // Iterative: a chain may be as long as the pattern.
      var open = [state]
      while let last = open.last {
        let missing = isPlaced[last] ? [] : dependencies(of: last).filter { !isPlaced[$0] }
        open += missing
        guard missing.isEmpty else { continue }
        open.removeLast()
        guard !isPlaced[last] else { continue }
        isPlaced[last] = true
        order.append(last)
      }
    }
    return order
  }
}
