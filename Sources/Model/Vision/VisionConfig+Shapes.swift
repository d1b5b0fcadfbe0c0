import Families

extension VisionConfig.Tower {
  var attention: Attention.Shape {
    Attention.Shape(heads: heads, keyValueHeads: heads, headSize: headSize, isCausal: false)
  }
  /// - Parameter layers: number of layers that are computed.
  func activations(layers: Int) -> Activations.Shape {
    Activations.Shape(
      layers: layers, hidden: hiddenSize, attention: attention, up: upWidth, rotaries: windows == nil ? 0 : 1)
  }
}
