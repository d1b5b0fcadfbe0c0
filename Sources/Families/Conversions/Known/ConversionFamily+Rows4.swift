// Written by bench/conversions.py from the rules of transformers 5.24.

extension ConversionFamily {
  static let rows4 = """
    inkling2_loop_text:
      controllers.attn > q_message_gate; controllers.k > k_message_gate; controllers.v > v_message_gate;
      controllers.mlp > mlp_message_gate; _message_gate.down_weight > _message_gate.down_proj.weight;
      _message_gate.gain_weight > _message_gate.message_gate_proj.weight; _message_gate.forget_weight >
      _message_gate.forget_gate_proj.weight; model.llm.unembed > lm_head; model.llm > model; embed.weight >
      embed_tokens.weight; embed_norm > embed_tokens.embed_norm; mlp.gate.bias > mlp.gate.e_score_correction_bias;
      attn > self_attn; self_attn.wq_du > self_attn.q_proj.linear; self_attn.wk_dv > self_attn.k_proj.linear;
      self_attn.wv_dv > self_attn.v_proj.linear; self_attn.k_sconv > self_attn.k_proj.sconv; self_attn.v_sconv >
      self_attn.v_proj.sconv; self_attn.rel_logits_proj > self_attn.relative_position_bias; self_attn.wr_du >
      self_attn.relative_position_bias.linear; self_attn.q_l2_clip > self_attn.q_proj.norm; self_attn.rel_l2_clip >
      self_attn.relative_position_bias.norm; self_attn.wo_ud > self_attn.o_proj.linear; self_attn.gate_attn >
      self_attn.o_proj.gate_proj; self_attn.attn_sink_proj > self_attn.sink_proj; attn_sconv >
      post_attention_convolution; mlp_sconv > post_mlp_convolution; convolution.static_w > convolution.static_weight;
      sconv.static_w > sconv.static_weight; convolution.weight_proj > convolution.weight_proj.weight;
      sconv.weight_proj > sconv.weight_proj.weight; mlp_norm > post_attention_layernorm; attn_norm > input_layernorm;
      q_input_norm > q_input_layernorm; k_input_norm > k_input_layernorm; v_input_norm > v_input_layernorm;
      attn_res.mlp_queries.* > layers.*.mlp_input.query; attn_res.output_query > final_input.query
    """
}
