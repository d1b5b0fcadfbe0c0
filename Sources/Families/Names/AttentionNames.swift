/// The names of attention in a decoder layer, as data. A new family's names are new words here.
///
/// Convolutions (LFM2's `conv`), Mamba (`mamba`, `mixer.in_proj`), cross-attention to images (`cross_attn`), and
/// DeepSeek's `indexer` are not attention, or not self-attention: they are not here.
enum AttentionNames {
  /// Blocks, each ending in a dot, with their projections.
  struct Family {
    let blocks: [String]
    let inputs: [String]
    let outputs: [String]
  }

  static let families = [
    // Softmax attention.
    Family(
      blocks: [
        "shared_transformer.self_attn.", "shared_transf.self_attn.", "self_attn.", "attn.", "attention.",
        "self_attention.", "attn.attention.", "norm_attn_norm.attn.",
      ],
      inputs: separate + fused + latent + gates,
      outputs: ["o_proj", "out_proj", "dense", "c_proj", "wo", "Wo", "o_a_proj", "o_b_proj"]),
    // Nemotron-H calls every block a mixer; `in_proj` and `out_proj` there are Mamba's. RecurrentGemma's blocks are
    // attention or recurrent.
    Family(blocks: ["mixer.", "temporal_block."], inputs: separate, outputs: ["o_proj"]),
    // Linear attention: Gated DeltaNet of Qwen3-Next, Qwen3.5 and OLMo Hybrid.
    Family(
      blocks: ["linear_attn."],
      inputs: separate + ["in_proj_qkvz", "in_proj_ba", "in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a"]
        + ["a_proj", "b_proj", "g_proj"],
      outputs: ["out_proj", "o_proj"]),
    // OLMo as its authors' code saves it: no block.
    Family(blocks: [""], inputs: ["att_proj"], outputs: ["attn_out"]),
  ]

  private static let separate = ["q_proj", "k_proj", "v_proj"]

  /// q, k and v in one: Phi-3, BLOOM and GPT-NeoX, MPT, InternLM2, Baichuan, GPT-2.
  private static let fused = ["qkv_proj", "query_key_value", "Wqkv", "wqkv", "W_pack", "c_attn"]

  /// Multi-head latent attention: DeepSeek, Kimi, GLM; MiniCPM 3; the names of DeepSeek's own code.
  private static let latent = [
    "q_a_proj", "q_b_proj", "kv_a_proj_with_mqa", "kv_a_proj", "kv_b_proj", "kv_proj", "wq", "wk", "wv", "wq_a", "wq_b",
    "wkv_a",
    "wkv_b",
  ]

  /// What is computed from a token to weigh or to gate what attention reads: AFMoE, Step 3.5, MiniMax, and the linear
  /// attention of Kimi and Ling, which has softmax attention's block name.
  private static let gates = [
    "gate_proj", "g_proj", "q_gate_proj", "output_gate", "forget_gate.f_proj", "forget_gate.f_a_proj",
    "forget_gate.f_b_proj", "b_proj", "f_a_proj", "f_b_proj",
    "g_a_proj", "g_b_proj",
  ]
}
