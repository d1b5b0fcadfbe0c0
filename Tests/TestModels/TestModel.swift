/// A LLaMA-like model of a few kilobytes.
package enum TestModel {
  package static func llama(layers: Int = 2, width: Int = 16, vocabulary: Int = 24, seed: UInt64 = 0) -> [TestTensor] {
    var tensors = [TestTensor.weights("model.embed_tokens.weight", [vocabulary, width], seed: seed)]
    for layer in 0..<layers {
      let shapes = [
        ("input_layernorm", [width]), ("mlp.down_proj", [width, 2 * width]), ("mlp.gate_proj", [2 * width, width]),
        ("mlp.up_proj", [2 * width, width]), ("post_attention_layernorm", [width]),
        ("self_attn.k_proj", [width / 2, width]), ("self_attn.o_proj", [width, width]),
        ("self_attn.q_proj", [width, width]), ("self_attn.v_proj", [width / 2, width]),
      ]
      tensors += shapes.map { .weights("model.layers.\(layer).\($0).weight", $1, seed: seed) }
    }
    return tensors + [.weights("model.norm.weight", [width], seed: seed)]
  }

  package static let attention = ["q_proj", "k_proj", "v_proj", "o_proj"].map { "self_attn.\($0)." }
  package static let gateUp = ["mlp.gate_proj.", "mlp.up_proj."]
}

extension [TestTensor] {
  /// Those whose names contain one of the parts are tuned; the others stay.
  package func tuned(_ parts: [String], seed: UInt64 = 1) -> [TestTensor] {
    map { tensor in parts.contains { tensor.name.contains($0) } ? tensor.tuned(seed: seed) : tensor }
  }

  package func tuned(_ part: String, seed: UInt64 = 1) -> [TestTensor] { tuned([part], seed: seed) }

  package func without(_ part: String) -> [TestTensor] { filter { !$0.name.contains(part) } }

  /// The tensor of that name in place of the one that is there.
  package func replacing(_ tensor: TestTensor) -> [TestTensor] {
    map { $0.name == tensor.name ? tensor : $0 }
  }

  package subscript(name: String) -> TestTensor { first { $0.name == name }! }
}
