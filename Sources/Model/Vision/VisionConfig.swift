import Images

/// What a model's `config.json` says of how it sees: its vision tower, what of it the language model reads, and how that
/// becomes rows of tokens.
public struct VisionConfig: Equatable, Sendable {
  /// A vision transformer.
  public struct Tower: Equatable, Sendable {
    public enum Family: String, Sendable, CaseIterable {
      case clip = "clip_vision_model"
      case siglip = "siglip_vision_model"
      case dinov2
      case qwen = "qwen2_5_vl"
    }

    public var family: Family
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layers: Int
    public var heads: Int
    public var channels = 3
    /// Pixels along a patch's side.
    public var patchSize: Int
    /// Frames that a patch spans (Qwen2.5-VL, which gives it the same one twice).
    public var frames = 1
    /// Pixels along the side of the images whose patches have learned positions; 0 for Qwen2.5-VL, which has none.
    public var imageSize: Int
    public var activation: Activation
    public var normEpsilon: Float
    /// Where attention sees only a part of the image (Qwen2.5-VL).
    public var windows: Windows?

    var headSize: Int { hiddenSize / heads }
    /// Patches along the side of an image of `imageSize`.
    var side: Int { imageSize / patchSize }
    /// Numbers that a patch has.
    var patchValues: Int { channels * frames * patchSize * patchSize }
    var hasClassToken: Bool { family == .clip || family == .dinov2 }
    /// Its MLP is gated, and its norms have no mean (Qwen2.5-VL).
    var isGated: Bool { family == .qwen }
    /// Width of what the MLP's first product gives.
    var upWidth: Int { (isGated ? 2 : 1) * intermediateSize }
    var attention: Attention.Shape {
      Attention.Shape(heads: heads, keyValueHeads: heads, headSize: headSize, isCausal: false)
    }
    /// - Parameter layers: those that are computed.
    func activations(layers: Int) -> Activations.Shape {
      Activations.Shape(
        layers: layers, hidden: hiddenSize, attention: attention, up: upWidth, isTurned: windows != nil)
    }
  }

  /// Squares of patches that see each other, in all layers but some.
  public struct Windows: Equatable, Sendable {
    /// Merged patches along a window's side.
    public var side: Int
    /// Layers in which all patches see each other.
    public var fullLayers: Set<Int>
  }

  /// What stands between the tower's features and the language model.
  public enum Projector: Equatable, Sendable {
    /// linear_1, activation, linear_2 (LLaVA).
    case mlp(Activation, hasBias: Bool)
    /// One matrix (the first LLaVA).
    case linear(hasBias: Bool)
    /// A norm, then the same of a square of so many patches along its side (Qwen2.5-VL).
    case merger(side: Int)
  }

  /// How the features of an image's pieces become rows of tokens.
  public enum Packing: Equatable, Sendable {
    /// One piece, its features as they are (LLaVA); one merged square after the other (Qwen2.5-VL).
    case plain
    /// The whole image in small, and then the tiles put together, cut to the image's aspect, with `image_newline` behind
    /// each row (LLaVA-NeXT).
    /// - grids: heights and widths in pixels that tiles may make up.
    /// - limit: as many tiles' features are kept at most, and shrunk to that (LLaVA-OneVision).
    case tiles(grids: [Grid], limit: Int?)
  }

  public struct Grid: Equatable, Sendable {
    public var height: Int
    public var width: Int
  }

  /// `config.json`, for messages.
  public var path: String
  public var tower: Tower
  /// Hidden states of the tower that are read, side by side: 0 is what its first layer gets, i what layer i − 1 gives.
  public var featureLayers: [Int]
  /// The first token of each piece is left out: the class token, where there is one.
  public var dropsFirst: Bool
  public var projector: Projector
  public var packing: Packing
  /// Width of the language model.
  public var textHidden: Int
  /// Stands among a text's ids where an image goes.
  public var imageToken: Int32
  /// How images are prepared in the layout of LLaVA's authors, whose code knows that and reads no file for it; nil in
  /// others.
  public var standardProcessor: ImageProcessor?

  /// Numbers in a row of features before the projector.
  var featureWidth: Int { tower.hiddenSize * featureLayers.count }
  /// Layers of the tower that are computed; what stands above is not used.
  var usedLayers: Int { featureLayers.max()! }
}
