import CCompute
import Glibc

/// Runs batches through a decoder, forward and back.
final class DecoderPass {
  let decoder: Decoder
  let compute: Compute
  let activations: Activations
  private let rotary: RotaryTable
  private var config: ModelConfig { decoder.config }
  private var hidden: Int { decoder.config.hiddenSize }

  /// What the forward pass keeps for the way back.
  enum Keeping {
    case nothing
    /// All that layers from this one on need.
    case activations(from: Int)
    /// The inputs of layers from this one on; the rest is computed again.
    case inputs(from: Int)
  }

  init(_ decoder: Decoder, _ compute: Compute) {
    self.decoder = decoder
    self.compute = compute
    activations = Activations(decoder.config)
    rotary = RotaryTable(decoder.config.rotary)
  }

  // MARK: Forward

  /// The residual stream behind the last layer, [tokens, hiddenSize]; valid until the next call.
  /// - Parameters:
  ///   - batch: with ids below the vocabulary's size.
  ///   - features: of the batch's images, [their tokens, hiddenSize].
  ///   - caches: one a sequence: what came before it, to which its own keys and values are added.
  @discardableResult
  func forward(
    _ batch: TokenBatch, features: FloatPointer? = nil, keeping: Keeping = .nothing, caches: [KeyValueCache]? = nil
  ) -> FloatPointer {
    activations.reserve(batch.count)
    rotary.rows(batch.positions, cosines: activations.cosines.start, sines: activations.sines.start)
    let count = decoder.layers.count
    embed(batch, features, into: input(0, keeping))
    for i in 0..<count {
      runLayer(
        i, batch, input: input(i, keeping), activations.layer(i, isKept: keeping.isKept(i)),
        output: i + 1 < count ? input(i + 1, keeping) : activations.last.start, caches)
    }
    for (cache, tokens) in zip(caches ?? [], batch.sequences) { cache.count += tokens.count }
    return activations.last.start
  }

  private func input(_ i: Int, _ keeping: Keeping) -> FloatPointer {
    if decoder.layers.isEmpty { return activations.last.start }
    if case .inputs(let first) = keeping, i >= first { return activations.input(i).start }
    return activations.layer(i, isKept: keeping.isKept(i)).input.start
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

  /// - Parameter output: nil where only what the layer keeps is wanted.
  private func runLayer(
    _ i: Int, _ batch: TokenBatch, input: FloatPointer, _ kept: Activations.Layer, output: FloatPointer?,
    _ caches: [KeyValueCache]? = nil
  ) {
    let (layer, rows) = (decoder.layers[i], batch.count)
    let normed = compute.scratch(.normed, rows * hidden)
    norm(input, layer.inputNorm, into: normed, rows)
    compute.apply(layer.attention, to: normed, rows: rows, into: kept.attention.queryKeyValue.start)
    rotate(kept.attention.queryKeyValue.start, rows, direction: 1)
    let attention = Attention(shape: config.attention, compute: compute)
    if let caches {
      attention.forward(
        i, batch.sequences, kept.attention.queryKeyValue.start, caches, output: kept.attention.output.start)
    } else {
      attention.forward(
        batch.sequences, tokens: rows, kept.attention.queryKeyValue.start, output: kept.attention.output.start,
        logSums: kept.attention.logSums.start)
    }
    compute.apply(layer.attentionOutput, to: kept.attention.output.start, rows: rows, into: kept.middle.start)
    add(input, to: kept.middle.start, rows)
    norm(kept.middle.start, layer.middleNorm, into: normed, rows)
    compute.apply(layer.gateUp, to: normed, rows: rows, into: kept.gateUp.start)
    guard let output else { return }
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    gate(kept.gateUp.start, into: inner, rows)
    compute.apply(layer.down, to: inner, rows: rows, into: output)
    add(kept.middle.start, to: output, rows)
  }

  // MARK: Backward

  /// The first layer that has to be gone back through; the number of layers where it is none.
  /// - Parameter isInputWanted: as for `backward`.
  func lowest(isInputWanted: Bool) -> Int {
    isInputWanted || decoder.embedding.tuning != nil ? 0 : decoder.lowestTuned ?? decoder.layers.count
  }

  /// Adds to the gradients of all tuned tensors below the final norm.
  /// - Parameters:
  ///   - gradient: of the residual stream behind the last layer; overwritten.
  ///   - keeping: as the forward pass of the same batch had it.
  ///   - isInputWanted: `gradient` becomes that of what goes into the first layer, the images' features among it.
  func backward(_ batch: TokenBatch, gradient: FloatPointer, keeping: Keeping, isInputWanted: Bool = false) {
    let lowest = lowest(isInputWanted: isInputWanted)
    let isInputWanted = isInputWanted || decoder.embedding.tuning != nil
    for i in decoder.layers.indices.reversed() where i >= lowest {
      let kept = activations.layer(i, isKept: keeping.isKept(i))
      let input = input(i, keeping)
      if !keeping.isKept(i) { runLayer(i, batch, input: input, kept, output: nil) }
      backwardMLP(i, batch.count, kept, gradient)
      // Of the lowest layer, what nothing tuned depends on is left out.
      let isLast = i == lowest && !isInputWanted
      if isLast, !decoder.layers[i].isAttentionTuned { return }
      backwardAttention(i, batch, input, kept, gradient, isLast: isLast)
    }
    if decoder.embedding.tuning != nil { addEmbeddingGradient(batch, gradient) }
  }

  private func backwardMLP(_ i: Int, _ rows: Int, _ kept: Activations.Layer, _ gradient: FloatPointer) {
    let layer = decoder.layers[i]
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    let dGateUp = compute.scratch(.innerGradient, rows * 2 * config.intermediateSize)
    if layer.down.isTuned {
      gate(kept.gateUp.start, into: inner, rows)
      compute.addGradients(of: layer.down, x: inner, dy: gradient, rows: rows)
    }
    compute.applyBack(layer.down, to: gradient, rows: rows, into: inner)
    let (gateUp, dInner, out) = (Shared(kept.gateUp.start), Shared(inner), Shared(dGateUp))
    let width = config.intermediateSize
    compute.split(rows, least: 8) { range in
      let first = range.lowerBound
      vp_silu_mul_backward(
        gateUp.pointer + first * 2 * width, dInner.pointer + first * width, out.pointer + first * 2 * width,
        range.count, width)
    }
    backward(through: layer.gateUp, layer.middleNorm, input: kept.middle.start, dOutput: dGateUp, rows, gradient)
  }

  private func backwardAttention(
    _ i: Int, _ batch: TokenBatch, _ input: FloatPointer, _ kept: Activations.Layer, _ gradient: FloatPointer,
    isLast: Bool
  ) {
    let (layer, rows, held) = (decoder.layers[i], batch.count, kept.attention)
    if layer.attentionOutput.isTuned {
      compute.addGradients(of: layer.attentionOutput, x: held.output.start, dy: gradient, rows: rows)
    }
    let dOutput = compute.scratch(.attention, rows * config.queryWidth)
    let dqkv = compute.scratch(.queryKeyValue, rows * config.attentionWidth)
    compute.applyBack(layer.attentionOutput, to: gradient, rows: rows, into: dOutput)
    Attention(shape: config.attention, compute: compute).backward(
      batch.sequences, tokens: rows, held.queryKeyValue.start, output: held.output.start, logSums: held.logSums.start,
      dOutput: dOutput, dqkv: dqkv)
    rotate(dqkv, rows, direction: -1)
    // Below the lowest tuned layer nothing asks for the gradient.
    let isWanted = !isLast || layer.inputNorm.tuning != nil
    backward(
      through: layer.attention, layer.inputNorm, input: input, dOutput: dqkv, rows, isWanted ? gradient : nil)
  }

  /// Back through a product and the norm before it.
  /// - Parameter gradient: of the norm's input, which is added to; nil where it is not wanted.
  private func backward(
    through linear: Linear, _ norm: Parameter, input: FloatPointer, dOutput: FloatPointer, _ rows: Int,
    _ gradient: FloatPointer?
  ) {
    let normed = compute.scratch(.normed, rows * hidden)
    if linear.isTuned {
      self.norm(input, norm, into: normed, rows)
      compute.addGradients(of: linear, x: normed, dy: dOutput, rows: rows)
    }
    guard let gradient else { return }
    compute.applyBack(linear, to: dOutput, rows: rows, into: normed)
    normBackward(normed, input, norm, into: gradient, rows)
  }

  private func addEmbeddingGradient(_ batch: TokenBatch, _ gradient: FloatPointer) {
    let sums = decoder.embedding.tuning!.gradient.start
    for i in batch.embedded.joined() { vp_add(sums + Int(batch.ids[i]) * hidden, gradient + i * hidden, hidden) }
  }

  // MARK: Pieces

  func norm(_ x: FloatPointer, _ weight: Parameter, into y: FloatPointer, _ rows: Int) {
    let (x, y, w, n) = (Shared(x), Shared(y), Shared(weight.values), hidden)
    let epsilon = config.normEpsilon
    compute.split(rows, least: 8) { range in
      vp_rms_norm(
        x.pointer + range.lowerBound * n, w.pointer, y.pointer + range.lowerBound * n, range.count, n, epsilon)
    }
  }

  func normBackward(_ dy: FloatPointer, _ x: FloatPointer, _ weight: Parameter, into dx: FloatPointer, _ rows: Int) {
    let (dy, x, dx, w, n) = (Shared(dy), Shared(x), Shared(dx), Shared(weight.values), hidden)
    let epsilon = config.normEpsilon
    if let sums = weight.tuning?.gradient {
      // One after the other: all rows add to the same sums.
      return vp_rms_norm_backward(dy.pointer, x.pointer, w.pointer, dx.pointer, sums.start, rows, n, epsilon)
    }
    compute.split(rows, least: 8) { range in
      let first = range.lowerBound * n
      vp_rms_norm_backward(
        dy.pointer + first, x.pointer + first, w.pointer, dx.pointer + first, nil, range.count, n, epsilon)
    }
  }

  private func rotate(_ x: FloatPointer, _ rows: Int, direction: Float) {
    let (x, width, half) = (Shared(x), config.attentionWidth, config.rotary.half)
    let (cosines, sines) = (activations.cosines, activations.sines)
    let heads = config.heads + config.keyValueHeads
    compute.split(rows, least: 8) { range in
      let first = range.lowerBound
      vp_rotate(
        x.pointer + first * width, range.count, width, heads, half, cosines.start + first * half,
        sines.start + first * half, direction)
    }
  }

  private func gate(_ gateUp: FloatPointer, into inner: FloatPointer, _ rows: Int) {
    let (gateUp, inner, width) = (Shared(gateUp), Shared(inner), config.intermediateSize)
    compute.split(rows, least: 8) { range in
      let first = range.lowerBound * width
      vp_silu_mul(gateUp.pointer + 2 * first, inner.pointer + first, range.count, width)
    }
  }

  private func add(_ x: FloatPointer, to y: FloatPointer, _ rows: Int) {
    let (x, y, n) = (Shared(x), Shared(y), hidden)
    compute.split(rows, least: 16) { range in
      vp_add(y.pointer + range.lowerBound * n, x.pointer + range.lowerBound * n, range.count * n)
    }
  }
}

extension DecoderPass.Keeping {
  /// Whether all of a layer is kept.
  func isKept(_ layer: Int) -> Bool {
    if case .activations(let first) = self { return layer >= first }
    return false
  }
}
