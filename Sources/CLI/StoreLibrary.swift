import Apply
import Base
import Catalogue
import Checkpoints
import ModelFiles
import PatchFormat

/// Patches by identity: those that are open already, else the store's. Composites are kept in the store, and what is
/// done to models is entered there.
final class StoreLibrary: PatchLibrary {
  private let open: [Patch]
  private let options: StoreOptions
  private let isLeasing: Bool
  private let threads: Int
  /// What is in the store and stays there while this command runs.
  private var leased: Set<ContentDigest> = []

  /// - Parameter isLeasing: whether what is given out has to stay in the store: a model will need it. What is merely read
  ///   can be read to its end.
  init(_ open: [Patch] = [], _ store: StoreOptions, isLeasing: Bool, threads: Int) {
    self.open = open
    options = store
    self.isLeasing = isLeasing
    self.threads = threads
  }

  func patch(_ identity: ContentDigest) throws -> Patch {
    if let patch = open.first(where: { $0.identity == identity }) { return patch }
    guard let store = try options.existing() else {
      throw VPatchError(
        .io, "patch \(identity.short)", "is not at hand, and there is no store at \(try options.path())",
        remedy: "give the store that has it: --store DIR")
    }
    if isLeasing {
      try store.lease(identity)
      leased.insert(identity)
    }
    return try store.patch(identity, threads: threads)
  }

  func composite(of stack: StackDefinition) throws -> Patch? {
    guard let store = try options.existing(),
      let identity = try isLeasing
        ? store.leaseComposite(stackIdentity: stack.identity) : store.composite(stackIdentity: stack.identity)
    else { return nil }
    if isLeasing { leased.insert(identity) }
    // One whose file is lost or damaged is made again: the store restores it then.
    return try? store.patch(identity, threads: threads)
  }

  func keepComposite(of stack: StackDefinition, making make: (String, Bool) throws -> Void) throws -> Patch {
    let store = try options.open(create: true)
    let patch = try store.keep(.composite, stack: stack.identity, threads: threads) { try make($0, false) }
    leased.insert(patch.identity)
    return patch
  }

  /// The undo of a model whose own is lost: its difference to the base, kept in the store. Of the files beside the
  /// model it brings back those that a patch of the state made, as far as these are at hand; the user's own stay.
  /// - Throws: `wrongBase` where that is not the base of the model.
  func difference(from base: Checkpoint, to model: Checkpoint, _ state: ModelState, _ common: CommonOptions) throws
    -> Patch
  {
    let root = state.base
    var options = CreateOptions()
    // It was made by patches, whatever they did.
    options.expectsFineTune = false
    options.removeMissingFiles = base.isDirectory && model.isDirectory
    options.sideFilesOf = state.entries.flatMap { entry in
      [entry.identity] + (entry.stack?.definition.members.map(\.identity) ?? [])
    }.compactMap { try? patch($0) }
    let create = Create(base: base, tuned: model, options: options, work: common.work)
    let undo = try self.options.open(create: true).keep(.undo, threads: threads) { path in
      let result = try create.write(to: path)
      for name in result.sideFilesLeftOut {
        common.note("\(name) is not the base's, and no patch at hand made it what it is: it stays as it is")
      }
      guard result.header.baseRoot == root else {
        throw VPatchError(
          .wrongBase, base.path,
          "is not the base of \(model.path): its root is \(result.header.baseRoot.short), not \(root.short)",
          remedy: "'vpatch status' says a model's base")
      }
    }
    leased.insert(undo.identity)
    return undo
  }

  // MARK: Applications

  /// Does something to a model, and enters it into the store, where there is one: before, so that nothing goes that its
  /// undo needs, and when it is done.
  /// - Parameters:
  ///   - states: what the model is to be, and what it was, as far back as it can be brought.
  ///   - remark: is told what went wrong with the entry alone: what was done to the model stays done.
  func entering<Result>(
    _ kind: String, model: String, before: ModelState, after: ModelState, states: [ModelState],
    note: (String) -> Void, _ body: () throws -> Result
  ) throws -> Result {
    let store = try options.existing()
    let entry = try store.map { store in
      let needed = Set(states.flatMap(\.entries).map(\.identity))
      return try store.beginApplication(
        model: Path.absolute(model), kind: kind, before: before.json, after: after.json,
        patches: needed.intersection(leased).sorted(), ifThere: needed.subtracting(leased).sorted())
    }
    guard let store, let entry else { return try body() }
    let result: Result
    do { result = try body() } catch {
      // One that is decided and not finished stays entered, for what it needs to be undone.
      if !isDecided(model, after) { try? store.abandonApplication(entry) }
      throw error
    }
    // It is done, so Ctrl-C comes too late: the entry is to say so.
    do {
      try TemporaryFiles.uninterrupted { try store.finishApplication(entry, supersedingEarlier: true) }
    } catch let error as VPatchError {
      note("the store still takes this for unfinished, and keeps what its undo needs: \(error.description)")
    }
    return result
  }

  /// Whether the model is what it was to be, or will be with `vpatch recover`.
  private func isDecided(_ model: String, _ after: ModelState) -> Bool {
    guard (try? PathKind.of(model)) != .missing else { return false }
    guard let checkpoint = try? Checkpoint(path: model, patience: .zero) else { return true }
    return (try? Provenance.of(checkpoint))?.state.root == after.root
  }

  /// Patches that were given as files come into the store: what a model needs to go back must not depend on them.
  /// - Throws: `refused` where the store has one of the same identity that would not bring the same side files back.
  func keepOpen(for steps: [PatchStep], of model: Checkpoint) throws {
    guard !open.isEmpty else { return }
    let store = try options.open(create: true)
    try store.keep(open, threads: threads)
    leased.formUnion(open.map(\.identity))
    for patch in open where model.isDirectory {
      guard let kept = try store.path(of: patch.identity), kept != patch.path,
        steps.contains(where: { $0.direction == .forward && $0.patch.identity == patch.identity }),
        try Patch(path: kept, threads: threads).annex.sideFiles != patch.annex.sideFiles
      else { continue }
      throw VPatchError(
        .refused, patch.path,
        "has other side files than the same patch in the store, by which the model would be taken back",
        remedy: "give the store's own, \(patch.identity.short), or keep this one in another store with --store DIR")
    }
  }
}
