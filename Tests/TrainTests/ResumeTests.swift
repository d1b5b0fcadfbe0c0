import Apply
import Base
import Checkpoints
import Model
import TestModels
import Testing
import Text

@testable import Train

@Suite("A training run that is cut off") struct ResumeTests {
  struct Killed: Error {}

  /// Rows of different lengths with random tokens.
  static func examples(_ count: Int, vocabulary: Int = 512) -> [Example] {
    var random = SeededRandom(seed: 9)
    return (0..<count).map { i in
      let ids = (0..<5 + i * 7 % 20).map { _ in Int32(random.next() % UInt64(vocabulary)) }
      return Example(ids: ids, labels: ids.enumerated().map { $0 < 2 ? Example.ignored : $1 })
    }
  }

  static func options() -> TrainingOptions {
    var options = TrainingRunTests.options(.gateUp)
    options.steps = 9
    options.batch = 3
    options.microBatch = 2
    options.schedule = .cosine
    options.warmup = 0.2
    options.clip = 0.5
    options.seed = 3
    return options
  }

  static func masters(_ run: TrainingRun) -> [[Float]] { run.plan.parameters.map { $0.tuning!.master.array } }

  @Test("killed after any step and resumed, it ends with the same bits", arguments: [1, 3, 4, 8])
  func resume(step: Int) throws {
    let tiny = try TinyModel("tiny-qwen2")
    let folder = try TestFolder()
    var options = Self.options()
    options.drift = .init(budget: 5, every: 2)
    let neutral = Self.examples(4).map(\.sequence)
    func run(state: String?) throws -> TrainingRun {
      try TrainingRun(
        TrainingRunTests.model(tiny), options, examples: Self.examples(7), neutral: neutral,
        stateFolder: state, saveEvery: 2, identity: .dictionary(["seed": JSON(3)]))
    }
    let whole = try run(state: nil)
    try whole.run { _ in }
    let state = folder["state"]
    #expect(throws: Killed.self) {
      try run(state: state).run { if case .step(let done) = $0, done.number == step { throw Killed() } }
    }
    let rest = try run(state: state)
    var resumed: Int?
    try rest.run { if case .resumed(let step) = $0 { resumed = step } }
    #expect(resumed == (step == 1 ? nil : (step - 1) / 2 * 2))
    #expect(Self.masters(rest) == Self.masters(whole))
    #expect(rest.state.losses == whole.state.losses)
    #expect(rest.state.drift == whole.state.drift)
  }

  @Test("another run's state is refused, and a damaged one") func foreign() throws {
    let tiny = try TinyModel("tiny-llama")
    let folder = try TestFolder()
    func run(_ seed: Int, recipe: Recipe = .gateUp) throws {
      var options = Self.options()
      options.selection = .recipe(recipe)
      let run = try TrainingRun(
        TrainingRunTests.model(tiny), options, examples: Self.examples(4), stateFolder: folder["state"], saveEvery: 3,
        identity: .dictionary(["seed": JSON(seed), "data": .string("a")]))
      try run.run { _ in }
    }
    try run(1)
    let error = #expect(throws: VPatchError.self) { try run(2) }
    #expect(error?.code == .refused && error!.description.contains("differs in seed"))
    let other = #expect(throws: VPatchError.self) { try run(1, recipe: .saProj) }
    #expect(other!.description.contains("lacks the master of"))
    try folder.write("state/training.safetensors", try Array(folder.bytes("state/training.safetensors").dropLast(9)))
    #expect(throws: VPatchError.self) { try run(1) }
  }

  @Test("a state whose numbers are none is refused, or read: nothing is killed by it") func numbers() throws {
    let tiny = try TinyModel("tiny-llama")
    let folder = try TestFolder()
    var options = Self.options()
    options.steps = 2
    options.drift = .init(budget: 5, every: 1)
    func run() throws {
      let run = try TrainingRun(
        TrainingRunTests.model(tiny), options, examples: Self.examples(4), neutral: Self.examples(4).map(\.sequence),
        stateFolder: folder["state"], saveEvery: 1, identity: .dictionary(["seed": JSON(1)]))
      try run.run { _ in }
    }
    try run()
    let state = try SafetensorsCheckpoint(path: folder["state/training.safetensors"]).files[0]
    let data = Array(try folder.bytes("state/training.safetensors")[(8 + state.header.text.count)...])
    let text = try #require(state.header.metadata.first?.value.string)
    let json = try JSON.parse(Array(text.utf8))
    var refused = 0
    let nasty = [
      "1e300", "-1e300", "1e400", "9223372036854775807", "18446744073709551615", "-1", "0.5", "1e19", "null",
    ]
    for (i, key) in ["step", "tokens", "seconds", "losses", "rates", "drift", "inside"].enumerated() {
      for number in nasty {
        let value = try JSON.parse(Array(number.utf8))
        let changed: JSON =
          switch json[key] {
          case .array(let list)?:
            .array(list.dropLast() + [list.last!.array.map { .array([value] + $0.dropFirst()) } ?? value])
          default: value
          }
        let notes = JSON.Member(state.header.metadata[0].key, .string(json.setting(key, to: changed).compact()))
        let header = SafetensorsHeader.text(for: state.header.tensors.map(\.info), metadata: [notes])
        try folder.write("state/training.safetensors", [UInt8](littleEndian: UInt64(header.count)) + header + data)
        do { try run() } catch let error as VPatchError {
          #expect(error.code == .invalid, "\(error)")
          refused += 1
        }
      }
      #expect(refused > i, "\(key)")
    }
  }

  @Test("a run of more steps than anyone waits for is refused", arguments: [.max, 1 << 40, 0, -1])
  func steps(steps: Int) throws {
    let tiny = try TinyModel("tiny-llama")
    var options = Self.options()
    options.steps = steps
    let error = #expect(throws: VPatchError.self) {
      try TrainingRun(TrainingRunTests.model(tiny), options, examples: Self.examples(4))
    }
    #expect(error?.remedy == "ask for 1 to 1,000,000,000")
    options.steps = nil
    for epochs in [Double.infinity, .nan, 1e300] {
      options.epochs = epochs
      #expect(throws: VPatchError.self) {
        try TrainingRun(TrainingRunTests.model(tiny), options, examples: Self.examples(4))
      }
    }
  }
}
