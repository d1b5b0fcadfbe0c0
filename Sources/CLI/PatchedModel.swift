import Apply
import ArgumentParser
import Base
import Checkpoints

/// Patches that are applied to a model in memory.
struct OverlayOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Patch to apply in memory; repeatable: a chain, or patches of one base, which are summed.",
      valueName: "name_or_file[@scale]"))
  var patch: [String] = []
  @Option(help: ArgumentHelp("Stack to apply in memory: its name in the store, or a stack file.", valueName: "name"))
  var stack: String?

  func validate() throws {
    if stack != nil, !patch.isEmpty { throw ValidationError("Give --patch or --stack, not both.") }
  }

  var isEmpty: Bool { patch.isEmpty && stack == nil }

  /// The steps from the model to the patched model. Prints their notes.
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

/// A model with patches applied in memory, all of whose tensors were hashed.
struct PatchedModel {
  let view: ModelView
  let root: ContentDigest
  /// The checkpoint without the patches; nil if there are none.
  var withoutPatches: PatchedModel? {
    view.steps.first.map { PatchedModel(view: ModelView(view.checkpoint), root: $0.from) }
  }

  private init(view: ModelView, root: ContentDigest) {
    self.view = view
    self.root = root
  }

  /// Hashes every tensor, and rebuilds those that the steps change.
  /// - Throws: `wrongBase` if the steps do not start at this checkpoint.
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
