import Apply
import Base

/// What was applied to a base: a chain of entries from the base's root to the model's own.
package struct ModelState: Equatable, Sendable {
  package let base: ContentDigest
  package let entries: [Entry]

  package init(base: ContentDigest, entries: [Entry] = []) {
    self.base = base
    self.entries = entries
  }

  /// The root digest of the model.
  package var root: ContentDigest { entries.last?.to ?? base }

  /// A patch, or the composite of a stack.
  package struct Entry: Equatable, Sendable {
    package let identity: ContentDigest
    package let from: ContentDigest
    package let to: ContentDigest
    package let stack: StackRecord?
    /// Data about the patch for display: name, recipe, forgetting records.
    package let details: [JSON.Member]

    package var name: String? { stack?.name ?? details.first { $0.key == "name" }?.value.string }

    /// Whether it is that patch, or a stack with it as a member.
    package func mentions(_ patch: ContentDigest) -> Bool {
      identity == patch || (stack?.definition.members.contains { $0.identity == patch } ?? false)
    }
  }

  /// The position of a root in the chain; nil if it does not occur.
  /// - Returns: the number of entries up to it.
  package func depth(of root: ContentDigest) -> Int? {
    ([base] + entries.map(\.to)).lastIndex(of: root)
  }

  /// Whether a patch is applied: by itself, or as a member of a stack.
  package func mentions(_ identity: ContentDigest) -> Bool {
    entries.contains { $0.mentions(identity) }
  }

  /// The base and the entries.
  package var json: JSON {
    .dictionary(["base": .string(base.hex), "patches": .array(entries.map(\.json))])
  }

  /// The state after a step.
  package func applying(_ step: PatchStep) -> ModelState {
    if step.direction == .forward { return ModelState(base: base, entries: entries + [Entry(step)]) }
    if entries.last?.identity == step.patch.identity {
      return ModelState(base: base, entries: entries.dropLast())
    }
    // A patch was reverted that is not recorded here. Only the root of the rest is known.
    return ModelState(base: step.to)
  }
}

extension ModelState.Entry {
  package init(_ step: PatchStep) {
    self.init(
      identity: step.patch.identity, from: step.patch.header.baseRoot, to: step.patch.header.targetRoot,
      stack: step.stack, details: StackRecord.details(of: step.patch))
  }

  package var json: JSON {
    .object(
      [
        JSON.Member("identity", .string(identity.hex)), JSON.Member("base", .string(from.hex)),
        JSON.Member("target", .string(to.hex)),
      ] + (stack == nil ? [JSON.Member("scale", JSON(1))] : []) + details
        + (stack.map { [JSON.Member("stack", $0.json)] } ?? []))
  }

  /// - Throws: `invalid`.
  package init(json: JSON, subject: String) throws {
    func digest(_ key: String) throws -> ContentDigest {
      guard let digest = json[key]?.string.flatMap(ContentDigest.init(hex:)) else {
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
