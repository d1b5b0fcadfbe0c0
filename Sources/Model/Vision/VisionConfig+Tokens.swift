import Base
import Families
import Images

/// Number of tokens of an image, from its plan, without weights.
extension VisionConfig {
  /// Token rows of an image in the language model.
  /// - Throws: `invalid` if the plan does not fit this model.
  package func tokens(_ plan: ImagePlan) throws -> Int {
    let (pieces, patches) = try pieces(plan)
    switch packing {
    case .tiles: return try TilePacking(plan, self).count
    case .plain:
      if case .merger(let side) = projector { return patches / (side * side) }
      return pieces * pieceTokens(patches / pieces)
    }
  }

  /// Rows and columns of an image's merged patches, if its tokens have two-dimensional positions (Qwen2.5-VL); nil for
  /// models that number the tokens sequentially.
  package func grid(_ plan: ImagePlan) throws -> (rows: Int, columns: Int)? {
    guard case .merger(let side) = projector, case .patches(let rows, let columns) = plan.shape else { return nil }
    _ = try pieces(plan)
    return (rows / side, columns / side)
  }

  /// Tokens of a piece with this number of patches in the tower's layers.
  func towerTokens(_ patches: Int) -> Int { patches + (tower.hasClassToken ? 1 : 0) }

  /// Tokens of a piece that leave the tower.
  func pieceTokens(_ patches: Int) -> Int { towerTokens(patches) - (dropsFirst ? 1 : 0) }

  /// Number of pieces of an image, and of patches in all of them.
  /// - Throws: `invalid` if the plan does not fit this model.
  func pieces(_ plan: ImagePlan) throws -> (pieces: Int, patches: Int) {
    func wrong(_ what: String) -> VPatchError {
      VPatchError(
        .invalid, path, "the model takes other images: \(what)",
        remedy: "use this model's preprocessor_config.json")
    }
    switch (plan.shape, projector, packing) {
    case (.patches(let rows, let columns), .merger(let side), _):
      guard rows > 0, columns > 0, rows % side == 0, columns % side == 0 else {
        throw wrong("\(rows) × \(columns) patches cannot be merged into squares of \(side) × \(side)")
      }
      return (1, rows * columns)
    case (.crop(let width, let height), .mlp, _), (.crop(let width, let height), .linear, _):
      let isFree = tower.family == .dinov2 && packing == .plain
      guard isFree || (width == tower.imageSize && height == tower.imageSize) else {
        throw wrong("these have \(width) × \(height) pixels, its tower takes \(tower.imageSize) × \(tower.imageSize)")
      }
      guard width >= tower.patchSize, height >= tower.patchSize else {
        throw wrong("\(width) × \(height) pixels are smaller than a patch of \(tower.patchSize) × \(tower.patchSize)")
      }
      return (1, (width / tower.patchSize) * (height / tower.patchSize))
    case (.tiles(let rows, let columns, let side), _, .tiles(let grids, _)):
      guard side == tower.imageSize else {
        throw wrong("the tiles have \(side) pixels, its tower takes \(tower.imageSize)")
      }
      guard grids.contains(Grid(height: rows * side, width: columns * side)) else {
        throw wrong("\(rows) × \(columns) tiles are not among its image_grid_pinpoints")
      }
      return (1 + rows * columns, (1 + rows * columns) * tower.side * tower.side)
    default:
      throw wrong("\(plan.shape.kind), but it takes \(expected)")
    }
  }
}

extension ImagePlan.Shape {
  fileprivate var kind: String {
    switch self {
    case .crop: "the images are whole pictures"
    case .tiles: "the images are tiled"
    case .patches: "the images are patches"
    }
  }
}
