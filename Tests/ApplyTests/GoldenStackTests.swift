import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply

/// fixtures/golden/stacks: what stacks make, the same for ever, and for the second implementation.
///
/// `VPATCH_BLESS=1 swift test --filter GoldenStackTests` writes the folder anew.
@Suite("Golden stacks") struct GoldenStackTests {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../fixtures/golden/stacks").standardized.path

  /// Name, method, scales of the patches a, b, c, d (0: no member), reason.
  static let stacks: [(name: String, method: String, scales: [Double], reason: String)] = [
    ("sum", "sum", [1, 1, 1, 0], "three at scale 1: where one alone changes an element, its bits"),
    ("sum-scaled", "sum", [0.7, -1.25, 1, 0], "scales"),
    ("sum-replaced", "sum", [0.5, 0, 0, 1], "integers and an added tensor, of one patch at scale 1"),
    ("toward-base", "sum toward-base=0.25", [1, 1, 0, 0], "a quarter of the way back"),
    ("linear", "linear", [3, 1, 0.1, 0], "weighted by scales; some tensors are touched by two of three"),
    ("linear-all", "linear", [0, 0, 0, 0.3], "a mean of one is that one, also of integers"),
    ("ties", "ties density=0.5 lambda=1", [1, 1, 1, 0], "half of each, by magnitude"),
    ("ties-scaled", "ties density=0.2 lambda=0.9 toward-base=0.1", [1, 2, -0.5, 0], "weights of both signs"),
    ("ties-opposed", "ties density=1 lambda=1", [1, -1, 0, 0], "weights that cancel: a divisor of 0"),
    ("dare", "dare density=0.5 seed=7", [0.5, 1, 0, 0], "a scale that makes up for the density: bits survive"),
    ("dare-rare", "dare density=0.1 seed=18446744073709551615", [1, 1, 1, 0], "few are kept, the greatest seed"),
    ("dare-ties", "dare-ties density=0.75 lambda=1.5 seed=3", [1, 1, 1, 0], "dropped, then elected"),
    ("slerp", "slerp", [0.7, 0.3, 0, 0], "on the arc and on the line"),
    ("slerp-toward-base", "slerp toward-base=0.5", [1, 3, 0, 0], "half of the way back from the arc"),
    ("slerp-end", "slerp", [0x1p-1070, 1e300, 0, 0], "one scale is as good as 0: the other patch alone"),
  ]

  static func models() -> (base: [TestTensor], tuned: [[TestTensor]]) {
    let models = MergeElementTests.models(3, lengths: [0, 1, 7, 67], ordinary: 40)
    let steps = TestTensor("steps", "I16", [3], [1, -2, 3] as [Int16])
    let changed = TestTensor("steps", "I16", [3], [1, -2, 4] as [Int16])
    let extra = TestTensor("w.extra", "BF16", [2, 2], [0x3F80, 0, 0x8000, 0x7FC1] as [UInt16])
    let base = models.base + [steps]
    return (base, models.tuned.map { $0 + [steps] } + [models.base + [changed, extra]])
  }

  private func bless() throws {
    let (base, tuned) = Self.models()
    let siblings = try Siblings(base, tuned)
    let files = FileManager.default
    try files.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
    for name in try files.contentsOfDirectory(atPath: Self.folder) {
      try files.removeItem(atPath: "\(Self.folder)/\(name)")
    }
    try files.copyItem(atPath: siblings.base.path, toPath: "\(Self.folder)/base.safetensors")
    for (patch, letter) in zip(siblings.patches, "abcd") {
      try files.copyItem(atPath: patch.path, toPath: "\(Self.folder)/\(letter).vpatch")
    }
    var rows = ["file\tidentity\treason"]
    for (name, method, scales, reason) in Self.stacks {
      let members = zip(siblings.patches, scales).filter { $1 != 0 }
        .map { StackDefinition.Member($0.identity, scale: $1) }
      let stack = try StackDefinition(
        base: siblings.patches[0].header.baseRoot, method: MergeMethod(text: method), members: members)
      let letters = Dictionary(uniqueKeysWithValues: zip(siblings.patches.map(\.identity.hex), "abcd"))
      try siblings.folder.write(
        "\(name).stack", StackFile(name: name, stack).text { letters[$0.name].map(String.init) })
      try siblings.folder.file("\(name).safetensors", try result(siblings.merge(stack), siblings.base))
      for end in ["stack", "safetensors"] {
        try files.copyItem(atPath: siblings.folder["\(name).\(end)"], toPath: "\(Self.folder)/\(name).\(end)")
      }
      rows.append("\(name).stack\t\(stack.identity)\t\(reason)")
    }
    try Data((rows.joined(separator: "\n") + "\n").utf8).write(to: URL(filePath: "\(Self.folder)/REASONS.tsv"))
  }

  /// The tensors that the stack touches, as it makes them.
  private func result(_ merge: Merge, _ base: Checkpoint) throws -> [TestTensor] {
    try merge.touched.map { name in
      let source = { base.tensor(named: name).map { StoredTensor($0, in: base) } }
      let info = try #require(merge.target(name))
      return TestTensor(name, info.dtype.name, info.shape, bytes: try merge.source(name, base: source).bytes())
    }
  }

  @Test("every stack makes its tensors, with both kernels") func stacks() throws {
    if ProcessInfo.processInfo.environment["VPATCH_BLESS"] == "1" { try bless() }
    let base = try Checkpoint(path: "\(Self.folder)/base.safetensors")
    let patches = try "abcd".map { try Patch(path: "\(Self.folder)/\($0).vpatch") }
    let rows = try String(contentsOfFile: "\(Self.folder)/REASONS.tsv", encoding: .utf8)
      .split(separator: "\n").dropFirst().map { $0.split(separator: "\t").map(String.init) }
    #expect(rows.map { $0[0] } == Self.stacks.map { "\($0.name).stack" })
    for row in rows {
      let path = "\(Self.folder)/\(row[0])"
      let file = try StackFile(text: Array(Data(contentsOf: URL(filePath: path))), path: path)
      let stack = try StackDefinition(
        base: #require(Digest(hex: file.base)), method: file.method,
        members: file.members.map { .init(try #require(Digest(hex: $0.name)), scale: $0.scale) })
      #expect(stack.identity.hex == row[1], "\(row[0])")
      let expected = try Checkpoint(path: path.replacingOccurrences(of: ".stack", with: ".safetensors")).testTensors()
      for kernel in Kernel.allCases where kernel.isSupported {
        let members = patches.filter { patch in stack.members.contains { $0.identity == patch.identity } }
        let found = try result(Merge(stack, patches: members, kernel: kernel), base)
        #expect(found.map(\.name) == expected.map(\.name), "\(row[0])")
        for (a, b) in zip(found, expected) { #expect(a == b, "\(row[0]) \(a.name)") }
      }
    }
  }

  @Test("the examples of the spec") func examples() throws {
    let rule = MergeRule(
      try StackDefinition(base: .zero, method: MergeMethod(.dare, density: 0.5, seed: 7), members: []))
    #expect(rule.key(Digest(bytes: [UInt8](repeating: 1, count: 32))!, "w") == 0x4657_8255_AC50_211A)
    #expect(ExactMath.acos(0.25).bitPattern == 0x3FF5_1700_E0C1_4B25)
    #expect(ExactMath.acos(-0.9995).bitPattern == 0x4008_E137_322B_A5F5)
    #expect(ExactMath.sin(1).bitPattern == 0x3FEA_ED54_8F09_0CEE)
    #expect(ExactMath.sin(3).bitPattern == 0x3FC2_1038_6DB6_D557)
    #expect(ExactMath.atan(1).bitPattern == 0x3FE9_21FB_5444_2D18)
  }

  @Test("the formulas are good to the last digits") func formulas() {
    var random = TestRandom(4)
    for _ in 0..<10_000 {
      let unit = Double(random.next() >> 11) * 0x1p-53
      let (cosine, angle) = ((2 * unit - 1) * 0.9995, unit * Double.pi)
      #expect(abs(ExactMath.acos(cosine) - acos(cosine)) < 2e-15)
      #expect(abs(ExactMath.sin(angle) - sin(angle)) < 4e-16)
    }
  }
}
