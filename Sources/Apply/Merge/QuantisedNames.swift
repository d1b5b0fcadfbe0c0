/// Names of the tensors that quantisers store (spec/stacks.md, section 4.1, has the same lists).
enum QuantisedNames {
  /// Suffixes of codes after a stem: `experts.gate_up_proj` + `_blocks`.
  static let codes: [String] = [
    "_packed", "_blocks", ".blocks", "_qdata", ":qdata", "._data", "_quantized", ".compressed",
  ]

  /// Suffixes of the tensors that dequantise the codes, after the codes' stem: `q_proj.weight` + `_scale_inv`.
  package static let state: Set<Substring> = [
    "_scale", "_scales", "_scale_inv", "_inv_scale", "_scale_2", "_global_scale", "_per_tensor_scale", "_quant_scale",
    "_dequant_scale", "_scaling_factor", "_scale_and_zero", "_zero_point", "_zero_points", "_zero", "_zeros", "_zp",
    "_offset", "_shape", "_g_idx", "_format", "_absmax", "_amax", "_sf", "_sf_rowmajor", "_act_pre_scale",
    "_weight_scale", "_weight_scale_inv", "_weight_scale_2", "_weight_zero_point", "_weight_global_scale",
    "_input_scale", "_input_zero_point", "_input_global_scale", "_output_scale", "_output_zero_point",
    "_activation_scale", "_act_scale", ".scale", ".scales", ".zero_point", ":scale", ":zero_point", "._scale",
    "._shift", ".SCB", ".bitmask", ".row_offsets", ".shape",
  ]

  /// The same for suffixes that occur nowhere else: the codes may then have any dtype, as with bitsandbytes.
  static let stateOfAny: Set<Substring> = [
    ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", ".quant_state.bitsandbytes__nf4",
    ".quant_state.bitsandbytes__fp4",
  ]

  /// Codes beside their state in a module, after the module's name: `q_proj.` + `qweight`.
  static let moduleCodes: [String] = ["codes", "indices", "B"]
  /// The same for names that occur nowhere else, of any dtype.
  static let moduleCodesOfAny: [String] = ["qweight", "q_weight", "W_q", "Qidxs", "trellis", "dense_weights"]

  /// State beside such codes, or beside codes named `weight`: `q_proj.` + `scales`.
  static let moduleState: Set<Substring> = [
    "weight_scale", "weight_scale_inv", "weight_scale_2", "weight_scales", "weight_zero_point", "weight_global_scale",
    "weight_shape", "weight_g_idx", "weight_bias", "weight_offset", "weights_scaling_factor",
    "weights_scaling_factor_2", "scale", "scales", "scale_inv", "inv_scale", "dequant_scale", "scaling_factor",
    "scale_weight", "scale_packed", "qscale_weight", "q_scale", "q_scale_max", "zero", "zeros", "zero_point",
    "zero_points", "zero_scale", "qzeros", "g_idx", "biases", "qbiases", "SCB", "s", "tables", "tables2", "codebook",
    "codebooks", "centroids.weight", "res_centroids.weight", "outlier_centroids.weight", "res_indices",
    "outlier_indices", "perm", "invperm", "q_perm", "q_invperm", "q_groups", "q_group_map", "in_perm", "row_offsets",
    "col_vals", "SU", "SV", "Wscale", "su", "sv", "suh", "svh", "mcg", "mul1", "rcp", "tlut", "meta", "group_size",
    "nbits", "axis", "shape", "packing", "channel_wise", "compute_dtype", "encoded_state_dict", "offload_meta",
    "quant_scale", "quant_zero", "stores_quant_config", "unpack_view_dtype", "view_as_float", "comfy_quant",
    "forward_hadamard_matrix", "backward_hadamard_matrix", "input_scale", "input_scale_inv", "input_scale_ub",
    "input_zero_point", "input_global_scale", "input_offset", "input_activation_scale", "output_scale",
    "output_zero_point", "output_activation_scale", "activation_scale", "activation_scaling_factor", "act_scale",
    "act_global_scale", "scale_input", "qscale_act", "pre_quant_scale", "prequant_scaling_factor", "deq_scale",
    "quant_bias", "weight_quantizer.scale", "weight_quantizer.zero_point", "weight_quantizer._scale",
    "weight_quantizer._double_scale", "weight_quantizer._amax", "input_quantizer.scale", "input_quantizer.zero_point",
    "input_quantizer._amax", "input_quantizer._pre_quant_scale", "output_quantizer.scale",
    "output_quantizer.zero_point", "output_quantizer._amax",
  ]

  /// Dtypes that codes never have.
  package static let numbers: Set<String> = ["F64", "F32", "F16", "BF16", "C64", "BOOL"]

  private static let separators = [UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: ":")]

  /// Tensors beside a module's quantised weight that do not belong to it.
  package static let others: Set<Substring> = ["weight", "bias", "embed_scale"]

  /// The possible codes that a tensor belongs to by its place, whatever its own name: those whose name is a prefix of
  /// its own, and its module's weight.
  static func codes(beside name: String) -> [String] {
    let text = name.utf8
    var found = text.indices.dropFirst().filter { separators.contains(text[$0]) }.map { String(name[..<$0]) }
    let module = text.lastIndex(of: UInt8(ascii: ".")).map { name[...$0] } ?? ""
    if !others.contains(name[module.endIndex...]) { found.append(module + "weight") }
    return found
  }

  /// The codes that a tensor of this name would belong to.
  /// - Returns: names, and whether codes of that name may have any dtype.
  static func codes(ofState name: String) -> [(name: String, ofAnyDType: Bool)] {
    var found: [(name: String, ofAnyDType: Bool)] = []
    func addStem(_ stem: Substring, ofAny: Bool) {
      found.append((String(stem), ofAny))
      found += codes.map { (stem + $0, true) }
    }
    let text = name.utf8
    var cut = text.startIndex
    var isAfterSeparator = true
    while cut < text.endIndex {
      if isAfterSeparator, moduleState.contains(name[cut...]) {
        let module = name[..<cut]
        addStem(module + "weight", ofAny: false)
        found += moduleCodes.map { (module + $0, false) } + moduleCodesOfAny.map { (module + $0, true) }
      }
      isAfterSeparator = separators.contains(text[cut])
      if isAfterSeparator, cut > text.startIndex {
        let (stem, word) = (name[..<cut], name[cut...])
        if state.contains(word) { addStem(stem, ofAny: false) }
        if stateOfAny.contains(word) { addStem(stem, ofAny: true) }
      }
      text.formIndex(after: &cut)
    }
    return found
  }
}
