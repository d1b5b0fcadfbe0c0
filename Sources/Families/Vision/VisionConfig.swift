import Images

/// What a model's `config.json` says of how it sees: its vision tower, what of it the language model reads, and how that
/// becomes rows of tokens.
package struct VisionConfig: Equatable, Sendable {
  /// A vision transformer.
  package struct Tower: Equatable, Sendable {
    package enum Family: String, Sendable, CaseIterable {
      case clip = "clip_vision_model"
      case siglip = "siglip_vision_model"
      case dinov2
      case qwen = "qwen2_5_vl"
    }

    package var family: Family
    package var hiddenSize: Int
    package var intermediateSize: Int
    package var layers: Int
    package var heads: Int
    package var channels = 3
    /// Pixels along a patch's side.
    package var patchSize: Int
    /// Frames that a patch spans (Qwen2.5-VL, which gives it the same one twice).
    package var frames = 1
    /// Pixels along the side of the images whose patches have learned positions; 0 for Qwen2.5-VL, which has none.
    package var imageSize: Int
    package var activation: Activation
    package var normEpsilon: Float
    /// Where attention sees only a part of the image (Qwen2.5-VL).
    package var windows: Windows?

    package var headSize: Int { hiddenSize / heads }
    /// Patches along the side of an image of `imageSize`.
    package var side: Int { imageSize / patchSize }
    /// Numbers that a patch has.
    package var patchValues: Int { channels * frames * patchSize * patchSize }
    package var hasClassToken: Bool { family == .clip || family == .dinov2 }
    /// Its MLP is gated, and its norms have no mean (Qwen2.5-VL).
    package var isGated: Bool { family == .qwen }
    /// Width of what the MLP's first product gives.
    package var upWidth: Int { (isGated ? 2 : 1) * intermediateSize }
  }

  /// Squares of patches that see each other, in all layers but some.
  package struct Windows: Equatable, Sendable {
    /// Merged patches along a window's side.
    package var side: Int
    /// Layers in which all patches see each other.
    package var fullLayers: Set<Int>
  }

  /// What stands between the tower's features and the language model.
  package enum Projector: Equatable, Sendable {
    /// linear_1, activation, linear_2 (LLaVA).
    case mlp(Activation, hasBias: Bool)
    /// One matrix (the first LLaVA).
    case linear(hasBias: Bool)
    /// A norm, then the same of a square of so many patches along its side (Qwen2.5-VL).
    case merger(side: Int)
  }

  /// How the features of an image's pieces become rows of tokens.
  package enum Packing: Equatable, Sendable {
    /// One piece, its features as they are (LLaVA); one merged square after the other (Qwen2.5-VL).
    case plain
    /// The whole image in small, and then the tiles put together, cut to the image's aspect, with `image_newline` behind
    /// each row (LLaVA-NeXT).
    /// - grids: heights and widths in pixels that tiles may make up.
    /// - limit: as many tiles' features are kept at most, and shrunk to that (LLaVA-OneVision).
    case tiles(grids: [Grid], limit: Int?)
  }

  package struct Grid: Equatable, Sendable {
    package var height: Int
    package var width: Int

    package init(height: Int, width: Int) {
      self.height = height
      self.width = width
    }
  }

  /// `config.json`, for messages.
  package var path: String
  package var tower: Tower
  /// Hidden states of the tower that are read, side by side: 0 is what its first layer gets, i what layer i − 1 gives.
  package var featureLayers: [Int]
  /// The first token of each piece is left out: the class token, where there is one.
  package var dropsFirst: Bool
  package var projector: Projector
  package var packing: Packing
  /// Width of the language model.
  package var textHidden: Int
  /// Stands among a text's ids where an image goes.
  package var imageToken: Int32
  /// How images are prepared in the layout of LLaVA's authors, whose code knows that and reads no file for it; nil in
  /// others.
  package var standardProcessor: ImageProcessor?

  /// Numbers in a row of features before the projector.
  package var featureWidth: Int { tower.hiddenSize * featureLayers.count }
  /// Layers of the tower that are computed; what stands above is not used.
  package var usedLayers: Int { featureLayers.max()! }
}
