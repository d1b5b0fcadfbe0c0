"""Stacks, section 4.1 of ../stacks.md: which tensors are codes, which are their state, and which form one unit."""

from collections.abc import Mapping, Sequence

NUMBERS = {"F64", "F32", "F16", "BF16", "C64", "BOOL"}  # codes have other dtypes


def _words(text: str) -> list[str]:
    return text.split()


CODES = _words("_packed _blocks .blocks _qdata :qdata ._data _quantized .compressed")
STATE = _words("""
    _scale _scales _scale_inv _inv_scale _scale_2 _global_scale _per_tensor_scale _quant_scale _dequant_scale
    _scaling_factor _scale_and_zero _zero_point _zero_points _zero _zeros _zp _offset _shape _g_idx _format _absmax
    _amax _sf _sf_rowmajor _act_pre_scale _weight_scale _weight_scale_inv _weight_scale_2 _weight_zero_point
    _weight_global_scale _input_scale _input_zero_point _input_global_scale _output_scale _output_zero_point
    _activation_scale _act_scale .scale .scales .zero_point :scale :zero_point ._scale ._shift .SCB .bitmask
    .row_offsets .shape
""")
STATE_OF_ANY = _words("""
    .absmax .quant_map .nested_absmax .nested_quant_map .quant_state.bitsandbytes__nf4
    .quant_state.bitsandbytes__fp4
""")
MODULE_CODES = _words("codes indices B")
MODULE_CODES_OF_ANY = _words("qweight q_weight W_q Qidxs trellis dense_weights")
MODULE_STATE = _words("""
    weight_scale weight_scale_inv weight_scale_2 weight_scales weight_zero_point weight_global_scale weight_shape
    weight_g_idx weight_bias weight_offset weights_scaling_factor weights_scaling_factor_2 scale scales scale_inv
    inv_scale dequant_scale scaling_factor scale_weight scale_packed qscale_weight q_scale q_scale_max zero zeros
    zero_point zero_points zero_scale qzeros g_idx biases qbiases SCB s tables tables2 codebook codebooks
    centroids.weight res_centroids.weight outlier_centroids.weight res_indices outlier_indices perm invperm q_perm
    q_invperm q_groups q_group_map in_perm row_offsets col_vals SU SV Wscale su sv suh svh mcg mul1 rcp tlut meta
    group_size nbits axis shape packing channel_wise compute_dtype encoded_state_dict offload_meta quant_scale
    quant_zero stores_quant_config unpack_view_dtype view_as_float comfy_quant forward_hadamard_matrix
    backward_hadamard_matrix input_scale input_scale_inv input_scale_ub input_zero_point input_global_scale
    input_offset input_activation_scale output_scale output_zero_point output_activation_scale activation_scale
    activation_scaling_factor act_scale act_global_scale scale_input qscale_act pre_quant_scale
    prequant_scaling_factor deq_scale quant_bias weight_quantizer.scale weight_quantizer.zero_point
    weight_quantizer._scale weight_quantizer._double_scale weight_quantizer._amax input_quantizer.scale
    input_quantizer.zero_point input_quantizer._amax input_quantizer._pre_quant_scale output_quantizer.scale
    output_quantizer.zero_point output_quantizer._amax
""")


def owners(name: str) -> tuple[set[str], set[str]]:
    """Names of codes that a tensor of this name could be the state of: of a code dtype, and of any dtype."""
    of_codes: set[str] = set()
    of_any: set[str] = set()
    for word in (*STATE, *STATE_OF_ANY):
        stem = name.removesuffix(word)
        if stem and stem != name:
            (of_any if word in STATE_OF_ANY else of_codes).add(stem)
            of_any |= {stem + tail for tail in CODES}
    for word in MODULE_STATE:
        module = name.removesuffix(word)
        if module != name and (not module or module[-1] in "._:"):
            of_codes |= {module + tail for tail in ("weight", *MODULE_CODES)}
            of_any |= {module + "weight" + tail for tail in CODES}
            of_any |= {module + tail for tail in MODULE_CODES_OF_ANY}
    for i in range(1, len(name)):
        if name[i] in "._:":
            of_codes.add(name[:i])
    module = name[: name.rfind(".") + 1]
    if name[len(module) :] not in ("weight", "bias", "embed_scale"):
        of_codes.add(module + "weight")
    return of_codes - {name}, of_any - {name}


def units(models: Sequence[Mapping[str, str]]) -> list[set[str]]:
    """`models`: name → dtype, for each model. Tensors that are one unit in any model are one unit."""
    found: list[set[str]] = []
    for dtypes in models:
        for name in dtypes:
            of_codes, of_any = owners(name)
            codes = {n for n in of_any if n in dtypes} | {n for n in of_codes if dtypes.get(n, "F32") not in NUMBERS}
            if codes:
                unit = codes | {name}
                for other in [it for it in found if it & unit]:
                    found.remove(other)
                    unit |= other
                found.append(unit)
    return found
