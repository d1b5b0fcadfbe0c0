/// Qwen2.5-VL.
extension MultimodalFamily {
  static let qwenVLs = [
    MultimodalFamily(
      "qwen2_5_vl", decoder: .always(.qwen2), tokenizer: .named(otherwise: .qwen2), normEpsilon: 1e-5, ropeTheta: 1e6)
  ]
}
