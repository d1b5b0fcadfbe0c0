import Images

/// From image files to rows that stand among a language model's embeddings, and back.
final class Eyes {
  let reader: ImageReader
  var isTuned: Bool { false }

  init(_ reader: ImageReader, _ weights: ModelWeights, _ compute: Compute) throws { self.reader = reader }

  func features(of images: [ImageSource], keeping: Bool) throws -> FloatPointer? { nil }

  func backward(_ batch: TokenBatch, _ gradient: FloatPointer) {}
}
