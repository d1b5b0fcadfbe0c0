import Foundation
import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base

/// fixtures/golden/stacks: what stacks make, the same for ever, and for the second implementation.
///
/// `VPATCH_BLESS=1 swift test --filter GoldenStackTests` writes the folder anew.
@Suite("Golden stacks") struct GoldenStackTests {
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

  @Test("every stack makes its tensors, with both kernels") func stacks() throws {
    try GoldenStacks(
      "stacks", letters: "abcd",
      Self.stacks.map { GoldenStacks.Stack(name: $0.name, method: $0.method, scales: $0.scales, reason: $0.reason) },
      models: { Self.models() }
    ).check()
  }

  @Test("the examples of the spec") func examples() throws {
    let rule = MergeRule(
      try StackDefinition(base: .zero, method: MergeMethod(.dare, density: 0.5, seed: 7), members: []))
    #expect(rule.key(ContentDigest(bytes: [UInt8](repeating: 1, count: 32))!, "w") == 0x4657_8255_AC50_211A)
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
