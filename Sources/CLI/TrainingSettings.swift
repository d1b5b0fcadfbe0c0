import ArgumentParser
import Base
import Text
import Train

extension TrainingOptions.Schedule: ExpressibleByArgument {}
extension DataRules.TooLong: ExpressibleByArgument {}

/// How `train` learns.
struct TrainingSettings: ParsableArguments {
  @Option(help: ArgumentHelp("Steps, however often that repeats the data.", valueName: "n"))
  var steps: Int?
  @Option(help: ArgumentHelp("How often the data are gone through.", valueName: "x"))
  var epochs = 1.0
  @Option(help: ArgumentHelp("The learning rate at its height.", valueName: "x"))
  var lr = 5e-6
  @Option(
    help: ArgumentHelp("That of the vision tower, where it is tuned (default: two fifths of --lr).", valueName: "x"))
  var visionLr: Double?
  @Option(help: ArgumentHelp("How it falls after the warm-up.", valueName: "name"))
  var schedule: TrainingOptions.Schedule = .cosine
  @Option(help: ArgumentHelp("The share of the steps in which it rises.", valueName: "share"))
  var warmup = 0.03
  @Option(help: ArgumentHelp("Rows a step.", valueName: "n"))
  var batch = 16
  @Option(
    help: ArgumentHelp(
      "Rows that go through the model together (default: as many as have 2,048 tokens). It changes nothing but memory.",
      valueName: "n"))
  var microBatch: Int?
  @Option(help: ArgumentHelp("Most tokens of a row (default: what the model was made for).", valueName: "n"))
  var maxLength: Int?
  @Option(help: ArgumentHelp("What happens to a row that has more: cut or refuse.", valueName: "how"))
  var tooLong: DataRules.TooLong = .cut
  @Option(help: ArgumentHelp("Cut the gradient's norm down to this; 0: never.", valueName: "x"))
  var clip = 1.0
  @Option(help: ArgumentHelp("AdamW's weight decay.", valueName: "x"))
  var weightDecay = 0.0
  @Option(parsing: .upToNextOption, help: ArgumentHelp("AdamW's two. (default: 0.9,0.999)", valueName: "x,x"))
  var betas: [String] = []
  @Option(help: ArgumentHelp("AdamW's ε.", valueName: "x"))
  var eps = 1e-8
  @Option(help: ArgumentHelp("Where the order of the rows begins.", valueName: "n"))
  var seed: UInt64 = 0
  @Flag(help: "Take the rows in the file's order.")
  var noShuffle = false
  @Flag(help: "Learn prompts as well as answers.")
  var learnPrompts = false
  @Option(help: ArgumentHelp("Learning without forgetting: stay near the base's answers.", valueName: "λ,T"))
  var lwf: String?
  @Flag(help: "Compute layers a second time on the way back: less memory, about a third more work.")
  var recompute = false

  func validate() throws {
    func check(_ isRight: Bool, _ text: String) throws { if !isRight { throw ValidationError(text) } }
    try check(steps.map { $0 >= 1 } ?? true, "--steps takes a number from 1 on.")
    try check(epochs > 0 && epochs <= 1e6, "--epochs takes a number above 0.")
    try check(lr > 0 && lr.isFinite, "--lr takes a number above 0.")
    try check(visionLr.map { $0 > 0 && $0.isFinite } ?? true, "--vision-lr takes a number above 0.")
    try check((0...1).contains(warmup), "--warmup takes a share from 0 to 1.")
    try check(batch >= 1, "--batch takes a number from 1 on.")
    try check(microBatch.map { $0 >= 1 } ?? true, "--micro-batch takes a number from 1 on.")
    try check(maxLength.map { $0 >= 2 } ?? true, "--max-length takes a number from 2 on.")
    try check(clip >= 0 && clip.isFinite, "--clip takes a number from 0 on.")
    try check((0..<1e6).contains(weightDecay), "--weight-decay takes a number from 0 on.")
    try check(eps > 0 && eps.isFinite, "--eps takes a number above 0.")
  }

  func fill(_ options: inout TrainingOptions) throws {
    options.steps = steps
    options.epochs = epochs
    options.learningRate = lr
    options.visionLearningRate = visionLr
    options.schedule = schedule
    options.warmup = warmup
    options.batch = batch
    options.microBatch = microBatch
    options.clip = clip
    options.weightDecay = weightDecay
    (options.beta1, options.beta2) = try pair(betas.joined(separator: ","), "--betas", (0.9, 0.999)) { 0..<1 ~= $0 }
    options.epsilon = eps
    options.seed = seed
    options.isShuffled = !noShuffle
    options.recomputes = recompute
    if let lwf {
      let (weight, temperature) = try pair(lwf, "--lwf", (1, 2)) { $0 > 0 && $0.isFinite }
      options.distillation = .init(weight: weight, temperature: temperature)
    }
  }

  /// Two numbers with a comma between them.
  private func pair(
    _ text: String, _ option: String, _ standard: (Double, Double), _ isRight: (Double) -> Bool
  ) throws -> (Double, Double) {
    if text.isEmpty { return standard }
    let numbers = text.split(whereSeparator: { $0 == "," || $0 == " " }).map { Double($0) }
    guard numbers.count == 2, let a = numbers[0], let b = numbers[1], isRight(a), isRight(b) else {
      throw VPatchError(
        .refused, nil, "\(option): \"\(text.printable)\" is not two numbers that it can have",
        remedy: "write \(Format.plain(standard.0)),\(Format.plain(standard.1))")
    }
    return (a, b)
  }
}

/// How drift is watched.
struct DriftSettings: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Stop when KL(base ‖ model) on neutral text passes this, and take the last weights within it; nats a token.",
      valueName: "x"))
  var maxDrift: Double?
  @Flag(help: "Measure it, without a limit.")
  var drift = false
  @Option(
    help: ArgumentHelp("Neutral rows, as JSON Lines (default: paragraphs that come with vpatch).", valueName: "file"))
  var neutral: String?
  @Option(help: ArgumentHelp("Steps from one measurement to the next (default: a tenth of all).", valueName: "n"))
  var driftEvery: Int?

  func validate() throws {
    if let maxDrift, !(maxDrift > 0) { throw ValidationError("--max-drift takes a number above 0.") }
    if let driftEvery, driftEvery < 1 { throw ValidationError("--drift-every takes a number from 1 on.") }
    if neutral != nil || driftEvery != nil, options == nil {
      throw ValidationError("--neutral and --drift-every go with --drift or --max-drift.")
    }
  }

  var options: TrainingOptions.DriftOptions? {
    drift || maxDrift != nil ? .init(budget: maxDrift, every: driftEvery) : nil
  }
}
