// Written by bench/conversions.py from the rules of transformers 5.24.

extension ConversionFamily {
  static let rows1 = """
    dory:
      self_attn.g_proj > self_attn.gate_proj; ^backbone > model; embeddings > embed_tokens
    hy_v4, hy_v4_vl_text:
      hc_pre.hc_ > hc_; learnable_sink_param > sinks; linear_gate > gate_proj; hc_attn_layer.hc_fn > attn_hc.fn;
      hc_attn_layer.hc_base > attn_hc.base; hc_attn_layer.hc_scale > attn_hc.scale; hc_mlp_layer.hc_fn > ffn_hc.fn;
      hc_mlp_layer.hc_base > ffn_hc.base; hc_mlp_layer.hc_scale > ffn_hc.scale; hc_head_fn > hc_fn; hc_head_base >
      hc_base; hc_head_scale > hc_scale
    hy_v4_vl:
      mlp.dense_h_to_4h > mlp.fc1; mlp.dense_4h_to_h > mlp.fc2; ^vit.layers.*.input_layernorm >
      vit.layers.*.layer_norm1; ^vit.layers.*.post_attention_layernorm > vit.layers.*.layer_norm2; perceive.norm >
      perceive.before_rms; patch_merger.norm > patch_merger.before_rms; perceive.proj.0 > perceive.proj_conv;
      perceive.proj.2 > perceive.proj_out; perceive > patch_merger; ^model !language_model,vit,vision_tower >
      model.language_model; ^vit > model.vision_tower
    cosmos3_edge:
      ^embed_tokens > model.language_model.embed_tokens; ^norm > model.language_model.norm; ^layers >
      model.language_model.layers; self_attn.to_q > self_attn.q_proj; self_attn.to_k > self_attn.k_proj;
      self_attn.to_v > self_attn.v_proj; self_attn.to_out > self_attn.o_proj; mlp.up_proj > mlp.fc1; mlp.down_proj >
      mlp.fc2
    inkling_mm_model:
      model.llm.layers > model.language_model.layers; model.llm.embed_norm.weight >
      model.language_model.embed_tokens.embed_norm.weight; model.llm.embed.weight >
      model.language_model.embed_tokens.weight; model.llm.norm.weight > model.language_model.norm.weight;
      model.llm.unembed.weight > lm_head.weight; model.audio > model.audio_tower; model.visual > model.vision_tower;
      vision_tower.layers.linear_* > vision_tower.encoder_layers.*.projection; vision_tower.layers.norm_* >
      vision_tower.encoder_layers.*.layer_norm; audio_tower.encoder.weight >
      audio_tower.embed_audio_tokens.embed_audio_tokens.weight; audio_tower.final_norm.weight >
      audio_tower.norm.weight; shared_w13_weight > gate_proj + up_proj : deinterleave1 join1; shared_w2_weight >
      down_proj; mlp.experts.w13_weight > mlp.experts.gate_up_proj : deinterleave1; mlp.experts.w2_weight >
      mlp.experts.down_proj; mlp.w13_dn.weight > mlp.gate_proj.weight + mlp.up_proj.weight : deinterleave0 join0;
      mlp.w2_md.weight > mlp.down_proj.weight; mlp.gate.bias > mlp.gate.e_score_correction_bias; attn.wq_du >
      self_attn.q_proj; attn.wk_dv > self_attn.k_proj; attn.wv_dv > self_attn.v_proj; attn.wr_du > self_attn.r_proj;
      attn.wo_ud > self_attn.o_proj; attn.q_norm > self_attn.q_norm; attn.k_norm > self_attn.k_norm; attn.k_sconv >
      self_attn.k_sconv.conv1d; attn.v_sconv > self_attn.v_sconv.conv1d; attn.rel_logits_proj >
      self_attn.rel_logits_proj; attn_sconv.weight > attn_sconv.conv1d.weight; mlp_sconv.weight >
      mlp_sconv.conv1d.weight; mlp_norm > post_attention_layernorm; attn_norm > input_layernorm
    inkling2, inkling2_loop:
      model.llm.unembed > lm_head; model.llm > model.language_model; model.visual > model.vision_tower;
      vision_tower.backbone.embeddings > vision_tower.embeddings; vision_tower.embeddings.position_embedding >
      vision_tower.embeddings.position_embedding.weight; vision_tower.backbone.ln_pre > vision_tower.pre_layernorm;
      vision_tower.backbone.layers > vision_tower.layers; vision_tower.proj_in > vision_tower.merger.linear_1;
      vision_tower.proj_out > vision_tower.merger.linear_2; vision_tower.layers.*.ln_1 >
      vision_tower.layers.*.layernorm_before; vision_tower.layers.*.ln_2 > vision_tower.layers.*.layernorm_after;
      vision_tower.layers.*.mlp.c_fc > vision_tower.layers.*.mlp.fc1; vision_tower.layers.*.mlp.c_proj >
      vision_tower.layers.*.mlp.fc2; vision_tower.layers.*.ls_1.gamma > vision_tower.layers.*.lambda_1;
      vision_tower.layers.*.ls_2.gamma > vision_tower.layers.*.lambda_2
    inkling2_text:
      model.llm.unembed > lm_head; model.llm > model; embed.weight > embed_tokens.weight; embed_norm >
      embed_tokens.embed_norm; mlp.experts.w13_weight > mlp.experts.gate_up_proj : deinterleave1;
      mlp.experts.w13_weight_scale > mlp.experts.gate_up_proj_scale_inv : deinterleave1; mlp.experts.w2_weight >
      mlp.experts.down_proj; mlp.experts.w2_weight_scale > mlp.experts.down_proj_scale_inv; mlp.gate.bias >
      mlp.gate.e_score_correction_bias; attn > self_attn; self_attn.wq_du > self_attn.q_proj.linear; self_attn.wk_dv >
      self_attn.k_proj.linear; self_attn.wv_dv > self_attn.v_proj.linear; self_attn.k_sconv > self_attn.k_proj.sconv;
      self_attn.v_sconv > self_attn.v_proj.sconv; self_attn.rel_logits_proj > self_attn.relative_position_bias;
      self_attn.wr_du > self_attn.relative_position_bias.linear; self_attn.q_l2_clip > self_attn.q_proj.norm;
      self_attn.rel_l2_clip > self_attn.relative_position_bias.norm; self_attn.wo_ud > self_attn.o_proj.linear;
      self_attn.gate_attn > self_attn.o_proj.gate_proj; self_attn.attn_sink_proj > self_attn.sink_proj; attn_sconv >
      post_attention_convolution; mlp_sconv > post_mlp_convolution; convolution.static_w > convolution.static_weight;
      sconv.static_w > sconv.static_weight; convolution.weight_proj > convolution.weight_proj.weight;
      sconv.weight_proj > sconv.weight_proj.weight; mlp_norm > post_attention_layernorm; attn_norm > input_layernorm;
      q_input_norm > q_input_layernorm; k_input_norm > k_input_layernorm; v_input_norm > v_input_layernorm;
      attn_res.mlp_queries.* > layers.*.mlp_input.query; attn_res.output_query > final_input.query
    GPTNeoXForCausalLM:
      ^embed_out > lm_head
    axk2:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; W_down > mlp.fc1; W_up > mlp.fc2;
      self_attn.q_b_proj > self_attn.q_gate_proj
    gemma4_unified:
      vision_embedder.patch_ln1 > embed_vision.patch_ln1; vision_embedder.patch_dense > embed_vision.patch_dense;
      vision_embedder.patch_ln2 > embed_vision.patch_ln2; vision_embedder.pos_embedding > embed_vision.pos_embedding;
      vision_embedder.pos_norm > embed_vision.pos_norm; embed_vision.embedding_projection >
      embed_vision.multimodal_embedder.embedding_projection
    radio:
      radio_model.model.patch_generator.video_embedder > embeddings.video_patch_projection;
      radio_model.model.patch_generator.embedder > embeddings.patch_projection;
      radio_model.model.patch_generator.pos_embed > embeddings.position_embedding;
      radio_model.model.patch_generator.cls_token.token > embeddings.cls_register_token; radio_model.model.blocks >
      encoder.layer; attn.proj > attention.o_proj; radio_model.input_conditioner > input_conditioner;
      radio_model.summary_idxs > summary_idxs; attn.qkv > attention.q_proj + attention.k_proj + attention.v_proj :
      join0
    NemotronH_Omni_Reasoning_V3:
      ^mlp1.0 > multi_modal_projector.layer_norm; ^mlp1.1 > multi_modal_projector.linear_1; ^mlp1.3 >
      multi_modal_projector.linear_2; ^vision_projector.vision_final_layernorm > vision_final_layernorm;
      ^sound_encoder.encoder > audio_tower; ^sound_projection.norm > embed_audio.layer_norm; ^sound_projection.linear1
      > embed_audio.linear_1; ^sound_projection.linear2 > embed_audio.linear_2
    hrm_text:
      mlp.gate_up_proj.weight > mlp.gate_proj.weight + mlp.up_proj.weight : join0; attn.gqkv_proj.weight >
      self_attn.gate_proj.weight + self_attn.q_proj.weight + self_attn.k_proj.weight + self_attn.v_proj.weight :
      join0; attn.o_proj > self_attn.o_proj
    hunyuan_vl:
      mlp.dense_h_to_4h > mlp.fc1; mlp.dense_4h_to_h > mlp.fc2; ^vit.layers.*.input_layernorm >
      vit.layers.*.layer_norm1; ^vit.layers.*.post_attention_layernorm > vit.layers.*.layer_norm2; perceive.proj.0 >
      perceive.proj_conv; perceive.proj.2 > perceive.proj_out; perceive > patch_merger; ^model
      !language_model,vit,vision_tower > model.language_model; ^model.vit > model.vision_tower; ^vit >
      model.vision_tower
    ViTModel, ASTModel, DeiTModel, IJepaModel, ViTMAEModel, ViTMSNModel, VivitModel:
      encoder.layer > layers; attention.query > q_proj; attention.key > k_proj; attention.value > v_proj;
      attention.output.dense > attention.o_proj; intermediate.dense > mlp.fc1; output.dense > mlp.fc2
    Dinov2Model, Dinov2WithRegistersModel, Dinov2Backbone, Dinov2WithRegistersBackbone:
      attention.attention.query > attention.q_proj; attention.attention.key > attention.k_proj;
      attention.attention.value > attention.v_proj; attention.output.dense > attention.o_proj; mlp.weights_in.weight >
      mlp.gate_proj.weight + mlp.up_proj.weight : join0; mlp.weights_in.bias > mlp.gate_proj.bias + mlp.up_proj.bias :
      join0; mlp.weights_out > mlp.down_proj
    ViTMSNForImageClassification:
      ^encoder > vit.encoder
    ViTMAEForPreTraining:
      attention.query > q_proj; attention.key > k_proj; attention.value > v_proj; attention.output.dense >
      attention.o_proj; intermediate.dense > mlp.fc1; output.dense > mlp.fc2
    BeitBackbone:
      ^fpn1.0 > fpn.fpn1.conv_transpose1; ^fpn1.1 > fpn.fpn1.normalization; ^fpn1.3 > fpn.fpn1.conv_transpose2;
      ^fpn2.0 > fpn.fpn2; ^encoder.layer > beit.encoder.layer; ^embeddings > beit.embeddings; attention.query >
      q_proj; attention.key > k_proj; attention.value > v_proj; attention.output.dense > attention.o_proj;
      intermediate.dense > mlp.fc1; output.dense > mlp.fc2
    BeitForSemanticSegmentation:
      ^fpn1.0 > fpn.fpn1.conv_transpose1; ^fpn1.1 > fpn.fpn1.normalization; ^fpn1.3 > fpn.fpn1.conv_transpose2;
      ^fpn2.0 > fpn.fpn2; decode_head.bottleneck > decode_head.psp_bottleneck; decode_head.psp_modules.*.1.conv.weight
      > decode_head.psp_modules.blocks.*.conv.convolution.weight; decode_head.psp_modules.*.1.bn >
      decode_head.psp_modules.blocks.*.conv.normalization
    lw_detr:
      attention.attention.query > attention.q_proj; attention.attention.key > attention.k_proj;
      attention.attention.value > attention.v_proj; attention.output > attention.o_proj
    SegformerModel:
      encoder.patch_embeddings.* > stages.*.patch_embeddings; encoder.block.* > stages.*.blocks; encoder.layer_norm.*
      > stages.*.layer_norm; attention.self.query > attention.q_proj; attention.self.key > attention.k_proj;
      attention.self.value > attention.v_proj; attention.self.sr > attention.sequence_reduction.sequence_reduction;
      attention.self.layer_norm > attention.sequence_reduction.layer_norm; attention.output.dense > attention.o_proj;
      mlp.dense1 > mlp.fc1; mlp.dense2 > mlp.fc2; layer_norm_1 > layernorm_before; layer_norm_2 > layernorm_after
    SegformerForSemanticSegmentation:
      decode_head.linear_c > decode_head.linear_projections
    videomae:
      attention.attention.q_bias > attention.attention.query.bias; attention.attention.v_bias >
      attention.attention.value.bias
    swin:
      attention.self.query > attention.q_proj; attention.self.key > attention.k_proj; attention.self.value >
      attention.v_proj; attention.self.relative_position_bias_table >
      attention.relative_position_bias.relative_position_bias_table; attention.output.dense > attention.o_proj;
      intermediate.dense > mlp.fc1; output.dense > mlp.fc2
    SwinBackbone:
      ^encoder > swin.encoder; ^embeddings > swin.embeddings
    altclip:
      layer > layers
    kimi_k25:
      language_model.model > model.language_model; language_model.lm_head > lm_head;
      vision_tower.encoder.blocks.*.norm0 > vision_tower.encoder.blocks.*.norm1 & vision_tower.encoder.blocks.*.norm1
      > vision_tower.encoder.blocks.*.norm2; vision_tower.encoder.blocks.*.mlp.fc0 >
      vision_tower.encoder.blocks.*.mlp.fc1 & vision_tower.encoder.blocks.*.mlp.fc1 >
      vision_tower.encoder.blocks.*.mlp.fc2; vision_tower.encoder.blocks.*.wo >
      vision_tower.encoder.blocks.*.attn.proj; vision_tower.encoder > model.vision_tower; mm_projector.proj.0 >
      model.mm_projector.in_proj; mm_projector.proj.2 > model.mm_projector.out_proj; blocks > layers;
      vision_tower.patch_embed.pos_emb.weight > model.vision_tower.patch_embed.pos_emb.position_embeddings; wqkv >
      attn.q_proj + attn.k_proj + attn.v_proj : join0 rope(vision_config)q_proj,k_proj; mlp.experts.*.gate_proj.weight
      + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1; mlp.experts.*.down_proj.weight >
      mlp.experts.down_proj : stack
    deepseek_v4:
      attn > self_attn; ffn > mlp; indexer.compressor > compressor.indexer; ^embed.weight > embed_tokens.weight;
      ^head.weight > lm_head.weight; ^hc_head_fn > hc_head.hc_fn; ^hc_head_base > hc_head.hc_base; ^hc_head_scale >
      hc_head.hc_scale; attn_norm > input_layernorm; ffn_norm > post_attention_layernorm; hc_attn_fn > attn_hc.fn;
      hc_attn_base > attn_hc.base; hc_attn_scale > attn_hc.scale; hc_ffn_fn > ffn_hc.fn; hc_ffn_base > ffn_hc.base;
      hc_ffn_scale > ffn_hc.scale; attn_sink > sinks; indexer.weights_proj > compressor.indexer.scorer.weights_proj;
      indexer.wq_b > compressor.indexer.q_b_proj; norm > kv_norm; ape > position_bias; wq_a > q_a_proj; self_attn.wq_b
      > self_attn.q_b_proj; wkv > kv_proj; wgate > gate_proj; wo_a > o_a_proj; wo_b > o_b_proj; q_norm > q_a_norm;
      gate.bias > gate.e_score_correction_bias; shared_experts.w1 > shared_experts.gate_proj; shared_experts.w2 >
      shared_experts.down_proj; shared_experts.w3 > shared_experts.up_proj; experts.*.w1.weight + experts.*.w3.weight
      > experts.gate_up_proj : stack join1; experts.*.w2.weight > experts.down_proj : stack
    glm5_next, glm5_next_text:
      self_attn.f_a_proj > self_attn.forget_gate.f_a_proj; self_attn.f_b_proj > self_attn.forget_gate.f_b_proj;
      self_attn.dt_bias > self_attn.forget_gate.dt_bias; self_attn.A_log > self_attn.forget_gate.A_log; hc_attn_fn >
      attn_hc.fn; hc_attn_base > attn_hc.base; hc_attn_scale > attn_hc.scale; hc_ffn_fn > ffn_hc.fn; hc_ffn_base >
      ffn_hc.base; hc_ffn_scale > ffn_hc.scale; mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight >
      mlp.experts.gate_up_proj : stack join1; mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack;
      self_attn.q_conv1d.weight + self_attn.k_conv1d.weight + self_attn.v_conv1d.weight > self_attn.conv1d.weight :
      join0
    LlavaModel, Qwen2AudioModel, GraniteSpeechModel, VibeVoiceAsrModel, VideoLlavaModel, AriaModel, PaliGemmaModel,
    AyaVisionModel, GotOcr2Model, Gemma3Model, InternVLModel, VipLlavaModel, Mistral3Model, PPChart2TableModel,
    LlavaNextModel, LlavaNextVideoModel, LlavaOnevisionModel, FuyuModel, MllamaModel, VoxtralModel,
    VoxtralRealtimeModel, AudioFlamingo3Model, GlmAsrModel, MusicFlamingoModel, GraniteSpeechPlusModel:
      ^language_model.model > language_model
    llava, aria, paligemma, aya_vision, got_ocr2, gemma3, internvl, vipllava, mistral3, pp_chart2table:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^vision_tower > model.vision_tower;
      ^multi_modal_projector > model.multi_modal_projector
    minimax_m3_vl:
      ^language_model.lm_head > lm_head; ^language_model.model > model.language_model;
      ^vision_tower.vision_model.embeddings.patch_embedding > model.vision_tower.embeddings.proj;
      ^vision_tower.vision_model.encoder.layers > model.vision_tower.layers; ^vision_tower.vision_model.pre_layrnorm >
      model.vision_tower.pre_layrnorm; ^multi_modal_projector.linear_1 > model.multi_modal_projector.linear_1;
      ^multi_modal_projector.linear_2 > model.multi_modal_projector.linear_2; ^patch_merge_mlp.linear_1 >
      model.multi_modal_projector.merge_linear_1; ^patch_merge_mlp.linear_2 >
      model.multi_modal_projector.merge_linear_2; block_sparse_moe.experts > mlp.experts; block_sparse_moe.gate >
      mlp.gate; block_sparse_moe.shared_experts > mlp.shared_experts; block_sparse_moe.e_score_correction_bias >
      mlp.gate.e_score_correction_bias; self_attn.index_q_proj > self_attn.indexer.q_proj; self_attn.index_k_proj >
      self_attn.indexer.k_proj; self_attn.index_q_norm > self_attn.indexer.q_norm; self_attn.index_k_norm >
      self_attn.indexer.k_norm; experts.*.w1.weight + experts.*.w3.weight > experts.gate_up_proj : stack join1;
      experts.*.w2.weight > experts.down_proj : stack; gate_proj.weight + up_proj.weight > gate_up_proj.weight : join0
    qwen2_audio, voxtral, voxtral_realtime, audioflamingo3, glmasr, musicflamingo:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^audio_tower > model.audio_tower;
      ^multi_modal_projector > model.multi_modal_projector
    granite_speech, granite_speech_plus:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^encoder > model.encoder; ^projector
      > model.projector
    aria_text:
      mlp.experts.fc1.weight > mlp.experts.gate_up_proj; mlp.experts.fc2.weight > mlp.experts.down_proj
    granitemoe, granitemoeshared, granitemoehybrid:
      block_sparse_moe.input_linear.weight > block_sparse_moe.experts.gate_up_proj;
      block_sparse_moe.output_linear.weight > block_sparse_moe.experts.down_proj; block_sparse_moe.router.layer.weight
      > block_sparse_moe.router.weight
    MimiEncoderModel:
      ^encoder.layers > encoder_seanet.layers
    MimiDecoderModel:
      ^decoder.layers > decoder_seanet.layers
    MimiModel:
      ^encoder.layers > encoder.encoder.layers; ^encoder_transformer > encoder.encoder_transformer; ^downsample >
      encoder.downsample; ^upsample > decoder.upsample; ^decoder_transformer > decoder.decoder_transformer;
      ^decoder.layers > decoder.decoder.layers
    vibevoice_asr:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^acoustic_tokenizer_encoder >
      model.acoustic_tokenizer_encoder; ^semantic_tokenizer_encoder > model.semantic_tokenizer_encoder;
      ^multi_modal_projector > model.multi_modal_projector
    llava_next, llava_next_video, llava_onevision:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^vision_tower > model.vision_tower;
      ^multi_modal_projector > model.multi_modal_projector; ^image_newline > model.image_newline
    CLIPVisionModel, AltCLIPVisionModel, ChineseCLIPVisionModel, CLIPSegVisionModel, MetaClip2VisionModel,
    mlcd_vision, mlcd, SiglipVisionModel, Siglip2VisionModel, xCLIPVisionModel:
      ^vision_model >
    CLIPTextModel, CLIPSegTextModel, MetaClip2TextModel, SiglipTextModel, Siglip2TextModel, xCLIPTextModel:
      ^text_model >
    video_llava:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^image_tower > model.image_tower;
      ^video_tower > model.video_tower; ^multi_modal_projector > model.multi_modal_projector
    fuyu:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^vision_embed_tokens >
      model.vision_embed_tokens
    mllama:
      ^language_model.lm_head > lm_head; ^language_model > model.language_model; ^vision_model > model.vision_model;
      ^multi_modal_projector > model.multi_modal_projector
    molmo2:
      vision_backbone.image_vit.transformer.resblocks > vision_tower.layers; vision_backbone.image_pooling_2d >
      multi_modal_projector.image_pooling_2d; vision_backbone.image_projector > multi_modal_projector.image_projector;
      attention.wq > self_attn.q_proj; attention.wk > self_attn.k_proj; attention.wv > self_attn.v_proj; attention.wo
      > self_attn.o_proj; feed_forward.w1 > mlp.fc1; feed_forward.w2 > mlp.fc2; attention_norm > layer_norm1; ffn_norm
      > layer_norm2; image_pooling_2d.wq > image_pooling_2d.q_proj; image_pooling_2d.wk > image_pooling_2d.k_proj;
      image_pooling_2d.wv > image_pooling_2d.v_proj; image_pooling_2d.wo > image_pooling_2d.o_proj; image_projector.w1
      > image_projector.gate_proj; image_projector.w2 > image_projector.down_proj; image_projector.w3 >
      image_projector.up_proj
    Molmo2TextModel:
      attn_norm > input_layernorm; ff_norm > post_attention_layernorm; self_attn.att_proj > self_attn.q_proj +
      self_attn.k_proj + self_attn.v_proj : split0; self_attn.attn_out > self_attn.o_proj; mlp.ff_out > mlp.down_proj;
      mlp.ff_proj.weight > mlp.up_proj.weight + mlp.gate_proj.weight : join0; wte.embedding + wte.new_embedding >
      embed_tokens.weight : join0
    Emu3Model:
      ^text_model.model > text_model
    emu3:
      ^text_model.lm_head > lm_head; ^text_model > model.text_model; ^vqmodel > model.vqmodel
    paddleocr_vl:
      ^mlp_AR > model.projector; ^visual > model.visual; ^model !visual,projector,language_model >
      model.language_model
    Qwen2VLModel, Qwen2_5_VLModel:
      ^model !language_model > model.language_model
    Qwen2VLForConditionalGeneration, Qwen2_5_VLForConditionalGeneration:
      ^visual > model.visual; ^model !language_model,visual > model.language_model
    Qwen2_5OmniThinkerModel, Qwen3OmniMoeThinkerModel:
      ^thinker > ; ^model !language_model > model.language_model
    Qwen2_5OmniThinkerForConditionalGeneration, qwen2_5_omni_thinker, Qwen3OmniMoeThinkerForConditionalGeneration:
      ^thinker > ; ^audio_tower > model.audio_tower; ^visual > model.visual; ^model !language_model,visual,audio_tower
      > model.language_model
    """
}
