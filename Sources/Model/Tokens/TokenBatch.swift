import Text

/// Concatenated sequences without padding; some rows are images' features instead of embeddings.
struct TokenBatch: Equatable, Sendable {
  let ids: [Int32]
  /// Range of each sequence in `ids`.
  let sequences: [Range<Int>]
  /// Position of each token in its sequence.
  let positions: TokenPositions
  /// The length of each sequence's text, in positions: some rotary embeddings depend on it.
  let lengths: [Int]
  /// Rows that are image features, in order.
  let images: [ImageRows]

  struct ImageRows: Equatable, Sendable {
    let rows: Range<Int>
    /// Index of the first row among the features of all images.
    let feature: Int
  }

  /// - Parameters:
  ///   - grids: of the images of all sequences, in order.
  ///   - first: position of each sequence's first token, if tokens precede it.
  ///   - length: at least this long all texts count as; each counts as long as it is.
  init(
    _ sequences: [TokenSequence], imageToken: Int32? = nil, grids: [ImageGrid] = [], from first: [Int]? = nil,
    length: Int = 0
  ) {
    ids = sequences.flatMap(\.ids)
    var (images, rest, positions) = ([ImageRows](), grids[...], TokenPositions())
    var (start, feature) = (0, 0)
    self.sequences = sequences.enumerated().map { i, sequence in
      let own = Array(rest.prefix(sequence.images.count))
      rest = rest.dropFirst(own.count)
      guard let places = ImageGrid.places(own, in: sequence.ids, token: imageToken) else {
        preconditionFailure("images do not match the image tokens")
      }
      positions.append(sequence.count, from: first?[i] ?? 0, images: Array(zip(places, own)))
      for place in places {
        images.append(ImageRows(rows: start + place.lowerBound..<start + place.upperBound, feature: feature))
        feature += place.count
      }
      defer { start += sequence.count }
      return start..<start + sequence.count
    }
    self.images = images
    self.positions = positions
    lengths = self.sequences.map { max(length, positions.next(after: $0)) }
  }

  var count: Int { ids.count }

  /// Rows that are embeddings.
  var embedded: [Range<Int>] {
    var (ranges, start) = ([Range<Int>](), 0)
    for image in images {
      if start < image.rows.lowerBound { ranges.append(start..<image.rows.lowerBound) }
      start = image.rows.upperBound
    }
    return start < count ? ranges + [start..<count] : ranges
  }

  /// Part of a batch with one sequence.
  func part(_ rows: Range<Int>) -> TokenBatch {
    precondition(sequences.count == 1, "the batch has several sequences")
    return TokenBatch(
      ids: Array(ids[rows]), sequences: [0..<rows.count], positions: positions[rows], lengths: lengths,
      images: images.compactMap { image in
        let kept = image.rows.clamped(to: rows)
        guard !kept.isEmpty else { return nil }
        return ImageRows(
          rows: kept.lowerBound - rows.lowerBound..<kept.upperBound - rows.lowerBound,
          feature: image.feature + kept.lowerBound - image.rows.lowerBound)
      })
  }

  private init(
    ids: [Int32], sequences: [Range<Int>], positions: TokenPositions, lengths: [Int], images: [ImageRows]
  ) {
    self.ids = ids
    self.sequences = sequences
    self.positions = positions
    self.lengths = lengths
    self.images = images
  }
}
