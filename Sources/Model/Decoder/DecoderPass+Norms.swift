import Glibc

/// Norms that some families have in addition: of queries and keys, and behind attention and MLP.
extension DecoderPass {
  /// Replaces queries and keys by their norms, and keeps them as they were.
  func normQueriesAndKeys(_ layer: Decoder.Layer, _ kept: Activations.Layer, _ rows: Int) {
    guard let (query, key) = norms(layer) else { return }
    let shape = decoder.config.attention
    let (width, count) = (shape.width, shape.queryWidth + shape.keyValueWidth)
    let (qkv, unnormed) = (kept.queryKeyValue.start, kept.unnormed.start)
    for row in 0..<rows { memcpy(unnormed + row * count, qkv + row * width, count * 4) }
    for (norm, first, width) in [(query, 0, shape.queryWidth), (key, shape.queryWidth, shape.keyValueWidth)] {
      compute.applyToHeads(
        norm, to: unnormed + first, rows: rows, heads: width / norm.weight.count, strides: (count, shape.width),
        into: qkv + first)
    }
  }

  /// Replaces the gradient of normed queries and keys by that of those before.
  func backwardQueryKeyNorms(_ layer: Decoder.Layer, _ kept: Activations.Layer, _ dqkv: FloatPointer, _ rows: Int) {
    guard let (query, key) = norms(layer) else { return }
    let shape = decoder.config.attention
    let (width, count) = (shape.width, shape.queryWidth + shape.keyValueWidth)
    let (gradient, unnormed) = (compute.scratch(.queryKey, rows * count), kept.unnormed.start)
    for row in 0..<rows {
      memcpy(gradient + row * count, dqkv + row * width, count * 4)
      memset(dqkv + row * width, 0, count * 4)
    }
    for (norm, first, width) in [(query, 0, shape.queryWidth), (key, shape.queryWidth, shape.keyValueWidth)] {
      compute.applyBackToHeads(
        norm, to: gradient + first, x: unnormed + first, rows: rows, heads: width / norm.weight.count,
        strides: (count, count, shape.width), into: dqkv + first)
    }
  }

  private func norms(_ layer: Decoder.Layer) -> (query: Norm, key: Norm)? {
    layer.queryNorm.flatMap { query in layer.keyNorm.map { (query, $0) } }
  }

  /// The gradient of a branch's last product, given that of the residual stream.
  /// - Parameter branch: what the norm behind the product normed.
  func branchGradient(_ norm: Norm?, _ gradient: FloatPointer, _ branch: Floats, _ rows: Int) -> FloatPointer {
    guard let norm else { return gradient }
    let n = rows * decoder.config.hiddenSize
    let result = compute.scratch(.branch, n)
    memset(result, 0, n * 4)
    compute.applyBack(norm, to: gradient, x: branch.start, rows: rows, into: result)
    return result
  }
}
