/// Image preprocessing for a vision tower: the settings of a model's `preprocessor_config.json`, with results equal to
/// those of transformers 5.24.0 with Pillow 13.0.0.
package struct ImageProcessor: Equatable, Sendable {
  /// How an image is divided.
  package enum Layout: Equatable, Sendable {
    /// One picture (CLIP, SigLIP, DINOv2, LLaVA), first padded to a square with the mean colour if set.
    case single(padsToSquare: Bool)
    /// An overview and tiles (LLaVA-NeXT, LLaVA-OneVision).
    case tiles(TileRules)
    /// As many patches as the image needs (Qwen2-VL).
    case patches(PatchRules)
  }

  package let layout: Layout
  /// Size after resizing: of a single picture, or of each tile and the overview.
  package let size: ImageSize?
  /// For tiles, `size` may be known although they are not resized to it again.
  package let resizes: Bool
  /// Size of the centre crop after resizing; black outside the picture.
  package let crop: PixelSize?
  package let resample: Resample
  /// Factor of 8-bit values; nil: none.
  package let rescaleFactor: Double?
  /// Mean and standard deviation for red, green and blue, applied after that; nil: none.
  package let normalization: Normalization?
  /// Whether a transparent colour becomes white: `do_convert_rgb`, which has no other effect here, since images are
  /// RGB.
  package let laysOverWhite: Bool

  /// - Throws: `invalid` if the settings are inconsistent.
  /// - Parameter subject: the file with the settings, for errors.
  package init(
    layout: Layout, size: ImageSize?, resizes: Bool = true, crop: PixelSize? = nil, resample: Resample = .bicubic,
    rescaleFactor: Double? = 1.0 / 255, normalization: Normalization?, laysOverWhite: Bool = true,
    subject: String? = nil
  ) throws {
    self.layout = layout
    self.size = size
    self.resizes = resizes
    self.crop = crop
    self.resample = resample
    self.rescaleFactor = rescaleFactor
    self.normalization = normalization
    self.laysOverWhite = laysOverWhite
    try check(subject: subject)
  }

  /// The side of the tower's input pictures, if they are all square and of the same size.
  package var tileSide: Int? {
    switch layout {
    case .patches: return nil
    case .tiles(let rules): return side(ofTile: rules.side)
    case .single:
      if let crop { return crop.width == crop.height ? crop.width : nil }
      guard resizes, case .exact(let size) = size, size.width == size.height else { return nil }
      return size.width
    }
  }

  /// The settings of patches, if images are split into patches.
  package var patchRules: PatchRules? { if case .patches(let rules) = layout { rules } else { nil } }
}

/// Width and height in pixels.
package struct PixelSize: Equatable, Hashable, Sendable {
  package let width: Int
  package let height: Int

  package init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

/// Size that an image is resized to.
package enum ImageSize: Equatable, Sendable {
  /// This size, whatever the aspect ratio.
  case exact(PixelSize)
  /// The shorter side has this length; the aspect ratio is kept.
  case shortestEdge(Int)
}

/// Means and standard deviations of red, green and blue.
package struct Normalization: Equatable, Sendable {
  package let mean: [Double]
  package let deviation: [Double]

  package init(mean: [Double], deviation: [Double]) {
    precondition(mean.count == 3 && deviation.count == 3, "one number for each of three colours")
    self.mean = mean
    self.deviation = deviation
  }

  /// Of the images that CLIP was trained on.
  package static let clip = Normalization(
    mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])
}

/// How an image is split into tiles.
package struct TileRules: Equatable, Sendable {
  /// Sizes that an image may be fitted into, in pixels; the best is chosen for each image.
  package let resolutions: [PixelSize]
  /// The side of a tile.
  package let side: Int
  /// Whether an image is not split if its row has several: it is then one tile, padded to a square with the mean colour
  /// (LLaVA-OneVision).
  package let onlyAlone: Bool

  package init(resolutions: [PixelSize], side: Int, onlyAlone: Bool = false) {
    self.resolutions = resolutions
    self.side = side
    self.onlyAlone = onlyAlone
  }
}

/// How an image is split into patches.
package struct PatchRules: Equatable, Sendable {
  /// The side of a patch in pixels.
  package let patch: Int
  /// The side, in patches, of the square that becomes one token.
  package let merge: Int
  /// Frames per patch; a still image is repeated.
  package let temporal: Int
  /// Minimum number of pixels of the resized image.
  package let minimalPixels: Int
  package let maximalPixels: Int

  package init(patch: Int, merge: Int, temporal: Int, minimalPixels: Int, maximalPixels: Int) {
    self.patch = patch
    self.merge = merge
    self.temporal = temporal
    self.minimalPixels = minimalPixels
    self.maximalPixels = maximalPixels
  }
}
