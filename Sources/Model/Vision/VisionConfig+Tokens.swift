import Base
import Families
import Images

/// What an image is worth in tokens. It follows from its plan, without weights.
extension VisionConfig {
  /// Rows of tokens that the language model reads for an image.
  /// - Throws: `invalid` where the plan is not for this model.
  package func tokens(_ plan: ImagePlan) throws -> Int {
    let (pieces, patches) = try pieces(plan)
    switch packing {
    case .tiles: return try TilePacking(plan, self).count
    case .plain:
      if case .merger(let side) = projector { return patches / (side * side) }
      return pieces * pieceTokens(patches / pieces)
    }
  }

  /// Rows and columns of the merged patches of an image, whose tokens have places in two dimensions (Qwen2.5-VL); nil
  /// for models that count the tokens one by one.
  package func grid(_ plan: ImagePlan) throws -> (rows: Int, columns: Int)? {
    guard case .merger(let side) = projector, case .patches(let rows, let columns) = plan.shape else { return nil }
    _ = try pieces(plan)
    return (rows / side, columns / side)
  }

  /// Tokens of a piece of so many patches that go through the tower's layers.
  func towerTokens(_ patches: Int) -> Int { patches + (tower.hasClassToken ? 1 : 0) }

  /// Those that leave it.
  func pieceTokens(_ patches: Int) -> Int { towerTokens(patches) - (dropsFirst ? 1 : 0) }

  /// How many pieces an image is cut to, and how many patches they have together.
  /// - Throws: `invalid` where the plan is not for this model.
  func pieces(_ plan: ImagePlan) throws -> (pieces: Int, patches: Int) {
    func wrong(_ what: String) -> VPatchError {
      VPatchError(
        .invalid, path, "is of a model for other images: \(what)",
        remedy: "is preprocessor_config.json this model's?")
    }
    switch (plan.shape, projector, packing) {
    case (.patches(let rows, let columns), .merger(let side), _):
      guard rows > 0, columns > 0, rows % side == 0, columns % side == 0 else {
        throw wrong("\(rows) × \(columns) patches do not make squares of \(side) × \(side)")
      }
      return (1, rows * columns)
    case (.crop(let width, let height), .mlp, _), (.crop(let width, let height), .linear, _):
      let isFree = tower.family == .dinov2 && packing == .plain
      guard isFree || (width == tower.imageSize && height == tower.imageSize) else {
        throw wrong("they come as \(width) × \(height) pixels, its tower takes \(tower.imageSize) × \(tower.imageSize)")
      }
      guard width >= tower.patchSize, height >= tower.patchSize else {
        throw wrong("\(width) × \(height) pixels hold no patch of \(tower.patchSize) × \(tower.patchSize)")
      }
      return (1, (width / tower.patchSize) * (height / tower.patchSize))
    case (.tiles(let rows, let columns, let side), _, .tiles(let grids, _)):
      guard side == tower.imageSize else {
        throw wrong("tiles of \(side) pixels, where its tower takes \(tower.imageSize)")
      }
      guard grids.contains(Grid(height: rows * side, width: columns * side)) else {
        throw wrong("\(rows) × \(columns) tiles are not among its image_grid_pinpoints")
      }
      return (1 + rows * columns, (1 + rows * columns) * tower.side * tower.side)
    default:
      throw wrong("\(plan.shape.kind), where it takes \(expected)")
    }
  }
}

extension ImagePlan.Shape {
  fileprivate var kind: String {
    switch self {
    case .crop: "they come as one picture"
    case .tiles: "they come in tiles"
    case .patches: "they come as patches"
    }
  }
}
