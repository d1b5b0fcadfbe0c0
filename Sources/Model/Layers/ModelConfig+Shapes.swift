import Families

extension ModelConfig {
  var attention: Attention.Shape {
    Attention.Shape(
      heads: heads, keyValueHeads: keyValueHeads, headSize: headSize, isCausal: true, scale: parts.attentionScale)
  }
  var activations: Activations.Shape {
    Activations.Shape(
      layers: layers, hidden: hiddenSize, attention: attention, up: 2 * intermediateSize,
      rotaries: slidingRotary == nil ? 1 : 2, rotaryPairs: rotary.half, keepsUnnormed: parts.queryKeyNorm != .none,
      keepsBranches: parts.norms != .before)
  }
}
