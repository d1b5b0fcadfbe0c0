import Apply
import Checkpoints
import ModelFiles
import PatchFormat

/// How a model is changed where it is.
package struct InPlaceOptions: Sendable {
  /// Hash the untouched tensors too.
  package let full: Bool
  /// Write through symbolic links and into files with several names.
  package let allowLinks: Bool
  /// Write whole files and rename them over the old ones.
  package let byRename: Bool

  package init(full: Bool = false, allowLinks: Bool = false, byRename: Bool = false) {
    self.full = full
    self.allowLinks = allowLinks
    self.byRename = byRename
  }
}

/// A model that was changed in place.
package struct ChangedModel: Sendable {
  package let result: InPlaceResult
  package let provenance: Provenance
  package let steps: [PatchStep]
}

/// Which patches to take off a model.
package enum RevertTarget: Sendable {
  /// All: back to the base.
  case base
  /// One step back.
  case last
  /// One patch, or a member of the stack on top.
  case patch(String)
  /// All, by the difference to this base, where the undo of a stack is lost.
  case differenceTo(base: String)
}

extension Workspace {
  /// Makes a model another stack of its base, in place.
  /// - Parameter stack: a stack of the store, a stack file, or a patch with its scale.
  /// - Throws: `wrongBase` if the model was not made from the stack's base; `refused` if it is that stack already.
  package func switchModel(_ model: String, to stack: String, _ options: InPlaceOptions) throws -> ChangedModel {
    let input = try StackInput(stack, in: self)
    let library = StoreLibrary(input.patches, in: self, isLeasing: true)
    let change = try ModelChange(checkpoint(model), library, work)
    let steps = try change.steps(toStack: input.definition, name: input.name)
    return try self.change(change, steps, library, "switch", options)
  }

  /// Takes patches off a model, in place.
  /// - Throws: `wrongBase` if the patch is not applied; `refused` if nothing is.
  package func revert(_ model: String, _ target: RevertTarget, _ options: InPlaceOptions) throws -> ChangedModel {
    let reversion = try reversion(of: model, target, isLeasing: true)
    let library = reversion.library
    let change = try reversion.change ?? ModelChange(reversion.checkpoint, library, work)
    return try self.change(change, reversion.steps, library, "revert", options)
  }

  /// Writes a model without some of its patches to a new place.
  /// - Throws: as above; `refused` for an output that exists.
  package func revert(_ model: String, _ target: RevertTarget, output: ModelOutput) throws -> WrittenModel {
    let reversion = try reversion(of: model, target, isLeasing: false)
    let result = try Rebuild(reversion.checkpoint, reversion.steps, work).write(to: output)
    return WrittenModel(result: result, steps: reversion.steps)
  }

  private struct Reversion {
    let checkpoint: SafetensorsCheckpoint
    let steps: [PatchStep]
    let library: StoreLibrary
    /// Nil where the bits decide, and not what is recorded beside the model.
    let change: ModelChange?
  }

  private func reversion(of model: String, _ target: RevertTarget, isLeasing: Bool) throws -> Reversion {
    let checkpoint = try checkpoint(model)
    var opened: Patch?
    if case .patch(let name) = target { opened = try patch(name) }
    let library = StoreLibrary(opened.map { [$0] } ?? [], in: self, isLeasing: isLeasing)
    if let opened, try Provenance.of(checkpoint)?.state.mentions(opened.identity) != true {
      // The provenance beside the model does not list the patch: the bits decide.
      return Reversion(
        checkpoint: checkpoint, steps: [PatchStep(opened, .backward)], library: library, change: nil)
    }
    let change = try ModelChange(checkpoint, library, work)
    let steps: [PatchStep]
    switch target {
    case .base: steps = try change.stepsToBase()
    case .last: steps = try change.stepsToLast()
    case .patch(let name): steps = try change.steps(without: opened!.identity, called: name)
    case .differenceTo(let base):
      let undo = try library.difference(from: self.checkpoint(base), to: checkpoint, change.state)
      steps = [PatchStep(undo, .backward)]
    }
    return Reversion(checkpoint: checkpoint, steps: steps, library: library, change: change)
  }

  /// Changes a model in place: recorded in the store before it begins and after it is done.
  private func change(
    _ change: ModelChange, _ steps: [PatchStep], _ library: StoreLibrary, _ kind: String, _ options: InPlaceOptions
  ) throws -> ChangedModel {
    let rebuild = Rebuild(change.model, steps, work)
    // The untouched tensors of a model that was just hashed need not be hashed again.
    let provenance = try rebuild.provenance(full: options.full || change.isHashed, inPlace: true)
    try library.keepOpen(for: steps, of: change.model)
    let result = try library.entering(
      kind, model: change.model.path, before: change.state, after: provenance.state,
      states: provenance.history + [provenance.state]
    ) {
      try rebuild.writeInPlace(
        provenance, full: options.full, allowLinks: options.allowLinks, byRename: options.byRename)
    }
    return ChangedModel(result: result, provenance: provenance, steps: steps)
  }
}
