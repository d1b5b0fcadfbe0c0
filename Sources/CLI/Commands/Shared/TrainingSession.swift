import Base
import Evaluate
import Measure
import Model
import Report
import Text
import Train

/// What `train` prints of a run: the plan, the steps, and the patch.
struct TrainingSession {
  private let command: TrainCommand
  let job: TrainingJob

  init(_ command: TrainCommand) throws {
    self.command = command
    var rules = TrainingJob.Rules()
    rules.maximumLength = command.settings.maxLength
    rules.tooLong = command.settings.tooLong
    rules.learnsPrompts = command.settings.learnPrompts
    rules.allowsOutside = command.images.allowOutside
    rules.shownRows = command.showRows
    let work = command.common.work
    var inputs = TrainingJob.Inputs(
      base: try command.model.view(command.base, reading: .unambiguous, in: command.workspace),
      data: command.data, rules: rules)
    inputs.neutral = command.drift.neutral
    inputs.validation = try command.settings.validationSplit()
    inputs.sampleCount = command.settings.samples
    inputs.suite = try command.suite.map { try Suite(named: $0, allowsOutside: rules.allowsOutside) }
    inputs.chatTemplate = try command.model.template.options()
    inputs.features = try command.model.features.cache(command.common)
    inputs.stateFolder = command.dryRun ? nil : command.resume
    inputs.saveEvery = command.saveEvery
    inputs.log = command.log
    job = try TrainingJob(inputs, command.options(), work)
    ProgressBar.clear()
    for file in job.data {
      for (name, rows) in file.unread {
        command.common.note("\(file.path): unused field \"\(name.printable)\" (in \(Format.counted(rows, "row")))")
      }
      if file.leftOutRows > 0 {
        command.common.note(
          "\(file.path): \(Format.counted(file.leftOutRows, "row")) left out: a field such as \"weight\" excludes them"
        )
      }
    }
    for warning in job.model.warnings { command.common.warn(warning) }
    for note in Self.notes(command.settings, job) { command.common.note(note) }
    for file in job.data where file.cutRows > 0 {
      command.common.note(
        "\(file.path): \(Format.counted(file.cutRows, "row")) too long, cut by "
          + "\(Format.grouped(file.cutTokens)) tokens in total (see --max-length and --too-long)")
    }
    for file in job.data where file.endlessRows > 0 {
      command.common.note(
        "\(file.path): in \(Format.counted(file.endlessRows, "row")) the chat template puts no end token after a "
          + "trained answer: the model does not learn to stop")
    }
    for file in job.data where file.mergedRows == file.examples.count && file.examples.count > 1 {
      command.common.note(
        "\(file.path): every prompt ends inside a token; if prompts end with a space, move it to the completion")
    }
  }

  /// Settings that are probably not meant.
  private static func notes(_ settings: TrainingSettings, _ job: TrainingJob) -> [String] {
    var notes: [String] = []
    if settings.steps != nil, settings.epochs != nil {
      notes.append("--steps decides the length of the run: --epochs is ignored")
    }
    if let first = job.run.plan.leftOut.first {
      notes.append(
        "\(Format.counted(job.run.plan.leftOut.count, "selected tensor")) without factors, which LoRA leaves as they are, "
          + "such as \(first.printable)")
    }
    if job.run.totalSteps < TrainingDefaults.leastSteps {
      notes.append(
        "\(Format.counted(job.run.totalSteps, "step")): fewer than \(TrainingDefaults.leastSteps) seldom teach a skill")
    }
    return notes
  }

  var inputs: [InputFile] { job.inputs.base.checkpoint.inputs }

  /// The base's path for the store; nil if patches are applied to it.
  var basePath: String? { job.inputs.base.steps.isEmpty ? job.inputs.base.path : nil }

  /// - Parameter keep: keeps the patch elsewhere if its file cannot be written.
  func train(to path: String, keep: TrainingJob.Fallback?) throws -> TrainingJob.Result {
    let display = TrainingDisplay(command.common, total: job.run.totalSteps, resume: command.resume)
    let bar = ProgressBar.counting("item", quiet: command.common.quiet)
    let annotations = JSON.dictionary([
      "name": command.output.name.map { .string($0) }, "note": command.output.note.map { .string($0) },
    ])
    return try job.train(
      to: path, replacing: command.output.force, annotations: annotations, otherwise: keep, report: bar
    ) { display.show($0) }
  }

  // MARK: Output

  func planJSON() -> JSON {
    let (plan, memory) = (job.run.plan, job.run.memory)
    return .dictionary([
      "base": .string(job.inputs.base.path), "tensors": .array(plan.names.map { .string($0) }),
      "lora": job.options.lora.map { .dictionary(["rank": JSON($0.rank), "alpha": JSON($0.alpha)]) },
      "weights": JSON(plan.weights), "share": JSON(plan.share), "steps": JSON(job.run.totalSteps),
      "rows": JSON(job.data.reduce(0) { $0 + $1.rows }),
      "tokens": JSON(job.data.reduce(0) { $0 + $1.tokens }),
      "answer_tokens": JSON(job.data.reduce(0) { $0 + $1.answerTokens }),
      "memory": .dictionary([
        "needed": JSON(memory.needed), "tuned": JSON(memory.tuned), "activations": JSON(memory.activations),
        "scratch": JSON(memory.scratch), "mapped": JSON(memory.mapped),
      ]), "kernels": .string(job.model.compute.kernels),
      "shown": command.showRows == 0 ? nil : .array(job.data.flatMap { file in file.shown.map { $0.json(file.path) } }),
    ])
  }

  func planText() -> String {
    let (plan, memory) = (job.run.plan, job.run.memory)
    var table = TextTable([.init("tuned"), .init("tensors", .right), .init("weights", .right), .init("layers")])
    for group in plan.groups {
      table.add([
        group.name, Format.grouped(group.tensors), Format.grouped(group.weights), Format.ranges(group.layers.sorted()),
      ])
    }
    table.setTotals([
      "all", Format.grouped(plan.targets.count), Format.grouped(plan.weights), "",
    ])
    let rows = job.data.reduce(0) { $0 + $1.rows }
    let examples = job.data.reduce(0) { $0 + $1.examples.count }
    let (tokens, answers) = job.data.reduce((0, 0)) { ($0.0 + $1.tokens, $0.1 + $1.answerTokens) }
    let steps = job.run.totalSteps
    let lora = job.options.lora.map { lora in
      "lora      factors of rank \(lora.rank), scale \(Format.significant(lora.scale))"
        + (lora.dropout > 0 ? ", dropout \(Format.plain(lora.dropout))" : "") + "\n"
    }
    return """
      \(table.text(width: command.common.width))
      \(lora ?? "")share     \(Format.percent(plan.share)) of the model's \(Format.grouped(plan.modelWeights)) weights
      data      \(Format.counted(rows, "row")), \(examples == rows ? "" : "\(Format.counted(examples, "example")), ")\
      \(Format.counted(tokens, "token")), of which \
      \(Format.grouped(answers)) are answers
      steps     \(Format.grouped(steps)) of \(Format.counted(min(job.options.batch, examples), "row"))\(reason(.length))
      rate      \(Format.plain(job.options.learningRate)) at its peak\(reason(.learningRate))\(validationText)
      memory    \(Format.bytes(memory.needed)): \(Format.bytes(memory.tuned)) for the tuned tensors, \
      \(Format.bytes(memory.activations)) for activations, \(Format.bytes(memory.scratch)) other; \
      \(Format.bytes(memory.mapped)) of files are memory-mapped
      computes  \(job.model.compute.kernels), \(Format.counted(job.model.compute.threads, "thread"))
      """
  }

  private func reason(_ choice: TrainingDefaults.Choice) -> String {
    guard job.options.chosen.contains(choice) else { return "" }
    return job.defaults.reasons[choice].map { ", \($0)" } ?? ""
  }

  private var validationText: String {
    let rows = job.run.validation.count
    guard rows > 0 else { return "" }
    return "\nheld out  \(Format.counted(rows, "row")) to measure the loss on"
      + (command.settings.validation == nil ? " (--validation none trains on all rows)" : "")
  }

  /// Rows as the model reads them; trained text is between ⟦ and ⟧.
  func shownRows() -> [String] {
    job.data.flatMap { file in
      file.shown.map { row in
        let text = row.segments.map { $0.isAnswer ? "⟦\($0.text)⟧" : $0.text }.joined()
        return "── \(file.path.printable), line \(row.line)\n\(text.printableText)"
      }
    }
  }

  func json(_ result: TrainingJob.Result, _ stored: PatchOutput.Stored) -> JSON {
    .dictionary([
      "output": .string(command.output.output), "identity": .string(result.header.identity.hex),
      "base": .string(result.header.baseRoot.hex), "target": .string(result.header.targetRoot.hex),
      "changes": PatchSummary(result.header).json, "training": result.record.json,
      "forgetting": result.measured.isEmpty ? nil : ForgettingReport(result.measured).json, "plan": planJSON(),
      "remarks": .array(result.notes.map { .string($0) }), "stored": stored.json,
    ])
  }

  func text(_ result: TrainingJob.Result, _ stored: PatchOutput.Stored) -> String {
    let record = result.record
    var lines: [String] = []
    if !result.measured.isEmpty {
      let report = ForgettingReport(result.measured)
      lines = [report.table(width: command.common.width)] + report.lines.map { $0.key.padded(10) + $0.value }
    }
    let losses = record.curve.losses
    let unchanged = job.run.plan.targets.count - result.header.touched.count
    lines.append(
      """
      learned   loss \(Format.fixed(losses.first ?? 0, 3)) → \(Format.fixed(losses.last ?? 0, 3)) in \
      \(Format.counted(record.steps, "step")), \(Format.duration(record.seconds)), \
      \(Format.grouped(Int(record.tokensPerSecond))) tokens/s
      proved    nothing outside the \(Format.counted(job.run.plan.targets.count, "tuned tensor")) changed
      """)
    if let validation = record.validation, let first = validation.points.first, let last = validation.points.last {
      lines.append(
        "validated loss \(Format.fixed(first.loss, 3)) → \(Format.fixed(last.loss, 3)) on "
          + "\(Format.counted(validation.rows, "row")) that were not trained on")
    }
    if let last = record.drift?.points.last {
      lines.append("drift     \(Self.drift(last.drift)) after step \(last.step)")
    }
    if record.stopped == "max-drift" {
      lines.append("stopped   the drift exceeded its budget: the weights are those of step \(record.steps)")
    }
    if record.stopped == "early-stop" {
      lines.append("stopped   the weights are those of step \(record.steps), with the lowest validation loss")
    }
    if record.stopped == "diverged" { lines.append("diverged  the patch was written because of --keep-diverged") }
    if result.measured.isEmpty {
      lines.append(
        "forgot    not measured; 'vpatch eval \(Path.shellWord(command.base)) --patch "
          + "\(Path.shellWord(command.output.output)) --suite everyday --record' measures it")
    }
    if unchanged > 0 {
      lines.append("rounded   \(Format.counted(unchanged, "tuned tensor")) unchanged once rounded to the base's dtype")
    }
    let size = (try? InputFile(path: command.output.output).size) ?? 0
    lines.append(
      """
      size      \(Format.grouped(size)) bytes
      identity  \(result.header.identity.hex)
      wrote     \(command.output.output.printable)
      """)
    return (lines + stored.lines).joined(separator: "\n")
  }

  static func drift(_ drift: Estimate) -> String {
    "KL \(Format.significant(drift.value)) (\(Format.significant(drift.low)) … \(Format.significant(drift.high))) "
      + "nats per token"
  }
}

extension DataFile.ShownRow {
  fileprivate func json(_ path: String) -> JSON {
    .dictionary([
      "file": .string(path), "line": JSON(line), "ids": .array(example.ids.map { JSON(Int($0)) }),
      "labels": .array(example.labels.map { JSON(Int($0)) }),
      "text": .array(segments.map { .dictionary(["text": .string($0.text), "learned": .bool($0.isAnswer)]) }),
    ])
  }
}
