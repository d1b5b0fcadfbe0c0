extension Tokenizer {
  /// The ids of a text in segments, with marks for those in answers.
  package struct Encoded: Sendable, Equatable {
    package var ids: [Int32] = []
    /// One per id.
    package var isAnswer: [Bool] = []
    /// Number of segment boundaries inside a token. Such a token belongs to the later segment, and so do tokens before
    /// it that would be different without it.
    package var bordersInTokens = 0
  }

  /// The ids of the whole text, equal to those of Hugging Face's tokenizer, with marks for those in answers.
  package func encode(_ segments: [Segment], addSpecialTokens: Bool) -> Encoded {
    var encoded = Encoded()
    func append(_ ids: some Collection<Int32>, _ isAnswer: Bool) {
      encoded.ids += ids
      encoded.isAnswer += repeatElement(isAnswer, count: ids.count)
    }
    if addSpecialTokens { append(postProcessor.prefix, false) }
    var scalars: [Unicode.Scalar] = []
    /// The ends of the segments.
    var ends: [Int] = []
    for segment in segments {
      scalars += segment.text.unicodeScalars
      ends.append(scalars.count)
    }
    var segment = 0
    for part in added.split(scalars) {
      while segment < ends.count - 1, ends[segment] <= part.range.lowerBound { segment += 1 }
      switch part {
      case .token(let id, _): append([id], segments[segment].isAnswer)
      case .text(let range):
        let isFirst = range.lowerBound == 0
        let ids = encode(Array(scalars[range]), isFirst: isFirst)
        var done = 0
        // A segment that ends inside the part gets the leading ids that it also has on its own.
        while segment < ends.count - 1, ends[segment] < range.upperBound {
          let alone = encode(Array(scalars[range.lowerBound..<ends[segment]]), isFirst: isFirst)
          let shared = zip(ids, alone).prefix { $0 == $1 }.count
          if shared < alone.count { encoded.bordersInTokens += 1 }
          append(ids[done..<max(shared, done)], segments[segment].isAnswer)
          done = max(shared, done)
          segment += 1
        }
        append(ids[done...], segments[segment].isAnswer)
      }
    }
    if addSpecialTokens { append(postProcessor.suffix, segments.last?.isAnswer ?? false) }
    return encoded
  }
}
