/// What is done to an image before a vision tower sees it: the rules of a model's `preprocessor_config.json`, and the
/// values that transformers 5.24.0 makes by them with Pillow 13.0.0.
package struct ImageProcessor: Equatable, Sendable {
  /// What becomes of an image.
  package enum Layout: Equatable, Sendable {
    /// One picture (CLIP, SigLIP, DINOv2, LLaVA); before all else, padded to a square with the mean colour or not.
    case single(padsToSquare: Bool)
    /// The whole in small, and tiles of it (LLaVA-NeXT, LLaVA-OneVision).
    case tiles(TileRules)
    /// Patches, as many as the image needs (Qwen2-VL).
    case patches(PatchRules)
  }

  package let layout: Layout
  /// To what a picture is resized; for tiles each of them, and the whole too.
  package let size: ImageSize?
  /// For tiles, `size` may be known while they are not resized to it once more.
  package let resizes: Bool
  /// What is cut out of the middle of the resized picture; black around it where it is smaller.
  package let crop: PixelSize?
  package let resample: Resample
  /// What 8-bit values are multiplied with; nil for nothing.
  package let rescaleFactor: Double?
  /// Taken away and divided by after that, each for red, green and blue; nil for nothing.
  package let normalization: Normalization?
  /// A transparent colour becomes white: `do_convert_rgb`, which changes nothing else, since images are RGB here already.
  package let laysOverWhite: Bool

  /// - Throws: `invalid` where the rules contradict each other.
  /// - Parameter subject: the file that they are from, for errors.
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

  /// The side of a picture that the tower sees, where it is the same for all and square.
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

  /// The rules of patches, where the image becomes patches.
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

/// To what an image is resized.
package enum ImageSize: Equatable, Sendable {
  /// To this size, whatever its shape.
  case exact(PixelSize)
  /// So that its shorter side has so many pixels, keeping its shape.
  case shortestEdge(Int)
}

/// Means and standard deviations of red, green and blue.
package struct Normalization: Equatable, Sendable {
  package let mean: [Double]
  package let deviation: [Double]

  package init(mean: [Double], deviation: [Double]) {
    precondition(mean.count == 3 && deviation.count == 3, "a number for each of three colours")
    self.mean = mean
    self.deviation = deviation
  }

  /// Of the images that CLIP was trained on.
  package static let clip = Normalization(
    mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])
}

/// How an image is divided into tiles.
package struct TileRules: Equatable, Sendable {
  /// Sizes that an image may be fitted into, in pixels; the best is chosen for each image.
  package let resolutions: [PixelSize]
  /// The side of the squares that they are divided into.
  package let side: Int
  /// Whether an image that comes with others in one row is no longer divided: padded to a square with the mean colour,
  /// it is one tile (LLaVA-OneVision).
  package let onlyAlone: Bool

  package init(resolutions: [PixelSize], side: Int, onlyAlone: Bool = false) {
    self.resolutions = resolutions
    self.side = side
    self.onlyAlone = onlyAlone
  }
}

/// How an image is divided into patches.
package struct PatchRules: Equatable, Sendable {
  /// The side of a patch in pixels.
  package let patch: Int
  /// The side, in patches, of the square that becomes one token.
  package let merge: Int
  /// Frames in a patch; a still image is repeated.
  package let temporal: Int
  /// What the resized image has, in pixels, at least and at most.
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
