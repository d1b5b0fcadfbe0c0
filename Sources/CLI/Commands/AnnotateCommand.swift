import Apply
import ArgumentParser
import Base
import Measure
import PatchFormat
import Workspace

struct AnnotateCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "annotate",
    abstract: "Add evaluation results to a patch: what it learned and what it forgot.",
    discussion: """
      Reads two results files of lm-evaluation-harness, lmms-eval or vpatch eval: one of the base, one of the tuned \
      model. Tasks that are neither targets nor probes are held out: a loss on them is forgetting.

      With --model, vpatch hashes the whole model and checks that it is the patch's target; the records are then \
      marked measured. So are results of 'python -m vpatch.lm_eval', which hashes what it evaluates. Others are marked \
      reported, and never pass a gate.

      EXAMPLES
        vpatch annotate counting.vpatch --target counting --model tuned/ \\
            --results tuned.json --base-results base.json
        vpatch annotate counting.vpatch --samples t/ --base-samples b/ \\
            --results t/results.json --base-results b/results.json
            compares item by item: narrower intervals, and counts of items lost and won
        vpatch annotate counting.vpatch --drop gsm8k
            removes the records of a task from the file and from the store's copy
      """)

  @Argument(help: "The patch.", completion: .patches)
  var patch: String
  @Option(help: ArgumentHelp("Results of the tuned model.", valueName: "file"))
  var results: String?
  @Option(help: ArgumentHelp("Results of the base model.", valueName: "file"))
  var baseResults: String?
  @Option(help: ArgumentHelp("The tuned model, to hash.", valueName: "model"))
  var model: String?
  @Option(help: ArgumentHelp("The base model, to hash.", valueName: "model"))
  var baseModel: String?
  @Option(help: ArgumentHelp("Folder with the samples files of the tuned model.", valueName: "folder"))
  var samples: String?
  @Option(help: ArgumentHelp("Folder with the samples files of the base model.", valueName: "folder"))
  var baseSamples: String?
  @Option(help: ArgumentHelp("Target task (to be learned), or a pattern; repeatable.", valueName: "task"))
  var target: [String] = []
  @Option(help: ArgumentHelp("Probe task (neither learning nor forgetting); repeatable.", valueName: "task"))
  var probe: [String] = []
  @Option(help: ArgumentHelp("Task to leave out; repeatable.", valueName: "task"))
  var without: [String] = []
  @Option(help: ArgumentHelp("Metric to use for a task; repeatable.", valueName: "task=metric"))
  var metric: [String] = []
  @Flag(help: "Remove all existing records, not only those of the same measurements.")
  var replaceAll = false
  @Option(help: ArgumentHelp("Only remove the records of this task; repeatable.", valueName: "task"))
  var drop: [String] = []
  @OptionGroup var output: AnnotatedOutput
  @OptionGroup var store: StoreOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard drop.isEmpty else {
      let others = [results, baseResults, model, baseModel, samples, baseSamples].contains { $0 != nil }
      guard !others, !replaceAll, (target + probe + without + metric).isEmpty else {
        throw ValidationError("--drop only removes records: leave out the options that add some.")
      }
      return
    }
    guard results != nil, baseResults != nil else {
      throw ValidationError("Give --results and --base-results, or --drop.")
    }
    if baseModel != nil, model == nil { throw ValidationError("--base-model requires --model.") }
    if (samples == nil) != (baseSamples == nil) { throw ValidationError("--samples and --base-samples go together.") }
    for metric in metric where !(metric.firstIndex(of: "=").map { $0 > metric.startIndex } ?? false) {
      throw ValidationError("--metric must be TASK=METRIC, not \(metric.printable).")
    }
  }

  func run() throws {
    let patch = try workspace.patch(patch)
    guard drop.isEmpty else { return try dropRecords(of: patch) }
    let comparison = try comparison()
    // Records hold roots. The base's root is in the patch; the model's must be computed.
    let hashed = try comparison.hashedRoot(base: patch.header.baseRoot, target: patch.header.targetRoot)
    let measured =
      try model.map {
        try patch.checkedRoot(of: workspace.checkpoint($0), endOf: .forward, common.work)
      } ?? hashed
    if let baseModel {
      _ = try patch.checkedRoot(of: workspace.checkpoint(baseModel), endOf: .backward, common.work)
    }
    try comparison.checkOrder(model: model, baseModel: baseModel)
    let outcome = try comparison.records(reference: patch.header.baseRoot, measured: measured)
    var (old, all): ([ForgettingRecord], [ForgettingRecord]) = ([], [])
    var dropped: [PatchSignature] = []
    let path = try workspace.annotate(patch, into: output.output, force: output.force) { patch in
      old = replaceAll ? [] : try [ForgettingRecord](annotations: patch.annotations, subject: patch.label)
      let (annotations, now, voided) = try patch.annotations(adding: outcome.records, replaceAll: replaceAll)
      (all, dropped) = (now, voided)
      return annotations
    }

    let written = ForgettingReport(outcome.records, of: patch)
    let report = ForgettingReport(all, of: patch)
    common.report(
      json(path, patch, report, outcome, dropped),
      text: ([written.table(width: common.width)] + report.lines.map { $0.key.padded(11) + $0.value } + [
        "wrote      \((path == patch.path ? patch.label : path).printable)"
      ]).joined(separator: "\n"))
    for note in outcome.notes { common.note(note) }
    for new in outcome.records {
      if let old = old.first(where: new.isSameMeasurement), old.role != new.role {
        common.note("\(new.task) was \(old.role.rawValue) and is now \(new.role.rawValue)")
      }
    }
    let lost = old.filter { old in measured == nil && old.status == .measured && !all.contains(old) }
    if !lost.isEmpty {
      common.note("\(Format.counted(lost.count, "measured record")) replaced by records that are only reported")
    }
    if measured == nil {
      common.note("no model was hashed, so the records are only reported and pass no gate; --model MODEL hashes one")
    }
    note(dropped)
  }

  // MARK: Dropping

  private func dropRecords(of patch: Patch) throws {
    let threads = common.work.threads
    let stored = try workspace.store.existing().flatMap { store in
      try store.path(of: patch.identity) == nil ? nil : try store.patch(patch.identity, threads: threads)
    }
    // The annotations of a patch in the store may differ from those of its file.
    let known = try (output.output == nil ? [patch, stored].compactMap(\.self) : [patch]).flatMap {
      try [ForgettingRecord](annotations: $0.annotations, subject: $0.label)
    }
    try known.require(drop, subject: patch.label)
    var kept: [ForgettingRecord] = []
    var voided: [PatchSignature] = []
    var places: [String] = []
    if output.output == nil {
      let writing = try RecordWriting(dropping: drop, from: patch, in: workspace)
      (places, voided) = (writing.places, writing.dropped)
      kept = try patch.annotations(dropping: drop).records
    } else {
      places = [
        try workspace.annotate(patch, into: output.output, force: output.force) { patch in
          let (annotations, records, dropped) = try patch.annotations(dropping: drop)
          (kept, voided) = (records, dropped)
          return annotations
        }
      ]
    }
    let dropped = known.dropping(drop).dropped.reduce(into: [ForgettingRecord]()) { records, record in
      if !records.contains(record) { records.append(record) }
    }
    let report = ForgettingReport(kept, of: patch)
    common.report(
      .dictionary([
        "output": .string(output.output ?? patch.path), "identity": .string(patch.identity.hex),
        "dropped": .array(dropped.map(\.json)), "forgetting": report.json,
        "written": .array(places.map { .string($0) }),
        "signatures_dropped": .array(voided.map { .string($0.key.hex) }),
      ]),
      text: (["dropped    \(dropped.map { "\($0.task) \($0.metric)" }.joined(separator: ", ").printable)"]
        + report.lines.map { $0.key.padded(11) + $0.value } + places.map { "wrote      \($0.printable)" })
        .joined(separator: "\n"))
    note(voided)
  }

  private func note(_ voided: [PatchSignature]) {
    for note in RecordWriting.notes(voided) { common.note(note) }
  }

  // MARK: Comparing

  private func comparison() throws -> ResultsComparison {
    var options = ResultsComparison.Options()
    options.targets = target
    options.probes = probe
    options.without = without
    options.metrics = metric.map { text in
      let equals = text.firstIndex(of: "=")!
      return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
    return try ResultsComparison(
      before: EvaluationResults(path: baseResults!), after: EvaluationResults(path: results!), options: options,
      samplesBefore: baseSamples.map { try SamplesFolder(path: $0) },
      samplesAfter: samples.map { try SamplesFolder(path: $0) })
  }

  private func json(
    _ path: String, _ patch: Patch, _ report: ForgettingReport, _ outcome: ResultsComparison.Outcome,
    _ dropped: [PatchSignature]
  ) -> JSON {
    .dictionary([
      "output": .string(path), "identity": .string(patch.identity.hex),
      "written": .array(outcome.records.map(\.json)), "forgetting": report.json,
      "remarks": .array(outcome.notes.map { .string($0) }),
      "signatures_dropped": .array(dropped.map { .string($0.key.hex) }),
    ])
  }
}
