import TestModels

@testable import Checkpoints

/// How a quantiser stores one weight: codes and what makes numbers of them, by the names in use.
struct QuantisedFamily: Sendable, CustomStringConvertible {
  let description: String
  /// Names behind the module's, dtypes and shapes; the codes first.
  let tensors: [(tail: String, dtype: String, shape: [Int])]

  init(_ description: String, _ tensors: [(tail: String, dtype: String, shape: [Int])]) {
    self.description = description
    self.tensors = tensors
  }

  static let all: [QuantisedFamily] = [
    .init("float8 by blocks", [("weight", "F8_E4M3", [4, 8]), ("weight_scale_inv", "F32", [1, 1])]),
    .init("float8, bf16 scales", [("weight", "F8_E5M2", [4, 8]), ("weight_scale", "BF16", [4, 1])]),
    .init(
      "float8, static", [("weight", "F8_E4M3", [4, 8]), ("weight_scale", "F32", []), ("input_scale", "F32", [])]),
    .init("float8, powers of two", [("weight", "F8_E4M3", [4, 8]), ("scale", "F8_E8M0", [1, 1])]),
    .init("float8 experts", [("gate_up_proj", "F8_E4M3", [2, 4, 4]), ("gate_up_proj_scale_inv", "F32", [2, 1, 1])]),
    .init("mxfp4", [("down_proj_blocks", "U8", [2, 2, 8]), ("down_proj_scales", "U8", [2, 2])]),
    .init(
      "nvfp4",
      [
        ("weight", "U8", [4, 4]), ("weight_scale", "F8_E4M3", [4, 1]), ("weight_scale_2", "F32", []),
        ("input_scale", "F32", []),
      ]),
    .init(
      "compressed-tensors",
      [
        ("weight_packed", "I32", [4, 1]), ("weight_scale", "BF16", [4, 1]), ("weight_shape", "I64", [2]),
        ("weight_zero_point", "I32", [1, 1]), ("weight_global_scale", "F32", [1]), ("weight_g_idx", "I32", [8]),
      ]),
    .init(
      "gptq",
      [("qweight", "I32", [1, 4]), ("qzeros", "I32", [1, 1]), ("scales", "F16", [1, 4]), ("g_idx", "I32", [8])]),
    .init("awq", [("qweight", "I32", [8, 1]), ("qzeros", "I32", [1, 1]), ("scales", "F16", [1, 8])]),
    .init(
      "bitsandbytes nf4",
      [
        ("weight", "U8", [16, 1]), ("weight.absmax", "F32", [2]), ("weight.quant_map", "F32", [16]),
        ("weight.quant_state.bitsandbytes__nf4", "U8", [20]),
      ]),
    .init(
      "bitsandbytes nf4, stored as bf16",
      [
        ("weight", "BF16", [8, 1]), ("weight.absmax", "U8", [2]), ("weight.nested_absmax", "F32", [1]),
        ("weight.nested_quant_map", "F32", [16]), ("weight.quant_map", "F32", [16]),
        ("weight.quant_state.bitsandbytes__nf4", "U8", [20]),
      ]),
    .init("bitsandbytes int8", [("weight", "I8", [4, 8]), ("SCB", "F32", [4]), ("weight_format", "U8", [])]),
    .init("mlx", [("weight", "U32", [4, 1]), ("scales", "BF16", [4, 1]), ("biases", "BF16", [4, 1])]),
    .init("hqq", [("W_q", "U8", [8, 2]), ("scale", "F16", [1, 4]), ("zero", "F16", [1, 4]), ("nbits", "I32", [])]),
    .init("torchao", [("_weight_qdata", "F8_E4M3", [4, 8]), ("_weight_scale", "F32", [4, 1])]),
    .init("quanto", [("weight._data", "I8", [4, 8]), ("weight._scale", "BF16", [4, 1])]),
    .init("float8 of ComfyUI", [("weight", "F8_E4M3", [4, 8]), ("scale_weight", "F32", [])]),
    .init("a head of its own name", [("in_proj_weight", "I8", [4, 8]), ("in_proj_scale", "F32", [4])]),
  ]

  func make(_ module: String, _ random: inout TestRandom) -> [TestTensor] {
    tensors.map { tail, dtype, shape in
      let width = DType(dtype)!.element.width
      let bytes = (0..<shape.reduce(width, *)).map { _ in UInt8(random.next() % 0x70) }
      return TestTensor(module + tail, dtype, shape, bytes: bytes)
    }
  }
}

extension TestTensor {
  /// The same with some other bytes.
  func disturbed(_ random: inout TestRandom) -> TestTensor {
    var other = self
    let first = Int(random.next() % UInt64(bytes.count))
    for i in bytes.indices where i == first || random.next() % 4 == 0 {
      other.bytes[i] ^= UInt8(1 + random.next() % 3)
    }
    return other
  }
}
