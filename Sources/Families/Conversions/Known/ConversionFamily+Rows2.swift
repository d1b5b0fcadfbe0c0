// Written by bench/conversions.py from the rules of transformers 5.24.

extension ConversionFamily {
  static let rows2 = """
    deepseek_ocr2:
      sam_model.blocks.*.norm1 > vision_tower.sam_encoder.layers.*.layer_norm1; sam_model.blocks.*.norm2 >
      vision_tower.sam_encoder.layers.*.layer_norm2; sam_model.blocks.*.attn > vision_tower.sam_encoder.layers.*.attn;
      sam_model.blocks.*.mlp > vision_tower.sam_encoder.layers.*.mlp; sam_model.patch_embed.proj >
      vision_tower.sam_encoder.patch_embed.projection; sam_model.pos_embed > vision_tower.sam_encoder.pos_embed;
      sam_model.neck.0 > vision_tower.sam_encoder.neck.conv1; sam_model.neck.1 >
      vision_tower.sam_encoder.neck.layer_norm1; sam_model.neck.2 > vision_tower.sam_encoder.neck.conv2;
      sam_model.neck.3 > vision_tower.sam_encoder.neck.layer_norm2; sam_model.net_2 >
      vision_tower.sam_encoder.proj.conv1; sam_model.net_3 > vision_tower.sam_encoder.proj.conv2;
      qwen2_model.model.model.layers > vision_tower.vision_encoder.layers; qwen2_model.model.model.norm >
      vision_tower.vision_encoder.norm; qwen2_model.query_768 > vision_tower.query_768_resolution;
      qwen2_model.query_1024 > vision_tower.query_1024_resolution; projector.layers > multi_modal_projector;
      view_seperator > view_separator; ^embed_tokens > language_model.embed_tokens; ^model.embed_tokens >
      model.language_model.embed_tokens; ^layers > language_model.layers; ^model.layers > model.language_model.layers;
      ^norm > language_model.norm; ^model.norm > model.language_model.norm; mlp.experts.*.gate_proj.weight +
      mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1; mlp.experts.*.down_proj.weight >
      mlp.experts.down_proj : stack
    step3p7:
      ^vision_model > model.vision_model; ^vit_large_projector > model.multi_modal_projector; ^model.embed_tokens >
      model.language_model.embed_tokens; ^model.layers > model.language_model.layers; ^model.norm >
      model.language_model.norm; moe.gate.weight > mlp.gate.weight; moe.router_bias >
      mlp.gate.e_score_correction_bias; moe.down_proj.weight > mlp.experts.down_proj; moe.down_proj.weight_scale_inv >
      mlp.experts.down_proj_scale_inv; share_expert > mlp.shared_experts; moe.gate_proj.weight + moe.up_proj.weight >
      mlp.experts.gate_up_proj : join1
    step3p5_vision:
      ^conv1.weight > embeddings.patch_embedding.weight; ^positional_embedding > embeddings.position_embedding.weight;
      ^transformer.resblocks > layers; ^ln_pre > pre_layernorm; ^vit_downsampler1 > downsampler1; ^vit_downsampler2 >
      downsampler2; ls_1.gamma > lambda_1; ls_2.gamma > lambda_2; mlp.c_fc > mlp.fc1; mlp.c_proj > mlp.fc2; attn >
      self_attn; ln_1 > layernorm_before; ln_2 > layernorm_after; attn.in_proj_weight > attn.q_proj.weight +
      attn.k_proj.weight + attn.v_proj.weight : join0 rope(vision_config)q_proj,k_proj; attn.in_proj_bias >
      attn.q_proj.bias + attn.k_proj.bias + attn.v_proj.bias : join0 rope(vision_config)q_proj,k_proj
    colqwen2:
      ^vlm.model > vlm
    shieldgemma2:
      ^model !model > model.model
    pi0:
      ^model > ; state_proj > embed_action_time.state_proj; action_in_proj > embed_action_time.action_in_proj;
      action_time_mlp_in > embed_action_time.action_time_mlp_in; action_time_mlp_out >
      embed_action_time.action_time_mlp_out; ^paligemma_with_expert.paligemma.model > model.vlm;
      ^paligemma_with_expert.gemma_expert.model > model.dit; ^paligemma_with_expert.gemma_expert.lm_head >
      model.dit.embed_tokens; ^paligemma_with_expert.paligemma.lm_head > model.vlm.language_model.embed_tokens
    esm:
      encoder.layer.*.attention.self.rotary_embeddings.inv_freq > rotary_embeddings.inv_freq; LayerNorm.gamma >
      LayerNorm.weight; LayerNorm.beta > LayerNorm.bias
    yolos:
      encoder.mid_position_embeddings > encoder.interpolation.mid_position_embeddings
    timesfm2_5:
      ff0 > fc1; ff1 > fc2
    olmo_hybrid:
      attention_layer_norm > input_layernorm; feedforward_layer_norm > post_attention_layernorm;
      linear_attn.q_conv1d.weight + linear_attn.k_conv1d.weight + linear_attn.v_conv1d.weight >
      linear_attn.conv1d.weight : join0
    exaone:
      ^transformer.wte > model.embed_tokens; ^transformer.h > model.layers; ^transformer.ln_f > model.norm;
      attn.attention > self_attn; self_attn.out_proj > self_attn.o_proj; ln_1 > input_layernorm; ln_2 >
      post_attention_layernorm; mlp.c_fc_0 > mlp.gate_proj; mlp.c_fc_1 > mlp.up_proj; mlp.c_proj > mlp.down_proj
    lara_mini:
      linear_attn.out_norm > linear_attn.norm; linear_attn.in_proj > linear_attn.in_proj_qkv + linear_attn.in_proj_z +
      linear_attn.in_proj_b + linear_attn.in_proj_a : split0
    qwen3_5_text, apertus1p5_text, gemma3n_text:
      ^model.language_model > model
    sam3_tracker, sam3_tracker_video:
      detector_model.vision_encoder.backbone > vision_encoder.backbone; tracker_neck > vision_encoder.neck;
      tracker_model > *
    mixtral, minimax:
      block_sparse_moe > mlp; experts.*.w1.weight + experts.*.w3.weight > experts.gate_up_proj : stack join1;
      experts.*.w2.weight > experts.down_proj : stack
    qwen2_moe, Dots3NoteTextModel, afmoe, deepseek_v2, deepseek_v3, deepseek_v32, dots1, glm4_moe, glm4_moe_lite,
    glm_moe_dsa, glm4v_moe, longcat_flash, solar_open, mellum, qwen3_moe, beam, qwen3_omni_moe,
    qwen3_omni_moe_thinker, qwen3_omni_moe_text, qwen3_next, hunyuan_v1_moe, flex_olmo, olmoe, sarvam_mla,
    cohere2_moe, UnlimitedOcrTextModel:
      mlp.experts.*.gate_proj.weight + mlp.experts.*.up_proj.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.down_proj.weight > mlp.experts.down_proj : stack
    dots3_note_audio_encoder:
      ^audio_adapter > adapter; ^adapter.proj.0 > adapter.norm; ^adapter.proj.1 > adapter.fc1; ^adapter.proj.3 >
      adapter.fc2; dots_encoder.speech_encoder > speech_encoder; conv_stem.conv2d1 > conv_stem.convs.0;
      conv_stem.conv2d2 > conv_stem.convs.1; conv_stem.conv2d3 > conv_stem.convs.2;
      speech_encoder.layers.*.self_attn.out_proj > speech_encoder.layers.*.self_attn.o_proj; self_attn_layer_norm >
      input_layernorm; final_layer_norm > post_attention_layernorm; speech_encoder.layers.*.fc1 >
      speech_encoder.layers.*.mlp.gate_up_proj; speech_encoder.layers.*.fc2 > speech_encoder.layers.*.mlp.down_proj;
      ^speech_encoder.conv_stem > conv_stem; ^speech_encoder.layers > layers; ^speech_encoder.layer_norm > layer_norm
    dots3_note_vision_encoder:
      ^post_trunk_norm > norm; ^adapter > merger; blocks.*.norm_1 > blocks.*.norm1; blocks.*.norm_2 > blocks.*.norm2;
      blocks.*.mlp.fc1 > blocks.*.mlp.gate_proj; blocks.*.mlp.fc2 > blocks.*.mlp.down_proj; blocks.*.mlp.fc3 >
      blocks.*.mlp.up_proj; mlp.gate_weight > mlp.gate.weight; mlp.router_bias > mlp.e_score_correction_bias;
      mlp.experts.*.fc1.weight + mlp.experts.*.fc3.weight > mlp.experts.gate_up_proj : stack join1;
      mlp.experts.*.fc2.weight > mlp.experts.down_proj : stack
    Dots3NoteForConditionalGeneration:
      ^audio_encoder.audio_adapter > audio_adapter; ^vision_encoder > model.vision_encoder; ^audio_encoder >
      model.audio_encoder; ^audio_adapter > model.audio_adapter
    Dots3NoteModel:
      ^model > ; ^embed_tokens > language_model.embed_tokens; ^layers > language_model.layers; ^norm >
      language_model.norm; ^vision_encoder > vision_tower; ^audio_encoder > audio_tower; ^audio_adapter >
      audio_tower.audio_adapter
    qwen3_vl_moe:
      mlp.experts.gate_up_proj > mlp.experts.gate_up_proj : transpose; mlp.experts.down_proj > mlp.experts.down_proj :
      transpose
    cosmos3_omni:
      ^layers > model.language_model.layers; ^embed_tokens > model.language_model.embed_tokens; ^norm >
      model.language_model.norm; ^blocks > model.visual.blocks; ^merger > model.visual.merger; ^patch_embed >
      model.visual.patch_embed; ^pos_embed > model.visual.pos_embed; ^deepstack_merger_list >
      model.visual.deepstack_merger_list; self_attn.to_q > self_attn.q_proj; self_attn.to_k > self_attn.k_proj;
      self_attn.to_v > self_attn.v_proj; self_attn.to_out > self_attn.o_proj; self_attn.norm_q > self_attn.q_norm;
      self_attn.norm_k > self_attn.k_norm
    phimoe:
      block_sparse_moe > mlp; gate.weight > router.weight; experts.*.w1.weight + experts.*.w3.weight >
      experts.gate_up_proj : stack join1; experts.*.w2.weight > experts.down_proj : stack
    lfm3:
      self_attn.gate_proj > self_attn.g_proj
    lfm3_vl_vision:
      patchifier > patch_embed; q_layernorm > q_norm; k_layernorm > k_norm
    lfm2_moe:
      feed_forward.experts.*.w1.weight + feed_forward.experts.*.w3.weight > feed_forward.experts.gate_up_proj : stack
      join1; feed_forward.experts.*.w2.weight > feed_forward.experts.down_proj : stack
    ernie4_5_vl_moe:
      vision_model > vision_tower; spatial_linear.0 > spatial_linear.fc1; spatial_linear.2 > spatial_linear.fc2;
      spatial_linear.3 > spatial_linear.ln; temporal_linear.0 > temporal_linear.fc1; temporal_linear.2 >
      temporal_linear.fc2; temporal_linear.3 > temporal_linear.ln; mlp.gate.weight_1 > mlp.vision_moe.gate.weight :
      transpose; mlp.gate.weight > mlp.text_moe.gate.weight : transpose; mlp.moe_statics.e_score_correction_bias >
      mlp.text_moe.gate.moe_statics.e_score_correction_bias + mlp.vision_moe.gate.moe_statics.e_score_correction_bias
      : join0; experts.*.down_proj.weight > text_moe.experts.down_proj + vision_moe.experts.down_proj : stack join1
      shares; experts.*.gate_proj.weight + experts.*.up_proj.weight > text_moe.experts.gate_up_proj +
      vision_moe.experts.gate_up_proj : stack join1 shares
    maskformer:
      layers.*.fc1 > layers.*.mlp.fc1; layers.*.fc2 > layers.*.mlp.fc2
    DetrModel, MaskFormerDetrDecoder:
      backbone.conv_encoder > backbone; out_proj > o_proj; layers.*.fc1 > layers.*.mlp.fc1; layers.*.fc2 >
      layers.*.mlp.fc2
    rt_detr, rt_detr_v2, pp_doclayout_v2, pp_doclayout_v3:
      out_proj > o_proj; layers.*.fc1 > layers.*.mlp.fc1; layers.*.fc2 > layers.*.mlp.fc2; encoder.encoder.*.layers >
      encoder.aifi.*.layers
    pp_doclayout_v4:
      decoder_roor_order_head > decoder.successor_order_head.proj; decoder_roor_global_pointer >
      decoder.successor_order_head.global_pointer; decoder_order_head > decoder.relative_order_head.proj;
      decoder_global_pointer > decoder.relative_order_head.global_pointer; s2r_fusion.a >
      decoder.relative_order_head.s2r_fusion.closure_weight; out_proj > o_proj; layers.*.fc1 > layers.*.mlp.fc1;
      layers.*.fc2 > layers.*.mlp.fc2; encoder.encoder.*.layers > encoder.aifi.*.layers
    RfDetrModel:
      backbone.0.encoder.encoder > backbone.backbone; backbone.0.projector > backbone.projector;
      projector.stages.0.0.cv1.conv > projector.projector_layer.conv1.conv; projector.stages.0.0.cv1.bn >
      projector.projector_layer.conv1.norm; projector.stages.0.0.cv2.conv > projector.projector_layer.conv2.conv;
      projector.stages.0.0.cv2.bn > projector.projector_layer.conv2.norm; projector.stages.0.1 > projector.layer_norm;
      projector.stages.0.0.m.*.cv1.conv > projector.projector_layer.bottlenecks.*.conv1.conv;
      projector.stages.0.0.m.*.cv1.bn > projector.projector_layer.bottlenecks.*.conv1.norm;
      projector.stages.0.0.m.*.cv2.conv > projector.projector_layer.bottlenecks.*.conv2.conv;
      projector.stages.0.0.m.*.cv2.bn > projector.projector_layer.bottlenecks.*.conv2.norm; transformer.decoder >
      decoder; decoder.layers.*.norm1 > decoder.layers.*.self_attn_layer_norm; decoder.layers.*.norm2 >
      decoder.layers.*.cross_attn_layer_norm; decoder.layers.*.linear1 > decoder.layers.*.mlp.fc1;
      decoder.layers.*.linear2 > decoder.layers.*.mlp.fc2; decoder.layers.*.norm3 > decoder.layers.*.layer_norm;
      decoder.norm > decoder.layernorm; ^transformer.enc_output_norm > enc_output_norm; ^transformer.enc_output >
      enc_output; transformer.enc_out_class_embed > enc_out_class_embed; transformer.enc_out_bbox_embed >
      enc_out_bbox_embed; refpoint_embed.weight > reference_point_embed.weight; attention.attention.query >
      attention.q_proj; attention.attention.key > attention.k_proj; attention.attention.value > attention.v_proj;
      attention.output.dense > attention.o_proj; self_attn.out_proj > self_attn.o_proj; self_attn.in_proj_bias >
      self_attn.q_proj.bias + self_attn.k_proj.bias + self_attn.v_proj.bias : join0; self_attn.in_proj_weight >
      self_attn.q_proj.weight + self_attn.k_proj.weight + self_attn.v_proj.weight : join0
    RfDetrForObjectDetection:
      ^ > model
    RfDetrForInstanceSegmentation:
      segmentation_head.query_features_block.layers.0 > query_features_block.mlp.fc1;
      segmentation_head.query_features_block.layers.2 > query_features_block.mlp.fc2;
      segmentation_head.query_features_block.norm_in > query_features_block.norm; segmentation_head.blocks.*.norm >
      blocks.*.layernorm; segmentation_head.blocks.*.dwconv > blocks.*.depthwise_conv;
      segmentation_head.blocks.*.pwconv1 > blocks.*.pointwise_conv; segmentation_head.spatial_features_proj >
      spatial_features_proj; segmentation_head.query_features_proj > query_features_proj; segmentation_head.bias >
      segmentation_bias
    ConditionalDetrModel:
      backbone.conv_encoder > backbone; self_attn.out_proj > self_attn.o_proj; encoder_attn.out_proj >
      encoder_attn.o_proj; layers.*.fc1 > layers.*.mlp.fc1; layers.*.fc2 > layers.*.mlp.fc2;
      decoder.layers.*.sa_qcontent_proj > decoder.layers.*.self_attn.q_content_proj; decoder.layers.*.sa_qpos_proj >
      decoder.layers.*.self_attn.q_pos_proj; decoder.layers.*.sa_kcontent_proj >
      decoder.layers.*.self_attn.k_content_proj; decoder.layers.*.sa_kpos_proj >
      decoder.layers.*.self_attn.k_pos_proj; decoder.layers.*.sa_v_proj > decoder.layers.*.self_attn.v_proj;
      decoder.layers.*.ca_qcontent_proj > decoder.layers.*.encoder_attn.q_content_proj; decoder.layers.*.ca_qpos_proj
      > decoder.layers.*.encoder_attn.q_pos_proj; decoder.layers.*.ca_kcontent_proj >
      decoder.layers.*.encoder_attn.k_content_proj; decoder.layers.*.ca_kpos_proj >
      decoder.layers.*.encoder_attn.k_pos_proj; decoder.layers.*.ca_v_proj > decoder.layers.*.encoder_attn.v_proj;
      decoder.layers.*.ca_qpos_sine_proj > decoder.layers.*.encoder_attn.q_pos_sine_proj
    deformable_detr:
      backbone.conv_encoder > backbone; self_attn.out_proj > self_attn.o_proj; layers.*.fc1 > layers.*.mlp.fc1;
      layers.*.fc2 > layers.*.mlp.fc2
    d_fine:
      out_proj > o_proj; layers.*.fc1 > layers.*.mlp.layers.0; layers.*.fc2 > layers.*.mlp.layers.1;
      encoder.encoder.*.layers > encoder.aifi.*.layers
    nemotron_h:
      backbone > model; mixer.experts.*.up_proj.weight > mixer.experts.up_proj : stack;
      mixer.experts.*.down_proj.weight > mixer.experts.down_proj : stack
    jamba:
      feed_forward.experts.*.gate_proj.weight + feed_forward.experts.*.up_proj.weight >
      feed_forward.experts.gate_up_proj : stack join1; feed_forward.experts.*.down_proj.weight >
      feed_forward.experts.down_proj : stack
    hyperclovax_vision_v2:
      ^model.language_model.lm_head > lm_head; ^model.vision_projector > model.projector; ^model.language_model.model
      > model.language_model
    nomic_bert:
      encoder.layers > layers; emb_ln > embeddings.LayerNorm; attn.out_proj > self_attn.o_proj; fc11 > up_proj; fc12 >
      gate_proj; fc2 > down_proj; norm1 > post_attention_layernorm; norm2 > post_mlp_layernorm; attn.Wqkv >
      self_attn.q_proj + self_attn.k_proj + self_attn.v_proj : join0
    gte:
      ^new > ; encoder.layer > layers; attention.o_proj > self_attn.o_proj; attn_ln > post_attention_layernorm; mlp_ln
      > post_mlp_layernorm; lm_head.norm > lm_head.layer_norm; attention.qkv_proj > self_attn.q_proj +
      self_attn.k_proj + self_attn.v_proj : join0; mlp.up_gate_proj > mlp.up_proj + mlp.gate_proj : join0
    jina_embeddings_v3:
      emb_ln > embeddings.LayerNorm; encoder.layers > layers; mixer.out_proj > self_attn.o_proj; norm1 >
      post_attention_layernorm; norm2 > post_mlp_layernorm; mixer.Wqkv > self_attn.q_proj + self_attn.k_proj +
      self_attn.v_proj : join0
    cohere_asr:
      encoder.pre_encode.conv > encoder.subsampling.layers; encoder.pre_encode.out > encoder.subsampling.linear;
      transf_decoder._embedding.position_embedding.pos_enc > decoder.pos_emb.weight;
      transf_decoder._embedding.token_embedding > decoder.embed_tokens; transf_decoder._embedding.layer_norm >
      decoder.embedding_layernorm; transf_decoder._decoder.final_layer_norm > decoder.norm;
      transf_decoder._decoder.layers > decoder.layers; encoder_decoder_proj > decoder.proj; second_sub_layer.query_net
      > encoder_attn.q_proj; second_sub_layer.key_net > encoder_attn.k_proj; second_sub_layer.value_net >
      encoder_attn.v_proj; second_sub_layer.out_projection > encoder_attn.o_proj; third_sub_layer.dense_in > mlp.fc1;
      third_sub_layer.dense_out > mlp.fc2; layer_norm_1 > input_layernorm; layer_norm_2 > post_attention_layernorm;
      layer_norm_3 > final_layernorm; conv.batch_norm > conv.norm; log_softmax.mlp.layer0 > proj_out
    qianfan_ocr:
      ^vision_model > model.vision_tower; encoder.layers > layers; ls1 > lambda_1; ls2 > lambda_2; layers.*.attn.proj
      > layers.*.attention.projection_layer; norm1 > layernorm_before; norm2 > layernorm_after;
      embeddings.class_embedding > embeddings.cls_token; embeddings.position_embedding >
      embeddings.position_embeddings; embeddings.patch_embedding > embeddings.patch_embeddings.projection;
      ^language_model.model > model.language_model; ^language_model.lm_head > lm_head; ^mlp1.0 >
      model.multi_modal_projector.layer_norm; ^mlp1.1 > model.multi_modal_projector.linear_1; ^mlp1.3 >
      model.multi_modal_projector.linear_2; attn.qkv.weight > attention.q_proj.weight + attention.k_proj.weight +
      attention.v_proj.weight : join0; attn.qkv.bias > attention.q_proj.bias + attention.k_proj.bias +
      attention.v_proj.bias : join0
    legacy:
      LayerNorm.gamma > LayerNorm.weight; LayerNorm.beta > LayerNorm.bias; weight_g >
      parametrizations.weight.original0; weight_v > parametrizations.weight.original1; ^model.language_model.model >
      model.language_model; ^language_model.model.model > model.language_model
    sapiens2:
      ^cls_token > embeddings.cls_token; ^storage_tokens > embeddings.register_tokens; ^patch_embed.projection >
      embeddings.patch_embeddings; blocks.* > model.layer.*; attn.proj > attention.o_proj; attn.wq > attention.q_proj;
      attn.wk > attention.k_proj; attn.wv > attention.v_proj; attn.q_norm > attention.q_norm; attn.k_norm >
      attention.k_norm; attn.gamma.weight > layer_scale1.lambda1; ffn.w3 > mlp.down_proj; ln1 > norm1; ln2 > norm2;
      ^ln1 > norm; ffn.w12.weight > mlp.gate_proj.weight + mlp.up_proj.weight : join0; ffn.w12.bias >
      mlp.gate_proj.bias + mlp.up_proj.bias : join0
    Sapiens2ForSemanticSegmentation:
      ^backbone > model; decode_head.deconv_layers.0.weight > decode_head.upsample_layers.0.convolution.weight;
      decode_head.deconv_layers.3.weight > decode_head.upsample_layers.1.convolution.weight;
      decode_head.deconv_layers.6.weight > decode_head.upsample_layers.2.convolution.weight;
      decode_head.deconv_layers.9.weight > decode_head.upsample_layers.3.convolution.weight;
      decode_head.conv_layers.0.weight > decode_head.conv_layers.0.convolution.weight; decode_head.conv_layers.0.bias
      > decode_head.conv_layers.0.convolution.bias; decode_head.conv_layers.3.weight >
      decode_head.conv_layers.1.convolution.weight; decode_head.conv_layers.3.bias >
      decode_head.conv_layers.1.convolution.bias; decode_head.conv_seg > decode_head.predictor
    Sapiens2ForPoseEstimation:
      ^backbone > model; decode_head.deconv_layers.0.weight > decode_head.upsample_layers.0.convolution.weight;
      decode_head.deconv_layers.3.weight > decode_head.upsample_layers.1.convolution.weight;
      decode_head.conv_layers.0.weight > decode_head.conv_layers.0.convolution.weight; decode_head.conv_layers.0.bias
      > decode_head.conv_layers.0.convolution.bias; decode_head.conv_layers.3.weight >
      decode_head.conv_layers.1.convolution.weight; decode_head.conv_layers.3.bias >
      decode_head.conv_layers.1.convolution.bias; decode_head.conv_layers.6.weight >
      decode_head.conv_layers.2.convolution.weight; decode_head.conv_layers.6.bias >
      decode_head.conv_layers.2.convolution.bias; decode_head.conv_pose > decode_head.predictor
    Sapiens2ForNormalEstimation:
      ^backbone > model; decode_head.input_conv.0.weight > decode_head.input_conv.convolution.weight;
      decode_head.input_conv.0.bias > decode_head.input_conv.convolution.bias; decode_head.upsample_blocks.*.0.weight
      > decode_head.upsample_layers.*.convolution.weight; decode_head.upsample_blocks.*.0.bias >
      decode_head.upsample_layers.*.convolution.bias; decode_head.conv_layers.0.weight >
      decode_head.conv_layers.0.convolution.weight; decode_head.conv_layers.0.bias >
      decode_head.conv_layers.0.convolution.bias; decode_head.conv_layers.3.weight >
      decode_head.conv_layers.1.convolution.weight; decode_head.conv_layers.3.bias >
      decode_head.conv_layers.1.convolution.bias; decode_head.conv_layers.6.weight >
      decode_head.conv_layers.2.convolution.weight; decode_head.conv_layers.6.bias >
      decode_head.conv_layers.2.convolution.bias; decode_head.conv_normal > decode_head.predictor
    """
}
