import PatchFormat
import TestModels
import Testing

@testable import Apply
@testable import Base
@testable import Checkpoints

/// Codes and what makes numbers of them are one thing to `create`, too: a patch has all that changes of it or none.
@Suite("Patches of quantised weights") struct QuantisedCreateTests {
  let folder: TestFolder
  private static let code = "model.layers.0.self_attn.q_proj.weight"

  init() throws { folder = try TestFolder() }

  private func create(_ base: [TestTensor], _ tuned: [TestTensor], _ change: (inout CreateOptions) -> Void) throws
    -> Patch
  {
    try folder.file("base", base)
    try folder.file("tuned", tuned)
    var options = CreateOptions()
    change(&options)
    let create = try Create(
      base: SafetensorsCheckpoint(path: folder["base"]), tuned: SafetensorsCheckpoint(path: folder["tuned"]),
      options: options,
      work: WorkOptions(threads: 1))
    _ = try create.write(to: folder["p.vpatch"], replacing: true)
    return try Patch(path: folder["p.vpatch"])
  }

  private func model(_ state: String, _ byte: UInt8, _ scale: Float) -> [TestTensor] {
    TestModel.llama().without("0.self_attn.q_proj") + [
      TestTensor(Self.code, "F8_E4M3", [4], bytes: [byte, 2, 3, 4]), .f32(state, [1], [scale]),
    ]
  }

  private static let states = [
    "weight_scale_inv", "weight_scale", "scale_weight", "weights_scaling_factor", "weight.scale", "descale", "anything",
  ].map { "model.layers.0.self_attn.q_proj." + $0 }

  @Test("a recipe and a pattern bring the scales along", arguments: states) func selections(state: String) throws {
    let (base, tuned) = (model(state, 1, 2), model(state, 9, 3))
    for selection in [Selection.recipe(.saProj), .only(try NamePattern(".*q_proj.weight"))] {
      for drops in [false, true] {
        let patch = try create(base, tuned) {
          $0.selection = selection
          $0.dropOthers = drops
        }
        #expect(Set(patch.header.touched.map(\.name)) == [Self.code, state])
      }
    }
  }

  @Test("codes without their scales are no part, and numbers no codes", arguments: states) func parts(state: String)
    throws
  {
    let base = model(state, 1, 2)
    let codes = TestTensor(Self.code, "F8_E4M3", [4], bytes: [9, 2, 3, 4])
    #expect {
      try create(base, [codes]) { $0.isPartial = true }
    } throws: {
      "\($0)".contains("which belongs to the same codes and would remain")
    }
    let both = try create(base, [codes, .f32(state, [1], [3])]) { $0.isPartial = true }
    #expect(both.header.touched.count == 2)
    let numbers = TestTensor.bf16(Self.code, [4], [1, 2, 3, 4])
    for casts in [false, true] {
      #expect {
        try create(base, [numbers]) {
          $0.isPartial = true
          $0.castToBase = casts
        }
      } throws: {
        "\($0)".contains("codes (F8_E4M3) with scales")
      }
    }
    // The other way round: a quantised model over numbers.
    let plain = TestModel.llama().without("0.self_attn.q_proj") + [numbers]
    #expect {
      try create(plain, base) { _ in }
    } throws: {
      "\($0)".contains("is quantised (")
    }
    #expect {
      try create(plain, base) {
        $0.allowsAdditions = true
        $0.castToBase = true
      }
    } throws: {
      "\($0)".contains("they cannot be cast")
    }
  }
}
