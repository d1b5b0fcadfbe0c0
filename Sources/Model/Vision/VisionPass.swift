import Base
import CCompute
import Images

/// A tower's output for one image, before the projector: [rows, width].
final class ImageFeatures: Sendable {
  let plan: ImagePlan
  let rows: Int
  let width: Int
  let values: Floats

  /// - Parameter values: nil for a new buffer, not initialised.
  init(_ plan: ImagePlan, rows: Int, width: Int, values: Floats? = nil) {
    (self.plan, self.rows, self.width, self.values) = (plan, rows, width, values ?? Floats(rows * width))
  }
}

/// Runs images through a model's tower and projector, to token rows for the language model, and back.
///
/// Owns its memory, so it must not be used concurrently.
final class VisionPass {
  let model: VisionModel
  let compute: Compute
  private let tower: TowerPass
  private let projector: ProjectorPass
  /// Tokens per forward pass of a frozen tower, for images of several pieces.
  static let portion = 4096

  /// Plans of the last forward pass.
  private var plans: [ImagePlan] = []
  private var batch: TowerBatch?
  private var keeping = TowerPass.Kept.nothing
  private var features = Floats(0)
  private var projected = Floats(0)
  private var packed = Floats(0)
  private var dProjected = Floats(0)

  /// Computed on first use.
  private var digest: ContentDigest?

  init(_ model: VisionModel, _ compute: Compute) {
    self.model = model
    self.compute = compute
    tower = TowerPass(model, compute)
    projector = ProjectorPass(model.projector, compute)
  }

  /// Tower features of each image, computed independently: the result is bitwise the same whatever images are computed
  /// together.
  /// - Throws: `invalid` if an image does not fit this model.
  func features(of images: [PixelValues]) throws -> [ImageFeatures] {
    var results: [ImageFeatures] = []
    for group in try portions(images) {
      if group.count == 1 {
        results.append(try features(of: images[group.lowerBound]))
        continue
      }
      let batch = try TowerBatch(Array(images[group]), model.config)
      let width = model.config.featureWidth
      let all = Floats(batch.features.count * width)
      tower.forward(batch, into: all.start)
      var place = all.start
      for image in images[group] {
        let features = ImageFeatures(image.plan, rows: try featureRows(image.plan), width: width)
        features.values.start.update(from: place, count: features.rows * width)
        place += features.rows * width
        results.append(features)
      }
    }
    return results
  }

  /// Images per forward pass of a frozen tower.
  private func portions(_ images: [PixelValues]) throws -> [Range<Int>] {
    let tokens = try images.map { image in
      let (pieces, patches) = try model.config.check(image)
      return pieces * model.config.towerTokens(patches / pieces)
    }
    return Batches.split(tokens, limit: Self.portion)
  }

  /// Features of an image of many pieces, some pieces at a time.
  private func features(of image: PixelValues) throws -> ImageFeatures {
    let config = model.config
    let (pieces, patches) = try config.check(image)
    let features = ImageFeatures(image.plan, rows: try featureRows(image.plan), width: config.featureWidth)
    let most = max(1, Self.portion / config.towerTokens(patches / pieces))
    for first in stride(from: 0, to: pieces, by: most) {
      let tiles = first..<min(first + most, pieces)
      tower.forward(
        try TowerBatch([image], tiles: tiles, config),
        into: features.values.start + first * (features.rows / pieces) * features.width)
    }
    return features
  }

  /// Rows of features of an image before the projector.
  func featureRows(_ plan: ImagePlan) throws -> Int {
    let (pieces, patches) = try model.config.pieces(plan)
    return pieces * model.config.pieceTokens(patches / pieces)
  }

  /// The model's `towerDigest`, cached.
  func towerDigest() throws -> ContentDigest {
    let digest = try digest ?? model.towerDigest(compute)
    self.digest = digest
    return digest
  }

  /// The images' token rows in order, [tokens, textHidden]; valid until the next call.
  /// - Parameter keeping: activations of a tuned tower kept for `backward`; nil: none.
  /// - Throws: `invalid` if an image does not fit this model.
  func forward(_ images: [PixelValues], keeping: ActivationCheckpointing? = nil) throws -> FloatPointer {
    guard let lowest = model.tower.lowestTuned, let keeping else { return try forward(features(of: images)) }
    self.keeping = TowerPass.Kept(keeping, from: max(0, lowest))
    let batch = try TowerBatch(images, model.config)
    self.batch = batch
    reserveFeatures(batch.features.count)
    tower.forward(batch, keeping: self.keeping, into: features.start)
    return try project(images.map(\.plan))
  }

  /// The same from features that the tower computed before.
  func forward(_ images: [ImageFeatures]) throws -> FloatPointer {
    batch = nil
    reserveFeatures(images.reduce(0) { $0 + $1.rows })
    var place = features.start
    for image in images {
      place.update(from: image.values.start, count: image.rows * image.width)
      place += image.rows * image.width
    }
    return try project(images.map(\.plan))
  }

  private func reserveFeatures(_ rows: Int) {
    if features.count < rows * model.config.featureWidth { features = Floats(rows * model.config.featureWidth) }
  }

  // MARK: Projector and packing

  /// Rows that the projector outputs for an image.
  private func projectedRows(_ plan: ImagePlan) throws -> Int { try featureRows(plan) / model.projector.merged }

  private func project(_ plans: [ImagePlan]) throws -> FloatPointer {
    self.plans = plans
    let (hidden, rows) = (model.config.textHidden, try plans.reduce(0) { try $0 + projectedRows($1) })
    if projected.count < rows * hidden { projected = Floats(rows * hidden) }
    projector.forward(features.start, rows: rows, into: projected.start)
    guard let newline = model.newline else { return projected.start }
    let tokens = try plans.reduce(0) { try $0 + model.config.tokens($1) }
    if packed.count < tokens * hidden { packed = Floats(tokens * hidden) }
    try forEachRow(plans) { row, first, token in
      let (out, features) = (packed.start + token * hidden, projected.start + first * hidden)
      switch row {
      case .feature(let i): out.update(from: features + i * hidden, count: hidden)
      case .newline: out.update(from: newline.values, count: hidden)
      case .blend(let rows, let weights):
        out.update(repeating: 0, count: hidden)
        for i in 0..<4 { vp_add_scaled(out, features + rows[i] * hidden, weights[i], hidden) }
      }
    }
    return packed.start
  }

  /// Calls `body` with each token row, the index of its image's first feature, and the row's index.
  private func forEachRow(_ plans: [ImagePlan], _ body: (TilePacking.Row, _ first: Int, _ token: Int) -> Void) throws {
    var (first, token) = (0, 0)
    for plan in plans {
      for row in try TilePacking(plan, model.config).rows {
        body(row, first, token)
        token += 1
      }
      first += try projectedRows(plan)
    }
  }

  // MARK: Backward

  /// Accumulates the gradients of tuned tensors in projector, `image_newline` and tower; nothing below these is
  /// computed.
  /// - Parameter gradient: of the rows from the last `forward`, which kept the activations.
  func backward(gradient: FloatPointer) throws {
    guard model.isTuned else { return }
    precondition(!model.isTowerTuned || batch != nil, "the forward pass kept no activations of the tower")
    let rows = try plans.reduce(0) { try $0 + projectedRows($1) }
    let dRows = try unpack(gradient, rows)
    guard model.projector.isTuned || model.isTowerTuned else { return }
    let below = projector.backward(features.start, gradient: dRows, rows: rows, isWanted: model.isTowerTuned)
    if let batch, let below { tower.backward(batch, dFeatures: below, keeping: keeping) }
  }

  /// The gradient of the projector's rows; that of `image_newline` is accumulated.
  private func unpack(_ gradient: FloatPointer, _ rows: Int) throws -> FloatPointer {
    guard let newline = model.newline else { return gradient }
    let hidden = model.config.textHidden
    if dProjected.count < rows * hidden { dProjected = Floats(rows * hidden) }
    dProjected.start.update(repeating: 0, count: rows * hidden)
    let sums = newline.tuning?.gradient.start
    try forEachRow(plans) { row, first, token in
      let (dy, features) = (gradient + token * hidden, dProjected.start + first * hidden)
      switch row {
      case .feature(let i): vp_add(features + i * hidden, dy, hidden)
      case .newline: if let sums { vp_add(sums, dy, hidden) }
      case .blend(let rows, let weights):
        for i in 0..<4 { vp_add_scaled(features + rows[i] * hidden, dy, weights[i], hidden) }
      }
    }
    return dProjected.start
  }
}
