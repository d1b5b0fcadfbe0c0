import Base
import CCompute
import Images

/// What a tower makes of one image, before the projector: [rows, width].
final class ImageFeatures: Sendable {
  let plan: ImagePlan
  let rows: Int
  let width: Int
  let values: Floats

  /// - Parameter values: nil for what is yet to be written.
  init(_ plan: ImagePlan, rows: Int, width: Int, values: Floats? = nil) {
    (self.plan, self.rows, self.width, self.values) = (plan, rows, width, values ?? Floats(rows * width))
  }
}

/// Runs images through a model's tower and projector, to rows of tokens that the language model reads, and back.
///
/// It has memory of its own, so one piece of work at a time.
final class VisionPass {
  let model: VisionModel
  let compute: Compute
  private let tower: TowerPass
  private let projector: ProjectorPass
  /// Tokens that go through a frozen tower at once, where an image has several pieces.
  static let portion = 4096

  /// What the last forward pass left.
  private var plans: [ImagePlan] = []
  private var batch: TowerBatch?
  private var keeping = TowerPass.Kept.nothing
  private var features = Floats(0)
  private var projected = Floats(0)
  private var packed = Floats(0)
  private var dProjected = Floats(0)

  /// Found when it is first asked for.
  private var digest: ContentDigest?

  init(_ model: VisionModel, _ compute: Compute) {
    self.model = model
    self.compute = compute
    tower = TowerPass(model, compute)
    projector = ProjectorPass(model.projector, compute)
  }

  /// What the tower makes of images, each by itself: the bits depend on the image and the tower alone, and not on what
  /// is worked on together.
  /// - Throws: `invalid` where an image is not for this model.
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

  /// Images that go through a frozen tower together.
  private func portions(_ images: [PixelValues]) throws -> [Range<Int>] {
    let tokens = try images.map { image in
      let (pieces, patches) = try model.config.check(image)
      return pieces * model.config.towerTokens(patches / pieces)
    }
    return Batches.split(tokens, limit: Self.portion)
  }

  /// An image of many pieces, some at a time.
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

  /// Rows of features that an image has before the projector.
  func featureRows(_ plan: ImagePlan) throws -> Int {
    let (pieces, patches) = try model.config.pieces(plan)
    return pieces * model.config.pieceTokens(patches / pieces)
  }

  /// The model's `towerDigest`, kept.
  func towerDigest() throws -> ContentDigest {
    let digest = try digest ?? model.towerDigest(compute)
    self.digest = digest
    return digest
  }

  /// The images' tokens in their order, [tokens, textHidden]; valid until the next call.
  /// - Parameter keeping: what a tuned tower keeps for `backward`; nothing for nil.
  /// - Throws: `invalid` where an image is not for this model.
  func forward(_ images: [PixelValues], keeping: ActivationCheckpointing? = nil) throws -> FloatPointer {
    guard let lowest = model.tower.lowestTuned, let keeping else { return try forward(features(of: images)) }
    self.keeping = TowerPass.Kept(keeping, from: max(0, lowest))
    let batch = try TowerBatch(images, model.config)
    self.batch = batch
    reserveFeatures(batch.features.count)
    tower.forward(batch, keeping: self.keeping, into: features.start)
    return try project(images.map(\.plan))
  }

  /// The same from what the tower made of them before.
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

  /// Rows that the projector gives for an image.
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

  /// Calls `body` with each row of tokens, where its image's features begin, and its number.
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

  /// Adds to the gradients of what is tuned in projector, `image_newline` and tower; nothing below it is computed.
  /// - Parameter gradient: of the rows that the last `forward` gave, which kept what is needed.
  func backward(gradient: FloatPointer) throws {
    guard model.isTuned else { return }
    precondition(!model.isTowerTuned || batch != nil, "the forward pass kept nothing of the tower")
    let rows = try plans.reduce(0) { try $0 + projectedRows($1) }
    let dRows = try unpack(gradient, rows)
    guard model.projector.isTuned || model.isTowerTuned else { return }
    let below = projector.backward(features.start, gradient: dRows, rows: rows, isWanted: model.isTowerTuned)
    if let batch, let below { tower.backward(batch, dFeatures: below, keeping: keeping) }
  }

  /// The gradient of the projector's rows; that of `image_newline` is added to its own.
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
