import Base
import PatchFormat

/// A stack in a model's provenance: its definition, its name, and details about its members.
package struct StackRecord: Equatable, Sendable {
  package let name: String?
  package let definition: StackDefinition
  /// Details about each member, in the definition's order.
  package let members: [[JSON.Member]]

  package init(name: String?, definition: StackDefinition, members: [[JSON.Member]]) {
    self.name = name
    self.definition = definition
    self.members = members
  }

  /// - Parameter patches: the members, in any order.
  package init(name: String?, _ definition: StackDefinition, patches: [Patch]) {
    self.init(
      name: name, definition: definition,
      members: definition.members.map { member in
        patches.first { $0.identity == member.identity }.map(Self.details(of:)) ?? []
      })
  }

  /// Annotations of a patch that are recorded besides its identity. Every forgetting record names the root that it was
  /// measured on. Unmeasured tasks have no record.
  package static func details(of patch: Patch) -> [JSON.Member] {
    JSON.dictionary([
      "name": patch.name.map { .string($0) }, "recipe": patch.annotations["recipe"],
      "forgetting": patch.annotations["forgetting"] ?? .array([]),
    ]).object!
  }

  package var json: JSON {
    let details = Dictionary(uniqueKeysWithValues: zip(definition.members.map(\.identity), members))
    let members = definition.json { details[$0] ?? [] }.object!
    return .object((name.map { [JSON.Member("name", .string($0))] } ?? []) + members)
  }

  /// - Throws: `invalid`.
  package init(json: JSON, subject: String) throws {
    let definition = try StackDefinition(json: json, subject: subject)
    let known = ["identity", "scale"]
    var details: [ContentDigest: [JSON.Member]] = [:]
    for member in json["members"]?.array ?? [] {
      guard let identity = member["identity"]?.string.flatMap(ContentDigest.init(hex:)) else { continue }
      details[identity] = (member.object ?? []).filter { !known.contains($0.key) }
    }
    self.init(
      name: json["name"]?.string, definition: definition, members: definition.members.map { details[$0.identity] ?? [] }
    )
  }
}

extension StackRecord {
  /// One line per member.
  package var memberLines: [String] {
    zip(definition.members, members).map { member, details in
      let name = details.first { $0.key == "name" }?.value.string ?? member.identity.short
      let recipe = details.first { $0.key == "recipe" }?.value.string
      return [MemberReference(name: name, scale: member.scale).text, recipe].compactMap { $0 }.joined(separator: "  ")
    }
  }
}
