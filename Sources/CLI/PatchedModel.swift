import Apply
import ArgumentParser
import Base
import Checkpoints

/// Patches that are put over a model in memory.
struct OverlayOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A patch over the model, in memory; repeatable: a chain, or siblings that sum.", valueName: "name_or_file[@scale]"
    ))
  var patch: [String] = []
  @Option(help: ArgumentHelp("A stack over the model, in memory: of the store, or a stack file.", valueName: "name"))
  var stack: String?

  func validate() throws {
    if stack != nil, !patch.isEmpty { throw ValidationError("Give --patch or --stack, not both.") }
  }

  var isEmpty: Bool { patch.isEmpty && stack == nil }

  /// The steps from the model to what it is with the patches. What there is to say of it is said.
  func steps(over checkpoint: Checkpoint, _ store: StoreOptions, _ common: CommonOptions) throws -> [PatchStep] {
    let steps = try steps(over: checkpoint, store, common.work)
    common.notes(steps.findings)
    common.notes(sideFilesKept: try ModelView(checkpoint, steps).sideFilesKept())
    return steps
  }

  private func steps(over checkpoint: Checkpoint, _ store: StoreOptions, _ work: WorkOptions) throws -> [PatchStep] {
    if let stack { return try steps(StackInput(stack, store, work.threads), over: checkpoint, store, work) }
    switch try TypedPatches(patch, store, work.threads) {
    case .chain(let steps): return steps
    case .stack(let input): return try steps(input, over: checkpoint, store, work)
    }
  }

  private func steps(
    _ input: StackInput, over checkpoint: Checkpoint, _ store: StoreOptions, _ work: WorkOptions
  ) throws -> [PatchStep] {
    let library = StoreLibrary(input.patches, store, isLeasing: false, threads: work.threads)
    return try [PatchStep].stack(input.definition, name: input.name, over: ModelView(checkpoint), library, work)
  }
}

/// A model with patches over it, all of whose bits are known.
struct PatchedModel {
  let view: ModelView
  let root: ContentDigest
  /// The checkpoint alone; nil where nothing is over it.
  var withoutPatches: PatchedModel? {
    view.steps.first.map { PatchedModel(view: ModelView(view.checkpoint), root: $0.from) }
  }

  private init(view: ModelView, root: ContentDigest) {
    self.view = view
    self.root = root
  }

  /// Hashes every tensor, and rebuilds those that the steps make.
  /// - Throws: `wrongBase` where the steps do not lead from this checkpoint.
  init(_ checkpoint: Checkpoint, _ steps: [PatchStep] = [], _ work: WorkOptions) throws {
    guard let last = steps.last else {
      self.init(view: ModelView(checkpoint), root: try checkpoint.root(work))
      return
    }
    _ = try Rebuild(checkpoint, steps, work).check(full: true)
    self.init(view: ModelView(checkpoint, steps), root: last.to)
  }

  var name: String { view.name }
}
