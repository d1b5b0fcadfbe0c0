import CCompute

/// From the gradient of the features to those of the tower's tuned tensors.
extension TowerPass {
  /// Accumulates the gradients of all tuned tensors of the tower; nothing is computed below the lowest of them.
  /// - Parameters:
  ///   - dFeatures: [features, featureWidth].
  ///   - keeping: as in the forward pass of the same batch.
  func backward(_ batch: TowerBatch, dFeatures: FloatPointer, keeping: Kept) {
    guard let lowest = tower.lowestTuned else { return }
    activations.gradient.clear()
    let gradient = activations.gradient.start
    addFeatures(batch, dFeatures, state: tower.layers.count, to: gradient)
    for i in tower.layers.indices.reversed() where i >= lowest {
      let kept = activations.layer(i, keeping)
      let input = activations.input(i, keeping)
      if !keeping.isKept(i) { runLayer(i, batch, input: input, kept, output: nil) }
      backwardMLP(tower.layers[i], batch.tokens, kept, gradient)
      // In the lowest layer, skip whatever no tuned tensor depends on.
      if i == lowest, !tower.layers[i].isAttentionTuned { return }
      backwardAttention(i, batch, input, kept, gradient, isLast: i == lowest)
      addFeatures(batch, dFeatures, state: i, to: gradient)
    }
    if lowest < 0 { backwardEmbedding(batch, gradient: gradient) }
  }

  /// Adds the gradient of the features to that of the hidden state they were taken from.
  private func addFeatures(_ batch: TowerBatch, _ dFeatures: FloatPointer, state: Int, to gradient: FloatPointer) {
    for (place, taken) in vision.featureLayers.enumerated() where taken == state {
      for (row, token) in batch.features.enumerated() {
        vp_add(gradient + token * hidden, dFeatures + row * vision.featureWidth + place * hidden, hidden)
      }
    }
  }

  private func backwardMLP(
    _ layer: VisionTower.Layer, _ rows: Int, _ kept: Activations.Layer, _ gradient: FloatPointer
  ) {
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    let dOutput = scaled(gradient, layer.downScale, rows) { out in
      self.apply(layer.down, to: self.activated(kept, rows), rows: rows, into: out)
    }
    if layer.down.isTuned { compute.addGradients(of: layer.down, x: activated(kept, rows), dy: dOutput, rows: rows) }
    compute.applyBack(layer.down, to: dOutput, rows: rows, into: inner)
    let dUp = compute.scratch(.innerGradient, rows * config.upWidth)
    compute.activateBack(
      config.activation, isGated: config.isGated, kept.up.start, dy: inner, rows: rows, config.intermediateSize,
      into: dUp)
    compute.applyBack(
      layer.up, behind: layer.middleNorm, to: dUp, input: kept.middle.start, rows: rows, into: gradient)
  }

  private func backwardAttention(
    _ i: Int, _ batch: TowerBatch, _ input: FloatPointer, _ kept: Activations.Layer, _ gradient: FloatPointer,
    isLast: Bool
  ) {
    let (layer, rows) = (tower.layers[i], batch.tokens)
    let dAttended = compute.scratch(.attention, rows * hidden)
    let dqkv = compute.scratch(.queryKeyValue, rows * 3 * hidden)
    let dOutput = scaled(gradient, layer.attentionScale, rows) { out in
      self.apply(layer.attentionOutput, to: kept.attended.start, rows: rows, into: out)
    }
    if layer.attentionOutput.isTuned {
      compute.addGradients(of: layer.attentionOutput, x: kept.attended.start, dy: dOutput, rows: rows)
    }
    compute.applyBack(layer.attentionOutput, to: dOutput, rows: rows, into: dAttended)
    Attention(shape: config.attention, compute: compute).backward(
      sequences(i, batch), tokens: rows, kept.queryKeyValue.start, output: kept.attended.start,
      logSums: kept.logSums.start, dOutput: dAttended, dqkv: dqkv)
    if config.windows != nil { compute.rotate(dqkv, rows: rows, activations, direction: -1) }
    // Below the lowest tuned layer no gradient is needed.
    let isWanted = !isLast || layer.attentionNorm.isTuned
    compute.applyBack(
      layer.attention, behind: layer.attentionNorm, to: dqkv, input: input, rows: rows,
      into: isWanted ? gradient : nil)
  }

  /// The gradient before a branch's scale; the same if there is none.
  /// - Parameter output: writes the values that the scale multiplies.
  private func scaled(
    _ gradient: FloatPointer, _ factors: Parameter?, _ rows: Int, output: (FloatPointer) -> Void
  ) -> FloatPointer {
    guard let factors else { return gradient }
    let branch = compute.scratch(.branch, rows * hidden)
    if let sums = factors.tuning?.gradient.start {
      output(branch)
      vp_sum_products(gradient, branch, sums, rows, hidden)
    }
    branch.update(from: gradient, count: rows * hidden)
    compute.scale(branch, by: factors, rows: rows)
    return branch
  }
}

extension VisionTower.Layer {
  /// Whether any tensor before the attention's residual is tuned.
  fileprivate var isAttentionTuned: Bool {
    attentionNorm.isTuned || attention.isTuned || attentionOutput.isTuned || attentionScale?.tuning != nil
  }
}
