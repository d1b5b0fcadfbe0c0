import CCompute
import Families
import Glibc

/// Runs batches through a decoder, forward and backward.
final class DecoderPass {
  let decoder: Decoder
  let compute: Compute
  let activations: Activations
  private let rotary: RotaryTable
  private var config: ModelConfig { decoder.config }
  private var hidden: Int { decoder.config.hiddenSize }

  typealias Kept = Activations.Kept

  init(_ decoder: Decoder, _ compute: Compute) {
    self.decoder = decoder
    self.compute = compute
    activations = Activations(decoder.config.activations)
    rotary = RotaryTable(decoder.config.rotary)
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
    rotary.rows(batch.positions, cosines: activations.cosines.start, sines: activations.sines.start)
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
    for rows in batch.embedded {
      compute.split(rows.count, least: 16) { range in
        for i in range.lowerBound + rows.lowerBound..<range.upperBound + rows.lowerBound {
          embedding.widen(rows: Int(ids[i])..<Int(ids[i]) + 1, into: x.pointer + i * hidden)
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
    let normed = compute.scratch(.normed, rows * hidden)
    compute.apply(layer.inputNorm, to: input, rows: rows, into: normed)
    compute.apply(layer.attention, to: normed, rows: rows, into: kept.queryKeyValue.start)
    compute.rotate(kept.queryKeyValue.start, rows: rows, activations, direction: 1)
    let attention = Attention(shape: config.attention, compute: compute)
    let qkv = kept.queryKeyValue.start
    attention.forward(
      caches.map { attention.spans(batch.sequences, in: qkv, after: $0, layer: i) }
        ?? attention.spans(batch.sequences, in: qkv),
      tokens: rows, qkv, output: kept.attended.start, logSums: caches == nil ? kept.logSums.start : nil)
    compute.apply(layer.attentionOutput, to: kept.attended.start, rows: rows, into: kept.middle.start)
    compute.add(input, to: kept.middle.start, rows: rows, hidden)
    compute.apply(layer.middleNorm, to: kept.middle.start, rows: rows, into: normed)
    compute.apply(layer.gateUp, to: normed, rows: rows, into: kept.up.start)
    guard let output else { return }
    compute.apply(layer.down, to: activated(kept, rows), rows: rows, into: output)
    compute.add(kept.middle.start, to: output, rows: rows, hidden)
  }

  /// Input of the MLP's second product.
  private func activated(_ kept: Activations.Layer, _ rows: Int) -> FloatPointer {
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    compute.activate(.silu, isGated: true, kept.up.start, rows: rows, config.intermediateSize, into: inner)
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
    if layer.down.isTuned { compute.addGradients(of: layer.down, x: activated(kept, rows), dy: gradient, rows: rows) }
    compute.applyBack(layer.down, to: gradient, rows: rows, into: inner)
    let dGateUp = compute.scratch(.innerGradient, rows * 2 * config.intermediateSize)
    compute.activateBack(
      .silu, isGated: true, kept.up.start, dy: inner, rows: rows, config.intermediateSize, into: dGateUp)
    compute.applyBack(
      layer.gateUp, behind: layer.middleNorm, to: dGateUp, input: kept.middle.start, rows: rows, into: gradient)
  }

  private func backwardAttention(
    _ i: Int, _ batch: TokenBatch, _ input: FloatPointer, _ kept: Activations.Layer, _ gradient: FloatPointer,
    isLast: Bool
  ) {
    let (layer, rows) = (decoder.layers[i], batch.count)
    if layer.attentionOutput.isTuned {
      compute.addGradients(of: layer.attentionOutput, x: kept.attended.start, dy: gradient, rows: rows)
    }
    let dOutput = compute.scratch(.attention, rows * config.queryWidth)
    let dqkv = compute.scratch(.queryKeyValue, rows * config.attentionWidth)
    compute.applyBack(layer.attentionOutput, to: gradient, rows: rows, into: dOutput)
    Attention(shape: config.attention, compute: compute).backward(
      batch.sequences, tokens: rows, kept.queryKeyValue.start, output: kept.attended.start, logSums: kept.logSums.start,
      dOutput: dOutput, dqkv: dqkv)
    compute.rotate(dqkv, rows: rows, activations, direction: -1)
    // Below the lowest tuned layer no gradient is needed.
    let isWanted = !isLast || layer.inputNorm.isTuned
    compute.applyBack(
      layer.attention, behind: layer.inputNorm, to: dqkv, input: input, rows: rows, into: isWanted ? gradient : nil)
  }

  private func addEmbeddingGradient(_ batch: TokenBatch, _ gradient: FloatPointer) {
    let sums = decoder.embedding.tuning!.gradient.start
    for i in batch.embedded.joined() { vp_add(sums + Int(batch.ids[i]) * hidden, gradient + i * hidden, hidden) }
  }
}
