import Apply
import Base
import Checkpoints
import Families
import Foundation
import Model
import TestModels
import Testing

@testable import Train

/// Training a model that sees, from files to a patch.
@Suite("Training with images") struct VisionTrainingTests {
  static let regions: [Recipe: Set<Component.Region>] = [
    .saProj: [.decoderLayer], .gateUp: [.decoderLayer], .mlp: [.decoderLayer],
    .llm: [.embedding, .decoderLayer, .finalNorm, .head], .projector: [.projector], .vision: [.visionTower],
    .full: [.embedding, .decoderLayer, .finalNorm, .head, .projector, .visionTower],
  ]

  /// Steps large enough for the rounded weights to move, norms' too.
  static func options(_ recipe: Recipe, steps: Int = 2) -> TrainingOptions {
    var options = TrainingOptions(selection: .recipe(recipe))
    options.steps = steps
    options.learningRate = 2e-2
    options.schedule = .constant
    options.warmup = 0
    options.batch = 2
    options.seed = 4
    return options
  }

  static func job(
    _ vision: VisionFolder, _ options: TrainingOptions, threads: Int = 2, features: FeatureCache? = nil,
    edit: (inout TrainingJob.Inputs) -> Void = { _ in }
  ) throws -> TrainingJob {
    var inputs = TrainingJob.Inputs(base: ModelView(try SafetensorsCheckpoint(path: vision.base)), data: [vision.data])
    inputs.features = features
    edit(&inputs)
    return try TrainingJob(inputs, options, WorkOptions(threads: threads))
  }

  /// Trains, and gives the tuned tensors as a patch would have them. (Writing it is what takes long in a debug build.)
  @discardableResult
  static func train(_ job: TrainingJob, _ observe: (TrainingEvent) throws -> Void = { _ in }) throws -> [String:
    [Float]]
  {
    try job.run.run(observe)
    return Dictionary(
      uniqueKeysWithValues: job.run.plan.parameters.map { parameter in
        parameter.roundMaster()
        return (parameter.name, parameter.tuning!.master.array)
      })
  }

  @Test(
    "exactly the recipe's tensors change: all that have a gradient", arguments: TinyModel.visionLanguageModels)
  func recipes(name: String) throws {
    let vision = try VisionFolder(name)
    let checkpoint = try SafetensorsCheckpoint(path: vision.base)
    let layout = ModelLayout.recognise(names: checkpoint.tensors.map(\.name))
    for (recipe, regions) in Self.regions {
      let job = try Self.job(vision, Self.options(recipe))
      let base = try job.model.frozen()
      let touched = try Self.train(job).filter { name, values in
        let parameter = base.weights.parameter(named: name)!
        parameter.beginTuning()
        return parameter.tuning!.master.array != values
      }.keys
      let expected = checkpoint.tensors.map(\.name).filter { tensor in
        let component = layout.component(of: tensor)
        guard regions.contains(component.region) else { return false }
        let parts = tensor.split(separator: ".")
        switch recipe {
        case .saProj: return parts.contains("self_attn")
        case .gateUp: return parts.contains("gate_proj") || parts.contains("up_proj")
        case .mlp: return parts.contains("mlp")
        default: break
        }
        // LLaVA-NeXT reads the layer before the tower's last, and nobody reads the last norm.
        let isAbove = name == "tiny-llava-next" && component.region == .visionTower && component.layer == 1
        return !isAbove && !tensor.contains("post_layernorm")
      }
      #expect(Set(touched) == Set(expected), "\(recipe): \(Set(touched).symmetricDifference(expected).sorted())")
    }
  }

  @Test(
    "the same bits on any number of threads, with features computed, kept, or read",
    arguments: TinyModel.visionLanguageModels)
  func reproducible(name: String) throws {
    let vision = try VisionFolder(name)
    for recipe in [Recipe.projector, .full] {
      let options = Self.options(recipe, steps: 3)
      let cache = FeatureCache(folder: vision.folder["features-\(recipe)"], limit: 1 << 24) { Issue.record("\($0)") }
      let first = try Self.train(Self.job(vision, options, threads: 1))
      #expect(try Self.train(Self.job(vision, options, threads: 2, features: cache)) == first)
      // Full now, but for a tower that is tuned.
      #expect(vision.folder.exists("features-\(recipe)") == (recipe != .full))
      #expect(try Self.train(Self.job(vision, options, threads: 3, features: cache)) == first)
      var other = options
      other.recomputes = true
      #expect(try Self.train(Self.job(vision, other)) == first, "\(recipe): --recompute")
      other.seed = 5
      #expect(try Self.train(Self.job(vision, other)) != first)
    }
  }

  struct Stopped: Error {}

  @Test("gone on with after a stop; not where an image became another", arguments: TinyModel.visionLanguageModels)
  func resumed(name: String) throws {
    let vision = try VisionFolder(name)
    let options = Self.options(.full, steps: 6)
    let whole = try Self.train(Self.job(vision, options))
    func kept(_ inputs: inout TrainingJob.Inputs) {
      inputs.stateFolder = vision.folder["state"]
      inputs.saveEvery = 2
    }
    #expect(throws: Stopped.self) {
      try Self.train(Self.job(vision, options, edit: kept)) { if case .saved(step: 4) = $0 { throw Stopped() } }
    }
    // Another image, and the data file as it was.
    let image = try vision.folder.bytes("images/b.png")
    try vision.folder.write("images/b.png", TestImage.png(width: 70, height: 30, tint: 1))
    let error = #expect(throws: VPatchError.self) { try Self.train(Self.job(vision, options, edit: kept)) }
    #expect(
      error?.description.contains("is the state of another run: it differs in images; give another folder") == true,
      "\(error?.description ?? "")")
    try vision.folder.write("images/b.png", image)
    var resumed = false
    let again = try Self.train(Self.job(vision, options, edit: kept)) {
      if case .resumed(step: 4) = $0 { resumed = true }
    }
    #expect(resumed && again == whole)
  }

  @Test("an image that changes while training goes on is an error") func changing() throws {
    let vision = try VisionFolder("tiny-llava-next")
    let job = try Self.job(vision, Self.options(.vision, steps: 4))
    let error = #expect(throws: VPatchError.self) {
      try job.train(to: vision.folder["task.vpatch"], annotations: .object([])) { _ in
        try vision.folder.write("images/a.png", TestImage.png(width: 112, height: 84, tint: 9))
      }
    }
    #expect(error?.description.contains("images/a.png: has changed since it was checked; start again") == true)
    #expect(!vision.folder.exists("task.vpatch"))
  }

  @Test("the tower has a learning rate of its own", arguments: [nil, 2e-3, 2e-2])
  func visionRate(rate: Double?) throws {
    let vision = try VisionFolder("tiny-llava-onevision")
    var options = Self.options(.full, steps: 1)
    options.visionLearningRate = rate
    let run = try Self.job(vision, options).run
    try run.run { _ in }
    // AdamW's first step moves a weight by the rate, if its gradient is much larger than ε.
    for (part, expected) in [
      ("vision_tower.encoder.layers.0.mlp.fc1.weight", rate ?? 8e-3),
      ("multi_modal_projector.linear_1.weight", 2e-2),
      ("language_model.model.layers.0.mlp.up_proj.weight", 2e-2),
    ] {
      let parameter = try #require(run.model.weights.parameter(named: part))
      let before = try #require(run.model.frozen().weights.parameter(named: part))
      before.beginTuning()
      let moved = largestDifference(parameter.tuning!.master.array, before.tuning!.master.array)
      #expect(abs(Double(moved) - expected) < 0.01 * expected, "\(part): \(moved)")
    }
  }

  @Test("the memory that is planned grows with the images that go together") func memory() throws {
    let vision = try VisionFolder("tiny-llava-onevision")
    func planned(_ recipe: Recipe, images: Int) throws -> MemoryEstimate {
      let marks = Array(repeating: "5", count: images).joined(separator: ",")
      let names = (0..<images).map { _ in #""images/a.png""# }.joined(separator: ",")
      // As many tokens, whatever the images.
      let row = #"{"input_ids": [1,\#(marks),7,8,9], "images": [\#(names)]}"#
      try vision.folder.write("rows.jsonl", row)
      return try Self.job(vision, Self.options(recipe)).run.memory
    }
    let (one, four) = (try planned(.vision, images: 2), try planned(.vision, images: 8))
    #expect(four.activations > 3 * one.activations && four.scratch > one.scratch && four.tuned == one.tuned)
    // A frozen tower keeps nothing for the way back.
    let frozen = try planned(.saProj, images: 8)
    #expect(frozen.activations < four.activations)
    try vision.folder.write("rows.jsonl", #"{"input_ids": [1, 7, 8, 9]}"#)
    #expect(try Self.job(vision, Self.options(.vision)).run.memory.activations < one.activations)
  }

  @Test("distillation and a budget of drift, with images", arguments: TinyModel.visionLanguageModels)
  func drift(name: String) throws {
    let vision = try VisionFolder(name)
    var options = Self.options(.projector, steps: 3)
    options.distillation = .init(weight: 1, temperature: 2)
    options.drift = .init(budget: 1e-9, every: 1)
    func neutral(_ inputs: inout TrainingJob.Inputs) { inputs.neutral = vision.data }
    let small = #expect(throws: VPatchError.self) {
      try Self.job(vision, options, edit: neutral).train(
        to: vision.folder["task.vpatch"], annotations: .object([])
      ) { _ in }
    }
    #expect(small?.description.contains("the drift exceeded its budget of 1.00e-9 at its first measurement") == true)
    options.drift = .init(budget: 1e3, every: 1)
    var distilled: [Double] = []
    let result = try Self.job(vision, options, edit: neutral).train(
      to: vision.folder["task.vpatch"], annotations: .object([])
    ) { if case .step(let step) = $0 { distilled.append(step.distillation) } }
    // The model is the base before the first step, but for rounding.
    #expect(distilled.count == 3 && abs(distilled[0]) < 1e-5 && distilled[2] > 1e-4, "\(distilled)")
    let drift = try #require(result.record.drift).points.map(\.drift.value)
    #expect(drift.count == 4 && drift[0] == 0 && drift[3] > 1e-6, "\(drift)")
    // Text does not pass through what is tuned: a drift of 0 would say nothing.
    try vision.folder.write(
      "text.jsonl", "{\"input_ids\": [1, 2, 3]}\n{\"input_ids\": [4, 5, 6]}".replacing("5,", with: "7,"))
    let blind = #expect(throws: VPatchError.self) {
      try Self.job(vision, options) { $0.neutral = vision.folder["text.jsonl"] }
    }
    #expect(
      blind?.description.contains("text.jsonl: drift would be measured on text without images") == true
        && blind?.remedy == "give rows with images with --neutral", "\(blind?.description ?? "")")
  }
}
