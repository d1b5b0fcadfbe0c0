import Base
import Catalogue
import Checkpoints
import PatchFormat
import Synchronization

/// What a name in a command means. One rule holds for every command:
///
/// 1. A patch file or a stack file at that path. "./NAME" is always a path, since no name begins with a dot.
/// 2. A patch of the store, by its alias, by a tag that no other patch has, or by the first digits of its identity.
/// 3. A stack of the store.
///
/// Where both a file and something in the store have the name, the file is used and a note says so. A name that both a
/// patch and a stack in the store have is refused.
enum NamedThing {
  case patchFile
  case stackFile
  case storedPatch(ContentDigest, Store)
  case storedStack(StoredStack, Store)
  /// Nothing that vpatch knows; the kind of what is at that path.
  case unknown(PathKind, why: VPatchError?)
}

extension Workspace {
  func thing(named text: String) throws -> NamedThing {
    let kind = try PathKind.of(text)
    if kind == .file {
      let isPatch = try Patch.looksLikePatch(path: text)
      if try isPatch || StackFile.looksLikeOne(path: text) {
        try noteNamesake(of: text)
        return isPatch ? .patchFile : .stackFile
      }
    }
    guard let store = try store.existing() else { return .unknown(kind, why: nil) }
    let stack = try store.stackIfAny(text)
    do {
      let identity = try store.resolve(text)
      if let stack { throw Self.twofold(stack.name, identity) }
      return .storedPatch(identity, store)
    } catch let error as VPatchError where error.code == .io && error.subject == text {
      return stack.map { .storedStack($0, store) } ?? .unknown(kind, why: error)
    }
  }

  /// A patch: a file, else one of the store.
  /// - Throws: `refused` for the name of a stack; `io` for a name that nothing has, with similar ones.
  package func patch(_ name: String) throws -> Patch {
    switch try thing(named: name) {
    case .patchFile: return try Patch(path: name, threads: work.threads)
    case .storedPatch(let identity, let store): return try store.patch(identity, threads: work.threads)
    case .stackFile, .storedStack: throw Self.isStack(name)
    case .unknown(.missing, let why): throw try unknown(name, why)
    case .unknown(.directory, _): throw try Self.isFolder(name)
    case .unknown: return try Patch(path: name, threads: work.threads)
    }
  }

  /// The same for commands of the store, which need no file.
  package func patchName(_ name: String) throws -> PatchName {
    switch try thing(named: name) {
    case .patchFile: .identity(try Patch(path: name).identity)
    case .stackFile, .storedStack: throw Self.isStack(name)
    case .storedPatch, .unknown: .typed(name)
    }
  }

  /// A stack of the store; nil for a name that means something else.
  package func stack(_ name: String) throws -> (StoredStack, Store)? {
    guard case .storedStack(let stack, let store) = try thing(named: name) else { return nil }
    return (stack, store)
  }

  // MARK: Errors

  /// A folder where a patch is expected: an adapter, a model, or anything.
  package static func isFolder(_ name: String) throws -> VPatchError {
    let folder = try Path.entries(of: name, skippingUndecodable: true)
    func has(_ file: String) -> Bool { folder.contains { $0.isSame(as: file) } }
    if has(ModelFolder.adapterConfigName), let adapter = try OtherForm.of(folder: name) {
      return VPatchError(
        .invalid, name, adapter.what.replacing("not a model", with: "not a patch"), remedy: adapter.remedy)
    }
    if try SafetensorsCheckpoint.isDelta(folder: name) { return SafetensorsCheckpoint.isDelta(name) }
    let isModel = has(SafetensorsCheckpoint.singleName) || has(SafetensorsCheckpoint.indexName)
    return VPatchError(
      .invalid, name, isModel ? "is a model's folder, not a patch" : "is a directory, not a patch",
      remedy: isModel
        ? "'vpatch create BASE \(name.printable) -o task.vpatch' makes a patch of a tuned model" : "give a .vpatch file"
    )
  }

  private static func isStack(_ name: String) -> VPatchError {
    VPatchError(
      .refused, name, "is a stack, and this needs a patch",
      remedy: "'vpatch show \(name)' lists its members; apply, switch, eval, generate, gate and report take stacks")
  }

  private static func twofold(_ name: String, _ identity: ContentDigest) -> VPatchError {
    VPatchError(
      .refused, name, "names both a patch and a stack in the store",
      remedy: "give the patch as \(identity.short), or 'vpatch alias --delete \(name)' leaves the name to the stack")
  }

  private func unknown(_ name: String, _ why: VPatchError?) throws -> VPatchError {
    guard let why else {
      return VPatchError(
        .io, name, "does not exist, and there is no store at \(try store.path())",
        remedy: "give a .vpatch file, or create a store with 'vpatch add'")
    }
    return VPatchError(
      .io, name, "does not exist, and \(why.reason)", remedy: why.remedy, detail: why.detail, cause: why)
  }

  /// The names that a note was given for: one is enough, however often a command looks them up.
  private static let noted = Mutex<Set<String>>([])

  private func noteNamesake(of file: String) throws {
    guard Name.isValid(file), !Self.noted.withLock({ $0.contains(file) }), let store = try store.existing() else {
      return
    }
    let identity = try? store.resolve(file)
    guard try identity != nil || store.stackIfAny(file) != nil else { return }
    Self.noted.withLock { _ = $0.insert(file) }
    messages.note(
      "the file \(file) is used, not the \(identity == nil ? "stack" : "patch") of that name in the store"
        + (identity.map { ", which is \($0.short)" } ?? ""))
  }
}
