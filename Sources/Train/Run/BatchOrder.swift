import Model

/// The rows of each step: epoch after epoch, each in its own order that follows from the seed.
struct BatchOrder: Sendable {
  let rows: Int
  let batch: Int
  let seed: UInt64
  let isShuffled: Bool

  /// Steps per epoch.
  var stepsPerEpoch: Int { (rows + batch - 1) / batch }

  /// The rows of a step, counted from 0. An epoch's last batch may be smaller.
  func rows(ofStep step: Int) -> [Int] {
    let (epoch, position) = (step / stepsPerEpoch, step % stepsPerEpoch)
    let order = order(ofEpoch: epoch)
    return Array(order[position * batch..<min(rows, (position + 1) * batch)])
  }

  private func order(ofEpoch epoch: Int) -> [Int] {
    guard isShuffled else { return Array(0..<rows) }
    // Each epoch has its own stream, seeded from the run's seed.
    var seeds = SeededRandom(seed: seed)
    for _ in 0..<epoch { _ = seeds.next() }
    var random = SeededRandom(seed: seeds.next())
    return random.permutation(rows)
  }
}
