import Apply
import ArgumentParser
import Base
import Checkpoints
import Evaluate
import Measure
import Model
import PatchFormat
import Report
import Workspace

struct EvalCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Evaluate a language model on a suite, with and without patches.",
    discussion: """
      A suite is a TOML file of tasks and their data: perplexity, multiple choice, exact match, clock times, KL \
      divergence from the base, and the probability mass of words such as numbers. See docs/evaluation.md.

      With --patch or --stack, the model is evaluated without and with them, in memory; with --base, it is compared \
      with another model. All tensors are hashed first, so that the records are of exactly these weights. --record \
      writes them into the patch, or into the composite of the stack in the store.

      EXAMPLES
        vpatch eval model/ --suite everyday
        vpatch eval base/ --patch counting.vpatch --suite suite.toml --record
        vpatch eval base/ --stack triage --suite suite.toml --base-results base.json
            writes base.json, or reads it if it exists: the base is evaluated only once
        vpatch eval tuned/ --base base/ --suite suite.toml --results tuned.json
      """)

  @Argument(help: "The model: a folder with config.json and tokenizer.json.", completion: .file())
  var model: String
  @Option(help: ArgumentHelp("Model to compare with, instead of the model without patches.", valueName: "model"))
  var base: String?
  @Option(
    help: ArgumentHelp(
      "The suite: a TOML file, or \(Suite.builtInNames.asAlternatives).", valueName: "name-or-file"),
    completion: .file())
  var suite: String
  @Flag(help: "Write the records into the patch, or into the stack's composite in the store.")
  var record = false
  @Option(help: ArgumentHelp("Write the results of each item to this file.", valueName: "file"))
  var results: String?
  @Option(help: ArgumentHelp("Results of the base: read if the file exists, else written.", valueName: "file"))
  var baseResults: String?
  @Flag(help: "Replace an existing --results file.")
  var force = false
  @OptionGroup var images: ImageOptions
  @OptionGroup var options: ModelOptions
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  var allowsAnyScale: Bool { options.overlay.scales.anyScale }

  func validate() throws {
    let comparesNothing = base == nil && options.overlay.isEmpty
    if record, options.overlay.isEmpty { throw ValidationError("--record requires --patch or --stack.") }
    if baseResults != nil, comparesNothing {
      throw ValidationError("--base-results requires --patch, --stack or --base.")
    }
    if force, results == nil { throw ValidationError("--force requires --results.") }
  }

  func run() throws {
    let suite = try Suite(named: suite, allowsOutside: images.allowOutside)
    if let results {
      try OutputCheck.file(results, inputs: [], force: force)
      try OutputFile.requireRoom(for: results)
    }
    let checkpoint = try workspace.checkpoint(model, reading: .unambiguous)
    let other = try base.map { try workspace.checkpoint($0, reading: .unambiguous) }
    let steps = options.overlay.isEmpty ? [] : try options.overlay.steps(over: checkpoint, in: workspace)
    let bound = record ? try patchToBind(steps, hasOtherBase: other != nil) : nil
    if let bound {
      try RecordWriting.check(bound, in: workspace)
      try OutputFile.requireRoom(for: bound.path)
    }

    let tuned = try PatchedModel(checkpoint, steps, common.work)
    let reference = try other.map { try PatchedModel($0, [], common.work) } ?? tuned.withoutPatches
    let evaluator = try Evaluator(suite, tuned, reference, options, common)
    // Results of a long evaluation are printed even if they cannot be written; that error comes last.
    var writes = DeferredWrites()
    guard let reference else {
      printValues(try evaluator.results(), suite, &writes)
      return try writes.finish()
    }

    let before = try baseResults.map { try evaluator.baseResults(keptAt: $0, &writes) } ?? evaluator.baseResults()
    let after = try evaluator.results()
    let results = writes.path(results) { try after.write(to: $0, replacing: force) }
    let outcome = try Evaluation.records(
      before: before, reference: reference.root, after: after.results(path: results ?? "these results"),
      measured: tuned.root)
    let writing = bound.flatMap { patch in
      writes.attempt { try RecordWriting(outcome.records, to: patch, in: workspace) }
    }
    print(outcome, tuned, reference, suite, results, writing)
    try writes.finish()
  }

  /// The patch, or the stack's composite, that the records are about.
  private func patchToBind(_ steps: [PatchStep], hasOtherBase: Bool) throws -> Patch {
    guard steps.count == 1, !hasOtherBase else {
      throw VPatchError(
        .refused, nil,
        hasOtherBase
          ? "--record compares with the model without the patch, but --base names another"
          : "--record requires one patch or one stack, but this is a chain of \(steps.count)",
        remedy: hasOtherBase
          ? "leave out --base" : "measure each on top of the previous one, or combine them with 'vpatch compose'")
    }
    return steps[0].patch
  }

  // MARK: Output

  private func printValues(_ outcome: SuiteResults, _ suite: Suite, _ writes: inout DeferredWrites) {
    let results = writes.path(results) { try outcome.write(to: $0, replacing: force) }
    // A model has no divergence from itself.
    let entries = outcome.entries.filter { $0.reference == nil }
    var table = TextTable([
      .init("task"), .init("role", rank: 1), .init("metric"), .init("n", .right, rank: 2), .init("value", .right),
    ])
    for entry in entries {
      table.add([
        entry.task, entry.role.rawValue, entry.metric, Format.grouped(entry.scores.values.count),
        entry.unit.text(entry.scores.value),
      ])
    }
    let json = JSON.dictionary([
      "model": .string(outcome.model), "root": outcome.root.map { .string($0.hex) }, "suite": .string(suite.digest.hex),
      "tasks": .array(
        entries.map {
          .dictionary([
            "task": .string($0.task), "metric": .string($0.metric), "role": .string($0.role.rawValue),
            "unit": .string($0.unit.rawValue), "n": JSON($0.scores.values.count), "value": JSON($0.scores.value),
          ])
        }), "results": results.map { .string($0) },
    ])
    common.print(json, isReport: results != nil, text: table.lines(width: common.width))
    for entry in outcome.entries where entry.reference != nil {
      common.note("\(entry.task) measures the divergence from a base: give --base, --patch or --stack")
    }
  }

  private func print(
    _ outcome: ResultsComparison.Outcome, _ tuned: PatchedModel, _ reference: PatchedModel, _ suite: Suite,
    _ results: String?, _ writing: RecordWriting?
  ) {
    let report = ForgettingReport(outcome.records)
    let json = JSON.dictionary([
      "model": .string(tuned.name), "root": .string(tuned.root.hex), "base": .string(reference.name),
      "base_root": .string(reference.root.hex), "suite": .string(suite.digest.hex), "forgetting": report.json,
      "remarks": .array(outcome.notes.map { .string($0) }), "results": results.map { .string($0) },
      "recorded": writing.map { .array($0.places.map { .string($0) }) },
      "signatures_dropped": writing.map { .array($0.dropped.map { .string($0.key.hex) }) },
    ])
    let written = (writing?.places ?? []) + (results.map { [$0] } ?? [])
    common.print(
      json, isReport: !written.isEmpty,
      text: ([report.table(width: common.width)] + report.lines.map { $0.key.padded(11) + $0.value }
        + written.map { "wrote      \($0.printable)" }).joined(separator: "\n"))
    for note in outcome.notes { common.note(note) }
    for note in writing?.notes ?? [] { common.note(note) }
  }
}

/// Writes results, and defers the errors.
private struct DeferredWrites {
  private var failure: VPatchError?

  /// - Returns: nil if it failed.
  @discardableResult
  mutating func attempt<R>(_ body: () throws -> R) -> R? {
    do { return try body() } catch {
      failure = failure ?? error as? VPatchError ?? VPatchError(.io, nil, "\(error)")
      return nil
    }
  }

  /// - Returns: the path that was written; nil if none was.
  mutating func path(_ path: String?, _ write: (String) throws -> Void) -> String? {
    path.flatMap { path in
      attempt {
        try write(path)
        return path
      }
    }
  }

  /// - Throws: the first error.
  func finish() throws {
    if let failure { throw failure }
  }
}

/// The two models of an evaluation, opened.
private struct Evaluator {
  private let evaluation: Evaluation
  private let tuned: (model: LanguageModel, names: PatchedModel)
  private let reference: (model: LanguageModel, names: PatchedModel)?
  private let common: CommonOptions

  init(
    _ suite: Suite, _ tuned: PatchedModel, _ reference: PatchedModel?, _ options: ModelOptions,
    _ common: CommonOptions
  ) throws {
    self.common = common
    let compute = try Compute(threads: common.work.threads, precision: options.compute, blas: options.blas)
    let cache = try options.features.cache(common)
    self.tuned = (try LanguageModel(tuned.view, compute: compute, features: cache), tuned)
    self.reference = try reference.map { (try LanguageModel($0.view, compute: compute, features: cache), $0) }
    let folder = try tuned.view.folder()
    let tokenizer = try ModelTokenizer(folder, chatTemplate: options.template.options())
    if let reference, reference.view.path != tuned.view.path || folder.isPatched {
      let other = try ModelTokenizer(reference.view.folder(), chatTemplate: options.template.options())
      guard try other.settings(chat: suite.usesChat) == tokenizer.settings(chat: suite.usesChat) else {
        throw VPatchError(
          .refused, tuned.name, "has another tokenizer or chat template than \(reference.name)",
          remedy: "give one --chat-template for both; if the tokenizers differ, use the same tokenizer files for both")
      }
    }
    for warning in self.tuned.model.warnings { common.warn(warning) }
    // A switch by rename may have replaced the model between reading its tokenizer and its weights.
    try tuned.view.checkpoint.requireStillThere()
    try reference?.view.checkpoint.requireStillThere()
    evaluation = Evaluation(suite, of: self.tuned.model, tokenizer: tokenizer)
  }

  /// The results of the model with its patches.
  func results() throws -> SuiteResults {
    try run(tuned, against: reference.map { .base($0.model, root: $0.names.root) } ?? .itself)
  }

  func baseResults() throws -> EvaluationResults {
    try run(reference!, against: .itself).results(path: "the base's results")
  }

  /// Read from the file, or computed and written if it does not exist.
  func baseResults(keptAt path: String, _ writes: inout DeferredWrites) throws -> EvaluationResults {
    guard try PathKind.of(path, followingLinks: false) == .missing else {
      common.note("the base's results are read from \(path)")
      return try EvaluationResults(path: path)
    }
    try OutputCheck.file(path, inputs: [], force: false)
    try OutputFile.requireRoom(for: path)
    let results = try run(reference!, against: .itself)
    writes.attempt { try results.write(to: path) }
    return try results.results(path: path)
  }

  private func run(
    _ subject: (model: LanguageModel, names: PatchedModel), against other: Evaluation.Reference
  ) throws -> SuiteResults {
    var evaluation = evaluation
    let isBase = subject.model === reference?.model
    let bar = ProgressBar.counting("item", quiet: common.quiet)
    evaluation.report = { bar(isBase ? "\($0), base" : $0, $1, $2) }
    return try evaluation.results(
      of: subject.model, name: subject.names.name, root: subject.names.root, against: other)
  }
}
