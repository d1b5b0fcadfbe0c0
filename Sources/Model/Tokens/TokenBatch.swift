import Text

/// Sequences one behind the other, without padding; some of their rows are images' features instead of embeddings.
struct TokenBatch: Equatable, Sendable {
  let ids: [Int32]
  /// Where each sequence lies in `ids`.
  let sequences: [Range<Int>]
  /// Of each token, in its sequence.
  let positions: TokenPositions
  /// Rows that are features, in order.
  let images: [ImageRows]

  struct ImageRows: Equatable, Sendable {
    let rows: Range<Int>
    /// The first row's among the features of all images.
    let feature: Int
  }

  /// - Parameters:
  ///   - grids: of the images of all sequences, in their order.
  ///   - first: the position of each sequence's first token, where something came before it.
  init(_ sequences: [TokenSequence], imageToken: Int32? = nil, grids: [ImageGrid] = [], from first: [Int]? = nil) {
    ids = sequences.flatMap(\.ids)
    var (images, rest, positions) = ([ImageRows](), grids[...], TokenPositions())
    var (start, feature) = (0, 0)
    self.sequences = sequences.enumerated().map { i, sequence in
      let own = Array(rest.prefix(sequence.images.count))
      rest = rest.dropFirst(own.count)
      guard let places = ImageGrid.places(own, in: sequence.ids, token: imageToken) else {
        preconditionFailure("images that are not among the tokens")
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

  /// Some tokens of a batch of one sequence.
  func part(_ rows: Range<Int>) -> TokenBatch {
    precondition(sequences.count == 1, "a part of several sequences")
    return TokenBatch(
      ids: Array(ids[rows]), sequences: [0..<rows.count], positions: positions[rows],
      images: images.compactMap { image in
        let kept = image.rows.clamped(to: rows)
        guard !kept.isEmpty else { return nil }
        return ImageRows(
          rows: kept.lowerBound - rows.lowerBound..<kept.upperBound - rows.lowerBound,
          feature: image.feature + kept.lowerBound - image.rows.lowerBound)
      })
  }

  private init(ids: [Int32], sequences: [Range<Int>], positions: TokenPositions, images: [ImageRows]) {
    self.ids = ids
    self.sequences = sequences
    self.positions = positions
    self.images = images
  }
}
