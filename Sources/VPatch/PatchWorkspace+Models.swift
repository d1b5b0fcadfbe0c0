import ModelFiles
import PatchFormat
import Workspace

/// What a model is, and whether its weights match what is recorded beside it.
public struct ModelInfo: Sendable, Equatable {
  /// Root of its base, as 64 hexadecimal digits; nil without a provenance file.
  public let base: String?
  /// Its root; nil if it was not hashed and nothing is recorded.
  public let root: String?
  /// What was applied, one on top of the other.
  public let applied: [Applied]
  /// Tensors whose bits are not those recorded.
  public let changedTensors: [String]
  /// Recorded tensors that are missing.
  public let missingTensors: [String]
  /// Tensors that are not recorded.
  public let extraTensors: [String]

  /// A patch, or a stack, that was applied.
  public struct Applied: Sendable, Equatable {
    /// Identity of the patch, or of the stack's composite.
    public let identity: String
    /// Its name.
    public let name: String?
    /// Identities of the stack's members with their scales; empty for a patch.
    public let members: [(identity: String, scale: Double)]

    /// Whether both are the same patch or stack.
    public static func == (a: Applied, b: Applied) -> Bool {
      a.identity == b.identity && a.name == b.name && a.members.elementsEqual(b.members) { $0 == $1 }
    }
  }

  /// Whether all hashed tensors are those recorded, or nothing is recorded.
  public var isConsistent: Bool { changedTensors.isEmpty && missingTensors.isEmpty && extraTensors.isEmpty }

  init(_ status: ModelStatus) {
    base = status.provenance?.base.hex
    root = (status.provenance?.target ?? status.hashedRoot)?.hex
    applied = (status.provenance?.state.entries ?? []).map { entry in
      Applied(
        identity: entry.identity.hex, name: entry.name,
        members: (entry.stack?.definition.members ?? []).map { ($0.identity.hex, $0.scale) })
    }
    changedTensors = status.changed
    missingTensors = status.lacking
    extraTensors = status.extra
  }
}

/// How a model is written.
public struct OutputOptions: Sendable {
  /// Hash all tensors of the input, not only the touched ones.
  public var hashesAll = false
  /// Replace an existing file.
  public var replacesExisting = false
  /// Copy side files that are links to outside the model's folder.
  public var followsOutsideLinks = false

  /// The defaults.
  public init() {}
}

/// How a model is changed where it is.
public struct SwitchOptions: Sendable {
  /// Hash the untouched tensors too.
  public var hashesAll = false
  /// Write through symbolic links and into files with several names.
  public var followsLinks = false
  /// Write whole files and rename them over the old ones, for a model that other processes have open.
  public var byRename = false

  /// The defaults.
  public init() {}
}

/// Which patches ``PatchWorkspace/revert(_:_:_:)`` takes off.
public enum Reversion: Sendable {
  /// All: back to the base.
  case toBase
  /// One step back.
  case lastStep
  /// One patch, or a member of the stack on top.
  case patch(String)
  /// All, by the difference to this base, if the undo of a stack is lost.
  case difference(toBase: String)
}

/// How the members of a stack are combined.
public enum MergeRule: Sendable, Equatable {
  /// Task arithmetic: base + Σ scale · (tuned − base).
  case sum
  /// The mean of the tuned models, weighted by the scales.
  case linear
  /// TIES: the largest changes of each patch (the share `density`), where their sign agrees with the majority, times
  /// `lambda`.
  case ties(density: Double = 0.5, lambda: Double = 1)
  /// DARE: keeps the share `density` of the changes at random, and scales them up.
  case dare(density: Double = 0.5, seed: UInt64 = 0)
  /// DARE, then TIES' election of signs.
  case dareTies(density: Double = 0.5, lambda: Double = 1, seed: UInt64 = 0)
  /// Spherical interpolation between two tuned models.
  case slerp

  var method: MergeMethod {
    get throws {
      switch self {
      case .sum: try MergeMethod(.sum)
      case .linear: try MergeMethod(.linear)
      case .ties(let density, let lambda): try MergeMethod(.ties, density: density, lambda: lambda)
      case .dare(let density, let seed): try MergeMethod(.dare, density: density, seed: seed)
      case .dareTies(let density, let lambda, let seed):
        try MergeMethod(.dareTies, density: density, lambda: lambda, seed: seed)
      case .slerp: try MergeMethod(.slerp)
      }
    }
  }
}

extension PatchWorkspace {
  /// Applies a chain of patches in its order, or patches of one base, which are combined.
  /// - Parameters:
  ///   - patches: files or names in the store, each with an optional scale: `counting@0.8`.
  ///   - base: the checkpoint that they were made from.
  ///   - output: a file for a file, a new folder for a folder.
  ///   - rule: how patches of one base are combined; nil: they are summed.
  ///   - options: what is checked, and what may be replaced.
  /// - Returns: the root of the result, as 64 hexadecimal digits.
  /// - Throws: `wrongBase` if the patch does not belong to this model; `refused` for an output that exists; `mismatch`.
  @discardableResult
  public func apply(
    _ patches: [String], to base: String, output: String, combinedBy rule: MergeRule? = nil,
    _ options: OutputOptions = OutputOptions()
  ) throws(PatchError) -> String {
    try withPatchError {
      try workspace.apply(
        patches, method: rule.map { try $0.method }, to: base, output: options.place(output)
      ).result.state.root.hex
    }
  }

  /// Applies a stack of the store, or of a stack file.
  /// - Parameters:
  ///   - stack: its name, or a file.
  ///   - base: the checkpoint that its patches were made from.
  ///   - output: a file for a file, a new folder for a folder.
  ///   - options: what is checked, and what may be replaced.
  /// - Returns: the root of the result, as 64 hexadecimal digits.
  /// - Throws: `wrongBase` if a patch does not belong to this model; `refused` for an output that exists; `mismatch`.
  @discardableResult
  public func apply(
    stack: String, to base: String, output: String, _ options: OutputOptions = OutputOptions()
  ) throws(PatchError) -> String {
    try withPatchError {
      try workspace.apply(stack: stack, to: base, output: options.place(output)).result.state.root.hex
    }
  }

  /// Makes a model another stack of its base, in place. At every moment it is the old model or the new one; an
  /// interrupted switch is finished by ``recover(_:settingAside:)``.
  /// - Parameters:
  ///   - model: a file or a folder, changed in place.
  ///   - stack: a stack of the store, a stack file, or a patch with an optional scale.
  ///   - options: what is checked, and how files are replaced.
  /// - Returns: the model's new root.
  /// - Throws: `wrongBase` if the model was not made from the stack's base; `refused` if it is that stack already.
  @discardableResult
  public func switchModel(
    _ model: String, to stack: String, _ options: SwitchOptions = SwitchOptions()
  ) throws(PatchError) -> String {
    try withPatchError { try workspace.switchModel(model, to: stack, options.inPlace).result.to.hex }
  }

  /// Takes patches off a model, in place.
  /// - Parameters:
  ///   - model: a file or a folder, changed in place.
  ///   - reversion: which patches are taken off.
  ///   - options: what is checked, and how files are replaced.
  /// - Returns: the model's new root.
  /// - Throws: `wrongBase` if the patch is not applied; `refused` if nothing is.
  @discardableResult
  public func revert(
    _ model: String, _ reversion: Reversion = .toBase, _ options: SwitchOptions = SwitchOptions()
  ) throws(PatchError) -> String {
    try withPatchError { try workspace.revert(model, reversion.target, options.inPlace).result.to.hex }
  }

  /// Writes a model without some of its patches to a new place.
  /// - Parameters:
  ///   - model: a file or a folder, which stays as it is.
  ///   - reversion: which patches are taken off.
  ///   - output: a file for a file, a new folder for a folder.
  ///   - options: what is checked, and what may be replaced.
  /// - Returns: the root of the result.
  /// - Throws: `wrongBase` if the patch is not applied; `refused` if nothing is, or for an output that exists.
  @discardableResult
  public func revert(
    _ model: String, _ reversion: Reversion = .toBase, output: String, _ options: OutputOptions = OutputOptions()
  ) throws(PatchError) -> String {
    try withPatchError {
      try workspace.revert(model, reversion.target, output: options.place(output)).result.state.root.hex
    }
  }

  /// Finishes or undoes an interrupted switch. It may be interrupted and run again.
  /// - Parameters:
  ///   - model: a file or a folder.
  ///   - settingAside: rename files that block it, instead of refusing.
  /// - Returns: whether there was anything to do.
  /// - Throws: `refused` if something blocks it.
  @discardableResult
  public func recover(_ model: String, settingAside: Bool = false) throws(PatchError) -> Bool {
    try withPatchError {
      try Recovery.recover(model, setAside: settingAside, workspace.work).outcome != .nothing
    }
  }

  /// What a model is: read from the provenance beside it, and checked by hashing.
  /// - Parameters:
  ///   - model: a file or a folder.
  ///   - hashesAll: hash all tensors, not only those that a patch touched.
  /// - Returns: its root, and the patches that are applied to it.
  /// - Throws: `io`; `invalid`; `refused` for an unfinished switch.
  public func model(_ model: String, hashesAll: Bool = false) throws(PatchError) -> ModelInfo {
    try withPatchError {
      ModelInfo(try ModelStatus(workspace.checkpoint(model), full: hashesAll, workspace.work))
    }
  }
}

extension OutputOptions {
  fileprivate func place(_ path: String) -> ModelOutput {
    ModelOutput(path: path, full: hashesAll, force: replacesExisting, allowsOutside: followsOutsideLinks)
  }
}

extension SwitchOptions {
  fileprivate var inPlace: InPlaceOptions {
    InPlaceOptions(full: hashesAll, allowLinks: followsLinks, byRename: byRename)
  }
}

extension Reversion {
  fileprivate var target: RevertTarget {
    switch self {
    case .toBase: .base
    case .lastStep: .last
    case .patch(let name): .patch(name)
    case .difference(let base): .differenceTo(base: base)
    }
  }
}
