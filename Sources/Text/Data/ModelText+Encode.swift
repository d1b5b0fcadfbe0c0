import Base
import Images

extension ModelText {
  /// Text with images, as tokens.
  struct Encoded {
    var ids: [Int32] = []
    /// One per id.
    var isAnswer: [Bool] = []
    /// Number of segment boundaries inside a token.
    var bordersInTokens = 0
    /// Ranges of the images' tokens.
    var runs: [Range<Int>] = []
  }

  /// The placeholder of an image; defined for a model without images too, whose rows are refused later.
  var mark: String { images?.mark ?? ImageMark.ofRows }

  var noImages: RowError { RowError("has an image, but the model takes no images") }

  /// Plain text with images.
  func segments(_ parts: [Message.Part]) -> [Segment] {
    parts.flatMap { part in
      switch part {
      case .text(let text): [Segment(text, isAnswer: false)]
      case .image: ImageMark.shown(mark)
      }
    }
  }

  /// - Throws: `RowError` for a text that contains the image placeholder, which the model would take for an image.
  func checkMarks(in parts: [Message.Part]) throws {
    guard let images else { return }
    for case .text(let text) in parts {
      for mark in [ImageMark.ofRows, images.mark] where text.firstRange(of: mark) != nil {
        throw RowError("has the image placeholder \"\(mark)\" in a text, but no image for it")
      }
    }
  }

  /// The ids of the whole text, with each placeholder replaced by the image's number of image tokens.
  /// - Parameter sources: one per placeholder, in order.
  /// - Throws: `RowError` if the text gives other image tokens than these.
  func encode(_ segments: [Segment], _ sources: [ImageSource], addSpecialTokens: Bool) throws -> Encoded {
    let tokenizer = try tokenizer
    if let reason = tokenizer.refusal(of: segments.map(\.text).joined()) { throw RowError(reason) }
    guard let images else {
      guard sources.isEmpty else { throw noImages }
      let encoded = tokenizer.encode(segments, addSpecialTokens: addSpecialTokens)
      return Encoded(ids: encoded.ids, isAnswer: encoded.isAnswer, bordersInTokens: encoded.bordersInTokens)
    }
    let encoded =
      sources.isEmpty || tokenizer.addedID(of: images.mark) == images.token
      ? tokenizer.encode(segments, addSpecialTokens: addSpecialTokens)
      : tokenizer.encodeApart(segments, token: images.token, addSpecialTokens: addSpecialTokens)
    let places = encoded.ids.count { $0 == images.token }
    guard places == sources.count else {
      throw RowError(
        "has \(Format.counted(places, "image token")) in its text, but \(Format.counted(sources.count, "image"))")
    }
    var result = Encoded(bordersInTokens: encoded.bordersInTokens)
    var counts = try images.counts(of: sources)[...]
    for (id, isAnswer) in zip(encoded.ids, encoded.isAnswer) {
      guard id == images.token else {
        result.ids.append(id)
        result.isAnswer.append(isAnswer)
        continue
      }
      let count = counts.removeFirst()
      result.runs.append(result.ids.count..<result.ids.count + count)
      result.ids += repeatElement(id, count: count)
      result.isAnswer += repeatElement(false, count: count)
    }
    return result
  }
}

extension ImagePrompting {
  /// Number of tokens of each image of a row.
  /// - Throws: `RowError` for an unusable image, or for more tokens than memory should be used for: a row may name an
  ///   image a million times.
  func counts(of images: [ImageSource]) throws -> [Int] {
    let counts = try images.map { try count(of: $0, among: images.count) }
    let sum = counts.reduce(0, +)
    guard sum <= 1 << 22 else {
      throw RowError("has images that take \(Format.grouped(sum)) tokens, more than any model takes")
    }
    return counts
  }

  private func count(of image: ImageSource, among count: Int) throws -> Int {
    do {
      let count = try tokens(for: image, among: count)
      guard count > 0 else { throw RowError("has an image that gives no tokens") }
      return count
    } catch let error as VPatchError {
      throw RowError("has an image that cannot be used (\(Path.name(image.path).printable)): \(RowError.words(error))")
    }
  }
}

extension Tokenizer {
  /// The ids of a text whose placeholders the tokenizer does not know: the parts between them are encoded separately,
  /// each like a whole text, with the image token in between. Same as LLaVA's own code (`tokenizer_image_token`), in
  /// which only the first part gets the tokenizer's prefix.
  fileprivate func encodeApart(_ segments: [Segment], token: Int32, addSpecialTokens: Bool) -> Encoded {
    var result = Encoded()
    func append(_ ids: [Int32], _ isAnswer: Bool) {
      result.ids += ids
      result.isAnswer += repeatElement(isAnswer, count: ids.count)
    }
    if addSpecialTokens { append(postProcessor.prefix, false) }
    let parts = segments.split(omittingEmptySubsequences: false, whereSeparator: \.isImage)
    for (i, part) in parts.enumerated() {
      if i > 0 { append([token], false) }
      let encoded = encode(Array(part), addSpecialTokens: false)
      result.ids += encoded.ids
      result.isAnswer += encoded.isAnswer
      result.bordersInTokens += encoded.bordersInTokens
    }
    if addSpecialTokens { append(postProcessor.suffix, segments.last?.isAnswer ?? false) }
    return result
  }
}
