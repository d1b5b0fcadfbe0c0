import CCompute
import Families

/// Runs images through a vision tower, forward and backward.
///
/// All towers are one pre-norm transformer (Dosovitskiy et al., arXiv 2010.11929), with or without class token, learned
/// positions, a norm before the first layer, branch scales, windows, rotated queries and keys.
final class TowerPass {
  typealias Kept = Activations.Kept

  let tower: VisionTower
  let vision: VisionConfig
  let compute: Compute
  let activations: Activations
  /// Input of the first norm (CLIP).
  var embedded = Floats(0)
  var config: VisionConfig.Tower { tower.config }
  var hidden: Int { tower.config.hiddenSize }

  init(_ model: VisionModel, _ compute: Compute) {
    tower = model.tower
    vision = model.config
    self.compute = compute
    activations = Activations(tower.config.activations(layers: tower.layers.count))
  }

  /// Writes the features of a batch, [features, featureWidth].
  func forward(_ batch: TowerBatch, keeping: Kept = .nothing, into features: FloatPointer) {
    activations.reserve(batch.tokens)
    if config.windows != nil {
      let rotation = activations.rotations[0]
      batch.rotate(cosines: rotation.cosines.start, sines: rotation.sines.start)
    }
    embed(batch, into: activations.input(0, keeping))
    for i in 0...tower.layers.count {
      let stream = activations.input(i, keeping)
      for (place, state) in vision.featureLayers.enumerated() where state == i {
        take(batch, stream, into: features + place * hidden)
      }
      guard i < tower.layers.count else { break }
      runLayer(
        i, batch, input: stream, activations.layer(i, keeping), output: activations.input(i + 1, keeping))
    }
  }

  private func take(_ batch: TowerBatch, _ stream: FloatPointer, into out: FloatPointer) {
    let width = vision.featureWidth
    for (row, token) in batch.features.enumerated() {
      (out + row * width).update(from: stream + token * hidden, count: hidden)
    }
  }

  /// - Parameter output: nil if only the layer's kept activations are needed.
  func runLayer(
    _ i: Int, _ batch: TowerBatch, input: FloatPointer, _ kept: Activations.Layer, output: FloatPointer?
  ) {
    let (layer, rows) = (tower.layers[i], batch.tokens)
    let normed = compute.scratch(.normed, rows * hidden)
    compute.apply(layer.attentionNorm, to: input, rows: rows, into: normed)
    apply(layer.attention, to: normed, rows: rows, into: kept.queryKeyValue.start)
    if config.windows != nil { compute.rotate(kept.queryKeyValue.start, rows: rows, activations, direction: 1) }
    let attention = Attention(shape: config.attention, compute: compute)
    attention.forward(
      attention.spans(sequences(i, batch), in: kept.queryKeyValue.start), tokens: rows, kept.queryKeyValue.start,
      output: kept.attended.start,
      logSums: kept.logSums.start)
    apply(layer.attentionOutput, to: kept.attended.start, rows: rows, into: kept.middle.start)
    if let factors = layer.attentionScale { compute.scale(kept.middle.start, by: factors, rows: rows) }
    compute.add(input, to: kept.middle.start, rows: rows, hidden)
    compute.apply(layer.middleNorm, to: kept.middle.start, rows: rows, into: normed)
    apply(layer.up, to: normed, rows: rows, into: kept.up.start)
    guard let output else { return }
    apply(layer.down, to: activated(kept, rows), rows: rows, into: output)
    if let factors = layer.downScale { compute.scale(output, by: factors, rows: rows) }
    compute.add(kept.middle.start, to: output, rows: rows, hidden)
  }

  /// A product whose rows are bitwise independent of the other rows: features are cached, and an image may be processed
  /// alone or with others.
  func apply(_ linear: Linear, to x: FloatPointer, rows: Int, into y: FloatPointer) {
    compute.apply(linear, to: x, rows: rows, into: y, isRowAlone: true)
  }

  /// Input of the MLP's second product.
  func activated(_ kept: Activations.Layer, _ rows: Int) -> FloatPointer {
    let inner = compute.scratch(.inner, rows * config.intermediateSize)
    compute.activate(
      config.activation, isGated: config.isGated, kept.up.start, rows: rows, config.intermediateSize, into: inner)
    return inner
  }

  /// Tokens that attend to each other in a layer.
  func sequences(_ layer: Int, _ batch: TowerBatch) -> [Range<Int>] {
    guard let windows = config.windows, !windows.fullLayers.contains(layer) else { return batch.sequences }
    return batch.windows
  }
}
