import Testing

@testable import Apply
@testable import Families

/// Names of families beside the zoo, as their models on the hub have them.
@Suite("Components: roles under other families' names") struct RoleTests {
  private static let rows: [(family: String, prefix: String, roles: KeyValuePairs<String, Component.Role?>)] = [
    (
      "deepseek-v2", "model.layers.",
      [
        "self_attn.q_proj.weight": .attentionInput, "self_attn.kv_a_proj_with_mqa.weight": .attentionInput,
        "self_attn.kv_b_proj.weight": .attentionInput, "self_attn.kv_a_layernorm.weight": .norm,
        "self_attn.o_proj.weight": .attentionOutput, "mlp.shared_experts.up_proj.weight": .expertInput,
        "mlp.experts.159.down_proj.weight": .expertOutput, "mlp.gate.weight": .router,
        "mlp.gate.e_score_correction_bias": .router, "mlp.gate_proj.weight": .mlpInput,
        "mlp.experts.3.gate_proj.weight_scale_inv": nil, "self_attn.indexer.wk.weight": nil, "eh_proj.weight": nil,
        "enorm.weight": .norm, "shared_head.norm.weight": .norm, "shared_head.head.weight": nil,
        "embed_tokens.weight": nil,
      ]
    ),
    (
      "kimi-linear", "model.layers.",
      [
        "self_attn.q_proj.weight": .attentionInput, "self_attn.g_a_proj.weight": .attentionInput,
        "self_attn.f_b_proj.weight": .attentionInput, "self_attn.b_proj.weight": .attentionInput,
        "self_attn.o_norm.weight": .norm, "self_attn.q_conv1d.weight": nil, "self_attn.A_log": nil,
        "self_attn.dt_bias": nil, "block_sparse_moe.gate.e_score_correction_bias": .router,
        "block_sparse_moe.shared_experts.down_proj.weight": .expertOutput,
      ]
    ),
    (
      "qwen2-moe", "model.layers.",
      [
        "mlp.shared_expert.gate_proj.weight": .expertInput, "mlp.shared_expert_gate.weight": .router,
        "mlp.experts.59.up_proj.weight": .expertInput,
      ]
    ),
    (
      "qwen3-omni", "thinker.model.layers.",
      ["self_attn.q_proj.weight": .attentionInput, "mlp.experts.127.gate_proj.weight": .expertInput]
    ),
    (
      "granite-moe-hybrid", "model.layers.",
      [
        "block_sparse_moe.input_linear.weight": .expertInput, "block_sparse_moe.output_linear.weight": .expertOutput,
        "block_sparse_moe.router.layer.weight": .router, "shared_mlp.input_linear.weight": .mlpInput,
        "shared_mlp.output_linear.weight": .mlpOutput, "mamba.in_proj.weight": nil, "mamba.out_proj.weight": nil,
        "mamba.norm.weight": .norm, "mamba.A_log": nil,
      ]
    ),
    (
      "jamba", "model.layers.",
      [
        "feed_forward.experts.7.gate_proj.weight": .expertInput, "feed_forward.router.weight": .router,
        "feed_forward.down_proj.weight": .mlpOutput, "mamba.x_proj.weight": nil, "mamba.dt_layernorm.weight": .norm,
      ]
    ),
    (
      "nemotron-h", "backbone.layers.",
      [
        "mixer.q_proj.weight": .attentionInput, "mixer.o_proj.weight": .attentionOutput, "mixer.in_proj.weight": nil,
        "mixer.out_proj.weight": nil, "mixer.up_proj.weight": .mlpInput, "mixer.down_proj.weight": .mlpOutput,
        "mixer.experts.3.up_proj.weight": .expertInput, "mixer.gate.weight": .router, "norm.weight": .norm,
        "mixer.conv1d.weight": nil,
      ]
    ),
    (
      "internlm2", "model.layers.",
      [
        "attention.wqkv.weight": .attentionInput, "attention.wo.weight": .attentionOutput,
        "feed_forward.w1.weight": .mlpInput, "feed_forward.w3.weight": .mlpInput,
        "feed_forward.w2.weight": .mlpOutput, "attention_norm.weight": .norm,
      ]
    ),
    (
      "mpt", "transformer.blocks.",
      [
        "attn.Wqkv.weight": .attentionInput, "attn.out_proj.weight": .attentionOutput, "ffn.up_proj.weight": .mlpInput,
        "ffn.down_proj.weight": .mlpOutput, "norm_1.weight": .norm,
      ]
    ),
    (
      "dbrx", "transformer.blocks.",
      [
        "norm_attn_norm.attn.Wqkv.weight": .attentionInput, "norm_attn_norm.attn.out_proj.weight": .attentionOutput,
        "norm_attn_norm.norm_1.weight": .norm, "ffn.experts.mlp.w1": .expertInput, "ffn.experts.mlp.v1": .expertInput,
        "ffn.experts.mlp.w2": .expertOutput, "ffn.router.layer.weight": .router,
      ]
    ),
    (
      "bloom", "transformer.h.",
      [
        "self_attention.query_key_value.bias": .attentionInput, "self_attention.dense.weight": .attentionOutput,
        "mlp.dense_h_to_4h.weight": .mlpInput, "mlp.dense_4h_to_h.weight": .mlpOutput, "input_layernorm.bias": .norm,
      ]
    ),
    (
      "gpt-neox", "gpt_neox.layers.",
      [
        "attention.query_key_value.weight": .attentionInput, "attention.dense.weight": .attentionOutput,
        "attention.rotary_emb.inv_freq": nil, "attention.bias": nil, "mlp.dense_h_to_4h.bias": .mlpInput,
      ]
    ),
    (
      "chatglm", "transformer.encoder.layers.",
      [
        "self_attention.query_key_value.weight": .attentionInput, "self_attention.dense.weight": .attentionOutput,
        "mlp.dense_h_to_4h.weight": .mlpInput,
      ]
    ),
    (
      "falcon", "transformer.h.",
      ["ln_attn.weight": .norm, "self_attention.query_key_value.weight": .attentionInput]
    ),
    (
      "phi", "model.layers.",
      ["self_attn.dense.weight": .attentionOutput, "mlp.fc1.weight": .mlpInput, "mlp.fc2.bias": .mlpOutput]
    ),
    (
      "qwen", "transformer.h.",
      [
        "attn.c_attn.weight": .attentionInput, "attn.c_proj.weight": .attentionOutput, "mlp.w1.weight": .mlpInput,
        "mlp.w2.weight": .mlpInput, "mlp.c_proj.weight": .mlpOutput,
      ]
    ),
    (
      "opt", "model.decoder.layers.",
      [
        "self_attn.out_proj.weight": .attentionOutput, "fc1.weight": .mlpInput, "fc2.weight": .mlpOutput,
        "encoder_attn.q_proj.weight": nil,
      ]
    ),
    (
      "mllama", "language_model.model.layers.",
      ["cross_attn.q_proj.weight": nil, "cross_attn.q_norm.weight": .norm, "cross_attn_attn_gate": nil]
    ),
    (
      "gemma-4", "model.language_model.layers.",
      [
        "router.proj.weight": .router, "router.per_expert_scale": .router, "experts.gate_up_proj": .expertInput,
        "experts.down_proj": .expertOutput, "mlp.gate_proj.weight": .mlpInput, "layer_scalar": nil,
        "per_layer_input_gate.weight": nil, "altup.modality_router.weight": nil,
      ]
    ),
    (
      "gpt-oss", "model.layers.",
      [
        "mlp.experts.gate_up_proj": .expertInput, "mlp.experts.gate_up_proj_bias": .expertInput,
        "mlp.experts.down_proj_bias": .expertOutput, "mlp.experts.gate_up_proj_blocks": nil,
        "mlp.experts.gate_up_proj_scales": nil, "self_attn.sinks": nil, "mlp.router.bias": .router,
      ]
    ),
    (
      "longcat", "model.layers.",
      [
        "self_attn.1.q_a_proj.weight": .attentionInput, "mlps.0.gate_proj.weight": .mlpInput,
        "mlp.router.classifier.weight": .router,
      ]
    ),
    (
      "adapters", "model.layers.",
      [
        "self_attn.q_proj.lora_A.weight": nil, "self_attn.q_proj.base_layer.weight": nil,
        "self_attn.q_proj.qweight": nil,
        "mlp.experts.0.w1.lora_B.default.weight": nil,
      ]
    ),
  ]

  @Test("each name has its role", arguments: rows.indices) func roles(row: Int) {
    let (family, prefix, roles) = Self.rows[row]
    let layout = ModelLayout.recognise(names: roles.map { prefix + "0." + $0.key })
    for (name, role) in roles {
      let component = layout.component(of: "\(prefix)11.\(name)")
      #expect(component.region == .decoderLayer && component.layer == 11, "\(family) \(name)")
      #expect(component.role == role, "\(family) \(name)")
    }
  }

  @Test("outside the layers: embeddings, heads, last norms, vision, further prediction") func regions() {
    let rows: [(layer: String, name: String, region: Component.Region)] = [
      ("h.0.attn.c_attn.weight", "wpe.weight", .embedding), ("h.0.attn.c_attn.weight", "ln_f.bias", .finalNorm),
      ("gpt_neox.layers.0.attention.dense.weight", "embed_out.weight", .head),
      ("gpt_neox.layers.0.attention.dense.weight", "gpt_neox.embed_in.weight", .embedding),
      ("gpt_neox.layers.0.attention.dense.weight", "gpt_neox.final_layer_norm.weight", .finalNorm),
      ("model.layers.0.attention.wo.weight", "output.weight", .head),
      ("model.layers.0.attention.wo.weight", "model.tok_embeddings.weight", .embedding),
      ("transformer.encoder.layers.0.mlp.dense_h_to_4h.weight", "transformer.output_layer.weight", .head),
      (
        "transformer.encoder.layers.0.mlp.dense_h_to_4h.weight", "transformer.embedding.word_embeddings.weight",
        .embedding
      ),
      ("backbone.layers.0.mixer.D", "backbone.norm_f.weight", .finalNorm),
      ("backbone.layers.0.mixer.D", "backbone.embeddings.weight", .embedding),
      ("model.layers.0.self_attn.q_proj.weight", "mtp.layers.0.self_attn.q_proj.weight", .prediction),
      ("model.layers.0.self_attn.q_proj.weight", "model.mtp_layers.0.mlp.up_proj.weight", .prediction),
      ("model.language_model.layers.0.mlp.up_proj.weight", "mtp.fc.weight", .prediction),
    ]
    for (layer, name, region) in rows {
      #expect(ModelLayout.recognise(names: [layer]).component(of: name).region == region, "\(name)")
    }
  }

  @Test("vision towers that look like a language model are none") func towers() {
    let rows: [(language: String, mark: String, tower: String)] = [
      ("thinker.model", "thinker.visual.patch_embed.proj.weight", "thinker.visual.blocks.0.mlp.gate_proj.weight"),
      ("language_model.model", "vision_model.class_embedding", "vision_model.model.layers.0.self_attn.q_proj.weight"),
      (
        "language_model.model", "multi_modal_projector.weight",
        "vision_model.transformer.layers.0.self_attn.q_proj.weight"
      ),
      (
        "language_model.model", "vision_tower.ln_pre.weight",
        "vision_tower.transformer.layers.0.attention.q_proj.weight"
      ),
      ("language_model.model", "mlp1.0.weight", "vision_model.encoder.layers.0.attn.qkv.weight"),
      ("llm.model", "resampler.query", "vpm.encoder.layers.0.self_attn.q_proj.weight"),
      ("language.model", "projector.layers.0.weight", "vision.blocks.0.attn.qkv.weight"),
      (
        "model", "model.vision_embed_tokens.img_projection.0.weight",
        "model.vision_embed_tokens.img_processor.vision_model.encoder.layers.0.self_attn.q_proj.weight"
      ),
      (
        "model.text_model", "model.connector.modality_projection.proj.weight",
        "model.vision_model.encoder.layers.0.self_attn.q_proj.weight"
      ),
    ]
    for (language, mark, tower) in rows {
      let layer = language + ".layers.0.self_attn.q_proj.weight"
      let layout = ModelLayout.recognise(names: [layer, mark, tower])
      #expect(Recipe.saProj.contains(layout.component(of: layer)), "\(language)")
      let component = layout.component(of: tower)
      #expect(component.region == .visionTower && component.layer == 0, "\(tower)")
      #expect(Recipe.allCases.filter { $0.contains(component) } == [.vision, .full], "\(tower)")
    }
    // The talker is another language model.
    let omni = ModelLayout.recognise(names: [
      "thinker.model.layers.0.self_attn.q_proj.weight", "thinker.visual.pos_embed.weight",
    ])
    #expect(omni.component(of: "talker.model.layers.0.self_attn.q_proj.weight").region == .other)
  }
}
