import Apply
import Base
import Catalogue
import PatchFormat

extension Workspace {
  /// Defines a stack.
  /// - Parameters:
  ///   - members: as NAME_OR_FILE[@SCALE].
  ///   - base: the checkpoint that all members are made from, or its root.
  /// - Throws: `refused` for a name that is taken, or members that cannot be combined.
  package func newStack(
    _ name: String, base: String, members: [String], method: MergeMethod
  ) throws -> StoredStack {
    let store = try store.open(create: true)
    // Checked before the work, and again when the stack is saved.
    if try store.stackIfAny(name) != nil { throw Store.stackExists(name) }
    let members = try members.map { try MemberReference($0) }
    try check(scales: members)
    let input = try StackInput(members: members, method: method, base: root(ofBase: base), name: name, in: self)
    try check(input.definition, opened: input.patches, store)
    let stack = try store.createStack(name: name, definition: input.definition)
    if try PathKind.of(base) != .missing { try store.sawBase(root: input.definition.base, path: Path.absolute(base)) }
    return stack
  }

  /// Adds members, or gives them other scales and the stack another method.
  /// - Parameter method: receives the stack's method, and returns the new one.
  /// - Throws: `io` if there is no such stack; as `newStack`.
  package func addMembers(
    _ members: [String], to name: String, method: (MergeMethod) throws -> MergeMethod
  ) throws -> StoredStack {
    let store = try store.open(create: true)
    let base = try store.stack(name).definition.base
    var opened: [(patch: Patch, scale: Double)] = []
    let references = try members.map { try MemberReference($0) }
    try check(scales: references)
    for member in references {
      opened.append((try patch(member.name), member.scale))
    }
    // Refused as for a new stack if they are made from different bases.
    if !opened.isEmpty { _ = try StackDefinition(opened, method: .sum, base: base) }
    let given = Set(opened.map(\.patch.identity))
    return try store.editStack(name) { old in
      let new = try StackDefinition(
        base: old.base, method: method(old.method),
        members: old.members.filter { !given.contains($0.identity) }
          + opened.map { .init($0.patch.identity, scale: $0.scale) })
      try check(new, opened: opened.map(\.patch), store)
      return new
    }
  }

  /// Takes members out of a stack.
  /// - Throws: `refused` for a patch that is not a member.
  package func removeMembers(_ members: [String], from name: String) throws -> StoredStack {
    let store = try store.open(create: true)
    return try store.editStack(name) { old in
      var definition = old
      for member in members {
        let identity = try store.resolve(patchName(member))
        guard definition.members.contains(where: { $0.identity == identity }) else {
          throw VPatchError(
            .refused, "the stack \"\(name.printable)\"", "does not have \(member.printable)",
            remedy: "see 'vpatch stack show \(name)'")
        }
        definition = try definition.removing(identity)
      }
      return definition
    }
  }

  /// Reads a stack from a stack file into the store.
  /// - Parameter name: nil for the name that the file has.
  /// - Throws: `refused` for a file without a name; as `newStack`.
  package func importStack(_ file: String, name: String?) throws -> StoredStack {
    let store = try store.open(create: true)
    let input = try StackInput(file: file, in: self)
    guard let name = name ?? input.name else {
      throw VPatchError(.refused, file, "does not name the stack", remedy: "give --name")
    }
    try check(input.definition, opened: input.patches, store)
    _ = try store.saveStack(name: name, definition: input.definition)
    return try store.stack(name)
  }

  /// Checks that members can be combined, and keeps them in the store until the stack has them. Members given as files
  /// are added to the store: a stack there must not depend on files elsewhere.
  /// - Parameter opened: members that are already open.
  private func check(_ definition: StackDefinition, opened: [Patch], _ store: Store) throws {
    let members = try definition.members.map { member in
      try opened.first { $0.identity == member.identity } ?? store.patch(member.identity, threads: work.threads)
    }
    if !members.isEmpty { _ = try Merge(definition, patches: members) }
    try store.keep(members, threads: work.threads)
  }

  /// - Throws: `refused` for a scale outside of `commonScales`, unless any is allowed.
  func check(scales members: [MemberReference]) throws {
    guard !allowsAnyScale, let member = members.first(where: { !Self.commonScales.contains($0.scale) }) else { return }
    throw VPatchError(
      .refused, member.name, "has the scale \(member.scale.shortest), beyond −1 to 2",
      remedy: "--any-scale allows it, if it is meant")
  }

  /// The root that a stack's base has.
  /// - Parameter text: a root of 64 digits, or a checkpoint, which is hashed: its provenance may be that of another
  ///   model that was at its place.
  private func root(ofBase text: String) throws -> ContentDigest {
    if try PathKind.of(text) == .missing, let root = ContentDigest(hex: text) { return root }
    return try checkpoint(text).root(work)
  }
}
