import ArgumentParser
import Base
import Text
import Train

extension TrainingOptions.Schedule: ExpressibleByArgument {}
extension DataRules.TooLong: ExpressibleByArgument {}

/// The training options of `train`.
struct TrainingSettings: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Number of steps; overrides --epochs. (default: one pass over the data, and at least "
        + "\(TrainingDefaults.leastSteps))",
      valueName: "n"))
  var steps: Int?
  @Option(help: ArgumentHelp("Number of passes over the data.", valueName: "x"))
  var epochs: Double?
  @Option(
    name: [.customLong("lr"), .customLong("learning-rate")],
    help: ArgumentHelp("Peak learning rate. (default: by the model's size, 1e-4 to 5e-6)", valueName: "x"))
  var lr: Double?
  @Option(
    help: ArgumentHelp("Peak learning rate of the vision tower. (default: two fifths of --lr)", valueName: "x"))
  var visionLr: Double?
  @Option(help: ArgumentHelp("Learning rate schedule after the warmup.", valueName: "name"))
  var schedule: TrainingOptions.Schedule = .cosine
  @Option(help: ArgumentHelp("Share of the steps used for warmup, 0 to 1.", valueName: "share"))
  var warmup = 0.03
  @Option(
    name: [.customLong("batch"), .customLong("batch-size")],
    help: ArgumentHelp("Batch size: rows per step. (default: 16, or 8 for few rows)", valueName: "n"))
  var batch: Int?
  @Option(
    help: ArgumentHelp(
      "Rows per forward and backward pass (gradient accumulation); saves memory, changes results only within rounding. "
        + "(default: as many as have 2,048 tokens)",
      valueName: "n"))
  var microBatch: Int?
  @Option(help: ArgumentHelp("Maximum number of tokens per row. (default: the model's context length)", valueName: "n"))
  var maxLength: Int?
  @Option(help: ArgumentHelp("What to do with longer rows: truncate them, or stop with an error.", valueName: "how"))
  var tooLong: DataRules.TooLong = .cut
  @Option(help: ArgumentHelp("Maximum gradient norm (gradient clipping); 0 disables it.", valueName: "x"))
  var clip = 1.0
  @Option(help: ArgumentHelp("AdamW weight decay.", valueName: "x"))
  var weightDecay = 0.0
  @Option(parsing: .upToNextOption, help: ArgumentHelp("AdamW beta1,beta2. (default: 0.9,0.999)", valueName: "x,x"))
  var betas: [String] = []
  @Option(help: ArgumentHelp("AdamW epsilon.", valueName: "x"))
  var eps = 1e-8
  @Option(
    help: ArgumentHelp("Random seed: the order of the rows, rows held out, LoRA's factors and dropout.", valueName: "n")
  )
  var seed: UInt64 = 0
  @Flag(help: "Do not shuffle: keep the order of the file.")
  var noShuffle = false
  @Option(
    help: ArgumentHelp(
      "Rows to measure the loss on during training: a share of the rows, which are then not trained on, a file, or "
        + "none. (default: 0.1 if neither --steps nor --epochs is given and there are at least "
        + "\(ValidationSplit.leastRows) rows)",
      valueName: "share-or-file"))
  var validation: String?
  @Flag(help: "Stop when the validation loss has not fallen three times in a row, and take the weights of the lowest.")
  var earlyStop = false
  @Flag(help: "Write the patch of a run that diverged, too; the exit code still says that it did.")
  var keepDiverged = false
  @Option(
    help: ArgumentHelp(
      "Number of prompts whose answers, before and after, are kept in the patch for the report.", valueName: "n"))
  var samples = 3
  @Flag(help: "Compute the loss over prompts as well as answers.")
  var learnPrompts = false
  @Option(
    help: ArgumentHelp(
      "Distill from the base (learning without forgetting) with weight λ and temperature T.", valueName: "λ,T"))
  var lwf: String?
  @Flag(
    help: "Recompute activations in the backward pass (gradient checkpointing): less memory, about 1/3 more compute.")
  var recompute = false

  func validate() throws {
    func check(_ isRight: Bool, _ text: String) throws { if !isRight { throw ValidationError(text) } }
    try check(steps.map { $0 >= 1 } ?? true, "--steps must be at least 1.")
    try check(epochs.map { $0 > 0 && $0 <= 1e6 } ?? true, "--epochs must be greater than 0 and at most 1,000,000.")
    try check(lr.map { $0 > 0 && $0.isFinite } ?? true, "--lr must be greater than 0.")
    try check(visionLr.map { $0 > 0 && $0.isFinite } ?? true, "--vision-lr must be greater than 0.")
    try check((0...1).contains(warmup), "--warmup must be between 0 and 1.")
    try check(batch.map { $0 >= 1 } ?? true, "--batch must be at least 1.")
    try check(microBatch.map { $0 >= 1 } ?? true, "--micro-batch must be at least 1.")
    try check(maxLength.map { $0 >= 2 } ?? true, "--max-length must be at least 2.")
    try check(clip >= 0 && clip.isFinite, "--clip must be at least 0.")
    try check((0..<1e6).contains(weightDecay), "--weight-decay must be at least 0 and less than 1,000,000.")
    try check((0...100).contains(samples), "--samples must be between 0 and 100.")
    try check(eps > 0 && eps.isFinite, "--eps must be greater than 0.")
  }

  func fill(_ options: inout TrainingOptions) throws {
    options.steps = steps
    options.epochs = epochs ?? options.epochs
    options.learningRate = lr ?? options.learningRate
    options.batch = batch ?? options.batch
    if lr == nil { options.chosen.insert(.learningRate) }
    if batch == nil { options.chosen.insert(.batch) }
    if steps == nil, epochs == nil { options.chosen.insert(.length) }
    options.patience = earlyStop ? 3 : nil
    options.keepsDiverged = keepDiverged
    options.visionLearningRate = visionLr
    options.schedule = schedule
    options.warmup = warmup
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

  /// - Throws: `refused` for a share that is not between 0 and 1.
  func validationSplit() throws -> ValidationSplit? {
    guard let validation else { return earlyStop ? .standard : nil }
    if validation == "none" { return ValidationSplit.none }
    guard let share = Double(validation) else { return .file(validation) }
    guard 0 <= share, share < 1 else {
      throw VPatchError(
        .refused, nil, "--validation: \(validation.printable) is not a share of the rows",
        remedy: "give a number from 0 to less than 1, such as 0.1, or a file")
    }
    return share == 0 ? ValidationSplit.none : .share(share)
  }

  /// Two numbers separated by a comma.
  private func pair(
    _ text: String, _ option: String, _ standard: (Double, Double), _ isRight: (Double) -> Bool
  ) throws -> (Double, Double) {
    if text.isEmpty { return standard }
    let numbers = text.split(whereSeparator: { $0 == "," || $0 == " " }).map { Double($0) }
    guard numbers.count == 2, let a = numbers[0], let b = numbers[1], isRight(a), isRight(b) else {
      throw VPatchError(
        .refused, nil, "\(option): \"\(text.printable)\" is not a valid pair of numbers",
        remedy: "write \(Format.plain(standard.0)),\(Format.plain(standard.1))")
    }
    return (a, b)
  }
}

/// The drift options of `train`.
struct DriftSettings: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Drift budget: stop when KL(base ‖ model) on neutral text exceeds this, and keep the last weights within it; "
        + "nats per token.",
      valueName: "x"))
  var maxDrift: Double?
  @Flag(help: "Measure drift without a budget.")
  var drift = false
  @Option(
    help: ArgumentHelp("Neutral text as JSON Lines. (default: paragraphs built into vpatch)", valueName: "file"))
  var neutral: String?
  @Option(help: ArgumentHelp("Steps between drift measurements. (default: a tenth of all steps)", valueName: "n"))
  var driftEvery: Int?

  func validate() throws {
    if let maxDrift, !(maxDrift > 0) { throw ValidationError("--max-drift must be greater than 0.") }
    if let driftEvery, driftEvery < 1 { throw ValidationError("--drift-every must be at least 1.") }
    if neutral != nil || driftEvery != nil, options == nil {
      throw ValidationError("--neutral and --drift-every require --drift or --max-drift.")
    }
  }

  var options: TrainingOptions.DriftOptions? {
    drift || maxDrift != nil ? .init(budget: maxDrift, every: driftEvery) : nil
  }
}
