import Base
import Catalogue
import Workspace

/// A patch in the store.
public struct StoredPatchInfo: Sendable, Equatable {
  /// Its identity, as 64 hexadecimal digits.
  public let identity: String
  /// Root of its base.
  public let base: String
  /// Root of its target.
  public let target: String
  /// Its own name.
  public let name: String?
  /// The smallest recipe that covers it.
  public let recipe: String?
  /// Its aliases, in ascending order.
  public let aliases: [String]
  /// Its tags, in ascending order.
  public let tags: [String]
  /// Size of its file in bytes.
  public let fileBytes: Int

  init(_ patch: StoredPatch) {
    identity = patch.identity.hex
    base = patch.base.hex
    target = patch.target.hex
    name = patch.name
    recipe = patch.recipe
    aliases = patch.aliases
    tags = patch.tags
    fileBytes = patch.fileBytes
  }
}

/// Which patches of the store to list; nil for any.
public struct StoreQuery: Sendable {
  /// Root of their base, as 64 hexadecimal digits.
  public var base: String?
  /// Their recipe.
  public var recipe: Recipe?
  /// A tag that they have.
  public var tag: String?
  /// Part of an alias or of their own name, ignoring case.
  public var name: String?

  /// Any patch.
  public init() {}
}

/// A stack of the store.
public struct StackInfo: Sendable, Equatable {
  /// Its name.
  public let name: String
  /// Its version, from 1 on. Each change makes a new one.
  public let version: Int
  /// SHA-256 of its definition.
  public let identity: String
  /// Root of its base.
  public let base: String
  /// The merge method with its parameters, such as "ties density=0.4 lambda=1".
  public let method: String
  /// Identities of its members with their scales.
  public let members: [(identity: String, scale: Double)]

  init(_ stack: StoredStack) {
    name = stack.name
    version = stack.version
    identity = stack.definition.identity.hex
    base = stack.definition.base.hex
    method = stack.definition.method.text
    members = stack.definition.members.map { ($0.identity.hex, $0.scale) }
  }

  /// Whether both are the same version of the same stack.
  public static func == (a: StackInfo, b: StackInfo) -> Bool {
    a.name == b.name && a.version == b.version && a.identity == b.identity
  }
}

extension PatchWorkspace {
  // MARK: Patches

  /// Adds patch files to the store, which keeps a verified copy of each.
  /// - Parameters:
  ///   - files: patch files.
  ///   - tags: attached to all of them.
  /// - Returns: their identities, in the order of the files.
  /// - Throws: `invalid` for a file that is not a patch; those before it stay added.
  @discardableResult
  public func add(_ files: [String], tags: [String] = []) throws(PatchError) -> [String] {
    try withPatchError {
      var identities: [String] = []
      try workspace.store.open(create: true).add(
        files, as: Admission(tags: tags), threads: workspace.work.threads, progress: { _ in },
        each: { identities.append($0.identity.hex) })
      return identities
    }
  }

  /// The patches of the store, the latest first.
  /// - Parameter query: which of them; all by default.
  /// - Throws: `io` if there is no store; `invalid` if its catalogue is damaged.
  public func patches(_ query: StoreQuery = StoreQuery()) throws(PatchError) -> [StoredPatchInfo] {
    try withPatchError {
      var filter = PatchFilter()
      if let base = query.base {
        guard let root = ContentDigest(hex: base) else {
          throw VPatchError(.refused, base, "is not a root of 64 hexadecimal digits")
        }
        filter.base = root
      }
      filter.recipe = query.recipe?.rawValue
      filter.tag = query.tag
      filter.name = query.name
      return try workspace.store.open().patches(filter).map(StoredPatchInfo.init)
    }
  }

  /// Removes a patch from the store.
  /// - Parameters:
  ///   - patch: its name in the store.
  ///   - force: remove its other aliases and tags too.
  /// - Throws: `refused` if a stack, a model or a running command needs it, or it has other names.
  public func remove(_ patch: String, force: Bool = false) throws(PatchError) {
    try withPatchError { _ = try workspace.store.open().remove([workspace.patchName(patch)], force: force) }
  }

  /// Gives a patch of the store an alias; it moves if another patch has it.
  /// - Parameters:
  ///   - alias: the new name.
  ///   - patch: its name so far.
  /// - Throws: `refused` for a name that cannot be an alias; `io` if there is no such patch.
  public func alias(_ alias: String, for patch: String) throws(PatchError) {
    try withPatchError { _ = try workspace.store.open().alias(alias, workspace.patchName(patch)) }
  }

  // MARK: Stacks

  /// Defines a stack.
  /// - Parameters:
  ///   - name: of the stack.
  ///   - base: the checkpoint that all members are made from, or its root.
  ///   - members: files or names, each with an optional scale: `counting@0.8`.
  ///   - rule: how they are combined.
  /// - Returns: the stack's first version.
  /// - Throws: `refused` for a name that is taken, or members that cannot be combined; `wrongBase`.
  @discardableResult
  public func newStack(
    _ name: String, base: String, members: [String], combinedBy rule: MergeRule = .sum
  ) throws(PatchError) -> StackInfo {
    try withPatchError {
      StackInfo(try workspace.newStack(name, base: base, members: members, method: rule.method))
    }
  }

  /// Adds members to a stack, or gives them other scales.
  /// - Parameters:
  ///   - members: files or names, each with an optional scale: `counting@0.8`.
  ///   - name: of the stack.
  ///   - rule: another merge method; nil to keep it.
  /// - Returns: the stack's new version.
  /// - Throws: as ``newStack(_:base:members:combinedBy:)``; `io` if there is no such stack.
  @discardableResult
  public func add(
    _ members: [String], toStack name: String, combinedBy rule: MergeRule? = nil
  ) throws(PatchError) -> StackInfo {
    try withPatchError {
      StackInfo(try workspace.addMembers(members, to: name) { try rule?.method ?? $0 })
    }
  }

  /// Takes members out of a stack.
  /// - Parameters:
  ///   - members: names of patches.
  ///   - name: of the stack.
  /// - Returns: the stack's new version.
  /// - Throws: `refused` for a patch that is not a member.
  @discardableResult
  public func remove(_ members: [String], fromStack name: String) throws(PatchError) -> StackInfo {
    try withPatchError { StackInfo(try workspace.removeMembers(members, from: name)) }
  }

  /// The latest version of each stack.
  /// - Throws: `io` if there is no store.
  public func stacks() throws(PatchError) -> [StackInfo] {
    try withPatchError { try workspace.store.open().stacks().map(StackInfo.init) }
  }

  /// Removes a stack and its versions. Its patches stay.
  /// - Parameter name: of the stack.
  /// - Throws: `io` if there is no such stack.
  public func removeStack(_ name: String) throws(PatchError) {
    try withPatchError { try workspace.store.open().removeStack(name) }
  }
}
