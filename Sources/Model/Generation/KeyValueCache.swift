/// Keys and values of the tokens so far of one sequence, per layer, so that each new token costs only itself.
final class KeyValueCache {
  private let layers: [(keys: Floats, values: Floats)]
  private let width: Int
  let capacity: Int
  /// Tokens that it holds.
  var count = 0

  init(_ config: ModelConfig, capacity: Int) {
    width = config.keyValueWidth
    self.capacity = capacity
    layers = (0..<config.layers).map { _ in
      (Floats(capacity * config.keyValueWidth), Floats(capacity * config.keyValueWidth))
    }
  }

  func keys(_ layer: Int) -> FloatPointer { layers[layer].keys.start }
  func values(_ layer: Int) -> FloatPointer { layers[layer].values.start }

  /// Keeps keys and values of new tokens of a layer, behind the first `count`.
  /// - Parameter keys: the first token's keys, with its values right behind them; the next token's a stride on.
  func append(_ layer: Int, keys: FloatPointer, stride: Int, tokens: Int) {
    precondition(count + tokens <= capacity, "more tokens than there is room for")
    for i in 0..<tokens {
      let place = (count + i) * width
      (layers[layer].keys.start + place).update(from: keys + i * stride, count: width)
      (layers[layer].values.start + place).update(from: keys + i * stride + width, count: width)
    }
  }
}
