import Base

// The JSON type that each number and boolean of a config.json must have. These are the types that the config classes of
// transformers 5.24 accept; each member was tested with a value of every type (bench/config_types.py;
// fixtures/config-types.json). What they refuse, such as a number in quotes, is refused here too: otherwise a reader
// would silently use the default. One exception: 1 is accepted for 1.0, since it cannot be misread.

enum ConfigTypes {
  /// By member name. A name means the same in all config classes.
  package static let members: [String: ConfigKinds] = {
    let groups: [(ConfigKinds, String)] = [
      (
        .integer,
        """
        depth hidden_size image_seq_length image_token_id image_token_index in_channels in_chans intermediate_size \
        max_position_embeddings mlp_ratio num_attention_heads num_channels num_heads num_hidden_layers out_hidden_size \
        projection_dim spatial_merge_size spatial_patch_size tokens_per_second video_token_id video_token_index \
        vision_end_token_id vision_start_token_id vocab_size window_size
        """
      ),
      (
        [.integer, .null],
        "bos_token_id head_dim max_window_layers num_key_value_heads pad_token_id pretraining_tp sliding_window"
      ),
      ([.integer, .list], "temporal_patch_size vision_feature_layer fullatt_block_indexes"),
      ([.integer, .list, .null], "eos_token_id image_size patch_size"),
      (
        .number,
        """
        attention_probs_dropout_prob drop_path_rate hidden_dropout_prob initializer_factor initializer_range \
        layer_norm_eps layerscale_value rms_norm_eps rope_theta
        """
      ),
      ([.number, .null], "attention_dropout partial_rotary_factor"),
      (
        .flag,
        """
        apply_layernorm attention_bias mlp_bias multimodal_projector_bias qkv_bias reshape_hidden_states \
        tie_word_embeddings use_cache use_mask_token use_swiglu_ffn vision_use_head
        """
      ),
      ([.flag, .null], "use_sliding_window"),
    ]
    let shared = Dictionary(
      uniqueKeysWithValues: groups.flatMap { kinds, names in
        names.split(separator: " ").map { (String($0), kinds) }
      })
    return DecoderFamily.all.reduce(into: shared) { $0.merge($1.configKinds) { first, _ in first } }
  }()

  /// The members of a rotary embedding's parameters.
  static let rotary: [String: ConfigKinds] = [
    "rope_theta": .number, "factor": .number, "low_freq_factor": .number, "high_freq_factor": .number,
    "original_max_position_embeddings": .number, "partial_rotary_factor": [.number, .null], "mrope_section": .list,
    "beta_fast": [.number, .null], "beta_slow": [.number, .null], "mscale": [.number, .null],
    "mscale_all_dim": [.number, .null], "attention_factor": [.number, .null],
  ]

  /// - Throws: `invalid` for a member of the wrong type, in the config or in a nested one.
  static func check(_ json: JSON, path: String) throws {
    try check(json, members, path)
    for key in ["rope_parameters", "rope_scaling"] {
      guard let value = json[key], value != .null else { continue }
      guard value.object != nil else { throw wrong(key, value, "an object", path) }
      try check(value, rotary, path)
      // One for each type of layers.
      for member in value.object ?? [] where member.value.object != nil { try check(member.value, rotary, path) }
    }
    for key in ["hidden_act", "hidden_activation", "projector_hidden_act", "model_type"] {
      if let value = json[key], value.string == nil { throw wrong(key, value, "text", path) }
    }
    for key in ["text_config", "vision_config"] {
      guard let value = json[key], value != .null else { continue }
      guard value.object != nil else { throw wrong(key, value, "an object", path) }
      try check(value, path: path)
    }
  }

  private static func check(_ json: JSON, _ kinds: [String: ConfigKinds], _ path: String) throws {
    for member in json.object ?? [] {
      guard let kinds = kinds[member.key], !kinds.holds(member.value) else { continue }
      throw wrong(member.key, member.value, kinds.text, path)
    }
  }

  static func wrong(_ key: String, _ value: JSON, _ kind: String, _ path: String) -> VPatchError {
    VPatchError(
      .invalid, path, "has \"\(key)\": \(String(value.compact().printable.prefix(80))), which is not \(kind)",
      remedy: value.string == nil
        ? "use the original config.json of the model" : "write it without quotes; transformers refuses it too")
  }
}
