/// The names of MLPs, experts and routers in a decoder layer, as data. A new family's names are new words here.
enum MLPNames {
  /// Blocks that hold an MLP or experts, each ending in a dot; the empty one is the layer itself.
  static let blocks = [
    "", "mlp.", "mlps.", "feed_forward.", "ffn.", "block_sparse_moe.", "moe.", "mixer.", "mlp.text_moe.",
  ]

  /// Blocks that can be an MLP. Granite 4's `shared_mlp` is beside experts or without any.
  static let denseBlocks = [
    "mlp.", "mlps.", "feed_forward.", "ffn.", "mixer.", "shared_mlp.", "residual_mlp.", "mlp_block.",
    "shared_transformer.feed_forward.", "shared_transf.feed_forward.",
  ]

  /// What feeds the non-linearity: gate and up, apart or in one, or the first projection of an MLP without a gate.
  static let inputs = [
    "gate_proj", "up_proj", "gate_up_proj", "gate_up_projs", "w1", "w3", "v1", "input_linear", "c_fc", "fc1", "fc_in",
    "dense_h_to_4h",
  ]
  /// What leaves it.
  static let outputs = [
    "down_proj", "down_projs", "w2", "output_linear", "c_proj", "fc2", "fc_out", "dense_4h_to_h",
  ]

  /// Experts of which a router chooses.
  static let routedExperts = ["experts.", "experts.mlp."]
  /// Experts in a block, also those that every token uses.
  static let experts = routedExperts + ["shared_expert.", "shared_experts.", "share_expert.", "shared_mlp."]

  /// Blocks whose own projections hold all experts: Granite MoE, Step 3.
  static let expertBlocks = ["block_sparse_moe.", "moe."]

  /// Modules of a block that choose experts, with all that is below them.
  static let routers: Set<Substring> = ["gate", "router", "shared_expert_gate", "moe_statics"]
  /// Gemma 4's router is beside its MLP.
  static let routersOfLayers: Set<Substring> = ["router"]
  /// Biases of routers that are parameters of the block.
  static let routerParameters = ["e_score_correction_bias", "expert_bias"]

  /// Names that follow no rule. Qwen's first model has w2 as its gate; OPT and OLMo's own code have no block; JetMoE's
  /// `mlp` holds experts.
  static let others: [(path: String, role: Component.Role)] = [
    ("mlp.w2", .mlpInput), ("mlp.Wi", .mlpInput), ("mlp.Wo", .mlpOutput), ("fc1", .mlpInput), ("fc2", .mlpOutput),
    ("ff_proj", .mlpInput), ("ff_out", .mlpOutput),
    ("mlp.input_linear", .expertInput), ("mlp.output_linear", .expertOutput),
  ]
}
