import Text

/// How a model learns: gradients of tuned tensors.
extension LanguageModel {
  /// What the answers of some examples cost.
  package struct Loss: Equatable, Sendable {
    /// The negative log-probabilities of the answers' tokens, added up, in nats.
    package var negativeLogLikelihood = 0.0
    /// λ·T²·KL(base ‖ model) over the same tokens, added up, in nats.
    package var distillation = 0.0
    /// Tokens that count.
    package var tokens = 0

    package init() {}

    package static func += (a: inout Loss, b: Loss) {
      a.negativeLogLikelihood += b.negativeLogLikelihood
      a.distillation += b.distillation
      a.tokens += b.tokens
    }

    /// Per token.
    package var mean: Double { (negativeLogLikelihood + distillation) / Double(max(1, tokens)) }
  }

  /// Learning without forgetting: stay near what the base would have answered.
  package struct Distillation {
    /// With memory of its own: `frozen()`.
    package let base: LanguageModel
    /// λ
    package let weight: Float
    package let temperature: Float

    package init(base: LanguageModel, weight: Float, temperature: Float) {
      self.base = base
      self.weight = weight
      self.temperature = temperature
    }
  }

  /// Adds the gradients of the mean loss to those of the tuned tensors.
  /// - Parameters:
  ///   - examples: a batch, or a part of one.
  ///   - targets: how many tokens count in the whole batch.
  /// - Returns: the examples' own loss.
  package func addGradients(
    _ examples: [Example], targets count: Int, keeping: ActivationCheckpointing = .activations, distillation: Distillation? = nil
  ) throws -> Loss {
    let sequences = examples.map(\.sequence)
    try check(sequences)
    let isImageEncoderTuned = imageEncoder?.isTuned ?? false
    let (batch, features) = try batch(sequences, keeping: isImageEncoderTuned ? keeping : nil)
    let isInputWanted = isImageEncoderTuned && features != nil
    let targets = zip(examples, batch.sequences).flatMap { example, tokens in
      example.labels.indices.dropFirst().compactMap { i in
        example.labels[i] == Example.ignored
          ? nil : DecoderPass.Target(row: tokens.lowerBound + i - 1, id: example.labels[i])
      }
    }
    try check([TokenSequence(targets.map(\.id))])
    var loss = Loss()
    loss.tokens = targets.count
    guard batch.count > 0, !targets.isEmpty else { return loss }
    let lowest = pass.lowest(isInputWanted: isInputWanted)
    let kept = Activations.Kept(keeping, from: lowest)
    let stream = pass.forward(batch, features: features, keeping: kept)
    let other = try distillation.map {
      let (_, features) = try $0.base.batch(sequences)
      return DecoderPass.Distillation(
        pass: $0.base.pass, stream: $0.base.pass.forward(batch, features: features),
        strength: .init(weight: $0.weight, temperature: $0.temperature))
    }
    let gradient = pass.activations.gradient.start
    (loss.negativeLogLikelihood, loss.distillation) = pass.loss(
      stream, tokens: batch.count, targets, scale: 1 / Float(count), gradient: gradient, distillation: other)
    pass.backward(batch, gradient: gradient, keeping: kept, isInputWanted: isInputWanted)
    if isInputWanted { try imageEncoder!.backward(batch, gradient) }
    return loss
  }
}
