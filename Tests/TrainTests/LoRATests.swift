import Apply
import Base
import Checkpoints
import Foundation
import Model
import PatchFormat
import TestModels
import Testing
import Text

@testable import Train

/// LoRA against PEFT 0.21.2 (fixtures/lora), and what a patch of it is.
@Suite("A training run with LoRA") struct LoRATests {
  /// A case of fixtures/lora.
  private struct Case {
    let tiny: TinyModel
    let options: TrainingOptions
    let reference: SafetensorsCheckpoint

    init(_ name: String) throws {
      let fixtures = URL(filePath: #filePath).deletingLastPathComponent().path + "/../../fixtures"
      let json = try #require(
        JSON.parse(Array(Data(contentsOf: URL(filePath: "\(fixtures)/lora/cases.json"))))[name])
      tiny = try TinyModel(Path.name(json["base"]!.string!))
      let recipe = try #require(Recipe(rawValue: json["recipe"]!.string!))
      var options = TrainingRunTests.options(recipe)
      options.lora = try LoRAOptions(
        rank: json["rank"]!.int!, alpha: json["alpha"]!.double, isRankStabilized: json["rslora"]!.bool!)
      self.options = options
      reference = try SafetensorsCheckpoint(path: "\(fixtures)/lora/\(name).safetensors")
    }

    func floats(_ name: String) throws -> [Float] {
      let tensor = try #require(reference.tensor(named: name), "\(name)")
      return try StoredTensor(tensor, in: reference).bytes().withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
    }
  }

  @Test(
    "five AdamW steps as PEFT's",
    arguments: [
      "llama-sa-proj", "qwen2-gate-up", "qwen3-sa-proj", "phi3-sa-proj", "phi3-gate-up", "gemma3-mlp",
    ]) func parity(name: String) throws
  {
    let known = try Case(name)
    let examples = try TrainingRunTests.examples(known.tiny)
    var options = known.options
    options.batch = examples.count
    let run = try TrainingRun(TrainingRunTests.model(known.tiny), options, examples: examples)
    run.plan.beginTuning()
    for factor in run.plan.parameters {
      factor.tuning!.master.start.update(from: try known.floats("start.\(factor.name)"), count: factor.count)
    }
    var losses: [Float] = []
    try run.run { if case .step(let step) = $0 { losses.append(Float(step.loss)) } }
    #expect(largestDifference(losses, try known.floats("losses")) < 1e-4)
    var (near, all) = (0, 0)
    for factor in run.plan.parameters {
      near += zip(factor.tuning!.master.array, try known.floats("after.\(factor.name)")).count { abs($0 - $1) <= 1e-5 }
      all += factor.count
    }
    #expect(all > 500 && Double(near) >= 0.999 * Double(all), "\(near) of \(all)")
    #expect(run.plan.parameters.count == known.reference.tensors.count { $0.name.hasPrefix("after.") })
  }

  // MARK: Runs

  private static func run(
    _ lora: LoRAOptions, of name: String = "tiny-qwen2", threads: Int = 2, state: String? = nil,
    validation: [Example] = [], _ change: (inout TrainingOptions) -> Void = { _ in }
  ) throws -> TrainingRun {
    var options = ResumeTests.options()
    options.selection = .recipe(.saProj)
    options.lora = lora
    options.learningRate = 2e-2
    change(&options)
    return try TrainingRun(
      TrainingRunTests.model(try TinyModel(name), threads: threads), options, examples: ResumeTests.examples(7),
      validation: validation, stateFolder: state, saveEvery: 2, identity: .dictionary(["seed": JSON(3)]))
  }

  private static func write(_ run: TrainingRun, to path: String) throws -> PatchHeader {
    let work = WorkOptions(threads: 2)
    return try run.writePatch(
      to: path, over: TunedTensors(base: run.model.weights.view, work: work).fingerprints(), annotations: .object([]),
      work: work)
  }

  @Test("the patch is that of its own adapter", arguments: ["tiny-qwen2", "tiny-phi3", "tiny-llama"])
  func patch(name: String) throws {
    let folder = try TestFolder()
    let lora = try LoRAOptions(rank: 4, keepsAdapter: true)
    let run = try Self.run(lora, of: name)
    try run.run { _ in }
    let header = try Self.write(run, to: folder["task.vpatch"])
    #expect(header.touched.map(\.name).sorted() == run.plan.names.sorted())
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["task.vpatch"])
    let patch = try Patch(path: folder["task.vpatch"])
    _ = try patch.exportAdapter(to: folder["adapter"])
    // The factors are those that were trained.
    let adapter = try PEFTAdapter(path: folder["adapter"])
    for factor in run.plan.parameters {
      let saved = try #require(adapter.checkpoint.tensor(named: "base_model.model.\(factor.name)"))
      let bytes = try StoredTensor(saved, in: adapter.checkpoint).bytes()
      #expect(bytes == Array(UnsafeRawBufferPointer(start: factor.tuning!.master.start, count: 4 * factor.count)))
    }
    #expect(adapter.config.scale(of: run.plan.factors[0].module) == lora.scale)
    // 'vpatch create BASE ADAPTER' makes the same patch.
    let base = try SafetensorsCheckpoint(path: try TinyModel(name).folder)
    var options = CreateOptions()
    options.adapter = try AdapterPlan(adapter, over: base)
    let again = try Create(
      base: base, tuned: AdaptedCheckpoint(options.adapter!), options: options, work: WorkOptions(threads: 1)
    ).write(to: folder["again.vpatch"])
    #expect(again.header.identity == header.identity)
    #expect(patch.annotations["made"]?["adapter"]?["base"] == .string("trained"))
  }

  @Test("rank-stabilized, without keeping, on top of a patch") func chain() throws {
    let folder = try TestFolder()
    let first = try Self.run(try LoRAOptions(rank: 2))
    try first.run { _ in }
    _ = try Self.write(first, to: folder["first.vpatch"])
    let tiny = try TinyModel("tiny-qwen2")
    let view = ModelView(
      try SafetensorsCheckpoint(path: tiny.folder), [PatchStep(try Patch(path: folder["first.vpatch"]), .forward)])
    var options = ResumeTests.options()
    options.lora = try LoRAOptions(rank: 3, alpha: 2, isRankStabilized: true)
    let run = try TrainingRun(
      LanguageModel(view, compute: Compute(threads: 2)), options, examples: ResumeTests.examples(7))
    try run.run { _ in }
    let header = try Self.write(run, to: folder["second.vpatch"])
    #expect(header.baseRoot == (try Patch(path: folder["first.vpatch"])).header.targetRoot)
    #expect(header.touched.count == 4)
  }

  @Test("killed and resumed, with other threads and recomputed activations: the same bits, dropout included")
  func resume() throws {
    let folder = try TestFolder()
    let lora = try LoRAOptions(rank: 4, dropout: 0.3)
    let whole = try Self.run(lora)
    try whole.run { _ in }
    #expect(throws: ResumeTests.Killed.self) {
      try Self.run(lora, state: folder["state"]).run {
        if case .step(let done) = $0, done.number == 5 { throw ResumeTests.Killed() }
      }
    }
    let rest = try Self.run(lora, state: folder["state"])
    try rest.run { _ in }
    #expect(ResumeTests.masters(rest) == ResumeTests.masters(whole))
    for threads in [1, 3] {
      let other = try Self.run(lora, threads: threads) { $0.recomputes = threads == 3 }
      try other.run { _ in }
      #expect(ResumeTests.masters(other) == ResumeTests.masters(whole))
    }
    let without = try Self.run(try LoRAOptions(rank: 4))
    try without.run { _ in }
    #expect(without.state.losses != whole.state.losses)
    // Micro-batches drop the same numbers, so only sums are rounded otherwise.
    let portions = try Self.run(lora) { $0.microBatch = 1 }
    try portions.run { _ in }
    #expect(zip(portions.state.losses, whole.state.losses).allSatisfy { abs($0 - $1) < 1e-4 })
  }

  @Test("losses and drift are measured with the weights that the patch has") func measured() throws {
    let folder = try TestFolder()
    let run = try Self.run(try LoRAOptions(rank: 4), validation: ResumeTests.examples(3))
    try run.run { _ in }
    let last = try #require(run.state.validation.last)
    _ = try Self.write(run, to: folder["task.vpatch"])
    let view = ModelView(
      run.model.weights.view.checkpoint, [PatchStep(try Patch(path: folder["task.vpatch"]), .forward)])
    let tuned = try LanguageModel(view, compute: Compute(threads: 2))
    #expect(last.step == run.state.step)
    #expect(try ValidationMeter(ResumeTests.examples(3)).measure(tuned) == last.loss)
  }

  @Test("gradients are what the loss changes by, with dropout", arguments: [0.0, 0.4]) func gradients(_ dropout: Double)
    throws
  {
    let run = try Self.run(try LoRAOptions(rank: 3), of: "tiny-gemma3") { $0.selection = .recipe(.llm) }
    run.plan.beginTuning()
    var random = SeededRandom(seed: 5)
    for factor in run.plan.parameters where factor.name.contains("lora_B") {
      for i in 0..<factor.count { factor.tuning!.master.start[i] = Float(random.unit() - 0.5) / 5 }
    }
    let example = ResumeTests.examples(3)[2]
    let step = Dropout(probability: dropout, seed: 1, step: 2)
    func loss() throws -> Double {
      try run.model.addGradients(
        [example], targets: example.answerTokens, dropout: dropout > 0 ? (step, first: 1) : nil
      ).mean
    }
    for factor in run.plan.parameters where factor.name.contains("layers.1.") {
      let tuning = factor.tuning!
      for parameter in run.plan.parameters { parameter.tuning!.gradient.clear() }
      _ = try loss()
      let gradient = tuning.gradient.array
      let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      func moved(_ distance: Double) throws -> Double {
        let before = tuning.master.array
        for (i, g) in gradient.enumerated() { tuning.master.start[i] += Float(distance * Double(g) / norm) }
        defer { tuning.master.start.update(from: before, count: before.count) }
        return try loss()
      }
      let slope = (try moved(1e-2) - moved(-1e-2)) / 2e-2
      #expect(abs(slope - norm) < 0.03 * norm, "\(factor.name)")
    }
  }

  // MARK: Dropout

  @Test("dropout drops its share, keeps the mean, and differs by step, row, position and matrix") func dropout() throws
  {
    let n = 4096
    let x = [Float](repeating: 1, count: n)
    func dropped(_ probability: Double, seed: UInt64 = 1, step: Int = 0, row: Int = 0, position: Int = 0) -> [Float] {
      Dropout(probability: probability, seed: seed, step: step).dropped(x, row: row, position: position)
    }
    for probability in [0.05, 0.3, 0.9] {
      let all = (0..<40).flatMap { dropped(probability, position: $0) }
      let zeros = Double(all.count { $0 == 0 }) / Double(all.count)
      #expect(abs(zeros - probability) < 0.01)
      #expect(abs(all.reduce(0) { $0 + Double($1) } / Double(all.count) - 1) < 0.05)
      #expect(Set(all).count == 2)
    }
    let some = dropped(0.5)
    #expect(some == dropped(0.5))
    for other in [
      dropped(0.5, seed: 2), dropped(0.5, step: 1), dropped(0.5, row: 1), dropped(0.5, position: 1),
    ] {
      let same = zip(some, other).count { $0 == $1 }
      #expect(abs(Double(same) / Double(n) - 0.5) < 0.05)
    }
  }

  // MARK: Refused

  @Test("what cannot be is refused by name") func refused() throws {
    func message(_ body: () throws -> Void) -> String {
      let error = #expect(throws: VPatchError.self, performing: body)
      return error.map { "\($0.code) \($0.description)" } ?? ""
    }
    for rank in [0, -1, 1025] {
      #expect(message { _ = try LoRAOptions(rank: rank) }.contains("--lora is \(rank)"))
    }
    for alpha in [0, -1, .infinity, .nan, 1e300] as [Double] {
      #expect(message { _ = try LoRAOptions(rank: 2, alpha: alpha) }.contains("--alpha is"))
    }
    for dropout in [-0.1, 1, 2, .nan, 0.999999] as [Double] {
      #expect(message { _ = try LoRAOptions(rank: 2, dropout: dropout) }.contains("--dropout is"))
    }
    let large = message { _ = try Self.run(try LoRAOptions(rank: 33)) }
    #expect(large.contains("larger than its smaller side") && large.contains("use --lora 32 or less"), "\(large)")
    for recipe in [Recipe.embeddings, .norms] {
      let none = message { _ = try Self.run(try LoRAOptions(rank: 2)) { $0.selection = .recipe(recipe) } }
      #expect(none.contains("no matrix of a decoder layer") && none.contains("sa-proj"), "\(none)")
    }
    // Biases are left out, as PEFT does.
    let plan = try Self.run(try LoRAOptions(rank: 32)).plan
    #expect(plan.targets.count == 8 && plan.leftOut.count == 6 && plan.leftOut.allSatisfy { $0.hasSuffix(".bias") })
  }
}
