import Base
import Images
import Text

/// The image encoder: from image files to rows among a language model's embeddings, and back.
final class ImageEncoder {
  let reader: ImageReader
  /// Cache of a frozen tower's features.
  let cache: FeatureCache?
  let pass: VisionPass
  private let compute: Compute
  /// Gradient of the last images' rows.
  private var gradient = Floats(0)

  /// - Throws: `invalid` or `refused` if tower or projector do not match the config.
  init(_ reader: ImageReader, _ weights: ModelWeights, _ compute: Compute, _ cache: FeatureCache?) throws {
    self.reader = reader
    self.cache = cache
    self.compute = compute
    pass = VisionPass(try VisionModel(reader.config, weights), compute)
  }

  /// Whether any tensor of the image encoder is tuned.
  var isTuned: Bool { pass.model.isTuned }

  /// The tensors that rows of images depend on.
  var parameters: [Parameter] { pass.model.parameters }

  /// Memory that the images of some rows need in a training step.
  func memory(
    for sequences: [TokenSequence], tuned: [Parameter], keeping: ActivationCheckpointing
  ) throws -> VisionModel.Memory {
    try pass.model.memory(for: sequences.flatMap(plans).map(\.plan), tuned: tuned, keeping: keeping)
  }

  /// An image with its preprocessing plan, which depends on the number of images in the row.
  struct Planned {
    let image: ImageSource
    let count: Int
    let plan: ImagePlan
  }

  func plans(_ sequence: TokenSequence) throws -> [Planned] {
    try sequence.images.map {
      Planned(image: $0, count: sequence.images.count, plan: try reader.plan($0, among: sequence.images.count))
    }
  }

  /// The rows of images in order, [image tokens, hiddenSize]; valid until the next call.
  /// - Parameter keeping: activations of a tuned tower kept for the backward pass; nil without one.
  func features(of images: [Planned], keeping: ActivationCheckpointing?) throws -> FloatPointer {
    if pass.model.isTowerTuned { return try pass.forward(pixels(images), keeping: keeping) }
    let known = images.map {
      VisionPass.Known(image: $0.image.digest, plan: $0.plan, processing: reader.processing)
    }
    return try pass.forward(pass.features(of: known, cache: cache) { try pixels($0.map { images[$0] }) })
  }

  private func pixels(_ images: [Planned]) throws -> [PixelValues] {
    try Parallel.map(images.count, threads: compute.threads) { [reader] i in
      try reader.pixels(images[i].image, among: images[i].count)
    }
  }

  /// Accumulates the gradients of tuned tensors.
  /// - Parameter stream: gradient of the first decoder layer's input, [tokens, hiddenSize].
  func backward(_ batch: TokenBatch, _ stream: FloatPointer) throws {
    let hidden = reader.config.textHidden
    let count = batch.images.reduce(0) { $0 + $1.rows.count } * hidden
    if gradient.count < count { gradient = Floats(count) }
    for image in batch.images {
      (gradient.start + image.feature * hidden).update(
        from: stream + image.rows.lowerBound * hidden, count: image.rows.count * hidden)
    }
    try pass.backward(gradient: gradient.start)
  }
}
