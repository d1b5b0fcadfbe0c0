import Apply
import Base
import CCompute
import Checkpoints
import Model
import PatchFormat
import TestModels
import Testing
import Text

@testable import Train

@Suite("How a training run behaves") struct TrainingBehaviourTests {
  static func run(
    _ name: String = "tiny-llama", examples: [Example] = ResumeTests.examples(6), neutral: [TokenSequence] = [],
    _ change: (inout TrainingOptions) -> Void
  ) throws -> TrainingRun {
    var options = ResumeTests.options()
    change(&options)
    return try TrainingRun(
      TrainingRunTests.model(try TinyModel(name)), options, examples: examples, neutral: neutral)
  }

  static func losses(_ run: TrainingRun) throws -> [Double] {
    try run.run { _ in }
    return run.state.losses
  }

  @Test("neither micro-batches nor recomputation change what is learned") func portions() throws {
    let plain = try Self.run { $0.microBatch = 3 }
    let losses = try Self.losses(plain)
    let changes: [(inout TrainingOptions) -> Void] = [
      { $0.microBatch = 1 }, { $0.recomputes = true }, { $0.microBatch = nil },
    ]
    for change in changes {
      let other = try Self.run { change(&$0) }
      #expect(zip(losses, try Self.losses(other)).allSatisfy { abs($0 - $1) < 1e-5 })
      for (a, b) in zip(ResumeTests.masters(plain), ResumeTests.masters(other)) {
        #expect(relativeDistance(a, b) < 1e-4)
      }
    }
  }

  @Test("distillation holds the model to its base") func distillation() throws {
    let examples = ResumeTests.examples(6)
    func drift(_ weight: Double?) throws -> Double {
      let run = try Self.run(examples: examples, neutral: examples.map(\.sequence)) {
        ($0.learningRate, $0.steps, $0.clip, $0.drift) = (1e-3, 20, 0, .init())
        $0.distillation = weight.map { .init(weight: $0, temperature: 2) }
      }
      try run.run { _ in }
      return run.state.drift.last!.drift.value
    }
    let (held, free) = try (drift(30), drift(nil))
    #expect(held < 0.9 * free, "\(held), \(free)")
    // Before anything has moved there is nothing to be told apart.
    var first: TrainingStep?
    let run = try Self.run { $0.distillation = .init(weight: 1, temperature: 2) }
    try run.run { if case .step(let step) = $0, step.number == 1 { first = step } }
    #expect(abs(first!.distillation) < 1e-6)
    #expect(abs(first!.loss - (try Self.losses(Self.run { _ in })[0])) < 1e-6)
  }

  @Test("the distillation's gradient is what its loss changes by") func distillationGradient() throws {
    let run = try Self.run { ($0.learningRate, $0.schedule) = (5e-3, .constant) }
    try run.run { _ in }
    let example = ResumeTests.examples(3)[2]
    let distillation = LanguageModel.Distillation(base: try run.model.frozen(), weight: 3, temperature: 2)
    func loss() throws -> Double {
      try run.model.addGradients([example], targets: example.answerTokens, distillation: distillation).mean
    }
    let tuning = run.plan.parameters[1].tuning!
    tuning.gradient.clear()
    _ = try loss()
    let gradient = tuning.gradient.array
    // Along the gradient itself the change is largest against the rounding of float32.
    let norm = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    func moved(_ distance: Double) throws -> Double {
      let before = tuning.master.array
      for (i, g) in gradient.enumerated() { tuning.master.start[i] += Float(distance * Double(g) / norm) }
      defer { tuning.master.start.update(from: before, count: before.count) }
      return try loss()
    }
    let slope = (try moved(1e-2) - moved(-1e-2)) / 2e-2
    #expect(abs(slope - norm) < 0.02 * norm)
    #expect(norm > 1e-3)
  }

  @Test("drift starts at zero, and a run that passes its budget takes what was inside") func budget() throws {
    let neutral = ResumeTests.examples(5).map(\.sequence)
    let free = try Self.run(neutral: neutral) { $0.drift = .init(every: 1) }
    try free.run { _ in }
    let drift = free.state.drift.map(\.drift.value)
    #expect(drift.count == 10 && drift[0] == 0 && drift[1] > 0 && drift[9] > drift[2])
    let budget = (drift[4] + drift[5]) / 2
    #expect(drift[...4].allSatisfy { $0 <= budget })
    let held = try Self.run(neutral: neutral) { $0.drift = .init(budget: budget, every: 1) }
    try held.run { _ in }
    #expect(held.state.stopped == "max-drift" && held.state.step == 5 && held.state.inside?.step == 4)
    let four = try Self.run { _ in }
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try four.run { if case .step(let step) = $0, step.number == 4 { throw Stop() } }
    }
    #expect(ResumeTests.masters(held) == ResumeTests.masters(four))
  }

  @Test("a loss that is no number stops it before the update") func astray() throws {
    let run = try Self.run { $0.learningRate = 1e30 }
    let error = #expect(throws: VPatchError.self) { try run.run { _ in } }
    #expect(error!.description.contains("training diverged: at step 2"))
    #expect(run.state.step == 1)
  }

  @Test("too little memory is said before the first step, with the numbers") func memory() throws {
    let run = try Self.run { _ in }
    let memory = run.memory
    try run.checkMemory(available: memory.needed)
    try run.checkMemory(available: nil)
    let error = #expect(throws: VPatchError.self) { try run.checkMemory(available: memory.needed - 1) }
    #expect(error!.code == .refused)
    for number in [memory.needed, memory.tuned, memory.activations, memory.scratch, memory.needed - 1] {
      #expect(error!.reason.contains(Format.bytes(number)), "\(error!)")
    }
    #expect(error!.remedy == "use --recompute, a smaller --micro-batch, a shorter --max-length, fewer --layers")
    // What is used already is not named.
    let small = try Self.run { ($0.recomputes, $0.microBatch) = (true, 1) }
    let other = #expect(throws: VPatchError.self) { try small.checkMemory(available: 0) }
    #expect(other!.remedy == "use a shorter --max-length, fewer --layers")
    #expect(small.memory.activations < memory.activations && small.memory.tuned == memory.tuned)
  }

  @Test("bf16 products learn the same, within their precision") func bf16() throws {
    let tiny = try TinyModel("tiny-qwen2")
    guard vp_has_bf16() else {
      // A processor without the instructions: refused, and not computed otherwise.
      #expect(throws: VPatchError.self) { try Compute(threads: 2, precision: .bf16) }
      return
    }
    let compute = try Compute(threads: 2, precision: .bf16)
    let model = try LanguageModel(ModelView(SafetensorsCheckpoint(path: tiny.folder)), compute: compute)
    let example = try TrainingRunTests.examples(tiny)[0]
    for parameter in model.weights.parameters { parameter.beginTuning() }
    let loss = try model.addGradients([example], targets: example.answerTokens)
    #expect(abs(Float(loss.mean) - (try tiny.floats("loss")[0])) < 2e-2)
    for parameter in model.weights.parameters {
      let expected = try tiny.floats("grad." + parameter.name)
      #expect(relativeDistance(parameter.tuning!.gradient.array, expected) < 3e-2, "\(parameter.name)")
    }
  }

  @Test("the patch makes the rounded masters, and nothing else") func patch() throws {
    let folder = try TestFolder()
    let work = WorkOptions(threads: 2)
    let run = try Self.run("tiny-qwen2") { _ in }
    try run.run { _ in }
    let view = run.model.weights.view
    let fingerprints = try TunedTensors(base: view, work: work).fingerprints()
    let header = try run.writePatch(
      to: folder["p.vpatch"], over: fingerprints, annotations: .object([]), work: work)
    #expect(header.baseRoot == (try view.checkpoint.root(work)))
    #expect(header.touched.map(\.name).sorted() == run.plan.names.sorted())
    let patch = try Patch(path: folder["p.vpatch"])
    let tuned = try LanguageModel(
      ModelView(view.checkpoint, [PatchStep(patch, .forward)]), compute: Compute(threads: 2))
    for parameter in tuned.weights.parameters where parameter.info.shape.count == 2 {
      parameter.beginTuning()
      let values = parameter.tuning!.master.array
      let trained = run.model.weights.parameter(named: parameter.name)!
      if let tuning = trained.tuning {
        for (rounded, master) in zip(values, tuning.master.array) {
          #expect(rounded.bitPattern & 0xFFFF == 0 && abs(rounded - master) <= abs(master) / 256)
        }
      } else {
        trained.beginTuning()
        #expect(values == trained.tuning!.master.array)
      }
    }
  }
}
