import Apply
import Base
import Checkpoints
import Families
import Text

/// A language model from a folder, with patches applied in memory: scoring, generation and gradients. Some models take
/// images among the text.
///
/// Must not be used concurrently; it runs on the threads of its `compute`.
package final class LanguageModel {
  package let config: ModelConfig
  package let weights: ModelWeights
  package let compute: Compute
  let pass: DecoderPass
  /// Image encoder, for a vision-language model.
  let imageEncoder: ImageEncoder?

  /// Tokens per forward pass if no activations are kept.
  static let portion = 2048

  /// - Parameters:
  ///   - view: a model's folder, and the patches to apply in memory.
  ///   - cache: cache of image features; nil: they are computed each time.
  /// - Throws: `invalid` if config and tensors do not match, `refused` for an unsupported model.
  package convenience init(_ view: ModelView, compute: Compute, features cache: FeatureCache? = nil) throws {
    let folder = try view.folder()
    try self.init(
      config: ModelConfig(folder), weights: ModelWeights(view, threads: compute.threads), compute: compute,
      images: ImageReader(folder), features: cache)
    // The files beside the weights are read by name, so they have to be of the same model.
    try view.checkpoint.requireStillThere()
  }

  package func requireUnchanged() throws { try weights.view.checkpoint.requireSameBytes() }

  /// - Parameter images: nil for a model that takes no images.
  init(
    config: ModelConfig, weights: ModelWeights, compute: Compute, images: ImageReader? = nil,
    features cache: FeatureCache? = nil
  ) throws {
    self.config = config
    self.weights = weights
    self.compute = compute
    pass = DecoderPass(try Decoder(config, weights), compute)
    imageEncoder = try images.map { try ImageEncoder($0, weights, compute, cache) }
    try LeftOut.require(pass.decoder, imageEncoder?.pass.model, weights)
  }

  /// Warnings about how the files were interpreted.
  package var warnings: [String] { [pass.decoder.warning].compactMap(\.self) }

  /// The embedding and the tied head, if the checkpoint stores both; otherwise nil.
  package var storedTwice: (embedding: Parameter, head: Parameter)? {
    pass.decoder.tiedHead.map { (pass.decoder.embedding, $0) }
  }

  /// The same model from its files and patches, without tuned tensors, whatever is tuned in this one; with scratch
  /// memory of its own.
  package func frozen() throws -> LanguageModel {
    try LanguageModel(
      config: config, weights: weights.frozen(),
      compute: compute.another(), images: imageEncoder?.reader,
      features: imageEncoder?.cache)
  }

  /// Tensors that the output depends on. A checkpoint may have others: layers of a vision tower above the one that is
  /// used, its last norm, buffers of old files.
  package var used: [Parameter] { pass.decoder.parameters + (imageEncoder?.parameters ?? []) }

  /// The matrices of the decoder's layers, which factors can tune.
  package var matrices: [Parameter] {
    pass.decoder.layers.flatMap { [$0.attention, $0.attentionOutput, $0.gateUp, $0.down] }.flatMap(\.parts).map(
      \.weight)
  }

  /// The token that stands for an image; nil for a model that takes none.
  package var imageToken: Int32? { imageEncoder?.reader.token }

  /// Sequences as a batch, with the features of their images.
  /// - Parameters:
  ///   - length: at least this long all texts count as.
  ///   - keeping: activations of a tuned vision tower that are kept for the backward pass.
  /// - Throws: for images that cannot be read.
  func batch(
    _ sequences: [TokenSequence], length: Int = 0, keeping: ActivationCheckpointing? = nil
  ) throws -> (TokenBatch, features: FloatPointer?) {
    guard sequences.contains(where: { !$0.images.isEmpty }) else {
      return (TokenBatch(sequences, length: length), nil)
    }
    let imageEncoder = try requireImageEncoder()
    let images = try sequences.flatMap(imageEncoder.plans)
    let grids = try images.map { try imageEncoder.reader.grid($0.plan) }
    let batch = TokenBatch(sequences, imageToken: imageEncoder.reader.token, grids: grids, length: length)
    return (batch, try imageEncoder.features(of: images, keeping: keeping))
  }

  private func requireImageEncoder() throws -> ImageEncoder {
    guard let imageEncoder else {
      throw VPatchError(
        .refused, weights.view.path, "takes no images", remedy: "use a vision-language model, or rows without images")
    }
    return imageEncoder
  }

  /// - Throws: `invalid` for a token outside the vocabulary, or images that do not match their tokens; `refused` for
  ///   images for a model that takes none.
  func check(_ sequences: [TokenSequence]) throws {
    for sequence in sequences {
      let imageToken = sequence.images.isEmpty ? nil : try checkImages(sequence)
      if let id = sequence.ids.first(where: { ($0 < 0 || Int($0) >= config.vocabularySize) && $0 != imageToken }) {
        throw VPatchError(
          .invalid, weights.view.path, "has no token \(id): its vocabulary has \(config.vocabularySize)",
          remedy: "use this model's tokenizer")
      }
    }
  }

  /// - Returns: the token that stands for images.
  private func checkImages(_ sequence: TokenSequence) throws -> Int32 {
    let imageEncoder = try requireImageEncoder()
    let grids = try imageEncoder.plans(sequence).map { try imageEncoder.reader.grid($0.plan) }
    guard ImageGrid.places(grids, in: sequence.ids, token: imageEncoder.reader.token) != nil else {
      throw VPatchError(
        .invalid, weights.view.path,
        "takes \(Format.grouped(grids.reduce(0) { $0 + $1.tokens })) tokens for "
          + "\(Format.counted(grids.count, "image")), and "
          + "\(Format.counted(sequence.ids.count { $0 == imageEncoder.reader.token }, "image token")) stand in the text",
        remedy: "use this model's tokenizer and preprocessor_config.json")
    }
    return imageEncoder.reader.token
  }

  /// Runs sequences through the layers, batch by batch.
  func forEachPortion(
    _ sequences: [TokenSequence],
    _ body: (_ which: Range<Int>, _ batch: TokenBatch, _ stream: FloatPointer) throws -> Void
  ) throws {
    try check(sequences)
    for which in Batches.split(sequences.map(\.count), limit: Self.portion) {
      let (batch, features) = try batch(Array(sequences[which]))
      guard batch.count > 0 else { continue }
      try body(which, batch, pass.forward(batch, features: features))
    }
  }
}

extension LanguageModel: NextTokenModel {
  package var vocabularySize: Int { config.vocabularySize }

  package func scores(of sequences: [TokenSequence]) throws -> [[TokenScore]] {
    var scores = sequences.map { _ in [TokenScore]() }
    try forEachPortion(sequences) { which, batch, stream in
      let targets = batch.sequences.flatMap { tokens in
        tokens.dropLast().map { DecoderPass.Target(row: $0, id: batch.ids[$0 + 1]) }
      }
      var rest = pass.scores(stream, targets)[...]
      for (i, tokens) in zip(which, batch.sequences) {
        scores[i] = Array(rest.prefix(max(0, tokens.count - 1)))
        rest = rest.dropFirst(scores[i].count)
      }
    }
    return scores
  }

  package func forEachDistribution(
    of sequences: [TokenSequence], at positions: [Range<Int>],
    _ body: (_ sequence: Int, _ position: Int, _ logProbabilities: UnsafeBufferPointer<Float>) throws -> Void
  ) throws {
    try forEachPortion(sequences) { which, batch, stream in
      let wanted = zip(which, batch.sequences).flatMap { i, tokens in
        positions[i].map { (sequence: i, position: $0, row: tokens.lowerBound + $0) }
      }
      try pass.forEachDistribution(stream, rows: wanted.map(\.row)) { i, distribution in
        try body(wanted[i].sequence, wanted[i].position, distribution)
      }
    }
  }
}
