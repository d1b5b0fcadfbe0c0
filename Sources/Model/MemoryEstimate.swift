import Base
import Text

/// Memory of a training step, in bytes, by part.
package struct MemoryEstimate: Equatable, Sendable {
  /// The model's files: memory-mapped, so the system can reclaim it.
  package let mapped: Int
  /// Masters, gradients and two moments of the tuned tensors.
  package let tuned: Int
  /// Activations kept for the backward pass.
  package let activations: Int
  /// Scratch memory: widened weights, logits, a layer's intermediate results.
  package let scratch: Int

  package var needed: Int { tuned + activations + scratch }

  /// - Parameters:
  ///   - tuned: what the optimizer tunes.
  ///   - changing: the tensors of the model that change by that.
  ///   - isByFactors: whether `tuned` are factors of these.
  ///   - tokens: per forward pass.
  ///   - images: rows whose images are in the same forward pass.
  ///   - models: number of models that compute: 2 if the base is computed too.
  ///   - copies: additional copies of the masters.
  package init(
    _ model: LanguageModel, tuned: [Parameter], changing: [Parameter], isByFactors: Bool = false, tokens: Int,
    images: [TokenSequence] = [],
    keeping: ActivationCheckpointing, models: Int = 1, copies: Int = 0
  ) throws {
    let config = model.config
    mapped = model.weights.parameters.reduce(0) { $0 + $1.info.byteCount }
    // Copies of factors' matrices are in the base's dtype, and only for the time of a measurement.
    let merged = isByFactors && copies > 0 ? changing.reduce(0) { $0 + $1.info.byteCount } : 0
    self.tuned = tuned.reduce(merged) { $0 + (16 + 4 * copies) * $1.count }
    let names = Set(changing.map(\.name.bytesKey))
    let decoder = model.pass.decoder
    let seen = try model.imageEncoder?.memory(for: images, tuned: changing, keeping: keeping)
    let isInputTuned =
      names.contains(decoder.embedding.name.bytesKey)
      || model.imageEncoder?.parameters.contains { names.contains($0.name.bytesKey) } ?? false
    let lowest =
      isInputTuned
      ? 0
      : decoder.layers.firstIndex { layer in layer.parameters.contains { names.contains($0.name.bytesKey) } }
        ?? config.layers
    // Plus the stream after the last layer, its gradient, and the angles' cosines and sines.
    let angles = 2 * config.rotary.half * config.activations.rotaries
    let perToken = config.activations.bytes(keeping, from: lowest) + 4 * (2 * config.hiddenSize + angles)
    activations = tokens * perToken + models * (seen?.activations ?? 0)
    let wide = 3 * config.intermediateSize + config.hiddenSize + config.queryWidth + config.attentionWidth
    // The factors' input with some numbers dropped, and two products as wide as the rank.
    let factors = isByFactors ? config.intermediateSize + 2 * (tuned.map(\.rows).max() ?? 0) : 0
    scratch =
      tokens * 4 * factors
      + models * (Compute.blockBytes + DecoderPass.logitBytes + tokens * 4 * wide + (seen?.scratch ?? 0))
  }
}
