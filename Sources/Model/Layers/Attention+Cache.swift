import CCompute

/// Causal attention of new tokens to cached keys and values.
extension Attention {
  /// - Parameters:
  ///   - qkv: [tokens, width] of the new tokens; queries and keys are already rotated.
  ///   - caches: one per sequence; the new tokens' keys and values are appended.
  ///   - output: [tokens, queryWidth].
  func forward(
    _ layer: Int, _ sequences: [Range<Int>], _ qkv: FloatPointer, _ caches: [KeyValueCache], output: FloatPointer
  ) {
    let (d, group) = (shape.headSize, shape.heads / shape.keyValueHeads)
    let (queryWidth, keyValueWidth, heads) = (shape.queryWidth, shape.keyValueWidth, shape.keyValueHeads)
    let width = shape.width
    for (cache, tokens) in zip(caches, sequences) {
      cache.append(layer, keys: qkv + tokens.lowerBound * width + queryWidth, stride: width, tokens: tokens.count)
    }
    let pieces = zip(caches, sequences).map { cache, tokens in
      Piece(
        tokens: tokens, before: cache.count, keys: Shared(cache.keys(layer)), values: Shared(cache.values(layer)))
    }
    let longest = pieces.map { $0.before + $0.tokens.count }.max() ?? 0
    let rows = max(Self.block, group)
    let memory = ThreadMemory(self, scores: rows * longest, rows: rows, longest)
    let (qkv, output) = (Shared(qkv), Shared(output))
    compute.each(pieces.count * heads) { thread, i in
      let (piece, head) = (pieces[i / heads], i % heads)
      let (scores, products) = (memory.scores(thread), memory.products(thread))
      let keys = piece.keys.pointer + head * d
      let values = piece.values.pointer + head * d
      func attend(_ rows: Int, columns: Int, visible: Int, token: Int, head: Int, stride: Int, outputStride: Int) {
        products.multiply(
          rows, columns, d, Matrix(qkv.pointer + token * width + head * d, stride: stride),
          Matrix(keys, stride: keyValueWidth).transposed, into: scores, stride: columns)
        vp_causal_softmax(scores, nil, rows, columns, visible, scale)
        products.multiply(
          rows, d, columns, Matrix(scores, stride: columns), Matrix(values, stride: keyValueWidth),
          into: output.pointer + token * queryWidth + head * d, stride: outputStride)
      }
      if piece.tokens.count == 1 {
        // The rows are all heads of the group; each attends to all columns.
        let columns = piece.before + 1
        return attend(
          group, columns: columns, visible: columns, token: piece.tokens.lowerBound, head: head * group, stride: d,
          outputStride: d)
      }
      for first in stride(from: 0, to: piece.tokens.count, by: Self.block) {
        let rows = min(Self.block, piece.tokens.count - first)
        for head in head * group..<(head + 1) * group {
          attend(
            rows, columns: piece.before + first + rows, visible: piece.before + first,
            token: piece.tokens.lowerBound + first, head: head, stride: width, outputStride: queryWidth)
        }
      }
    }
  }

  /// One sequence's part of a layer.
  private struct Piece: Sendable {
    let tokens: Range<Int>
    /// Tokens in the cache before these.
    let before: Int
    let keys: Shared<FloatPointer>
    let values: Shared<FloatPointer>
  }
}
