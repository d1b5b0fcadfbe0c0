import Foundation
import TestModels
import Testing

/// fixtures/golden/stacks-quantised: stacks over quantised weights that are taken, and such as are refused; for the
/// second implementation too.
///
/// `VPATCH_BLESS=1 swift test --filter GoldenQuantisedTests` writes the folder anew.
@Suite("Golden stacks of quantised weights") struct GoldenQuantisedTests {
  static let golden = GoldenStacks(
    "stacks-quantised", letters: "abcdefghi",
    [
      .init(name: "one-unit-each", method: "sum", scales: [1, 0, 1, 0.5], reason: "two units whole, floats summed"),
      .init(name: "scale-alone", method: "sum", scales: [0, 1, 0, 2], reason: "one member changes a scale, no codes"),
      .init(name: "plain-float8", method: "sum", scales: [0, 0, 1, 1], reason: "float8 without a scale is a float"),
      .init(name: "dequantised", method: "sum", scales: [0, 0, 0, -1, 1], reason: "codes replaced, scales removed"),
      .init(
        name: "same-integers", method: "ties density=0.5 lambda=1", scales: [0, 0, 0, 0.7, 0, 0, 1, 1],
        reason: "two members make the same of integers"),
      .init(name: "mean-of-one", method: "linear", scales: [0.3], reason: "a mean of one is that one"),
      .init(
        name: "dare-keeps-all", method: "dare density=1 seed=3", scales: [1, 0, 1, 0.5], reason: "nothing is dropped"),
      .init(name: "slerp-end", method: "slerp", scales: [0x1p-1070, 1e300], reason: "one scale is as good as 0"),
      .init(
        name: "blocks-and-float8", method: "sum", scales: [1, 0, 0, 0.5, 0, 0, 0, 1], reason: "units of two members"),
      .init(
        name: "refused-codes-and-scale", method: "sum", scales: [1, 1],
        reason: "codes and scale of one, scale of the other", isRefused: true),
      .init(
        name: "refused-same", method: "sum", scales: [1, 0, 0, 0, 0, 1], reason: "both make the same of floats",
        isRefused: true),
      .init(name: "refused-scaled", method: "sum", scales: [0.5], reason: "codes are not scaled", isRefused: true),
      .init(
        name: "refused-scaled-scale", method: "sum", scales: [0, 2], reason: "a scale is not scaled", isRefused: true),
      .init(
        name: "refused-toward-base", method: "sum toward-base=0.25", scales: [1], reason: "which has no middle",
        isRefused: true),
      .init(
        name: "refused-at-base", method: "sum toward-base=1", scales: [1], reason: "also where all is the base's",
        isRefused: true),
      .init(
        name: "refused-linear", method: "linear", scales: [1, 0, 0, 1], reason: "a mean with what is unchanged",
        isRefused: true),
      .init(
        name: "refused-ties", method: "ties density=0.5 lambda=1", scales: [1, 0, 0, 1], reason: "a part is kept",
        isRefused: true),
      .init(
        name: "refused-dare", method: "dare density=0.5 seed=7", scales: [1, 0, 0, 1], reason: "a part is kept",
        isRefused: true),
      .init(name: "refused-slerp", method: "slerp", scales: [1, 1], reason: "on the way between", isRefused: true),
      .init(
        name: "refused-dequantised", method: "sum", scales: [0, 1, 0, 0, 1], reason: "a scale of codes that are gone",
        isRefused: true),
      .init(
        name: "refused-blocks", method: "sum", scales: [0, 0, 0, 0, 0, 0, 1, 0, 1],
        reason: "scales beside other blocks", isRefused: true),
    ], models: { models() })

  private static let attention = "model.layers.0.self_attn."

  /// Six units in use, and what looks like a part of one and is none.
  static func models() -> (base: [TestTensor], tuned: [[TestTensor]]) {
    var random = TestRandom(12)
    func unit(_ family: String, _ module: String) -> [TestTensor] {
      QuantisedFamily.all.first { $0.description == family }!.make(module, &random)
    }
    let base =
      unit("float8 by blocks", attention + "q_proj.") + unit("mxfp4", "model.layers.0.mlp.experts.")
      + unit("gptq", "model.layers.1.mlp.up_proj.") + unit("bitsandbytes nf4", attention + "k_proj.") + [
        .weights("model.norm.weight", [8]), .weights("model.norm.scale", [8]), .f32("logit_scale", [], [2.5]),
        TestTensor(attention + "v_proj.weight", "F8_E4M3", [4, 8], bytes: (0..<32).map { 0x20 + $0 }),
        .weights(attention + "o_proj.weight", [4, 8]), .f32(attention + "o_proj.weight_scale", [4], [1, 2, 3, 4]),
        .f32(attention + "k_scale", [], [0.5]),
      ]
    func tuned(_ parts: [String], seed: UInt64) -> [TestTensor] {
      var random = TestRandom(seed)
      return base.map { tensor in
        parts.contains { tensor.name.hasSuffix($0) } ? tensor.disturbed(&random) : tensor
      }
    }
    let a = tuned(["q_proj.weight", "q_proj.weight_scale_inv", "model.norm.weight"], seed: 1)
    let b = tuned(["q_proj.weight_scale_inv", "model.norm.weight"], seed: 2)
    let c = tuned(["qweight", "up_proj.scales", "v_proj.weight", "logit_scale"], seed: 3)
    let d = tuned(
      ["v_proj.weight", "norm.weight", "norm.scale", "logit_scale", "o_proj.weight", "o_proj.weight_scale", "k_scale"],
      seed: 4)
    let e =
      base.filter { !$0.name.contains("k_proj.") && !$0.name.hasSuffix("q_proj.weight_scale_inv") }
      .map { $0.name.hasSuffix("q_proj.weight") ? .weights($0.name, [4, 8], seed: 5) : $0 }
      + [.weights(attention + "k_proj.weight", [4, 8], seed: 6)]
    let f = tuned(["model.norm.scale"], seed: 7).map { tensor in
      tensor.name.contains("q_proj") ? a.first { $0.name == tensor.name }! : tensor
    }
    let g = tuned(["experts.down_proj_blocks"], seed: 8)
    let h = g.map { $0.name == "logit_scale" ? .f32("logit_scale", [], [3]) : $0 }
    let i = tuned(["experts.down_proj_scales"], seed: 9)
    return (base, [a, b, c, d, e, f, g, h, i])
  }

  @Test("stacks that are taken make their tensors, the others are refused, with both kernels")
  func stacks() throws { try Self.golden.check() }
}
