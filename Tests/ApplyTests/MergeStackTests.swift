import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Checkpoints

/// Promise 3, on slices of real weights: any order gives the same bytes, and what is taken out was never there.
@Suite("Stacks of real patches") struct MergeStackTests {
  /// The first elements of the fixtures' tensors; the two real fine-tunes, and three more mixed out of them.
  static func siblings() throws -> Siblings {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../fixtures/pair").path
    let parts = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"]
    let models = try ["base", "tuned-sa-proj", "tuned-gate-up"].map { name in
      try SafetensorsCheckpoint(path: "\(folder)/\(name).safetensors").testTensors()
        .filter { tensor in parts.contains { tensor.name.contains($0) } }
        .map { TestTensor($0.name, $0.dtype, [96], bytes: Array($0.bytes.prefix(192))) }
    }
    let mixed = (0..<3).map { k in
      var random = TestRandom(UInt64(k) + 5)
      return models[0].indices.map { t in
        var tensor = models[0][t]
        // One part of the mixture leaves each tensor alone.
        guard (t + k) % 3 > 0 else { return tensor }
        for i in stride(from: 0, to: 192, by: 2) {
          let other = models[Int(random.next() % 3)][(t + Int(random.next() % 2)) % models[0].count]
          tensor.bytes.replaceSubrange(i..<i + 2, with: other.bytes[i..<i + 2])
        }
        return tensor
      }
    }
    return try Siblings(models[0], [models[1], models[2]] + mixed)
  }

  static func method(_ random: inout TestRandom) throws -> MergeMethod {
    let kind = MergeMethod.Kind.allCases[Int(random.next() % 5)]
    let density = [nil, 1, 0.5, 0.2, 0.75][Int(random.next() % 5)] as Double?
    let towardBase = [0, 0, 0.5][Int(random.next() % 3)]
    switch kind {
    case .ties: return try MergeMethod(kind, density: density, lambda: 1, towardBase: towardBase)
    case .dare, .dareTies: return try MergeMethod(kind, density: density, seed: random.next(), towardBase: towardBase)
    default: return try MergeMethod(kind, towardBase: towardBase)
    }
  }

  @Test("1,000 random stacks: any order, in and out again, out of the middle", arguments: 0..<4)
  func properties(_ quarter: UInt64) throws {
    let siblings = try Self.siblings()
    let base = siblings.patches[0].header.baseRoot
    var random = TestRandom(2026 + quarter)
    var results: Set<[UInt8]> = []
    for _ in 0..<250 {
      let method = try Self.method(&random)
      let chosen = siblings.patches.shuffled(using: &random).prefix(1 + Int(random.next() % 5))
      let members = chosen.map {
        StackDefinition.Member($0.identity, scale: [1, 1, 0.5, 1.75, 0.1][Int(random.next() % 5)])
      }
      func merged(_ definition: StackDefinition) throws -> [UInt8] {
        let patches = siblings.patches.shuffled(using: &random)
          .filter { patch in definition.members.contains { $0.identity == patch.identity } }
        let merge = try Merge(definition, patches: patches)
        return try merge.touched.flatMap { name in try siblings.bytes(merge, name) + Array(name.utf8) }
      }
      let stack = try StackDefinition(base: base, method: method, members: members)
      let bytes = try merged(stack)
      results.insert(bytes)

      var typed = try StackDefinition(base: base, method: method, members: [])
      for member in members.shuffled(using: &random) { typed = try typed.adding(member) }
      #expect(typed == stack && typed.identity == stack.identity)
      #expect(try merged(typed) == bytes)

      if let other = siblings.patches.first(where: { patch in !members.contains { $0.identity == patch.identity } }) {
        let more = try stack.adding(.init(other.identity, scale: 0.6))
        #expect(more.identity != stack.identity)
        #expect(try merged(more.removing(other.identity)) == bytes)
        // With the scale 0 it takes no part, though it is a member.
        #expect(try merged(stack.adding(.init(other.identity, scale: 0))) == bytes)
      }
      if members.count > 1 {
        let never = try StackDefinition(
          base: base, method: method, members: members.filter { $0.identity != members[1].identity })
        #expect(try merged(stack.removing(members[1].identity)) == merged(never))
      }
    }
    // The stacks do differ.
    #expect(results.count > 200)
  }
}
