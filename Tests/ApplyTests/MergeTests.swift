import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

@Suite("Merge") struct MergeTests {
  static let weights = TestTensor.weights("w", [40, 16])
  static let steps = TestTensor("steps", "I32", [4], [1, 2, 3, 4] as [Int32])

  /// Float weights that both patches change, and one more tensor that each handles in its own way.
  private func siblings(_ a: TestTensor?, _ b: TestTensor?, base: TestTensor? = steps) throws -> Siblings {
    func model(_ seed: UInt64?, _ other: TestTensor?) -> [TestTensor] {
      [seed.map { Self.weights.tuned(seed: $0) } ?? Self.weights] + (other.map { [$0] } ?? [])
    }
    return try Siblings(model(nil, base), [model(1, a), model(2, b)])
  }

  private func error(_ siblings: Siblings, _ method: String, _ scales: [Double]) throws -> String {
    let stack = try siblings.stack(MergeMethod(text: method), scales)
    let error = #expect(throws: VPatchError.self) { try siblings.merge(stack) }
    #expect(error?.code == .refused)
    return "\(error!)".replacingOccurrences(of: siblings.folder.path + "/", with: "")
  }

  // MARK: What cannot be combined

  @Test("other tensors than floats: one result, or none") func replacements() throws {
    let other = TestTensor("steps", "I32", [4], [1, 2, 3, 5] as [Int32])
    let third = TestTensor("steps", "I32", [4], [1, 2, 3, 6] as [Int32])
    let different = try siblings(other, third)
    let words = try error(different, "sum", [1, 1])
    #expect(words.contains("the one changes I32 values of \"steps\", the other changes I32 values of it"))
    #expect(words.contains("0.vpatch") && words.contains("1.vpatch"))
    #expect(words.contains("leave one of the two patches out"))
    let removed = try error(try siblings(other, nil), "sum", [1, 1])
    #expect(removed.contains("removes") && removed.contains("changes I32 values of"))
    let grown = TestTensor("steps", "I32", [5], [1, 2, 3, 4, 5] as [Int32])
    #expect(try error(try siblings(grown, other), "ties", [1, 1]).contains("adds or removes rows of"))
    let replaced = TestTensor("steps", "I64", [4], [1, 2, 3, 4] as [Int64])
    #expect(try error(try siblings(replaced, other), "dare", [1, 1]).contains("replaces"))

    let alike = try siblings(other, other)
    let merge = try alike.merge(alike.stack(.sum, [1, 1]))
    #expect(merge.touched == ["steps", "w"])
    #expect(try alike.bytes(merge, "steps") == other.bytes)
    #expect(
      try merge.outcome("steps") { alike.source($0) }.fingerprint
        == alike.patches[0].tensor(named: "steps")!.target!.fingerprint)
    // A mean of equals is that, whatever the scales.
    let mean = try alike.merge(alike.stack(MergeMethod(.slerp), [0.7, 0.3]))
    #expect(try alike.bytes(mean, "steps") == other.bytes)
  }

  @Test("other tensors than floats are not scaled, moved or averaged") func notScaled() throws {
    let added = TestTensor("steps", "I32", [4], [1, 2, 3, 5] as [Int32])
    let pair = try siblings(added, nil, base: nil)
    #expect(
      try error(pair, "sum", [0.5, 1]).contains(
        "0.vpatch: cannot be scaled by 0.5: it adds \"steps\"; give it the scale 1"))
    #expect(
      try error(pair, "sum toward-base=0.5", [1, 1])
        == "0.vpatch: cannot be moved toward its base: it adds \"steps\"; give --toward-base 0")
    #expect(try pair.merge(pair.stack(MergeMethod(text: "sum toward-base=0"), [1, 1])).target("steps") == added.info)
    #expect(
      try error(pair, "linear", [1, 1])
        == "1.vpatch: conflicts with 0.vpatch in the method linear: that one adds \"steps\", this one "
        + "does not; use the method sum")
    let merge = try pair.merge(pair.stack(.sum, [1, 0.5]))
    #expect(merge.target("steps") == added.info)
    #expect(try pair.bytes(merge, "steps") == added.bytes)
    // One that takes no part has no part in this either.
    let alone = try pair.merge(pair.stack(MergeMethod(.linear), [2, 0]))
    #expect(try pair.bytes(alone, "steps") == added.bytes)

    let gone = try siblings(nil, nil)
    let without = try gone.merge(gone.stack(.sum, [1, 1]))
    #expect(without.touched == ["steps", "w"] && without.target("steps") == nil)
    #expect(try without.outcome("steps") { gone.source($0) }.fingerprint == .zero)
  }

  @Test("the patches are the members, all of one base") func members() throws {
    let pair = try siblings(Self.steps, Self.steps)
    let stack = try pair.stack(.sum, [1, 1])
    let missing = #expect(throws: VPatchError.self) { try Merge(stack, patches: [pair.patches[0]]) }
    #expect(
      "\(missing!)" == "patch \(pair.patches[1].identity.short): is in the stack, but its file was not given; "
        + "give all of the stack's patches")
    let fewer = try stack.removing(pair.patches[1].identity)
    let extra = #expect(throws: VPatchError.self) { try Merge(fewer, patches: pair.patches) }
    #expect(
      "\(extra!)" == "\(pair.patches[1].path): is not a member of the stack; leave it out, or add it to the stack")
    let other = try StackDefinition(base: .zero, members: stack.members)
    let base = #expect(throws: VPatchError.self) { try Merge(other, patches: pair.patches) }
    #expect("\(base!)".contains("was made from \(stack.base.short), but the stack's base is 000000000000"))
  }

  // MARK: What is there

  @Test("a stack of one patch is that patch") func single() throws {
    let pair = try siblings(Self.steps, nil)
    let merge = try pair.merge(
      try StackDefinition(base: pair.patches[0].header.baseRoot, members: [.init(pair.patches[0].identity)]))
    #expect(merge.touched == ["w"])
    #expect(try pair.bytes(merge, "w") == Self.weights.tuned(seed: 1).bytes)
    #expect(
      merge.target("w") == Self.weights.info && merge.target("steps") == Self.steps.info && merge.target("x") == nil)
    let back = try pair.merge(try pair.stack(MergeMethod(.sum, towardBase: 1), [1, 0]))
    #expect(back.touched.isEmpty && back.target("w") == Self.weights.info)
  }

  @Test("the fingerprint is that of the bytes, and both sides are verified") func fingerprints() throws {
    let pair = try siblings(Self.steps, Self.steps)
    let merge = try pair.merge(try pair.stack(MergeMethod(.ties), [1, 0.5]))
    let outcome = try merge.outcome("w") { pair.source($0) }
    #expect(try outcome.fingerprint == merge.source("w") { pair.source($0) }.fingerprint() && outcome.notFinite == 0)
    let other = try Siblings([Self.weights.tuned(seed: 9)], [[Self.weights]])
    let wrong = #expect(throws: VPatchError.self) { try merge.outcome("w") { other.source($0) } }
    #expect(wrong?.code == .wrongBase)
    #expect(
      "\(wrong!)".contains(
        "was not made from this base, which differs in the tensor \"w\"; "
          + "the stack needs the model with root \(merge.definition.base.short)"
      ))
    let missing = #expect(throws: VPatchError.self) { try merge.source("w") { _ in nil } }
    #expect(missing?.code == .wrongBase)

    // A patch that promises another tensor than it makes.
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../fixtures/golden/refused-on-decode"
    ).path
    let liar = try Patch(path: "\(folder)/result_wrong.vpatch")
    let base = try SafetensorsCheckpoint(path: "\(folder)/base.safetensors")
    let stack = try StackDefinition(base: liar.header.baseRoot, members: [.init(liar.identity)])
    let lied = try Merge(stack, patches: [liar])
    let errors =
      lied.touched.compactMap { name in
        do {
          _ = try lied.outcome(name) { base.tensor(named: $0).map { StoredTensor($0, in: base) } }
          return nil
        } catch { return error as? VPatchError }
      } as [VPatchError]
    #expect(errors.count == 1 && errors[0].code == .mismatch && errors[0].reason.contains("recorded tensor"))
  }

  @Test("a tensor of several pieces, read at odd places") func pieces() throws {
    // Two float32 pieces and a bit; each sibling changes every third element, by the same amount.
    let count = (2 << 20) / 4 + 77
    func weights(_ changed: Int?) -> TestTensor {
      .f32("w", [count], (0..<count).map { i in i % 3 == changed ? 1.5 : 1 })
    }
    let siblings = try Siblings([weights(nil)], [[weights(0)], [weights(1)]])
    let stack = try siblings.stack(MergeMethod(.ties, density: 0.3), [1, 1])
    for kernel in Kernel.allCases where kernel.isSupported {
      let merge = try siblings.merge(stack, kernel)
      let source = try merge.source("w") { siblings.source($0) }
      let whole = try source.bytes()
      // Of equal magnitudes the first are kept.
      let kept = Int(0.3 * Double(count))
      let expected = (0..<count).map { i -> Float in i % 3 < 2 && i / 3 < kept ? 1.5 : 1 }
      #expect(whole == TestTensor.f32("w", [count], expected).bytes)
      guard case .trims(let trims) = try merge.plans.plan(of: "w", { .none }) else {
        Issue.record("TIES plans which differences it keeps")
        return
      }
      let unit = Double(0.5).bitPattern
      let ends = stack.members.map { $0.identity == siblings.patches[0].identity ? 3 * kept - 2 : 3 * kept - 1 }
      #expect(trims.map(\.before) == ends && trims.allSatisfy { $0.magnitude == unit })
      var random = TestRandom(3)
      for _ in 0..<40 {
        let start = Int(random.next() % UInt64(whole.count))
        let end = min(whole.count, start + 1 + Int(random.next() % 5000))
        var piece = [UInt8](repeating: 0, count: end - start)
        try piece.withUnsafeMutableBytes { try source.read(into: $0, at: start) }
        #expect(piece.elementsEqual(whole[start..<end]), "\(start)..<\(end)")
      }
    }
  }
}
