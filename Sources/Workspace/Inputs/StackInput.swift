import Base
import PatchFormat

/// A stack by its name in the store, from a stack file, or as typed members.
package struct StackInput {
  /// Its name in the store or in its file; nil for one typed as members.
  package let name: String?
  package let definition: StackDefinition
  /// Members that are already open.
  package let patches: [Patch]

  private init(name: String?, definition: StackDefinition, patches: [Patch]) {
    self.name = name
    self.definition = definition
    self.patches = patches
  }

  /// Members as typed, of one base.
  package init(
    members: [MemberReference], method: MergeMethod, base: ContentDigest? = nil, name: String? = nil,
    in workspace: Workspace
  ) throws {
    let opened = try members.map { (patch: try workspace.patch($0.name), scale: $0.scale) }
    try self.init(opened, method: method, base: base, name: name)
  }

  /// Members that are open, of one base.
  package init(
    _ members: [(patch: Patch, scale: Double)], method: MergeMethod, base: ContentDigest? = nil, name: String? = nil
  ) throws {
    self.init(
      name: name, definition: try StackDefinition(members, method: method, base: base), patches: members.map(\.patch))
  }

  /// A stack of the store, a stack file, or one patch with its scale.
  package init(_ text: String, in workspace: Workspace) throws {
    switch try workspace.thing(named: text) {
    case .stackFile, .unknown(.file, _): try self.init(file: text, in: workspace)
    case .storedStack(let stored, _): self.init(name: stored.name, definition: stored.definition, patches: [])
    case .patchFile, .storedPatch, .unknown:
      let isNoFile = try PathKind.of(text) == .missing
      let member = try MemberReference(text)
      try workspace.check(scales: [member])
      do { try self.init(members: [member], method: .sum, in: workspace) } catch let error
        as VPatchError where error.code == .io && isNoFile
      {
        var remedy: String? = "'vpatch stack list' and 'vpatch list' show what the store has"
        if case .unknownName = error.detail { remedy = error.remedy }
        throw VPatchError(
          .io, text, "is neither a stack nor a patch: it \(error.reason)", remedy: remedy, detail: error.detail,
          cause: error)
      }
    }
  }

  package init(file path: String, in workspace: Workspace) throws {
    let file = try StackFile(text: InputFile.contents(of: path, limit: 1 << 20), path: path)
    guard let base = ContentDigest(hex: file.base) else {
      throw VPatchError(
        .invalid, path, "has the base \"\(file.base.printable)\", which is not a root digest of 64 hex digits",
        remedy: "'vpatch status MODEL' prints a model's root")
    }
    try workspace.check(scales: file.members)
    try self.init(members: file.members, method: file.method, base: base, name: file.name, in: workspace)
  }
}
