import Families

/// Runs features through a projector, forward and backward.
final class ProjectorPass {
  let projector: VisionProjector
  let compute: Compute
  /// Input of the activation in the last forward pass.
  private var inner = Floats(0)
  private var dFeatures = Floats(0)

  init(_ projector: VisionProjector, _ compute: Compute) {
    self.projector = projector
    self.compute = compute
  }

  var outputs: Int { (projector.second ?? projector.first).outputs }

  /// - Parameters:
  ///   - features: [rows · merged, featureWidth].
  ///   - out: [rows, textHidden].
  func forward(_ features: FloatPointer, rows: Int, into out: FloatPointer) {
    guard let second = projector.second, let activation = projector.activation else {
      return compute.apply(projector.first, to: features, rows: rows, into: out)
    }
    if inner.count < rows * projector.first.outputs { inner = Floats(rows * projector.first.outputs) }
    compute.apply(projector.first, to: normed(features, rows), rows: rows, into: inner.start)
    compute.apply(second, to: activated(activation, rows), rows: rows, into: out)
  }

  /// Accumulates the gradients of tuned tensors.
  /// - Parameters:
  ///   - features: as in the forward pass.
  ///   - gradient: of the output.
  ///   - isWanted: whether the gradient of the features is needed.
  /// - Returns: that gradient, [rows · merged, featureWidth], valid until the next call.
  @discardableResult
  func backward(_ features: FloatPointer, gradient: FloatPointer, rows: Int, isWanted: Bool) -> FloatPointer? {
    var dy = gradient
    let (first, norm) = (projector.first, projector.norm)
    let isBelow = isWanted || norm?.isTuned ?? false
    if let second = projector.second, let activation = projector.activation {
      if second.isTuned {
        compute.addGradients(of: second, x: activated(activation, rows), dy: gradient, rows: rows)
      }
      guard isBelow || first.isTuned else { return nil }
      dy = compute.scratch(.innerGradient, rows * first.outputs)
      compute.applyBack(second, to: gradient, rows: rows, into: dy)
      compute.activateBack(activation, isGated: false, inner.start, dy: dy, rows: rows, first.outputs, into: dy)
    }
    if first.isTuned { compute.addGradients(of: first, x: normed(features, rows), dy: dy, rows: rows) }
    guard isBelow else { return nil }
    let count = rows * first.inputs
    if dFeatures.count < count { dFeatures = Floats(count) }
    guard let norm else {
      compute.applyBack(first, to: dy, rows: rows, into: dFeatures.start)
      return dFeatures.start
    }
    let dNormed = compute.scratch(.normed, count)
    compute.applyBack(first, to: dy, rows: rows, into: dNormed)
    dFeatures.start.update(repeating: 0, count: count)
    compute.applyBack(norm, to: dNormed, x: features, rows: rows * projector.merged, into: dFeatures.start)
    return dFeatures.start
  }

  private func normed(_ features: FloatPointer, _ rows: Int) -> FloatPointer {
    guard let norm = projector.norm else { return features }
    let normed = compute.scratch(.normed, rows * projector.first.inputs)
    compute.apply(norm, to: features, rows: rows * projector.merged, into: normed)
    return normed
  }

  private func activated(_ activation: Activation, _ rows: Int) -> FloatPointer {
    let width = projector.first.outputs
    let activated = compute.scratch(.inner, rows * width)
    compute.activate(activation, isGated: false, inner.start, rows: rows, width, into: activated)
    return activated
  }
}
