import PatchFormat

/// What was put onto a base, one on top of the other: a chain of entries from the base's root to the model's own.
public struct ModelState: Equatable, Sendable {
  public let base: Digest
  public let entries: [Entry]

  public init(base: Digest, entries: [Entry] = []) {
    self.base = base
    self.entries = entries
  }

  /// Who the model is.
  public var root: Digest { entries.last?.to ?? base }

  /// A patch, or the composite of a stack.
  public struct Entry: Equatable, Sendable {
    public let identity: Digest
    public let from: Digest
    public let to: Digest
    public let stack: StackRecord?
    /// What a person wants to know of the patch: name, recipe, forgetting records.
    public let details: [JSON.Member]

    public var name: String? { stack?.name ?? details.first { $0.key == "name" }?.value.string }

    /// Whether it is that patch, or the stack has it as a member.
    public func mentions(_ patch: Digest) -> Bool {
      identity == patch || (stack?.definition.members.contains { $0.identity == patch } ?? false)
    }
  }

  /// Where among the roots that the model went through one is; nil where it is none of them.
  /// - Returns: how many entries lead to it.
  public func depth(of root: Digest) -> Int? {
    ([base] + entries.map(\.to)).lastIndex(of: root)
  }

  /// Whether a patch is applied: by itself, or as a member of a stack.
  public func mentions(_ identity: Digest) -> Bool {
    entries.contains { $0.mentions(identity) }
  }

  /// The base and the entries.
  public var json: JSON {
    .dictionary(["base": .string(base.hex), "patches": .array(entries.map(\.json))])
  }

  /// What the model is after a step.
  public func applying(_ step: PatchStep) -> ModelState {
    if step.direction == .forward { return ModelState(base: base, entries: entries + [Entry(step)]) }
    if entries.last?.identity == step.patch.identity {
      return ModelState(base: base, entries: entries.dropLast())
    }
    // A patch was taken off that nothing here speaks of: what is left is known by its root alone.
    return ModelState(base: step.to)
  }
}

extension ModelState.Entry {
  init(_ step: PatchStep) {
    self.init(
      identity: step.patch.identity, from: step.patch.header.baseRoot, to: step.patch.header.targetRoot,
      stack: step.stack, details: StackRecord.details(of: step.patch))
  }

  var json: JSON {
    .object(
      [
        JSON.Member("identity", .string(identity.hex)), JSON.Member("base", .string(from.hex)),
        JSON.Member("target", .string(to.hex)),
      ] + (stack == nil ? [JSON.Member("scale", JSON(1))] : []) + details
        + (stack.map { [JSON.Member("stack", $0.json)] } ?? []))
  }

  /// - Throws: `invalid`.
  init(json: JSON, subject: String) throws {
    func digest(_ key: String) throws -> Digest {
      guard let digest = json[key]?.string.flatMap(Digest.init(hex:)) else {
        throw VPatchError(.invalid, subject, "has a patch without its \(key)")
      }
      return digest
    }
    let known = ["identity", "base", "target", "scale", "stack"]
    self.init(
      identity: try digest("identity"), from: try digest("base"), to: try digest("target"),
      stack: try json["stack"].map { try StackRecord(json: $0, subject: subject) },
      details: (json.object ?? []).filter { !known.contains($0.key) })
  }
}

/// A stack as a model's provenance tells of it: what it is, what it is called, who its members are.
public struct StackRecord: Equatable, Sendable {
  public let name: String?
  public let definition: StackDefinition
  /// More about each member, in the definition's order.
  public let members: [[JSON.Member]]

  init(name: String?, definition: StackDefinition, members: [[JSON.Member]]) {
    self.name = name
    self.definition = definition
    self.members = members
  }

  /// - Parameter patches: the members, in any order.
  public init(name: String?, _ definition: StackDefinition, patches: [Patch]) {
    self.init(
      name: name, definition: definition,
      members: definition.members.map { member in
        patches.first { $0.identity == member.identity }.map(Self.details(of:)) ?? []
      })
  }

  /// What is said of a patch besides its identity. Every forgetting record names the bits it was measured on; what
  /// nobody measured has none.
  static func details(of patch: Patch) -> [JSON.Member] {
    JSON.dictionary([
      "name": patch.name.map { .string($0) }, "recipe": patch.annotations["recipe"],
      "forgetting": patch.annotations["forgetting"] ?? .array([]),
    ]).object!
  }

  public var json: JSON {
    let details = Dictionary(uniqueKeysWithValues: zip(definition.members.map(\.identity), members))
    let members = definition.json { details[$0] ?? [] }.object!
    return .object((name.map { [JSON.Member("name", .string($0))] } ?? []) + members)
  }

  /// - Throws: `invalid`.
  init(json: JSON, subject: String) throws {
    let definition = try StackDefinition(json: json, subject: subject)
    let known = ["identity", "scale"]
    var details: [Digest: [JSON.Member]] = [:]
    for member in json["members"]?.array ?? [] {
      guard let identity = member["identity"]?.string.flatMap(Digest.init(hex:)) else { continue }
      details[identity] = (member.object ?? []).filter { !known.contains($0.key) }
    }
    self.init(
      name: json["name"]?.string, definition: definition, members: definition.members.map { details[$0.identity] ?? [] }
    )
  }
}
