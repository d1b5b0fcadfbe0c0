import Apply
import Checkpoints
import Model
import TestModels
import Testing
import Text

@testable import Train

@Suite("A training run") struct TrainingRunTests {
  static func model(_ tiny: TinyModel, threads: Int = 2) throws -> LanguageModel {
    try LanguageModel(ModelView(SafetensorsCheckpoint(path: tiny.folder)), compute: Compute(threads: threads))
  }

  /// Five steps as the reference has them.
  static func options(_ recipe: Recipe) -> TrainingOptions {
    var options = TrainingOptions(selection: .recipe(recipe))
    options.steps = 5
    options.learningRate = 1e-3
    options.schedule = .constant
    options.warmup = 0
    options.batch = 1
    options.clip = 0
    return options
  }

  static func examples(_ tiny: TinyModel) throws -> [Example] {
    let images = try tiny.images.map { try #require(try ImageReader(ModelFolder(tiny.folder))).source(path: $0) }
    return try tiny.rows().map { Example(ids: $0.ids, labels: $0.labels, images: images) }
  }

  @Test("five AdamW steps as PyTorch's", arguments: TinyModel.all, [Recipe.saProj, .gateUp])
  func parity(name: String, recipe: Recipe) throws {
    let tiny = try TinyModel(name)
    let examples = try Self.examples(tiny)
    var options = Self.options(recipe)
    options.batch = examples.count
    let run = try TrainingRun(Self.model(tiny), options, examples: examples)
    var losses: [Float] = []
    try run.run { if case .step(let step) = $0 { losses.append(Float(step.loss)) } }
    #expect(largestDifference(losses, try tiny.floats("losses.\(recipe)")) < 1e-4)
    var (near, all) = (0, 0)
    for parameter in run.plan.parameters {
      let expected = try tiny.floats("after.\(recipe).\(parameter.name)")
      near += zip(parameter.tuning!.master.array, expected).count { abs($0 - $1) <= 1e-5 }
      all += expected.count
    }
    #expect(all > 1000 && Double(near) >= 0.999 * Double(all), "\(near) of \(all)")
    #expect(run.plan.names.count == tiny.referenceNames.count { $0.hasPrefix("after.\(recipe).") })
  }
}
