import Apply
import Base
import Checkpoints
import PatchFormat

/// The steps from a model's current state to another one.
package struct ModelChange {
  package let model: SafetensorsCheckpoint
  /// The current state: from the provenance beside the model, else from hashing it.
  package let state: ModelState
  /// Whether `state` comes from hashing, not from a provenance.
  package let isHashed: Bool
  /// Earlier states, the latest last.
  package let history: [ModelState]
  package let library: any PatchLibrary
  package let work: WorkOptions

  package init(_ model: SafetensorsCheckpoint, _ library: any PatchLibrary, _ work: WorkOptions) throws {
    self.model = model
    self.library = library
    self.work = work
    if let provenance = try Provenance.of(model) {
      state = provenance.state
      history = provenance.history
      isHashed = false
    } else {
      state = ModelState(base: try model.root(work))
      history = []
      isHashed = true
    }
  }

  // MARK: Ways

  /// The steps to a stack on the model's base.
  /// - Throws: `wrongBase` where the model's chain does not contain the stack's base; `refused` where it is that stack
  ///   already.
  package func steps(toStack definition: StackDefinition, name: String?) throws -> [PatchStep] {
    guard let depth = state.depth(of: definition.base) else {
      throw VPatchError(
        .wrongBase, model.path,
        "was not made from the base of the stack \(name.map { "\"\($0.printable)\"" } ?? definition.identity.short): "
          + "that is \(definition.base.short), the model's base is \(state.base.short)",
        remedy: "see both with 'vpatch status' and 'vpatch stack show'")
    }
    let rest = state.entries[depth...]
    if rest.count == 1, isStack(rest.first!, definition) {
      throw VPatchError(.refused, model.path, "already is that stack", remedy: "there is nothing to do")
    }
    let back = try steps(backTo: depth)
    return back + (try forward(definition, name: name, over: back))
  }

  /// The steps back to the base.
  /// - Throws: `refused` where there is nothing to revert.
  package func stepsToBase() throws -> [PatchStep] {
    guard !state.entries.isEmpty else { throw nothingToRevert }
    return try steps(backTo: 0)
  }

  /// One step back: to the state before the last change in place, else without the last patch of the chain.
  package func stepsToLast() throws -> [PatchStep] {
    guard let earlier = history.last else {
      guard !state.entries.isEmpty else { throw nothingToRevert }
      return try steps(backTo: state.entries.count - 1)
    }
    let common = zip(state.entries, earlier.entries).prefix { $0.identity == $1.identity }.count
    guard earlier.base == state.base else { throw nothingToRevert }
    return try steps(backTo: common)
      + earlier.entries[common...].map {
        PatchStep(try library.patch($0.identity), .forward, stack: $0.stack)
      }
  }

  /// The steps to the model without one patch: the last of a chain, or any member of the top stack.
  package func steps(without identity: ContentDigest, called name: String) throws -> [PatchStep] {
    guard let last = state.entries.last else { throw nothingToRevert }
    if last.identity == identity { return try steps(backTo: state.entries.count - 1) }
    if let stack = last.stack, stack.definition.members.contains(where: { $0.identity == identity }) {
      let back = try steps(backTo: state.entries.count - 1)
      let rest = try stack.definition.removing(identity)
      return rest.members.isEmpty ? back : back + (try forward(rest, name: nil, over: back))
    }
    if let i = state.entries.lastIndex(where: { $0.mentions(identity) }) {
      let later = state.entries[(i + 1)...].map { $0.name ?? $0.identity.short }.joined(separator: ", ")
      throw VPatchError(
        .refused, model.path, "has \(name.printable) in the middle of a chain, followed by \(later.printable)",
        remedy: "revert from the end, or rebase the later patches with 'vpatch rebase'")
    }
    let applied = state.entries.flatMap { entry in
      entry.stack.map { $0.definition.members.map(\.identity.short) } ?? [entry.name ?? entry.identity.short]
    }
    throw VPatchError(
      .wrongBase, model.path,
      "does not have \(name.printable) applied, but " + applied.joined(separator: ", ").printable,
      remedy: "see 'vpatch status'")
  }

  private var nothingToRevert: VPatchError {
    VPatchError(
      .refused, model.path,
      isHashed
        ? "has no provenance beside it that records what is applied; its root is \(state.root.short)"
        : "has no patch applied",
      remedy: isHashed ? "name the patch to revert: vpatch revert MODEL PATCH" : "there is nothing to do")
  }

  // MARK: Steps

  private func isStack(_ entry: ModelState.Entry, _ definition: StackDefinition) -> Bool {
    entry.stack?.definition == definition
      || (entry.stack == nil && definition.isOnePatch && definition.members[0].identity == entry.identity)
  }

  private func steps(backTo depth: Int) throws -> [PatchStep] {
    try state.entries[depth...].reversed().map { entry in
      do { return PatchStep(try library.patch(entry.identity), .backward, stack: entry.stack) } catch let error
        as VPatchError
      {
        guard entry.stack != nil else { throw error }
        throw VPatchError(
          error.code, model.path, "needs the undo of its stack, which is not available: \(error.description)",
          remedy: "give the base: vpatch revert MODEL --base BASE")
      }
    }
  }

  /// The step that applies a stack to the model after `back`.
  private func forward(_ definition: StackDefinition, name: String?, over back: [PatchStep]) throws -> [PatchStep] {
    try [PatchStep].stack(definition, name: name, over: ModelView(model, back), library, work)
  }
}
