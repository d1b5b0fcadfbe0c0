import CCompute
import Families
import Glibc

/// Runs batches through a decoder, forward and backward.
final class DecoderPass {
  let decoder: Decoder
  let compute: Compute
  let activations: Activations
  /// Of the layers without a window, and of those with one, if that is another.
  private let rotaries: [RotaryTable]
  private var config: ModelConfig { decoder.config }
  private var hidden: Int { decoder.config.hiddenSize }

  typealias Kept = Activations.Kept

  init(_ decoder: Decoder, _ compute: Compute) {
    self.decoder = decoder
    self.compute = compute
    activations = Activations(decoder.config.activations)
    rotaries = [decoder.config.rotary, decoder.config.slidingRotary].compactMap { $0.map(RotaryTable.init) }
  }

  // MARK: Forward

  /// The residual stream after the last layer, [tokens, hiddenSize]; valid until the next call.
  /// - Parameters:
  ///   - batch: its ids are below the vocabulary's size.
  ///   - features: features of the batch's images, [image tokens, hiddenSize].
  ///   - caches: one per sequence, with the preceding tokens' keys and values; the batch's are appended.
  @discardableResult
  func forward(
    _ batch: TokenBatch, features: FloatPointer? = nil, keeping: Kept = .nothing, caches: [KeyValueCache]? = nil
  ) -> FloatPointer {
    activations.reserve(batch.count)
    for (table, rotation) in zip(rotaries, activations.rotations) {
      table.rows(batch, cosines: rotation.cosines.start, sines: rotation.sines.start)
    }
    embed(batch, features, into: activations.input(0, keeping))
    for i in decoder.layers.indices {
      runLayer(
        i, batch, input: activations.input(i, keeping), activations.layer(i, keeping),
        output: activations.input(i + 1, keeping), caches)
    }
    for (cache, tokens) in zip(caches ?? [], batch.sequences) { cache.count += tokens.count }
    return activations.input(decoder.layers.count, keeping)
  }

  private func embed(_ batch: TokenBatch, _ features: FloatPointer?, into x: FloatPointer) {
    let (x, hidden, embedding, ids) = (Shared(x), hidden, decoder.embedding, batch.ids)
    let scale = config.parts.embeddingScale
    for rows in batch.embedded {
      compute.split(rows.count, least: 16) { range in
        for i in range.lowerBound + rows.lowerBound..<range.upperBound + rows.lowerBound {
          embedding.widen(rows: Int(ids[i])..<Int(ids[i]) + 1, into: x.pointer + i * hidden)
          if scale != 1 { vp_scale(x.pointer + i * hidden, scale, hidden) }
        }
      }
    }
    for image in batch.images {
      memcpy(
        x.pointer + image.rows.lowerBound * hidden, features! + image.feature * hidden, image.rows.count * hidden * 4)
    }
  }

  /// - Parameter output: nil if only the layer's kept activations are needed.
  private func runLayer(
    _ i: Int, _ batch: TokenBatch, input: FloatPointer, _ kept: Activations.Layer, output: FloatPointer?,
    _ caches: [KeyValueCache]? = nil
  ) {
    let (layer, rows) = (decoder.layers[i], batch.count)
    let qkv = kept.queryKeyValue.start
    compute.apply(layer.attention, to: normed(input, by: layer.inputNorm, rows), rows: rows, into: qkv)
    normQueriesAndKeys(layer, kept, rows)
    rotate(qkv, layer, rows, direction: 1)
    let attention = attention(layer)
    attention.forward(
      caches.map { attention.spans(batch.sequences, in: qkv, after: $0, layer: i) }
        ?? attention.spans(batch.sequences, in: qkv),
      tokens: rows, qkv, output: kept.attended.start, logSums: caches == nil ? kept.logSums.start : nil)
    apply(
      layer.attentionOutput, layer.attentionNorm, to: kept.attended.start, rows, branch: kept.attentionBranch,
      into: kept.middle.start)
    compute.add(input, to: kept.middle.start, rows: rows, hidden)
    compute.apply(
      layer.gateUp, to: normed(kept.middle.start, by: layer.middleNorm, rows), rows: rows, into: kept.up.start)
    // The backward pass needs what the last norm normed.
    guard output != nil || layer.mlpNorm != nil else { return }
    let out = output ?? compute.scratch(.normed, rows * hidden)
    apply(layer.down, layer.mlpNorm, to: activated(kept, rows), rows, branch: kept.mlpBranch, into: out)
    if output != nil { compute.add(kept.middle.start, to: out, rows: rows, hidden) }
  }

  /// The input of a product: normed, or as it is.
  private func normed(_ x: FloatPointer, by norm: Norm?, _ rows: Int) -> FloatPointer {
    guard let norm else { return x }
    let normed = compute.scratch(.normed, rows * hidden)
    compute.apply(norm, to: x, rows: rows, into: normed)
    return normed
  }

  /// A product at the end of a branch, and the norm behind it, whose input is kept in `branch`.
  private func apply(
    _ linear: Linear, _ norm: Norm?, to x: FloatPointer, _ rows: Int, branch: Floats, into out: FloatPointer
  ) {
    guard let norm else { return compute.apply(linear, to: x, rows: rows, into: out) }
    compute.apply(linear, to: x, rows: rows, into: branch.start)
    compute.apply(norm, to: branch.start, rows: rows, into: out)
  }

  private func attention(_ layer: Decoder.Layer) -> Attention {
    Attention(shape: config.attention, compute: compute, window: layer.kind.isSliding ? config.window : nil)
  }

  private func rotate(_ qkv: FloatPointer, _ layer: Decoder.Layer, _ rows: Int, direction: Float) {
    guard layer.kind.isRotary else { return }
    let rotary = layer.kind.isSliding && rotaries.count > 1 ? 1 : 0
    compute.rotate(qkv, rows: rows, activations, rotary, direction: direction)
  }

  /// Input of the MLP's second product.
  private func activated(_ kept: Activations.Layer, _ rows: Int) -> FloatPointer {
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    compute.activate(
      config.parts.activation, isGated: true, kept.up.start, rows: rows, config.intermediateSize, into: inner)
    return inner
  }

  // MARK: Backward

  /// The lowest layer that the backward pass has to reach; the number of layers if none.
  /// - Parameter isInputWanted: as in `backward`.
  func lowest(isInputWanted: Bool) -> Int {
    isInputWanted || decoder.embedding.tuning != nil ? 0 : decoder.lowestTuned ?? decoder.layers.count
  }

  /// Backward pass: accumulates the gradients of all tuned tensors below the final norm.
  /// - Parameters:
  ///   - gradient: of the residual stream after the last layer; overwritten.
  ///   - keeping: as in the forward pass of the same batch.
  ///   - isInputWanted: `gradient` becomes the gradient of the first layer's input, which includes the images'
  ///     features.
  func backward(_ batch: TokenBatch, gradient: FloatPointer, keeping: Kept, isInputWanted: Bool = false) {
    let lowest = lowest(isInputWanted: isInputWanted)
    let isInputWanted = isInputWanted || decoder.embedding.tuning != nil
    for i in decoder.layers.indices.reversed() where i >= lowest {
      let kept = activations.layer(i, keeping)
      let input = activations.input(i, keeping)
      if !keeping.isKept(i) { runLayer(i, batch, input: input, kept, output: nil) }
      backwardMLP(i, batch.count, kept, gradient)
      // In the lowest layer, skip whatever no tuned tensor depends on.
      let isLast = i == lowest && !isInputWanted
      if isLast, !decoder.layers[i].isAttentionTuned { return }
      backwardAttention(i, batch, input, kept, gradient, isLast: isLast)
    }
    if decoder.embedding.tuning != nil { addEmbeddingGradient(batch, gradient) }
  }

  private func backwardMLP(_ i: Int, _ rows: Int, _ kept: Activations.Layer, _ gradient: FloatPointer) {
    let layer = decoder.layers[i]
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    let dBranch = branchGradient(layer.mlpNorm, gradient, kept.mlpBranch, rows)
    if layer.down.isTuned { compute.addGradients(of: layer.down, x: activated(kept, rows), dy: dBranch, rows: rows) }
    compute.applyBack(layer.down, to: dBranch, rows: rows, into: inner)
    let dGateUp = compute.scratch(.innerGradient, rows * 2 * config.intermediateSize)
    compute.activateBack(
      config.parts.activation, isGated: true, kept.up.start, dy: inner, rows: rows, config.intermediateSize,
      into: dGateUp)
    compute.applyBack(
      layer.gateUp, behind: layer.middleNorm, to: dGateUp, input: kept.middle.start, rows: rows, into: gradient)
  }

  private func backwardAttention(
    _ i: Int, _ batch: TokenBatch, _ input: FloatPointer, _ kept: Activations.Layer, _ gradient: FloatPointer,
    isLast: Bool
  ) {
    let (layer, rows) = (decoder.layers[i], batch.count)
    let dBranch = branchGradient(layer.attentionNorm, gradient, kept.attentionBranch, rows)
    if layer.attentionOutput.isTuned {
      compute.addGradients(of: layer.attentionOutput, x: kept.attended.start, dy: dBranch, rows: rows)
    }
    let dOutput = compute.scratch(.attention, rows * config.queryWidth)
    let dqkv = compute.scratch(.queryKeyValue, rows * config.attentionWidth)
    compute.applyBack(layer.attentionOutput, to: dBranch, rows: rows, into: dOutput)
    attention(layer).backward(
      batch.sequences, tokens: rows, kept.queryKeyValue.start, output: kept.attended.start, logSums: kept.logSums.start,
      dOutput: dOutput, dqkv: dqkv)
    rotate(dqkv, layer, rows, direction: -1)
    backwardQueryKeyNorms(layer, kept, dqkv, rows)
    // Below the lowest tuned layer no gradient is needed.
    let isWanted = !isLast || layer.inputNorm?.isTuned ?? false
    compute.applyBack(
      layer.attention, behind: layer.inputNorm, to: dqkv, input: input, rows: rows, into: isWanted ? gradient : nil)
  }

  private func addEmbeddingGradient(_ batch: TokenBatch, _ gradient: FloatPointer) {
    let (sums, scale) = (decoder.embedding.tuning!.gradient.start, config.parts.embeddingScale)
    for i in batch.embedded.joined() {
      vp_add_scaled(sums + Int(batch.ids[i]) * hidden, gradient + i * hidden, scale, hidden)
    }
  }
}
