import Apply
import ArgumentParser
import Base
import Catalogue
import Train

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Tune only a recipe's tensors on some data, and emit the patch.",
    discussion: """
      The data are JSON Lines (or a JSON array, or CSV; each perhaps in gzip; - reads standard input): rows with \
      messages, prompt and completion, instruction and output, text, or input_ids (and labels). All rows are checked \
      before the first step; the loss is taken over the answers. --dry-run --show-rows 3 shows what of three rows is \
      learned. docs/data.md and docs/training.md have all of it.

      The same data, options and base give the same patch, on any number of threads. With --resume, the state is kept \
      in a folder every --save-every steps; killed at any moment, the same command goes on from there, to the same bits.

      EXAMPLES
        vpatch train model/ --recipe sa-proj --data train.jsonl -o task.vpatch
        vpatch train model/ --recipe gate-up --data train.jsonl -o task.vpatch --lr 2e-5 --epochs 3 --batch 8 \\
            --suite suite.toml --max-drift 0.02
        vpatch train model/ --patch first.vpatch --recipe sa-proj --data second.jsonl -o second.vpatch
            on top of another patch
        vpatch train model/ --recipe sa-proj --data train.jsonl -o task.vpatch --resume run/ --log run.jsonl

      RECIPES
      \(Recipe.allCases.map { "  \($0.rawValue.padded(12))\($0.summary)" }.joined(separator: "\n"))
      """)

  @Argument(help: "The model to tune: a folder with config.json.")
  var base: String
  @Option(help: ArgumentHelp("What may change.", valueName: "name"))
  var recipe: Recipe?
  @Option(help: ArgumentHelp("What may change: tensors whose whole name matches.", valueName: "regex"))
  var only: String?
  @Option(help: ArgumentHelp("The decoder layers that may change; 0 is the first.", valueName: "first-last"))
  var layers: String?
  @Option(help: ArgumentHelp("Rows to learn; repeatable; - reads standard input.", valueName: "file"))
  var data: [String]
  @OptionGroup var images: ImageOptions
  @OptionGroup var settings: TrainingSettings
  @OptionGroup(title: "Drift") var drift: DriftSettings
  @Option(help: ArgumentHelp("Measure this suite before and after, and bind it to the patch.", valueName: "file"))
  var suite: String?
  @Option(help: ArgumentHelp("Keep the state there, and go on from what is there.", valueName: "dir"))
  var resume: String?
  @Option(help: ArgumentHelp("Steps from one saved state to the next.", valueName: "n"))
  var saveEvery = 100
  @Option(help: ArgumentHelp("Append a line of JSON for each step.", valueName: "file"))
  var log: String?
  @Flag(help: "Show what would be tuned and what that needs, and stop.")
  var dryRun = false
  @Option(
    help: ArgumentHelp(
      "With --dry-run, show so many rows of each file as the model reads them, and what of them is learned.",
      valueName: "n"))
  var showRows = 0
  @OptionGroup var model: ModelOptions
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if (recipe == nil) == (only == nil) { throw ValidationError("Give --recipe or --only.") }
    if saveEvery < 1 { throw ValidationError("--save-every takes a number from 1 on.") }
    if showRows < 0 { throw ValidationError("--show-rows takes a number from 0 on.") }
    if showRows > 0, !dryRun { throw ValidationError("--show-rows goes with --dry-run.") }
    if data.count(where: { $0 == "-" }) > 1 { throw ValidationError("Standard input can be read once.") }
  }

  func run() throws {
    let files = data.filter { $0 != "-" } + [drift.neutral, suite].compactMap(\.self)
    let inputs = try files.map { try InputFile(path: $0) }
    // Before anything is read: that takes a while.
    if !dryRun { try checkOutputs(inputs) }
    let session = try TrainingSession(self)
    if dryRun {
      return common.print(
        session.planJSON(), text: ([session.planText()] + session.shownRows()).joined(separator: "\n\n"))
    }
    try session.job.run.checkMemory()
    if !common.json, !common.quiet { Terminal.note(session.planText() + "\n") }
    let room = session.job.run.largestPatch
    let (result, stored) = try output.write(
      inputs: inputs + session.inputs, base: session.basePath, room: room, common
    ) { path, store in
      try session.train(to: path, keep: store.map(fallback))
    }
    common.report(session.json(result, stored), text: session.text(result, stored))
    for note in result.notes { common.note(note) }
    common.notes(stored)
    if let failure = result.failure { throw failure }
  }

  /// In the store, where it is safe from gc as any other patch.
  private func fallback(in store: Store) -> TrainingJob.Fallback {
    { make in
      let patch = try store.keep(.patch, threads: common.work.threads) { try make($0) }
      let name = patch.identity.short
      return "in the store, as \(name): 'vpatch show \(name)'"
    }
  }

  /// The log is appended to, so it may exist; but not be the patch, or something that is read.
  private func checkOutputs(_ inputs: [InputFile]) throws {
    try OutputCheck.file(output.output, inputs: inputs, force: output.force)
    guard let log else { return }
    guard try Path.absolute(log) != Path.absolute(output.output) else {
      throw VPatchError(.refused, log, "is the name of the patch, too", remedy: "give another one for --log")
    }
    guard try PathKind.of(log) == .file else { return }
    let identity = try InputFile(path: log).identity
    if inputs.contains(where: { $0.identity == identity }) {
      throw VPatchError(.refused, log, "is an input of this very command", remedy: "give another file for --log")
    }
  }

  func options() throws -> TrainingOptions {
    var options = TrainingOptions(selection: try selection())
    options.layers = try layers.map(Self.range)
    try settings.fill(&options)
    options.drift = drift.options
    options.compute = model.compute
    return options
  }

  private func selection() throws -> Selection {
    if let recipe { return .recipe(recipe) }
    do { return .only(try NamePattern(only!)) } catch { throw VPatchError(.refused, nil, "--only: \(error)") }
  }

  /// "3" or "0-5"
  private static func range(_ text: String) throws -> ClosedRange<Int> {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard (1...2).contains(ends.count), let first = ends[0], let last = ends.last!, first >= 0, first <= last else {
      throw VPatchError(
        .refused, nil, "--layers: \"\(text.printable)\" is no range of layers", remedy: "write 0-5, or 3 for one")
    }
    return first...last
  }
}
