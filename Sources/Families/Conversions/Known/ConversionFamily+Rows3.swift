// Written by bench/conversions.py from the rules of transformers 5.24.

extension ConversionFamily {
  static let rows3 = """
    Sapiens2ForPointmapEstimation:
      ^backbone > model; decode_head.input_conv.0.weight > decode_head.input_conv.convolution.weight;
      decode_head.input_conv.0.bias > decode_head.input_conv.convolution.bias; decode_head.upsample_blocks.*.0.weight
      > decode_head.upsample_layers.*.convolution.weight; decode_head.upsample_blocks.*.0.bias >
      decode_head.upsample_layers.*.convolution.bias; decode_head.conv_layers.0.weight >
      decode_head.conv_layers.0.convolution.weight; decode_head.conv_layers.0.bias >
      decode_head.conv_layers.0.convolution.bias; decode_head.conv_layers.3.weight >
      decode_head.conv_layers.1.convolution.weight; decode_head.conv_layers.3.bias >
      decode_head.conv_layers.1.convolution.bias; decode_head.conv_layers.6.weight >
      decode_head.conv_layers.2.convolution.weight; decode_head.conv_layers.6.bias >
      decode_head.conv_layers.2.convolution.bias; decode_head.conv_pointmap > decode_head.predictor;
      decode_head.scale_conv_layers.0.weight > scale_head.conv_layers.0.convolution.weight;
      decode_head.scale_conv_layers.0.bias > scale_head.conv_layers.0.convolution.bias;
      decode_head.scale_conv_layers.3.weight > scale_head.conv_layers.1.convolution.weight;
      decode_head.scale_conv_layers.3.bias > scale_head.conv_layers.1.convolution.bias;
      decode_head.scale_conv_layers.6.weight > scale_head.conv_layers.2.convolution.weight;
      decode_head.scale_conv_layers.6.bias > scale_head.conv_layers.2.convolution.bias;
      decode_head.scale_final_layer.1 > scale_head.predictor.block1.layers.0; decode_head.scale_final_layer.3 >
      scale_head.predictor.block2.layers.0; decode_head.scale_final_layer.5 > scale_head.predictor.proj
    Sapiens2ForImageMatting:
      ^backbone > model; decode_head.input_conv.0.weight > decode_head.input_conv.convolution.weight;
      decode_head.input_conv.0.bias > decode_head.input_conv.convolution.bias; decode_head.upsample_blocks.*.0.weight
      > decode_head.upsample_layers.*.convolution.weight; decode_head.upsample_blocks.*.0.bias >
      decode_head.upsample_layers.*.convolution.bias; decode_head.conv_layers.0.weight >
      decode_head.conv_layers.0.convolution.weight; decode_head.conv_layers.0.bias >
      decode_head.conv_layers.0.convolution.bias; decode_head.conv_layers.3.weight >
      decode_head.conv_layers.1.convolution.weight; decode_head.conv_layers.3.bias >
      decode_head.conv_layers.1.convolution.bias; decode_head.conv_layers.6.weight >
      decode_head.conv_layers.2.convolution.weight; decode_head.conv_layers.6.bias >
      decode_head.conv_layers.2.convolution.bias; decode_head.conv_matting > decode_head.predictor
    unlimited_ocr:
      ^sam_model > vision_tower.sam_encoder; ^model.sam_model > model.vision_tower.sam_encoder; ^vision_model >
      vision_tower.vision_encoder; ^model.vision_model > model.vision_tower.vision_encoder; ^view_seperator >
      view_separator; ^model.view_seperator > model.view_separator; ^projector.layers.weight >
      multi_modal_projector.weight; ^model.projector.layers.weight > model.multi_modal_projector.weight;
      ^projector.layers.bias > multi_modal_projector.bias; ^model.projector.layers.bias >
      model.multi_modal_projector.bias; ^embed_tokens > language_model.embed_tokens; ^model.embed_tokens >
      model.language_model.embed_tokens; ^layers > language_model.layers; ^model.layers > model.language_model.layers;
      ^norm > language_model.norm; ^model.norm > model.language_model.norm
    UnlimitedOcrSamVisionEncoder:
      blocks.*.norm1 > layers.*.layer_norm1; blocks.*.norm2 > layers.*.layer_norm2; blocks.*.attn > layers.*.attn;
      blocks.*.mlp > layers.*.mlp; patch_embed.proj > patch_embed.projection; neck.0 > neck.conv1; neck.1 >
      neck.layer_norm1; neck.2 > neck.conv2; neck.3 > neck.layer_norm2; net_2 > proj.conv1; net_3 > proj.conv2
    UnlimitedOcrVisionEncoder:
      transformer > encoder; qkv_proj.weight > q_proj.weight + k_proj.weight + v_proj.weight : join0; qkv_proj.bias >
      q_proj.bias + k_proj.bias + v_proj.bias : join0
    tipsv2:
      text_encoder > text_model; vision_encoder > vision_model
    Tipsv2TextModel:
      ^text_encoder > ; ln_final > final_layer_norm; token_embedding > embeddings.token_embedding;
      transformer.resblocks > encoder.layers; ln_1 > layer_norm1; ln_2 > layer_norm2; attn > self_attn; mlp.c_fc >
      mlp.fc1; mlp.c_proj > mlp.fc2; in_proj_weight > q_proj.weight + k_proj.weight + v_proj.weight : join0;
      in_proj_bias > q_proj.bias + k_proj.bias + v_proj.bias : join0
    Tipsv2VisionModel, Tipsv2VisionBackbone:
      ^vision_encoder > ; patch_embed.proj > embeddings.patch_embeddings.projection; cls_token > embeddings.cls_token;
      mask_token > embeddings.mask_token; register_tokens > embeddings.register_tokens; pos_embed >
      embeddings.position_embeddings; norm > layernorm; blocks > encoder.layer; attn.proj > attention.o_proj;
      ls1.gamma > layer_scale1.lambda1; ls2.gamma > layer_scale2.lambda1; mlp.c_fc > mlp.fc1; mlp.c_proj > mlp.fc2;
      mlp.w3 > mlp.down_proj; mlp.w12.weight > mlp.gate_proj.weight + mlp.up_proj.weight : join0; mlp.w12.bias >
      mlp.gate_proj.bias + mlp.up_proj.bias : join0; attn.qkv.weight > attention.q_proj.weight +
      attention.k_proj.weight + attention.v_proj.weight : join0; attn.qkv.bias > attention.q_proj.bias +
      attention.k_proj.bias + attention.v_proj.bias : join0
    tipsv2_dpt:
      vision_encoder > backbone; head.reassemble.readout_projects.* >
      neck.reassemble_stage.readout_projects.*.layers.0; head.reassemble.out_projections.* >
      neck.reassemble_stage.layers.*.projection; head.reassemble.resize_layers.* >
      neck.reassemble_stage.layers.*.resize; head.fusion_blocks.*.out_conv > neck.fusion_stage.layers.*.projection;
      head.fusion_blocks.*.main_unit.conv1 > neck.fusion_stage.layers.*.residual_layer2.convolution1;
      head.fusion_blocks.*.main_unit.conv2 > neck.fusion_stage.layers.*.residual_layer2.convolution2;
      head.fusion_blocks.*.residual_unit.conv1 > neck.fusion_stage.layers.*.residual_layer1.convolution1;
      head.fusion_blocks.*.residual_unit.conv2 > neck.fusion_stage.layers.*.residual_layer1.convolution2; head.convs >
      neck.convs; head.project > decoder.project; depth_head.depth_head > depth_decoder.head;
      normals_head.normals_head > normals_decoder.head; segmentation_head.segmentation_head >
      segmentation_decoder.head
    Tipsv2DptForDepthEstimation:
      vision_encoder > backbone; depth_head.reassemble.readout_projects.* >
      neck.reassemble_stage.readout_projects.*.layers.0; depth_head.reassemble.out_projections.* >
      neck.reassemble_stage.layers.*.projection; depth_head.reassemble.resize_layers.* >
      neck.reassemble_stage.layers.*.resize; depth_head.fusion_blocks.*.out_conv >
      neck.fusion_stage.layers.*.projection; depth_head.fusion_blocks.*.main_unit.conv1 >
      neck.fusion_stage.layers.*.residual_layer2.convolution1; depth_head.fusion_blocks.*.main_unit.conv2 >
      neck.fusion_stage.layers.*.residual_layer2.convolution2; depth_head.fusion_blocks.*.residual_unit.conv1 >
      neck.fusion_stage.layers.*.residual_layer1.convolution1; depth_head.fusion_blocks.*.residual_unit.conv2 >
      neck.fusion_stage.layers.*.residual_layer1.convolution2; depth_head.convs > neck.convs; depth_head.project >
      decoder.project; depth_head.depth_head > decoder.head
    UltrabertModel:
      ^ultrabert >
    UltrabertForMaskedLM:
      ^ultrabert > model; ^cls > head.decoder
    UltrabertForSequenceClassification, UltrabertForTokenClassification, UltrabertForQuestionAnswering:
      ^ultrabert > model
    UltraVBertForMaskedLM:
      ^head.decoder > lm_head; ^head > projection_head
    Tipsv2DptForNormalEstimation:
      vision_encoder > backbone; normals_head.reassemble.readout_projects.* >
      neck.reassemble_stage.readout_projects.*.layers.0; normals_head.reassemble.out_projections.* >
      neck.reassemble_stage.layers.*.projection; normals_head.reassemble.resize_layers.* >
      neck.reassemble_stage.layers.*.resize; normals_head.fusion_blocks.*.out_conv >
      neck.fusion_stage.layers.*.projection; normals_head.fusion_blocks.*.main_unit.conv1 >
      neck.fusion_stage.layers.*.residual_layer2.convolution1; normals_head.fusion_blocks.*.main_unit.conv2 >
      neck.fusion_stage.layers.*.residual_layer2.convolution2; normals_head.fusion_blocks.*.residual_unit.conv1 >
      neck.fusion_stage.layers.*.residual_layer1.convolution1; normals_head.fusion_blocks.*.residual_unit.conv2 >
      neck.fusion_stage.layers.*.residual_layer1.convolution2; normals_head.convs > neck.convs; normals_head.project >
      decoder.project; normals_head.normals_head > decoder.head
    Tipsv2DptForSemanticSegmentation:
      vision_encoder > backbone; segmentation_head.reassemble.readout_projects.* >
      neck.reassemble_stage.readout_projects.*.layers.0; segmentation_head.reassemble.out_projections.* >
      neck.reassemble_stage.layers.*.projection; segmentation_head.reassemble.resize_layers.* >
      neck.reassemble_stage.layers.*.resize; segmentation_head.fusion_blocks.*.out_conv >
      neck.fusion_stage.layers.*.projection; segmentation_head.fusion_blocks.*.main_unit.conv1 >
      neck.fusion_stage.layers.*.residual_layer2.convolution1; segmentation_head.fusion_blocks.*.main_unit.conv2 >
      neck.fusion_stage.layers.*.residual_layer2.convolution2; segmentation_head.fusion_blocks.*.residual_unit.conv1 >
      neck.fusion_stage.layers.*.residual_layer1.convolution1; segmentation_head.fusion_blocks.*.residual_unit.conv2 >
      neck.fusion_stage.layers.*.residual_layer1.convolution2; segmentation_head.convs > neck.convs;
      segmentation_head.project > decoder.project; segmentation_head.segmentation_head > decoder.head
    DetrForSegmentation, ConditionalDetrForSegmentation:
      bbox_attention.q_linear > bbox_attention.q_proj; bbox_attention.k_linear > bbox_attention.k_proj; mask_head.lay1
      > mask_head.conv1.conv; mask_head.gn1 > mask_head.conv1.norm; mask_head.lay2 > mask_head.conv2.conv;
      mask_head.gn2 > mask_head.conv2.norm; mask_head.adapter1 > mask_head.fpn_stages.0.fpn_adapter; mask_head.lay3 >
      mask_head.fpn_stages.0.refine.conv; mask_head.gn3 > mask_head.fpn_stages.0.refine.norm; mask_head.adapter2 >
      mask_head.fpn_stages.1.fpn_adapter; mask_head.lay4 > mask_head.fpn_stages.1.refine.conv; mask_head.gn4 >
      mask_head.fpn_stages.1.refine.norm; mask_head.adapter3 > mask_head.fpn_stages.2.fpn_adapter; mask_head.lay5 >
      mask_head.fpn_stages.2.refine.conv; mask_head.gn5 > mask_head.fpn_stages.2.refine.norm; mask_head.out_lay >
      mask_head.output_conv
    bailing_hybrid:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; ^model.word_embeddings > model.embed_tokens;
      attention > self_attn; self_attn.f_proj > self_attn.forget_gate.f_proj; self_attn.dt_bias >
      self_attn.forget_gate.dt_bias; self_attn.A_log > self_attn.forget_gate.A_log; q_conv1d.weight + k_conv1d.weight
      + v_conv1d.weight > conv1d.weight : join0; self_attn.dense > self_attn.o_proj; mlp.gate.expert_bias >
      mlp.gate.e_score_correction_bias
    sarvam_moe:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; ^model.word_embeddings > model.embed_tokens;
      attention > self_attn; query_key_value > q_proj + k_proj + v_proj : split0; self_attn.dense > self_attn.o_proj;
      self_attn.query_layernorm > self_attn.q_norm; self_attn.key_layernorm > self_attn.k_norm; mlp.gate.expert_bias >
      mlp.gate.e_score_correction_bias
    ernie4_5_moe:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; mlp.moe_statics.e_score_correction_bias >
      mlp.gate.moe_statics.e_score_correction_bias
    BeitModel:
      encoder.layer > layers; attention.query > q_proj; attention.key > k_proj; attention.value > v_proj;
      attention.output.dense > attention.o_proj; intermediate.dense > mlp.fc1; output.dense > mlp.fc2;
      encoder.relative_position_bias > shared_position_bias;
      attention.attention.relative_position_bias.relative_position_bias_table >
      relative_position_bias.relative_position_bias_table
    pixio:
      encoder.layer > layers; attention.query > q_proj; attention.key > k_proj; attention.value > v_proj;
      attention.output.dense > attention.o_proj; intermediate.dense > mlp.fc1; output.dense > mlp.fc2; norm1 >
      layernorm_before; norm2 > layernorm_after; ^encoder > pixio
    minimax_m2:
      block_sparse_moe > mlp; experts.*.w1.weight + experts.*.w3.weight > experts.gate_up_proj : stack join1;
      experts.*.w2.weight > experts.down_proj : stack; block_sparse_moe.e_score_correction_bias >
      mlp.e_score_correction_bias
    exaone_moe:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; mlp.e_score_correction_bias >
      mlp.gate.e_score_correction_bias
    kolibri1:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; moe.router.expert_bias >
      mlp.gate.e_score_correction_bias; post_attn_norm > post_self_attn_layernorm; post_ffn_norm > post_mlp_layernorm
    mimo_v2_flash:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; self_attn.attention_sink_bias > self_attn.sinks
    flint:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; self_attn.softmax_offset > self_attn.sinks
    hy_v3:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; mlp.router.gate.weight > mlp.gate.weight;
      mlp.expert_bias > mlp.e_score_correction_bias; mlp.shared_mlp > mlp.shared_experts
    qwen3_5_moe_text:
      ^model.language_model > model; mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight >
      mlp.experts.gate_up_proj : stack join1; mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack
    laguna:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; mlp.experts.e_score_correction_bias >
      mlp.gate.e_score_correction_bias; mlp.shared_expert > mlp.shared_experts
    axk1:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack; post_mlp_layernorm > mlp.post_mlp_layernorm
    qwen4_exp_text:
      ^model.language_model > model; mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight >
      mlp.experts.gate_up_proj : stack join1; mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack;
      ngram_embedding.shard_*.weight > ngram_embedding.weight : join0
    MtpModel:
      ^model > ; ^mtp > ; shared_head.norm > post_norm; mtp_block.enorm > enorm; mtp_block.hnorm > hnorm;
      mtp_block.eh_proj > eh_proj; mtp_block.post_norm > post_norm; hidden_norm > hnorm; embed_norm > enorm;
      input_proj > eh_proj; ^chain_norm > shared_post_norm; layers.*.transformer_block > layers.*.mtp_block; ^fc >
      layers.0.eh_proj; ^pre_fc_norm_embedding > layers.0.enorm; ^pre_fc_norm_hidden > layers.0.hnorm; ^norm >
      layers.0.post_norm
    kimi_linear:
      self_attn.f_a_proj > self_attn.forget_gate.f_a_proj; self_attn.f_b_proj > self_attn.forget_gate.f_b_proj;
      self_attn.dt_bias > self_attn.forget_gate.dt_bias; self_attn.A_log > self_attn.forget_gate.A_log;
      self_attn.q_conv1d.weight + self_attn.k_conv1d.weight + self_attn.v_conv1d.weight > self_attn.conv1d.weight :
      join0; block_sparse_moe > mlp; experts.*.w1.weight + experts.*.w3.weight > experts.gate_up_proj : stack join1;
      experts.*.w2.weight > experts.down_proj : stack
    jev:
      ^weight > proj.weight
    gradium_phonon_tts:
      ^flow_lm.condition_provider.conditioners.transcript_in_segment.embed > model.embed_tokens;
      ^flow_lm.condition_provider.conditioners.speaker_wavs.output_proj > model.audio_prompt_proj;
      ^flow_lm.condition_provider.conditioners.num_speakers.embed > model.num_speakers_embed;
      ^flow_lm.condition_provider.conditioners.num_speakers.output_proj > model.num_speakers_proj;
      ^flow_lm.condition_provider.conditioners.duration_delta.output_proj > model.duration_delta_proj;
      ^flow_lm.input_linear > model.audio_latent_proj; ^flow_lm.bos_emb > model.bos_latent; ^flow_lm.emb_mean >
      latent_mean; ^flow_lm.emb_std > latent_std; ^flow_lm.out_norm > model.norm; ^flow_lm.out_eos > eos_head;
      ^flow_lm.transformer.layers.*.self_attn.in_proj > model.layers.*.self_attn.in_proj;
      ^flow_lm.transformer.layers.*.self_attn.out_proj > model.layers.*.self_attn.o_proj;
      ^flow_lm.transformer.layers.*.linear1 > model.layers.*.mlp.fc1; ^flow_lm.transformer.layers.*.linear2 >
      model.layers.*.mlp.fc2; ^flow_lm.transformer.layers.*.norm1 > model.layers.*.input_layernorm;
      ^flow_lm.transformer.layers.*.norm2 > model.layers.*.post_attention_layernorm;
      ^flow_lm.flow_net.time_embed.*.freqs > flow_head.timestep_embeddings.*.freqs;
      ^flow_lm.flow_net.time_embed.*.mlp.0 > flow_head.timestep_embeddings.*.fc1; ^flow_lm.flow_net.time_embed.*.mlp.2
      > flow_head.timestep_embeddings.*.fc2; ^flow_lm.flow_net.time_embed.*.mlp.3.alpha >
      flow_head.timestep_embeddings.*.norm.weight; ^flow_lm.flow_net.cond_embed > flow_head.cond_proj;
      ^flow_lm.flow_net.input_proj > flow_head.input_proj; ^flow_lm.flow_net.res_blocks.*.in_ln >
      flow_head.layers.*.norm; ^flow_lm.flow_net.res_blocks.*.mlp.0 > flow_head.layers.*.fc1;
      ^flow_lm.flow_net.res_blocks.*.mlp.2 > flow_head.layers.*.fc2; ^flow_lm.flow_net.res_blocks.*.adaLN_modulation.1
      > flow_head.layers.*.adaln_proj; ^flow_lm.flow_net.final_layer.linear > flow_head.final_layer.proj;
      ^flow_lm.flow_net.final_layer.adaLN_modulation.1 > flow_head.final_layer.adaln_proj; self_attn.in_proj.weight >
      self_attn.q_proj.weight + self_attn.k_proj.weight + self_attn.v_proj.weight : join0 rope()q_proj,k_proj
    nemo_speechlm:
      ^perception.encoder.asr_encoder > model.audio_tower.asr_encoder; ^perception.encoder.diarization_model.encoder >
      model.audio_tower.diarization_model.model.audio_tower; ^ctc_timestamp.decoder.transformer >
      model.word_timestamp_encoder; ^ctc_timestamp.decoder.upsample > model.word_timestamp_encoder.upsampler;
      ^ctc_timestamp.decoder.decoder_layers.0 > word_timestamp_head;
      ^perception.encoder.diarization_model.sortformer_modules.encoder_proj >
      model.audio_tower.diarization_model.model.proj;
      ^perception.encoder.diarization_model.sortformer_modules.subpixel_upsample >
      model.audio_tower.diarization_model.model.upsampler.conv;
      ^perception.encoder.diarization_model.sortformer_modules.first_hidden_to_hidden >
      model.audio_tower.diarization_model.classifier.dense;
      ^perception.encoder.diarization_model.sortformer_modules.single_hidden_to_spks >
      model.audio_tower.diarization_model.classifier.out_proj;
      ^perception.encoder.diarization_model.sortformer_modules.learnable_sil_emb >
      model.audio_tower.diarization_model.silence_embeds; ^perception.encoder.asr_norm > model.audio_tower.asr_norm;
      ^perception.encoder.diar_norm > model.audio_tower.speaker_norm; ^perception.proj > model.multi_modal_projector;
      ^llm.model.embed_tokens > model.language_model.embeddings; ^llm.model.norm > model.language_model.norm_f;
      ^llm.model.layers > model.language_model.layers; ^llm.lm_head > lm_head; pre_encode.proj > embedder.projection;
      embed_norm > input_layer_norm; final_norm > layer_norm; norm1 > layer_norm1; norm2 > layer_norm2; attn.out_proj
      > self_attn.o_proj; attn.q_norm > self_attn.q_norm; attn.k_norm > self_attn.k_norm; ffn.net.0 > mlp.fc1;
      ffn.net.3 > mlp.fc2; mixer._fp32_params.A_log > mixer.A_log; mixer._fp32_params.D > mixer.D;
      mixer._fp32_params.dt_bias > mixer.dt_bias; attn.w_qkv.weight > self_attn.q_proj.weight +
      self_attn.k_proj.weight + self_attn.v_proj.weight : join0; mixer.experts.gate_and_up_projs >
      mixer.experts.up_proj : transpose; mixer.experts.down_projs > mixer.experts.down_proj : transpose
    mistral_large4:
      ^vision_encoder > model.vision_tower; ^tok_embeddings > model.language_model.embed_tokens; ^lerope.alpha >
      model.language_model.rotary_emb.alpha; ^layers > model.language_model.layers; ^norm > model.language_model.norm;
      ^output > lm_head; ^pre_mm_projector_norm > model.multi_modal_projector.norm; ^patch_merger >
      model.multi_modal_projector.patch_merger; ^vision_language_adapter.w_in > model.multi_modal_projector.linear_1;
      ^vision_language_adapter.w_out > model.multi_modal_projector.linear_2; wv > v_proj; wo > o_proj; feed_forward.w1
      > feed_forward.gate_proj; shared_experts.w1 > shared_experts.gate_proj; feed_forward.w2 >
      feed_forward.down_proj; shared_experts.w2 > shared_experts.down_proj; feed_forward.w3 > feed_forward.up_proj;
      shared_experts.w3 > shared_experts.up_proj; attention.wq > attention.q_proj : rope(vision_config); attention.wk
      > attention.k_proj : rope(vision_config)
    mistral_large4_text:
      attention > self_attn; wq > q_proj; wkv_a_with_mqa > kv_a_proj_with_mqa; wkv_b > kv_b_proj; attention_norm >
      input_layernorm; ffn_norm > post_attention_layernorm; kv_a_norm > kv_a_layernorm; feed_forward > mlp; gate >
      mlp.gate; experts > mlp.experts; shared_experts > mlp.shared_experts; ssmax_scaling.s > softmax_scaling.scale;
      ssmax_scaling.b > softmax_scaling.bias; experts.*.w1.weight + experts.*.w3.weight > experts.gate_up_proj : stack
      join1; experts.*.w2.weight > experts.down_proj : stack
    """
}
