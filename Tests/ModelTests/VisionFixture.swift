import Apply
import Base
import Checkpoints
import Foundation
import Images
import TestModels

@testable import Families
@testable import Model

/// A tiny model that sees, with what transformers makes of images with it (fixtures/vision).
struct VisionFixture {
  static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"
  static let all = ["qwen2.5-vl", "llava-onevision", "llava-next", "llava-clip", "llava-dinov2"]

  let folder: String
  let config: VisionConfig
  let weights: ModelWeights
  let compute: Compute
  let images: [PixelValues]
  private let reference: SafetensorsCheckpoint

  /// - Parameter edit: what is changed in config.json.
  init(_ name: String, threads: Int = 2, edit: (JSON) -> JSON = { $0 }) throws {
    try self.init(folder: "\(Self.fixtures)/vision/\(name)", reference: name, threads: threads) { json, path in
      try VisionConfig(edit(json), textHidden: 16, path: path)
    }
  }

  /// - Parameter reference: whose images and numbers are compared with.
  init(
    folder: String, reference name: String, threads: Int = 2, config read: (JSON, String) throws -> VisionConfig
  ) throws {
    self.folder = folder
    reference = try SafetensorsCheckpoint(path: "\(Self.fixtures)/vision/\(name)/reference.safetensors")
    let path = folder + "/config.json"
    config = try read(JSON.parse(InputFile.contents(of: path, limit: 1 << 20)), path)
    weights = try ModelWeights(ModelView(SafetensorsCheckpoint(path: folder)), threads: threads)
    compute = try Compute(threads: threads)
    images = try Self.images(reference)
  }

  func floats(_ name: String) throws -> [Float] { try Self.floats(name, reference) }

  /// Names of tensors that have a gradient in the reference.
  var gradientNames: [String] {
    reference.tensors.map(\.name).filter { $0.hasPrefix("grad.") }.map { String($0.dropFirst("grad.".count)) }
  }

  func pass() throws -> VisionPass { try VisionPass(VisionModel(config, weights), compute) }

  /// Rows of tokens of all images.
  func rows(_ pass: VisionPass, keeping: ActivationCheckpointing? = nil) throws -> [Float] {
    try withExtendedLifetime(pass) { try rows(at: pass.forward(images, keeping: keeping)) }
  }

  func rows(at start: FloatPointer) throws -> [Float] {
    let tokens = try images.reduce(0) { try $0 + config.tokens($1.plan) }
    return Array(UnsafeBufferPointer(start: start, count: tokens * config.textHidden))
  }

  // MARK: Reading

  static func floats(_ name: String, _ checkpoint: SafetensorsCheckpoint) throws -> [Float] {
    try values(name, checkpoint)
  }

  static func integers(_ name: String, _ checkpoint: SafetensorsCheckpoint) throws -> [Int] {
    (try values(name, checkpoint) as [Int64]).map(Int.init)
  }

  private static func values<T>(_ name: String, _ checkpoint: SafetensorsCheckpoint) throws -> [T] {
    let source = StoredTensor(checkpoint.tensor(named: name)!, in: checkpoint)
    return try [T](unsafeUninitializedCapacity: source.info.elementCount) { buffer, count in
      try source.read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
      count = buffer.count
    }
  }

  /// The images as their model's processor would have them.
  private static func images(_ reference: SafetensorsCheckpoint) throws -> [PixelValues] {
    var pixels = try floats("pixel_values", reference)[...]
    let shape = reference.tensor(named: "pixel_values")!.info.shape
    func image(_ plan: ImagePlan, _ shape: [Int]) -> PixelValues {
      let count = shape.reduce(1, *)
      defer { pixels = pixels.dropFirst(count) }
      return PixelValues(plan: plan, shape: shape, values: Array(pixels.prefix(count)))
    }
    if reference.tensor(named: "grids") != nil {
      let grids = try integers("grids", reference)
      return stride(from: 0, to: grids.count, by: 3).map { i in
        let (rows, columns) = (grids[i + 1], grids[i + 2])
        let plan = ImagePlan(width: columns * 4, height: rows * 4, shape: .patches(rows: rows, columns: columns))
        return image(plan, [rows * columns, shape[1]])
      }
    }
    guard reference.tensor(named: "sizes") != nil else {
      let plan = ImagePlan(width: shape[3], height: shape[2], shape: .crop(width: shape[3], height: shape[2]))
      return (0..<shape[0]).map { _ in image(plan, [1] + shape[1...]) }
    }
    let (sizes, counts) = (try integers("sizes", reference), try integers("counts", reference))
    let grids = try integers("grid_tiles", reference)
    return counts.enumerated().map { i, count in
      let plan = ImagePlan(
        width: sizes[2 * i + 1], height: sizes[2 * i],
        shape: .tiles(rows: grids[2 * i], columns: grids[2 * i + 1], side: shape[3]))
      return image(plan, [count] + shape[1...])
    }
  }
}
