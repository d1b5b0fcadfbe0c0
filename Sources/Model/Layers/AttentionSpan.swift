/// One sequence of a batch: its new tokens, and the keys and values that they attend to.
struct AttentionSpan: Sendable {
  /// Rows of the queries.
  let tokens: Range<Int>
  /// Number of tokens before these, of which only keys and values are held.
  let before: Int
  /// [length, keyValueWidth], with `stride` from one token to the next.
  let keys: Shared<FloatPointer>
  let values: Shared<FloatPointer>
  let stride: Int

  /// Number of keys.
  var length: Int { before + tokens.count }
}

extension Attention {
  /// Whole sequences: their keys and values are beside their queries.
  /// - Parameter qkv: [tokens, width].
  func spans(_ sequences: [Range<Int>], in qkv: FloatPointer) -> [AttentionSpan] {
    sequences.map { tokens in
      let keys = qkv + tokens.lowerBound * shape.width + shape.queryWidth
      return AttentionSpan(
        tokens: tokens, before: 0, keys: Shared(keys), values: Shared(keys + shape.keyValueWidth), stride: shape.width)
    }
  }

  /// Sequences that continue the cached ones. Appends the new tokens' keys and values to the caches.
  /// - Parameters:
  ///   - qkv: [tokens, width] of the new tokens.
  ///   - caches: one per sequence.
  func spans(
    _ sequences: [Range<Int>], in qkv: FloatPointer, after caches: [KeyValueCache], layer: Int
  ) -> [AttentionSpan] {
    zip(caches, sequences).map { cache, tokens in
      let keys = qkv + tokens.lowerBound * shape.width + shape.queryWidth
      cache.append(layer, keys: keys, stride: shape.width, tokens: tokens.count)
      return AttentionSpan(
        tokens: tokens, before: cache.count, keys: Shared(cache.keys(layer)), values: Shared(cache.values(layer)),
        stride: shape.keyValueWidth)
    }
  }
}
