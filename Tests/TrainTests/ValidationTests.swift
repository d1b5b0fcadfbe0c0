import Apply
import Base
import Checkpoints
import Measure
import Model
import TestModels
import Testing
import Text

@testable import Train

@Suite("Validation, early stopping, runs that go wrong") struct ValidationTests {
  struct Killed: Error {}

  /// A run that learns its rows by heart: its validation loss falls and rises again.
  private func run(
    patience: Int? = nil, steps: Int = 60, rate: Double = 2e-2, validation: [Example]? = nil, state: String? = nil
  ) throws -> TrainingRun {
    var options = ResumeTests.options()
    (options.steps, options.learningRate, options.patience, options.clip) = (steps, rate, patience, 0)
    let examples = ResumeTests.examples(9)
    return try TrainingRun(
      TrainingRunTests.model(try TinyModel("tiny-llama")), options, examples: Array(examples.prefix(6)),
      validation: validation ?? Array(examples.suffix(3)), stateFolder: state, saveEvery: 5,
      identity: .dictionary(["a": JSON(1)]))
  }

  @Test("the loss on other rows, before the first step and ten times, is what the model's scores say") func losses()
    throws
  {
    let run = try run(steps: 20, rate: 1e-3)
    #expect(run.state.validation.isEmpty)
    var seen: [Double] = []
    try run.run { if case .step(let step) = $0, let loss = step.validation { seen.append(loss) } }
    let points = run.state.validation
    #expect(points.map(\.step) == Array(stride(from: 0, through: 20, by: 2)))
    #expect(points.dropFirst().map(\.loss) == seen)
    // By hand, from the scores of the model that the run began with.
    let model = try TrainingRunTests.model(try TinyModel("tiny-llama"))
    var (sum, count) = (0.0, 0)
    for example in run.validation {
      for (label, score) in zip(example.labels.dropFirst(), try model.scores(of: [example.sequence])[0])
      where label != Example.ignored {
        (sum, count) = (sum - Double(score.logProbability), count + 1)
      }
    }
    #expect(abs(points[0].loss - sum / Double(count)) < 1e-4)
    // What is measured does not change what is learned.
    let blind = try self.run(steps: 20, rate: 1e-3, validation: [])
    try blind.run { _ in }
    #expect(ResumeTests.masters(blind) == ResumeTests.masters(run) && blind.state.validation.isEmpty)
  }

  @Test("early stopping ends with the weights of the lowest loss, also after a kill") func early() throws {
    // On the rows themselves, at a rate at which the loss falls, and does not fall at every step.
    let rows = Array(ResumeTests.examples(9).prefix(3))
    func whole(_ state: String? = nil) throws -> TrainingRun {
      try self.run(patience: 1, rate: 1e-2, validation: rows, state: state)
    }
    let run = try whole()
    try run.run { _ in }
    let lowest = try #require(run.state.validation.min { $0.loss < $1.loss })
    #expect(run.state.inside?.step == lowest.step && lowest.step > 0)
    if lowest.step < run.state.step { #expect(run.state.stopped == "early-stop") }
    let record = run.record(data: [], settings: [], seconds: 1)
    #expect(record.steps == lowest.step && record.validation?.rows == 3)
    #expect(record.curve.gradientNorms.count == record.curve.count)
    let folder = try TestFolder()
    #expect(throws: Killed.self) {
      try whole(folder["state"]).run {
        if case .step(let step) = $0, step.number == run.state.step - 1 { throw Killed() }
      }
    }
    let resumed = try whole(folder["state"])
    try resumed.run { _ in }
    #expect(ResumeTests.masters(resumed) == ResumeTests.masters(run))
    #expect(resumed.state.validation == run.state.validation)
    #expect(resumed.state.gradientNorms == run.state.gradientNorms)
  }

  @Test("it stops after as many measurements without a new lowest loss as were asked for", arguments: [1, 2, 3])
  func patience(_ patience: Int) throws {
    let run = try self.run(patience: patience)
    for parameter in run.plan.parameters { parameter.beginTuning() }
    for (step, loss) in [5.0, 3, 4, 2, 2, 2.5, 9, 1].enumerated() {
      guard run.state.stopped == nil else { break }
      run.state.step = step
      run.note(validation: loss)
    }
    #expect(run.state.stopped == "early-stop")
    #expect(run.state.step == [1: 2, 2: 5, 3: 6][patience] && run.state.inside?.step == (patience == 1 ? 1 : 3))
  }

  @Test("a run that ends far above its beginning diverged; one that is short is not judged") func diverged() throws {
    let run = try self.run(validation: [])
    for (losses, isDiverged) in [
      ([Double](repeating: 2, count: 20) + [Double](repeating: 4, count: 20), true),
      ([Double](repeating: 2, count: 20) + [Double](repeating: 2.4, count: 20), false),
      ([2] + [Double](repeating: 9, count: 39), true),
      ([Double](repeating: 4, count: 20) + [Double](repeating: 1, count: 20), false), ([1, 9], false),
      ([Double](repeating: 0.1, count: 20) + [Double](repeating: 0.5, count: 20), false),
    ] {
      run.state = TrainingState()
      run.state.losses = losses
      #expect((run.divergence != nil) == isDiverged, "\(losses)")
      let rises = losses.count >= 10 && losses[0] < losses.last!
      #expect(run.lossNotes.isEmpty == !rises, "\(losses)")
    }
  }

  @Test("rows are held out by the seed, at least one, and never all") func split() {
    for count in 2...60 {
      for share in [0.01, 0.1, 0.5, 0.99] {
        let rows = ValidationSplit.share(share).heldOut(of: count, seed: 1)
        #expect((1..<count).contains(rows.count) && rows == Array(Set(rows)).sorted())
        #expect(rows.allSatisfy { (0..<count).contains($0) })
        #expect(rows == ValidationSplit.share(share).heldOut(of: count, seed: 1))
      }
    }
    #expect(ValidationSplit.share(0.5).heldOut(of: 60, seed: 1) != ValidationSplit.share(0.5).heldOut(of: 60, seed: 2))
    #expect(ValidationSplit.share(0.1).heldOut(of: 1, seed: 1).isEmpty)
    #expect(ValidationSplit.share(0.5).heldOut(of: 10_000, seed: 1).count == 200)
    #expect(ValidationSplit.none.heldOut(of: 60, seed: 1).isEmpty)
  }

  @Test("rate, batch and length by model and data") func defaults() throws {
    func defaults(_ weights: Int, _ rows: Int, _ recipe: Recipe = .saProj, batch: Int? = nil) -> TrainingDefaults {
      TrainingDefaults(weights: weights, rows: rows, selection: .recipe(recipe), batch: batch)
    }
    #expect(defaults(135_000_000, 50).learningRate == 1e-4 && defaults(135_000_000, 50, .llm).learningRate == 2e-5)
    #expect(defaults(3_000_000_000, 50).learningRate == 2e-5 && defaults(7_600_000_000, 50, .llm).learningRate == 5e-6)
    #expect(defaults(1, 50).batch == 8 && defaults(1, 320).batch == 16 && defaults(1, 50, batch: 4).batch == 4)
    #expect(defaults(1, 50).steps == 100 && defaults(1, 1600).steps == 100 && defaults(1, 3201).steps == 201)
    #expect(defaults(1, 1, batch: 1_000_000).steps == 100)
    for rows in [1, 50, 5000] { #expect(Set(defaults(1, rows).reasons.keys) == Set(TrainingDefaults.Choice.allCases)) }
    var options = TrainingOptions(selection: .recipe(.saProj))
    #expect(options.choosing(defaults(1, 50)) == options)
    options.chosen = [.learningRate, .batch, .length]
    let chosen = options.choosing(defaults(1, 50))
    #expect(chosen.learningRate == 1e-4 && chosen.batch == 8 && chosen.steps == 100)
  }
}
