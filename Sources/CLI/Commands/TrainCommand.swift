import Apply
import ArgumentParser
import Base
import Catalogue
import Evaluate
import Train

struct TrainCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Fine-tune only the tensors of a recipe, and write a patch.",
    discussion: """
      The data are JSON Lines, a JSON array or CSV, optionally gzipped; - reads standard input. Rows have messages, \
      prompt and completion, instruction and output, text, or input_ids (and labels). All rows are checked before the \
      first step. The loss is computed over the answers; --dry-run --show-rows 3 marks them in three rows. See \
      docs/data.md and docs/training.md.

      The same data, options and base give the same patch, on any number of threads. With --resume, vpatch saves the \
      training state to a folder every --save-every steps. After a crash or a kill, the same command resumes from it \
      and produces exactly the same weights.

      EXAMPLES
        vpatch train model/ --recipe sa-proj --data train.jsonl -o task.vpatch
        vpatch train model/ --recipe sa-proj --data train.jsonl -o task.vpatch \\
            --suite everyday
            also measures what the model forgets of everyday questions
        vpatch train model/ --recipe gate-up --data train.jsonl -o task.vpatch \\
            --lr 2e-5 --epochs 3 --batch 8 --suite suite.toml --max-drift 0.02
        vpatch train model/ --patch first.vpatch --recipe sa-proj \\
            --data second.jsonl -o second.vpatch
            trains on top of another patch
        vpatch train model/ --recipe sa-proj --data train.jsonl -o task.vpatch \\
            --lora 16 --keep-adapter
            trains a LoRA adapter, and keeps it in the patch for PEFT
        vpatch train model/ --recipe sa-proj --data train.jsonl -o task.vpatch \\
            --resume run/ --log run.jsonl

      RECIPES
      \(Recipe.list)
      """)

  @Argument(help: "The model to fine-tune: a folder with config.json.", completion: .file())
  var base: String
  @Option(help: ArgumentHelp("The recipe: which tensors to train.", valueName: "name"))
  var recipe: Recipe?
  @Option(help: ArgumentHelp("Train the tensors whose whole name matches this regular expression.", valueName: "regex"))
  var only: String?
  @Option(help: ArgumentHelp("Train only these decoder layers; 0 is the first.", valueName: "first-last"))
  var layers: String?
  @Option(
    help: ArgumentHelp("Training data; repeatable; - reads standard input.", valueName: "file"), completion: .file())
  var data: [String]
  @OptionGroup var images: ImageOptions
  @OptionGroup var settings: TrainingSettings
  @OptionGroup(title: "LoRA") var lora: LoRASettings
  @OptionGroup(title: "Drift") var drift: DriftSettings
  @Option(
    help: ArgumentHelp(
      "Evaluate this suite before and after training, and write the records into the patch: a file, or "
        + "\(Suite.builtInNames.asAlternatives).", valueName: "name-or-file"))
  var suite: String?
  @Option(help: ArgumentHelp("Folder to save the state of training in, and to resume from.", valueName: "dir"))
  var resume: String?
  @Option(help: ArgumentHelp("Steps between saved states.", valueName: "n"))
  var saveEvery = 100
  @Option(help: ArgumentHelp("Append one line of JSON per step to this file.", valueName: "file"))
  var log: String?
  @Flag(help: "Show which tensors would be trained and how much memory that needs, and exit.")
  var dryRun = false
  @Option(
    help: ArgumentHelp(
      "With --dry-run, show the first n rows of each file as the model reads them, with trained text marked.",
      valueName: "n"))
  var showRows = 0
  @OptionGroup var model: ModelOptions
  @OptionGroup var output: PatchOutput
  @OptionGroup var common: CommonOptions

  var store: StoreOptions { output.store }
  var allowsAnyScale: Bool { model.overlay.scales.anyScale }

  func validate() throws {
    if (recipe == nil) == (only == nil) { throw ValidationError("Give either --recipe or --only.") }
    if saveEvery < 1 { throw ValidationError("--save-every must be at least 1.") }
    if showRows < 0 { throw ValidationError("--show-rows must be at least 0.") }
    if showRows > 0, !dryRun { throw ValidationError("--show-rows requires --dry-run.") }
    if data.count(where: { $0 == "-" }) > 1 { throw ValidationError("Standard input can be read only once.") }
  }

  func run() throws {
    let suiteFile = try suite.flatMap { try Suite.isBuiltIn($0) ? nil : $0 }
    let files = data.filter { $0 != "-" } + [drift.neutral, suiteFile].compactMap(\.self)
    let inputs = try files.map { try InputFile(path: $0) }
    // Before reading the inputs, which takes a while.
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

  /// Keeps the patch in the store, where gc does not delete it.
  private func fallback(in store: Store) -> TrainingJob.Fallback {
    { make in
      let patch = try store.keep(.patch, threads: common.work.threads) { try make($0) }
      let name = patch.identity.short
      return "in the store, as \(name): 'vpatch show \(name)'"
    }
  }

  /// The log is appended to, so it may exist; but it must not be the patch or an input.
  private func checkOutputs(_ inputs: [InputFile]) throws {
    try OutputCheck.file(output.output, inputs: inputs, force: output.force)
    guard let log else { return }
    guard try Path.absolute(log) != Path.absolute(output.output) else {
      throw VPatchError(.refused, log, "is also the output file of the patch", remedy: "give another file for --log")
    }
    guard try PathKind.of(log) == .file else { return }
    let identity = try InputFile(path: log).identity
    if inputs.contains(where: { $0.identity == identity }) {
      throw VPatchError(.refused, log, "is an input of this command", remedy: "give another file for --log")
    }
  }

  func options() throws -> TrainingOptions {
    var options = TrainingOptions(selection: try selection())
    options.layers = try layers.map(Self.range)
    try settings.fill(&options)
    options.lora = try lora.options()
    options.drift = drift.options
    options.compute = model.compute
    options.blas = model.blas
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
        .refused, nil, "--layers: \"\(text.printable)\" is not a range of layers", remedy: "write 0-5, or 3 for one")
    }
    return first...last
  }
}
