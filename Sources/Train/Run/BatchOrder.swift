import Model

/// Which rows each step takes: epoch after epoch, each in an order of its own that follows from the seed.
struct BatchOrder: Sendable {
  let rows: Int
  let batch: Int
  let seed: UInt64
  let isShuffled: Bool

  /// Steps that go once over the rows.
  var stepsPerEpoch: Int { (rows + batch - 1) / batch }

  /// The rows of a step, from 0 on. An epoch's last batch has what is left.
  func rows(ofStep step: Int) -> [Int] {
    let (epoch, position) = (step / stepsPerEpoch, step % stepsPerEpoch)
    let order = order(ofEpoch: epoch)
    return Array(order[position * batch..<min(rows, (position + 1) * batch)])
  }

  private func order(ofEpoch epoch: Int) -> [Int] {
    guard isShuffled else { return Array(0..<rows) }
    // Another stream for each epoch: the seed's own generator gives each its seed.
    var seeds = SeededRandom(seed: seed)
    for _ in 0..<epoch { _ = seeds.next() }
    var random = SeededRandom(seed: seeds.next())
    return random.permutation(rows)
  }
}
