import Base
import PatchFormat

/// A stack given on the command line.
struct StackInput {
  /// Its name in the store or in its file; nil for one typed as members.
  let name: String?
  let definition: StackDefinition
  /// Members that are already open.
  let patches: [Patch]

  private init(name: String?, definition: StackDefinition, patches: [Patch]) {
    self.name = name
    self.definition = definition
    self.patches = patches
  }

  /// Members as typed, of one base.
  init(
    members: [MemberReference], method: MergeMethod, base: ContentDigest? = nil, name: String? = nil, _ store: StoreOptions,
    _ threads: Int
  ) throws {
    let opened = try members.map { (patch: try Inputs.patch($0.name, threads, store), scale: $0.scale) }
    try self.init(opened, method: method, base: base, name: name)
  }

  /// Members that are open, of one base.
  init(
    _ members: [(patch: Patch, scale: Double)], method: MergeMethod, base: ContentDigest? = nil, name: String? = nil
  ) throws {
    self.init(
      name: name, definition: try StackDefinition(members, method: method, base: base), patches: members.map(\.patch))
  }

  /// A stack of the store, a stack file, or one patch with its scale.
  init(_ text: String, _ store: StoreOptions, _ threads: Int) throws {
    if try PathKind.of(text) == .file, !(try Patch.looksLikePatch(path: text)) {
      try self.init(file: text, store, threads)
    } else if let stored = try store.existing()?.stackIfAny(text) {
      self.init(name: stored.name, definition: stored.definition, patches: [])
    } else {
      let isNoFile = try PathKind.of(text) == .missing
      do { try self.init(members: [MemberReference(text)], method: .sum, store, threads) } catch let error
        as VPatchError where error.code == .io && isNoFile
      {
        throw VPatchError(
          .io, text, "is neither a stack nor a patch: it \(error.reason)",
          remedy: error.remedy?.contains("did you mean") == true
            ? error.remedy : "'vpatch stack list' and 'vpatch list' show what the store has")
      }
    }
  }

  init(file path: String, _ store: StoreOptions, _ threads: Int) throws {
    let file = try StackFile(text: InputFile.contents(of: path, limit: 1 << 20), path: path)
    guard let base = ContentDigest(hex: file.base) else {
      throw VPatchError(
        .invalid, path, "has the base \"\(file.base.printable)\", which is not a root digest of 64 hex digits",
        remedy: "'vpatch status MODEL' prints a model's root")
    }
    try self.init(members: file.members, method: file.method, base: base, name: file.name, store, threads)
  }
}
