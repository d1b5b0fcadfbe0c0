import Foundation
import TestModels
import Testing

@testable import Apply
@testable import Checkpoints

/// What is codes, what makes numbers of them, and what only looks like it (spec/stacks.md, section 4.1).
@Suite("Quantised units") struct QuantisedUnitTests {
  private func units(_ tensors: [(String, String)]...) -> [[String]] {
    QuantisedUnits(tensors.map { $0.map { TensorInfo(name: $0.0, dtype: DType($0.1)!, shape: [1], byteCount: 4) } })
      .units.map(\.names)
  }

  @Test("every family is one unit, in any module and at the top", arguments: QuantisedFamily.all)
  func families(_ family: QuantisedFamily) {
    for module in ["model.layers.3.mlp.", "a.b_", "", "é.ü."] {
      let named = family.tensors.map { (module + $0.tail, $0.dtype) }
      let bias = [(module + "bias", "BF16"), (module + "norm.weight", "F8_E4M3"), (module + "other.scale", "F32")]
      #expect(units(named + bias).map(Set.init) == [Set(named.map(\.0))], "\(module)")
      // Without the codes the rest is what it is; where it is codes itself, as scales in float8 are, a unit of its own.
      let rest = Array(named.dropFirst())
      #expect(units(rest + bias).isEmpty || rest.contains { !QuantisedNames.numbers.contains($0.1) }, "\(module)")
    }
  }

  @Test("every word of the lists, with its codes and without")
  func words() {
    for word in QuantisedNames.state {
      #expect(units([("x", "F8_E4M3"), ("x\(word)", "F32")]).count == 1, "\(word)")
      #expect(units([("x", "BF16"), ("x\(word)", "F32")]).isEmpty, "\(word)")
      #expect(units([("y", "F8_E4M3"), ("x\(word)", "F32")]).isEmpty, "\(word)")
      for tail in QuantisedNames.codes {
        #expect(units([("m.x\(tail)", "F32"), ("m.x\(word)", "F32")]).count == 1, "\(tail) \(word)")
      }
    }
    for word in QuantisedNames.stateOfAny {
      #expect(units([("x", "BF16"), ("x\(word)", "F32")]).count == 1, "\(word)")
    }
    for word in QuantisedNames.moduleState {
      for codes in QuantisedNames.moduleCodesOfAny {
        #expect(units([("m.\(codes)", "F32"), ("m.\(word)", "F32")]).count == 1, "\(codes) \(word)")
      }
      for codes in QuantisedNames.moduleCodes + ["weight"] {
        #expect(units([("m.\(codes)", "I8"), ("m.\(word)", "F32")]).count == 1, "\(codes) \(word)")
        #expect(units([("n.\(codes)", "I8"), ("m.\(word)", "F32")]).isEmpty, "\(codes) \(word)")
      }
      // Anchored: a name that merely ends like one.
      #expect(units([("m.weight", "I8"), ("m.n.x\(word)", "F32")]).isEmpty, "\(word)")
    }
  }

  @Test("what stands beside codes belongs to them, whatever it is called")
  func unknownNames() {
    for word in [
      "weight.scale_inv", "weight_scaler", "scales_and_zeros", "wscales", "w_scale", "scale_w", "weight_descale",
      "descale",
      "dequant_scales", "weight_scaling", "scale_factor", "fp8_scale", "qscales", "weight_quantizer.amax", "amax", "x",
    ] {
      for dtype in ["F8_E4M3", "F8_E5M2", "I8", "U8", "I32"] {
        #expect(units([("m.weight", dtype), ("m.bias", "BF16"), ("m.\(word)", "F32")]).count == 1, "\(word)")
        #expect(units([("m.weight", "BF16"), ("m.bias", "BF16"), ("m.\(word)", "F32")]).isEmpty, "\(word)")
      }
    }
    #expect(
      units([("experts.up_proj", "F8_E4M3"), ("experts.up_proj_x", "F32"), ("experts.up", "F32")]).map(\.count) == [2])
  }

  @Test(
    "what is none",
    arguments: [
      [("norm.scale", "F32"), ("norm.bias", "F32"), ("lm_head.weight", "F8_E4M3")],
      [("logit_scale", "F32"), ("visual.weight", "F8_E4M3"), ("text.weight", "I8")],
      [("embed_tokens.weight", "F8_E4M3"), ("embed_tokens.embed_scale", "BF16")],
      [("layer.weight", "BF16"), ("layer.weight_scale", "F32"), ("layer.scales", "F32")],
      [("self_attn.k_proj.weight", "F8_E4M3"), ("self_attn.k_scale", "F32"), ("self_attn.v_scale", "F32")],
      [("input_layernorm.weight", "F8_E4M3"), ("layer_scale.lambda", "F32"), ("layerscale", "F32")],
      [("a.weight", "F8_E4M3"), ("a.bias", "BF16"), ("b.weight_scale", "F32")],
      [("bn.num_batches_tracked", "I64"), ("bn.weight", "F32"), ("bn.scale", "F32")],
      [("mask", "BOOL"), ("mask_scale", "F32")], [("weight", "F8_E4M3")],
    ]) func none(_ tensors: [(String, String)])
  {
    #expect(units(tensors).isEmpty)
  }

  @Test("what is one unit on any side is one on all; chains of state join")
  func sides() {
    let quantised = [("x.weight", "F8_E4M3"), ("x.weight_scale", "F32")]
    #expect(units([("x.weight", "BF16")], quantised) == [["x.weight", "x.weight_scale"]])
    #expect(units(quantised, [("x.weight", "BF16"), ("x.weight_scale", "F32")]).count == 1)
    let double = quantised + [("x.weight_scale_scale", "F32")]
    #expect(units(double) == [["x.weight", "x.weight_scale", "x.weight_scale_scale"]])
    #expect(units([("x.weight", "U8"), ("x.weight_scale", "U8"), ("x.weight_scale_scale", "F32")]).map(\.count) == [3])
  }

  @Test("the page has the lists") func page() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../spec/stacks.md").path
    let text = try String(contentsOfFile: path, encoding: .utf8)
    func list(_ key: String) throws -> [String] {
      let start = try #require(text.range(of: "```\n\(key)\n\n")).upperBound
      let end = try #require(text.range(of: "```", range: start..<text.endIndex)).lowerBound
      return text[start..<end].split(whereSeparator: \.isWhitespace).map(String.init)
    }
    #expect(try list("codes") == QuantisedNames.codes)
    #expect(try list("module-codes") == QuantisedNames.moduleCodes)
    #expect(try list("module-codes-of-any") == QuantisedNames.moduleCodesOfAny)
    for (key, words) in [
      ("state", QuantisedNames.state), ("state-of-any", QuantisedNames.stateOfAny),
      ("module-state", QuantisedNames.moduleState),
    ] {
      #expect(try list(key).count == words.count && Set(list(key)) == Set(words.map(String.init)), "\(key)")
    }
  }
}
