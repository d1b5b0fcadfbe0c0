import Base
import Families
import Glibc
import Images

/// Pieces of images for a tower: their concatenated tokens, which tokens attend to each other, and which leave the
/// tower.
struct TowerBatch: Sendable {
  /// A whole picture, one tile of it, or all patches of an image.
  struct Piece: Sendable {
    let image: PixelValues
    /// Index of the image's tile.
    let tile: Int
    /// Number of patches.
    let rows: Int
    let columns: Int
    /// Range of its tokens: its class token, if any, and its patches.
    let tokens: Range<Int>
  }

  let pieces: [Piece]
  let tokens: Int
  /// Tokens that attend to each other, in layers with attention over whole pieces.
  var sequences: [Range<Int>] { pieces.map(\.tokens) }
  /// The same in layers with window attention; empty if all layers attend to whole pieces.
  private(set) var windows: [Range<Int>] = []
  /// For each token of a tower with windows, the index of its patch in its image (in the processor's order).
  private(set) var order: [Int] = []
  /// Row and column of each of these patches.
  private(set) var places: [(row: Int32, column: Int32)] = []
  /// The tokens that become rows of features, in the images' order.
  private(set) var features: [Int] = []
  private let config: VisionConfig

  /// - Parameter tiles: of each image, which of its pieces; nil: all.
  /// - Throws: `invalid` if the images do not fit this model.
  init(_ images: [PixelValues], tiles: Range<Int>? = nil, _ config: VisionConfig) throws {
    self.config = config
    var pieces: [Piece] = []
    var token = 0
    for image in images {
      let (count, patches) = try config.check(image)
      for tile in tiles ?? 0..<count {
        let (rows, columns) = Self.grid(image, config, patches: patches / count)
        let end = token + config.towerTokens(rows * columns)
        pieces.append(Piece(image: image, tile: tile, rows: rows, columns: columns, tokens: token..<end))
        token = end
      }
    }
    self.pieces = pieces
    tokens = token
    if config.tower.windows == nil {
      features = pieces.flatMap { $0.tokens.dropFirst(config.dropsFirst ? 1 : 0) }
    } else {
      for piece in pieces { addWindows(of: piece) }
    }
  }

  /// Patches from top to bottom and left to right.
  private static func grid(_ image: PixelValues, _ config: VisionConfig, patches: Int) -> (Int, Int) {
    if case .patches(let rows, let columns) = image.plan.shape { return (rows, columns) }
    let columns = image.shape[3] / config.tower.patchSize
    return (patches / columns, columns)
  }

  /// Groups the patches of each window, so that they form a sequence.
  private mutating func addWindows(of piece: Piece) {
    guard case .merger(let merge) = config.projector, let side = config.tower.windows?.side else { return }
    let (rows, columns) = (piece.rows / merge, piece.columns / merge)
    // Token of each patch, in the processor's order.
    var tokens = [Int](repeating: 0, count: piece.tokens.count)
    for top in stride(from: 0, to: rows, by: side) {
      for left in stride(from: 0, to: columns, by: side) {
        let start = order.count
        for row in top..<min(top + side, rows) {
          for column in left..<min(left + side, columns) {
            for i in 0..<merge * merge {
              let patch = (row * columns + column) * merge * merge + i
              tokens[patch] = order.count
              order.append(patch)
              places.append((Int32(row * merge + i / merge), Int32(column * merge + i % merge)))
            }
          }
        }
        windows.append(start..<order.count)
      }
    }
    features += tokens
  }

  // MARK: Patches

  var patches: Int { pieces.reduce(0) { $0 + $1.rows * $1.columns } }

  /// Writes the patches, one per row, in the order of the tokens.
  /// - Parameter out: [patches, channels · frames · patchSize · patchSize].
  func gather(into out: FloatPointer) {
    let (side, width) = (config.tower.patchSize, config.tower.patchValues)
    var out = out
    for piece in pieces {
      let count = piece.rows * piece.columns
      piece.image.values.withUnsafeBufferPointer { values in
        let values = values.baseAddress!
        if config.tower.family == .qwen {
          for (i, patch) in order[piece.tokens].enumerated() {
            (out + i * width).update(from: values + patch * width, count: width)
          }
          return
        }
        let (height, line) = (piece.image.shape[2], piece.image.shape[3])
        let picture = values + piece.tile * config.tower.channels * height * line
        for i in 0..<count {
          let corner = i / piece.columns * side * line + i % piece.columns * side
          for j in 0..<config.tower.channels * side {
            let (channel, y) = (j / side, j % side)
            (out + i * width + j * side).update(from: picture + (channel * height + y) * line + corner, count: side)
          }
        }
      }
      out += count * width
    }
  }

  /// Cosines and sines by which patches are rotated, [tokens, headSize / 2] each: a quarter of a head by the row, a
  /// quarter by the column (Qwen2-VL, arXiv 2409.12191).
  func rotate(cosines: FloatPointer, sines: FloatPointer) {
    let quarter = config.tower.headSize / 4
    let frequencies = (0..<quarter).map { Float(1 / pow(10_000, Double($0) / Double(quarter))) }
    for (token, place) in places.enumerated() {
      for (i, frequency) in frequencies.enumerated() {
        for (j, position) in [(i, place.row), (quarter + i, place.column)] {
          // The product in float32, as in the models' training; the functions in float64, rounded once.
          let angle = Double(Float(position) * frequency)
          cosines[token * 2 * quarter + j] = Float(cos(angle))
          sines[token * 2 * quarter + j] = Float(sin(angle))
        }
      }
    }
  }
}

extension VisionConfig {
  /// Number of pieces of an image, and of patches in all of them.
  /// - Throws: `invalid` if the plan does not fit this model, or the numbers do not fit the plan.
  func check(_ image: PixelValues) throws -> (pieces: Int, patches: Int) {
    let (pieces, patches) = try pieces(image.plan)
    let expected: [Int]
    switch image.plan.shape {
    case .patches: expected = [patches, tower.patchValues]
    case .crop(let width, let height): expected = [1, tower.channels, height, width]
    case .tiles(_, _, let side): expected = [pieces, tower.channels, side, side]
    }
    guard image.shape == expected else {
      func text(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: " × ") }
      throw VPatchError(
        .invalid, path, "the model takes other images: \(text(expected)) numbers, not \(text(image.shape))",
        remedy: "use this model's preprocessor_config.json")
    }
    return (pieces, patches)
  }
}
