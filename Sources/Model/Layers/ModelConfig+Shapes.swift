import Families

extension ModelConfig {
  var attention: Attention.Shape {
    Attention.Shape(heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, isCausal: true)
  }
  var activations: Activations.Shape {
    Activations.Shape(
      layers: layers, hidden: hiddenSize, attention: attention, up: 2 * intermediateSize, usesRotary: true)
  }
}
