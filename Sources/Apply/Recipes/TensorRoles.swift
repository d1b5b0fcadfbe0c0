import Checkpoints
import Families

// What tensor names reveal about a checkpoint that is not a whole model, or is quantised. The lists contain whole parts
// of dotted names, or beginnings or ends of the last part.

/// Adapter tensors: they are added to a model when it is loaded.
enum AdapterTensors {
  private static let marks: [(part: String, kind: String)] = [
    ("lora_magnitude_vector", "LoRA (DoRA)"), ("lora_embedding_A", "LoRA"), ("lora_embedding_B", "LoRA"),
    ("lora_A", "LoRA"), ("lora_B", "LoRA"), ("lora_E", "AdaLoRA"), ("lora_up", "LoRA"), ("lora_down", "LoRA"),
    ("lora_mid", "LoRA"), ("lora_a", "LoRA"), ("lora_b", "LoRA"), ("lora_ranknum", "AdaLoRA"),
    ("lora_magnitude", "LoRA (DoRA)"), ("ia3_l", "IA³"), ("lora", "LoRA"), ("ln_tuning_layers", "LN tuning"),
    ("vera_lambda_b", "VeRA"), ("vera_lambda_d", "VeRA"),
    ("vera_A", "VeRA"), ("vera_B", "VeRA"), ("prompt_embeddings", "prompt tuning"), ("prompt_encoder", "prompt tuning"),
    ("prefix_encoder", "prefix tuning"), ("adaption_prompt", "LLaMA-Adapter"), ("adaption_gate", "LLaMA-Adapter"),
  ]
  private static let beginnings: [(start: String, kind: String)] = [
    ("hada_w", "LoHa"), ("hada_t", "LoHa"), ("lokr_w", "LoKr"), ("lokr_t", "LoKr"), ("oft_", "OFT"), ("boft_", "BOFT"),
    ("fourierft_", "FourierFT"), ("vblora_", "VB-LoRA"), ("randlora_", "RandLora"), ("hra_u", "HRA"), ("bone_", "Bone"),
    ("miss_", "MiSS"), ("shira_", "SHiRA"), ("c3a_", "C3A"), ("road_", "RoAd"), ("waveft_", "WaveFT"),
    ("trainable_tokens_delta", "trainable tokens"), ("delora_", "DeLoRA"), ("gralora_", "GraLoRA"), ("psoft_", "PSOFT"),
    ("lily_", "Lily"),
  ]

  /// The kind of adapter that a tensor belongs to; nil for a tensor of the model itself.
  package static func kind(of name: String) -> String? {
    let parts = name.split(separator: ".")
    for part in parts {
      if let mark = marks.first(where: { part == $0.part }) { return mark.kind }
      if part.hasSuffix("_lora") { return "LoRA" }
      if let mark = beginnings.first(where: { part.hasPrefix($0.start) }) { return mark.kind }
    }
    return parts.contains { $0.hasPrefix("lora_unet_") || $0.hasPrefix("lora_te") } ? "LoRA" : nil
  }
}

/// Tensors that belong to quantised weights, such as scales.
enum QuantisationTensors {
  /// Suffixes of the last part (what remains is the codes' name), with the library that writes them.
  private static let ends: [(end: String, kind: String)] = [
    ("_scale_inv", "float8"), ("_scale_2", "compressed-tensors, ModelOpt"), ("_global_scale", "compressed-tensors"),
    ("_scale", "compressed-tensors, float8"), ("_scales", "MXFP4"), ("_blocks", "MXFP4"),
    ("_packed", "compressed-tensors"), ("_zero_point", "compressed-tensors"), ("_shape", "compressed-tensors"),
  ]
  private static let stems = ["weight", "gate_up_proj", "gate_proj", "up_proj", "down_proj", "experts"]
  /// Last parts that occur only in quantised models.
  private static let parts: [(part: String, kind: String)] = [
    ("qweight", "GPTQ, AWQ"), ("qzeros", "GPTQ, AWQ"), ("g_idx", "GPTQ"), ("SCB", "bitsandbytes"),
    ("weight_format", "bitsandbytes"), ("absmax", "bitsandbytes"), ("quant_map", "bitsandbytes"),
    ("nested_absmax", "bitsandbytes"), ("nested_quant_map", "bitsandbytes"), ("W_q", "HQQ"), ("weight_scaler", "EETQ"),
    ("scales", "GPTQ, AWQ, MLX"), ("scale_inv", "float8"), ("_weight_qdata", "torchao"), ("_weight_scale", "torchao"),
    ("_weight_zero_point", "torchao"),
  ]

  /// The quantisation method that a tensor belongs to; nil for plain numbers.
  package static func kind(of name: String) -> String? {
    let last = name.split(separator: ".").last.map(String.init) ?? name
    if last.hasPrefix("bitsandbytes__") { return "bitsandbytes" }
    if let known = parts.first(where: { $0.part == last }) { return known.kind }
    for (end, kind) in ends where last.hasSuffix(end) && stems.contains(String(last.dropLast(end.count))) {
      return kind
    }
    return nil
  }
}

/// Optimizer state, stored per tensor of a model: Adam's moments, momentum, gradients, master copies.
enum OptimizerTensors {
  private static let parts: Set<Substring> = [
    "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "exp_avg_diff", "exp_inf", "momentum", "momentum_buffer", "square_avg",
    "acc_delta", "grad", "grads", "gradient", "gradients", "delta", "deltas", "fp32_master", "master", "master_weights",
    "optimizer", "optim", "optimizer_state", "state1", "state2",
  ]

  /// Whether the name begins or ends with such a word.
  package static func contains(_ name: String) -> Bool {
    let parts = name.split(separator: ".")
    return parts.count > 1 && [parts.first, parts.last].contains { $0.map(Self.parts.contains) == true }
  }
}

/// Tensors that may be missing or added without a fine-tune.
enum PassingTensors {
  /// Buffers that are computed from the config when a model is created.
  private static let buffers: Set<Substring> = [
    "inv_freq", "original_inv_freq", "position_ids", "masked_bias", "relative_position_index", "rope_freqs",
    "token_type_ids", "cos_cached", "sin_cached", "num_batches_tracked",
  ]
  /// Vision and audio parts. A text model loads without them.
  private static let senses: Set<Substring> = [
    "visual", "vision_tower", "vision_model", "vision_encoder", "vision_embed_tokens", "vision_resampler",
    "multi_modal_projector", "mm_projector", "image_newline", "embed_vision", "embed_audio", "audio_tower",
    "audio_model", "audio_encoder", "audio_projector", "speech_encoder", "connector", "perceiver", "aligner", "talker",
    "token2wav", "code2wav",
    "vision_projection", "vision_projector", "vision_proj", "img_processor", "image_encoder", "embed_tokens_extend",
  ]

  package static func isBuffer(_ tensor: TensorInfo) -> Bool {
    let parts = tensor.name.split(separator: ".")
    // The causal mask of GPT-2 and GPT-NeoX. A bias of another rank is a weight.
    if tensor.shape.count == 4, parts.last == "bias" { return true }
    return parts.last.map(buffers.contains) ?? false
  }

  /// The vision or audio part that a tensor belongs to: its name up to that part; nil where there is none.
  static func sense(of name: String) -> String? {
    let parts = name.split(separator: ".")
    guard let at = parts.prefix(3).firstIndex(where: senses.contains) else { return nil }
    return parts[...at].joined(separator: ".")
  }

  /// Whether its name belongs to multi-token prediction.
  static func isFurtherPrediction(_ name: String) -> Bool {
    name.split(separator: ".").prefix(2).contains { $0.hasPrefix("mtp") || $0.hasPrefix("nextn") }
  }

  /// The index of the decoder layer, in any layout.
  package static func decoderLayer(_ name: String) -> Int? {
    guard sense(of: name) == nil else { return nil }
    let parts = name.split(separator: ".")
    guard let at = parts.firstIndex(where: { $0 == "layers" || $0 == "h" || $0 == "blocks" }), at <= 3,
      at + 1 < parts.count
    else { return nil }
    return NamePath.index(parts[at + 1])
  }

  static func isHead(_ name: String) -> Bool {
    let parts = name.split(separator: ".")
    guard parts.count >= 2, decoderLayer(name) == nil, sense(of: name) == nil else { return false }
    return ["lm_head", "embed_out", "output", "output_layer"].contains(parts[parts.count - 2])
      || parts.suffix(3).prefix(2) == ["predictions", "decoder"]
  }

  static func isEmbedding(_ name: String) -> Bool {
    let embeddings: Set<Substring> = ["embed_tokens", "wte", "word_embeddings", "tok_embeddings", "embed_in", "shared"]
    return name.split(separator: ".").dropLast().last.map(embeddings.contains) ?? false
  }
}
