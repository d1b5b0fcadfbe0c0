import Apply
import Base
import Catalogue
import Checkpoints
import ModelFiles
import PatchFormat

/// Patches by identity: those that are already open, else the store's. Composites are kept in the store, and changes of
/// models are recorded there.
package final class StoreLibrary: PatchLibrary {
  private let open: [Patch]
  private let workspace: Workspace
  private let isLeasing: Bool
  /// Patches of the store that cannot be deleted while this command runs.
  private var leased: Set<ContentDigest> = []

  /// - Parameter isLeasing: whether patches must stay in the store because a model will need them. A patch that is only
  ///   read can be read to its end even if it is deleted.
  package init(_ open: [Patch] = [], in workspace: Workspace, isLeasing: Bool) {
    self.open = open
    self.workspace = workspace
    self.isLeasing = isLeasing
  }

  package func patch(_ identity: ContentDigest) throws -> Patch {
    if let patch = open.first(where: { $0.identity == identity }) { return patch }
    guard let store = try workspace.store.existing() else {
      throw VPatchError(
        .io, "patch \(identity.short)", "is not available: there is no store at \(try workspace.store.path())",
        remedy: "name the store that has it with --store DIR")
    }
    if isLeasing {
      try store.lease(identity)
      leased.insert(identity)
    }
    return try store.patch(identity, threads: workspace.work.threads)
  }

  package func composite(of stack: StackDefinition) throws -> Patch? {
    guard let store = try workspace.store.existing(),
      let identity = try isLeasing
        ? store.leaseComposite(stackIdentity: stack.identity) : store.composite(stackIdentity: stack.identity)
    else { return nil }
    if isLeasing { leased.insert(identity) }
    // A lost or damaged composite is made again; the store then restores its file.
    return try? store.patch(identity, threads: workspace.work.threads)
  }

  package func keepComposite(of stack: StackDefinition, making make: (String, Bool) throws -> Void) throws -> Patch {
    let store = try workspace.store.open(create: true)
    let patch = try store.keep(.composite, stack: stack.identity, threads: workspace.work.threads) {
      try make($0, false)
    }
    leased.insert(patch.identity)
    return patch
  }

  /// A new undo for a model that lost its own: its difference to the base, kept in the store. Of the side files it
  /// reverts those that an available patch of the state wrote; files of the user's own stay.
  /// - Throws: `wrongBase` if `base` is not the base of the model.
  package func difference(from base: SafetensorsCheckpoint, to model: SafetensorsCheckpoint, _ state: ModelState) throws
    -> Patch
  {
    let root = state.base
    var options = CreateOptions()
    // The model was made by patches, which may change anything.
    options.expectsFineTune = false
    options.removeMissingFiles = base.isDirectory && model.isDirectory
    options.sideFilesOf = state.entries.flatMap { entry in
      [entry.identity] + (entry.stack?.definition.members.map(\.identity) ?? [])
    }.compactMap { try? patch($0) }
    let create = Create(base: base, tuned: model, options: options, work: workspace.work)
    let undo = try workspace.store.open(create: true).keep(.undo, threads: workspace.work.threads) { path in
      let result = try create.write(to: path)
      for name in result.sideFilesLeftOut {
        workspace.messages.note("\(name) is not the base's, and no available patch wrote it: it was left as it is")
      }
      guard result.header.baseRoot == root else {
        throw VPatchError(
          .wrongBase, base.path,
          "is not the base of \(model.path): its root is \(result.header.baseRoot.short), not \(root.short)",
          remedy: "'vpatch status' prints a model's base")
      }
    }
    leased.insert(undo.identity)
    return undo
  }

  // MARK: Applications

  /// Changes a model and records that in the store, if there is one: before, so that no patch is deleted that the undo
  /// needs, and afterwards.
  /// - Parameters:
  ///   - states: the new state of the model, and its earlier ones as far back as it can be reverted.
  package func entering<Result>(
    _ kind: String, model: String, before: ModelState, after: ModelState, states: [ModelState],
    _ body: () throws -> Result
  ) throws -> Result {
    let store = try workspace.store.existing()
    let entry = try store.map { store in
      let needed = Set(states.flatMap(\.entries).map(\.identity))
      return try store.beginApplication(
        model: Path.absolute(model), kind: kind, before: before.json, after: after.json,
        patches: needed.intersection(leased).sorted(), ifThere: needed.subtracting(leased).sorted())
    }
    guard let store, let entry else { return try body() }
    let result: Result
    do { result = try body() } catch {
      // A change that is decided but unfinished stays recorded, so that its undo is kept.
      if !isDecided(model, after) { try? store.abandonApplication(entry) }
      throw error
    }
    // The change is done, so Ctrl-C is too late: the record must be finished.
    do {
      try TemporaryFiles.uninterrupted { try store.finishApplication(entry, supersedingEarlier: true) }
    } catch let error as VPatchError {
      workspace.messages.note(
        "the store still lists this change as unfinished, and keeps what its undo needs: \(error.description)")
    }
    return result
  }

  /// Whether the model has its new state, or will have it after `vpatch recover`.
  private func isDecided(_ model: String, _ after: ModelState) -> Bool {
    guard (try? PathKind.of(model)) != .missing else { return false }
    guard let checkpoint = try? SafetensorsCheckpoint(path: model, patience: .zero) else { return true }
    return (try? Provenance.of(checkpoint))?.state.root == after.root
  }

  /// Adds patches that were given as files to the store, since reverting a model must not depend on those files.
  /// - Throws: `refused` if the store has the same patch with other side files, which reverting would use.
  package func keepOpen(for steps: [PatchStep], of model: SafetensorsCheckpoint) throws {
    guard !open.isEmpty else { return }
    let store = try workspace.store.open(create: true)
    try store.keep(open, threads: workspace.work.threads)
    leased.formUnion(open.map(\.identity))
    for patch in open where model.isDirectory {
      guard let kept = try store.path(of: patch.identity), kept != patch.path,
        steps.contains(where: { $0.direction == .forward && $0.patch.identity == patch.identity }),
        try Patch(path: kept, threads: workspace.work.threads).annex.sideFiles != patch.annex.sideFiles
      else { continue }
      throw VPatchError(
        .refused, patch.path,
        "has other side files than the same patch in the store, which 'vpatch revert' would use",
        remedy: "give the store's patch, \(patch.identity.short), or use another store with --store DIR")
    }
  }
}
