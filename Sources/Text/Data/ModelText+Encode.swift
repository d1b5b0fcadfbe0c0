import Base
import Images

extension ModelText {
  /// Text with images among it, as tokens.
  struct Encoded {
    var ids: [Int32] = []
    /// One an id.
    var isAnswer: [Bool] = []
    /// How many borders between segments lie inside a token.
    var bordersInTokens = 0
    /// Where the images' tokens are.
    var runs: [Range<Int>] = []
  }

  /// The text that stands for an image: of a model without images as well, whose rows are refused for it later.
  var mark: String { images?.mark ?? ImageMark.ofRows }

  var noImages: RowError { RowError("has an image, and the model takes no images") }

  /// A text as it stands, with images among it.
  func segments(_ parts: [Message.Part]) -> [Segment] {
    parts.flatMap { part in
      switch part {
      case .text(let text): [Segment(text, isAnswer: false)]
      case .image: ImageMark.shown(mark)
      }
    }
  }

  /// - Throws: `RowError` for a text that spells out an image's mark: the model would take it for an image.
  func checkMarks(in parts: [Message.Part]) throws {
    guard let images else { return }
    for case .text(let text) in parts {
      for mark in [ImageMark.ofRows, images.mark] where text.firstRange(of: mark) != nil {
        throw RowError("has the mark \"\(mark)\" in a text, and no image for it")
      }
    }
  }

  /// The ids of the whole text, with as many image tokens at each mark as the model takes for the image there.
  /// - Parameter sources: one a mark, in order.
  /// - Throws: `RowError` where the text makes other image tokens than these.
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
        "has \(Format.counted(places, "image token")) in its text, and \(Format.counted(sources.count, "image"))")
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
  /// How many tokens each image of a row takes.
  /// - Throws: `RowError` with what is wrong with one, or where they are more than memory should be taken for: a row may
  ///   name an image a million times.
  func counts(of images: [ImageSource]) throws -> [Int] {
    let counts = try images.map { try count(of: $0, among: images.count) }
    let sum = counts.reduce(0, +)
    guard sum <= 1 << 22 else {
      throw RowError("has images that take \(Format.grouped(sum)) tokens, which no model reads at once")
    }
    return counts
  }

  private func count(of image: ImageSource, among count: Int) throws -> Int {
    do {
      let count = try tokens(for: image, among: count)
      guard count > 0 else { throw RowError("has an image of which the model takes no tokens") }
      return count
    } catch let error as VPatchError {
      throw RowError("has an image that cannot be used (\(Path.name(image.path).printable)): \(RowError.words(error))")
    }
  }
}

extension Tokenizer {
  /// The ids of a text whose marks the tokenizer does not know: what is between two of them is encoded apart, each part
  /// as if a text began there, and a token is put between. So LLaVA's own code does it (`tokenizer_image_token`), where
  /// only the first part has what the tokenizer puts before a text.
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
