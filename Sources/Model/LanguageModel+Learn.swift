import Text

/// Training: gradients of tuned tensors.
extension LanguageModel {
  /// Loss of some examples.
  package struct Loss: Equatable, Sendable {
    /// Sum of the answer tokens' negative log-probabilities, in nats.
    package var negativeLogLikelihood = 0.0
    /// Sum of λ·T²·KL(base ‖ model) over the same tokens, in nats.
    package var distillation = 0.0
    /// Number of tokens that count in the loss.
    package var tokens = 0

    package init() {}

    package static func += (a: inout Loss, b: Loss) {
      a.negativeLogLikelihood += b.negativeLogLikelihood
      a.distillation += b.distillation
      a.tokens += b.tokens
    }

    /// Loss per token.
    package var mean: Double { (negativeLogLikelihood + distillation) / Double(max(1, tokens)) }
  }

  /// Learning without forgetting: distillation from the base on the same tokens.
  package struct Distillation {
    /// The base without tuned tensors, with a `Compute` of its own.
    package let base: LanguageModel
    /// λ: weight of the distillation loss.
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
  ///   - targets: number of tokens that count in the whole batch.
  ///   - length: of the longest text of the whole batch: PyTorch chooses some rotary embeddings by it.
  ///   - dropout: of the inputs of factors, and the number of the first example in the whole batch.
  /// - Returns: the loss of these examples.
  package func addGradients(
    _ examples: [Example], targets count: Int, length: Int = 0, keeping: ActivationCheckpointing = .activations,
    dropout: (Dropout, first: Int)? = nil, distillation: Distillation? = nil
  ) throws -> Loss {
    let sequences = examples.map(\.sequence)
    try check(sequences)
    let isImageEncoderTuned = imageEncoder?.isTuned ?? false
    let (batch, features) = try batch(
      sequences, length: max(length, sequences.map(\.count).max() ?? 0), keeping: isImageEncoderTuned ? keeping : nil)
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
    compute.dropout = dropout.map { $0.rows(batch.sequences, first: $1) }
    defer { compute.dropout = nil }
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
