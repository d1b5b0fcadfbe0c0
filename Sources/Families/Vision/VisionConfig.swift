import Images

/// The image part of a model's `config.json`: its vision tower, which of its features the language model reads, and how
/// they become rows of tokens.
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
    /// Pixels per side of a patch.
    package var patchSize: Int
    /// Frames that a patch spans. Qwen2.5-VL repeats a single image.
    package var frames = 1
    /// Pixels per side of the images for which there are learned position embeddings; 0 for Qwen2.5-VL, which has none.
    package var imageSize: Int
    package var activation: Activation
    package var normEpsilon: Float
    /// For window attention (Qwen2.5-VL).
    package var windows: Windows?

    package var headSize: Int { hiddenSize / heads }
    /// Patches per side of an image of `imageSize`.
    package var side: Int { imageSize / patchSize }
    /// Number of values in a patch.
    package var patchValues: Int { channels * frames * patchSize * patchSize }
    package var hasClassToken: Bool { family == .clip || family == .dinov2 }
    /// Whether it has a gated MLP and RMSNorm (Qwen2.5-VL).
    package var isGated: Bool { family == .qwen }
    /// Output width of the MLP's first matrix.
    package var upWidth: Int { (isGated ? 2 : 1) * intermediateSize }
  }

  /// Window attention: squares of patches that attend to each other, in all but some layers.
  package struct Windows: Equatable, Sendable {
    /// Merged patches per side of a window.
    package var side: Int
    /// Layers with full attention.
    package var fullLayers: Set<Int>
  }

  /// The module between the tower's features and the language model.
  package enum Projector: Equatable, Sendable {
    /// linear_1, activation, linear_2 (LLaVA).
    case mlp(Activation, hasBias: Bool)
    /// One matrix (the first LLaVA).
    case linear(hasBias: Bool)
    /// A norm, then the same MLP for squares of `side` × `side` patches (Qwen2.5-VL).
    case merger(side: Int)
  }

  /// How the features of an image's pieces become rows of tokens.
  package enum Packing: Equatable, Sendable {
    /// One piece with its features unchanged (LLaVA); merged squares in sequence (Qwen2.5-VL).
    case plain
    /// The downscaled whole image, then the tiles joined and cropped to the image's aspect ratio, with `image_newline`
    /// after each row (LLaVA-NeXT).
    /// - grids: possible sizes of the joined tiles, height and width in pixels.
    /// - limit: maximum number of tiles whose features are kept; larger images are interpolated down to it
    ///   (LLaVA-OneVision).
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
  /// The hidden states of the tower that are used, concatenated: 0 is the input of its first layer, i the output of
  /// layer i − 1.
  package var featureLayers: [Int]
  /// Whether the first token of each piece, the class token, is dropped.
  package var dropsFirst: Bool
  package var projector: Projector
  package var packing: Packing
  /// Width of the language model.
  package var textHidden: Int
  /// The placeholder for an image among the token ids.
  package var imageToken: Int32
  /// The preprocessing in the layout of LLaVA's authors, whose code has it built in and reads no file for it; nil in
  /// other layouts.
  package var standardProcessor: ImageProcessor?

  /// Width of a row of features before the projector.
  package var featureWidth: Int { tower.hiddenSize * featureLayers.count }
  /// Number of tower layers that are computed. Higher ones are not used.
  package var usedLayers: Int { featureLayers.max()! }
}
