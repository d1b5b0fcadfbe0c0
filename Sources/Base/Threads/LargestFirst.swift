/// Parallel work that starts the largest items first, so that no large item runs alone at the end.
package enum LargestFirst {
  package static func map<T: Sendable>(_ sizes: [Int], threads: Int, _ body: @Sendable (Int) throws -> T) throws -> [T]
  {
    let order = sizes.indices.sorted { (-sizes[$0], $0) < (-sizes[$1], $1) }
    let results = try Parallel.map(order.count, threads: threads) { try body(order[$0]) }
    var sorted = [T?](repeating: nil, count: sizes.count)
    for (i, result) in zip(order, results) { sorted[i] = result }
    return sorted.map { $0! }
  }
}
