import Base

/// A base, patches with scales, and a merge method: they determine exactly one checkpoint (spec/stacks.md).
package struct StackDefinition: Hashable, Sendable {
  package struct Member: Hashable, Sendable {
    package let identity: ContentDigest
    package let scale: Double

    package init(_ identity: ContentDigest, scale: Double = 1) {
      self.identity = identity
      // −0 and 0 are the same number.
      self.scale = scale == 0 ? 0 : scale
    }
  }

  /// The root digest of the base that all members were made from.
  package let base: ContentDigest
  package let method: MergeMethod
  /// In ascending order of identity, independent of the given order.
  package let members: [Member]

  /// - Throws: `refused` for a patch given twice, a scale that is not finite, or members that do not suit the method.
  package init(base: ContentDigest, method: MergeMethod = .sum, members: [Member]) throws {
    self.base = base
    self.method = method
    self.members = members.sorted { $0.identity < $1.identity }
    for (a, b) in zip(self.members, self.members.dropFirst()) where a.identity == b.identity {
      throw VPatchError(
        .refused, "patch \(a.identity.short)", "is in the stack twice", remedy: "give it once, with one scale")
    }
    for member in members where !member.scale.isFinite {
      throw VPatchError(
        .refused, "patch \(member.identity.short)", "has a scale that is not finite", remedy: "give a number")
    }
    try checkWeights()
  }

  private func checkWeights() throws {
    let subject = "the merge method \(method.kind.rawValue)"
    let total = members.reduce(0) { $0 + $1.scale }
    func isDivisor(_ number: Double) -> Bool { number.isFinite && number != 0 }
    switch method.kind {
    case .sum, .dare, .ties, .dareTies: return
    case .linear:
      guard members.allSatisfy({ $0.scale == 0 }) || isDivisor(total) else {
        throw VPatchError(
          .refused, subject, "divides by the sum of the scales, which is \(total.shortest)",
          remedy: "give scales whose sum is finite and not 0")
      }
    case .slerp:
      guard members.count == 2 else {
        throw VPatchError(
          .refused, subject, "interpolates between two patches, not \(members.count)",
          remedy: "give two, with scales for the position between them (a@0.7 b@0.3), or use another method")
      }
      guard members.allSatisfy({ $0.scale >= 0 }), isDivisor(total) else {
        throw VPatchError(
          .refused, subject, "needs non-negative scales, at least one above 0, with a finite sum",
          remedy: "give such scales, or use another method")
      }
    }
  }

  /// The identity of the stack, independent of its name (spec/stacks.md, section 2).
  package var identity: ContentDigest {
    let hasher = SHA256Hasher()
    hasher.update("vpatch.stack.1\n")
    hasher.update(base.bytes)
    hasher.update(method.text + "\n")
    for member in members {
      hasher.update(member.identity.bytes)
      hasher.update([UInt8](littleEndian: member.scale.bitPattern))
    }
    return hasher.finalize()
  }

  /// The stack with one more member. A member with that identity is replaced.
  package func adding(_ member: Member) throws -> StackDefinition {
    try StackDefinition(
      base: base, method: method, members: members.filter { $0.identity != member.identity } + [member])
  }

  /// The stack without a member; unchanged if there is no such member.
  package func removing(_ identity: ContentDigest) throws -> StackDefinition {
    try StackDefinition(base: base, method: method, members: members.filter { $0.identity != identity })
  }

  // MARK: JSON

  /// - Parameter describe: more members of a patch's object: its name, its measurements.
  package func json(_ describe: (ContentDigest) -> [JSON.Member] = { _ in [] }) -> JSON {
    .dictionary([
      "identity": .string(identity.hex), "base": .string(base.hex), "method": .string(method.text),
      "members": .array(
        members.map {
          .object(
            [JSON.Member("identity", .string($0.identity.hex)), JSON.Member("scale", JSON($0.scale))]
              + describe($0.identity))
        }),
    ])
  }

  /// Parses the output of `json`.
  /// - Throws: `invalid` where something is missing, or the identity does not match the rest.
  package init(json: JSON, subject: String) throws {
    func invalid(_ reason: String) -> VPatchError { VPatchError(.invalid, subject, "has a stack \(reason)") }
    guard let base = json["base"]?.string.flatMap(ContentDigest.init(hex:)) else { throw invalid("without a base") }
    guard let method = json["method"]?.string else { throw invalid("without a method") }
    guard let members = json["members"]?.array else { throw invalid("without members") }
    try self.init(
      base: base, method: MergeMethod(text: method),
      members: members.map { member in
        guard let identity = member["identity"]?.string.flatMap(ContentDigest.init(hex:)),
          let scale = member["scale"]?.double
        else { throw invalid("with a member that has no identity or no scale") }
        return Member(identity, scale: scale)
      })
    guard json["identity"]?.string == identity.hex else { throw invalid("whose identity does not match its members") }
  }
}
