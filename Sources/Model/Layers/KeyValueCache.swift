import Families

/// Keys and values of a sequence's tokens so far, per layer, so that each new token is processed alone.
final class KeyValueCache {
  private var layers: [(keys: Floats, values: Floats)]
  private let width: Int
  /// Number of cached tokens.
  var count = 0

  /// - Parameter capacity: initial capacity in tokens; it grows as needed.
  init(_ config: ModelConfig, capacity: Int) {
    width = config.keyValueWidth
    layers = (0..<config.layers).map { _ in
      (Floats(capacity * config.keyValueWidth), Floats(capacity * config.keyValueWidth))
    }
  }

  func keys(_ layer: Int) -> FloatPointer { layers[layer].keys.start }
  func values(_ layer: Int) -> FloatPointer { layers[layer].values.start }

  /// Appends keys and values of new tokens of a layer, after the first `count`.
  /// - Parameter keys: the first token's keys, directly followed by its values; the next token's are one stride later.
  func append(_ layer: Int, keys: FloatPointer, stride: Int, tokens: Int) {
    grow(layer, to: (count + tokens) * width)
    for i in 0..<tokens {
      let place = (count + i) * width
      (layers[layer].keys.start + place).update(from: keys + i * stride, count: width)
      (layers[layer].values.start + place).update(from: keys + i * stride + width, count: width)
    }
  }

  private func grow(_ layer: Int, to needed: Int) {
    let old = layers[layer]
    guard needed > old.keys.count else { return }
    let new = (keys: Floats(max(needed, 2 * old.keys.count)), values: Floats(max(needed, 2 * old.keys.count)))
    new.keys.start.update(from: old.keys.start, count: count * width)
    new.values.start.update(from: old.values.start, count: count * width)
    layers[layer] = new
  }
}
