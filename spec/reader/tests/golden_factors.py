"""The patches that `check` must refuse for a defect in the factors of a change, or in a copy."""

from collections.abc import Callable
from typing import Any

from craft import Checkpoint, Entry, Tensor
from craft_features import FeatureDraft
from golden_flags import ADAPTER, M2, PRODUCT, M, parts, sealed
from golden_refused import W2, Make, W, X, case, small_frame, u8


def factors(edit: Callable[[Entry], object], **of: Any) -> Make:
    return parts(lambda d: edit(d.tensors[0]["low_rank"]), **of)


def view(key: str, *numbers: int) -> Make:
    return factors(lambda f: f.update({key: [*numbers]}))


def for_tensor(base: Tensor, target: Tensor) -> Make:
    """The member where it does not belong."""
    return parts(lambda d: d.tensors[0].update(low_rank=PRODUCT.member()), base=base, target=target, low_rank={},
                 coder="sparse")


def in_adapter(t: Tensor, name: str = "m.lora_B.weight") -> Make:
    """Another tensor for the factor `u`."""
    return parts(lambda d: d.tensors[0].update(low_rank=PRODUCT.member()), low_rank={}, adapter=ADAPTER | {name: t})


# --- 3.5: factors -----------------------------------------------------------------------------
case("low_rank_unknown_key", "3.2 (6)", "header-shape", "an unknown member of the factors",
     factors(lambda f: f.update(alpha=1)))
case("low_rank_missing_key", "3.2 (6)", "header-shape", "factors without v", factors(lambda f: f.pop("v")))
case("low_rank_rounding", "3.2 (6)", "header-shape", "the rounding up", factors(lambda f: f.update(rounding="up")))
case("low_rank_scale_upper_case", "3.2 (6)", "header-shape", "a scale in upper case",
     factors(lambda f: f.update(scale="3FF0000000000000")))
case("low_rank_scale_15_digits", "3.2 (6)", "header-shape", "a scale of 15 digits",
     factors(lambda f: f.update(scale="3ff000000000000")))
case("low_rank_scale_17_digits", "3.2 (6)", "header-shape", "a scale of 17 digits",
     factors(lambda f: f.update(scale="3ff00000000000000")))
case("low_rank_scale_number", "3.2 (6)", "header-shape", "a scale that is a number",
     factors(lambda f: f.update(scale=1)))
case("low_rank_view_four_numbers", "3.2 (6)", "header-shape", "a factor of four numbers", view("u", 1, 0, 0, 2))
case("low_rank_on_same", "3.2 (6)", "header-shape", "factors of a tensor that stays the same",
     parts(lambda d: d.tensors[0].update(low_rank=PRODUCT.member()), target=M, low_rank={}))
case("low_rank_on_rows", "3.2 (6)", "header-shape", "factors of a tensor with new rows",
     for_tensor(M, Tensor("BF16", (5, 3), M2.data + bytes(6))))
case("low_rank_with_copy", "3.2 (6)", "header-shape", "factors of a copy",
     parts(lambda d: d.tensors[0].update(copy="m")))
case("low_rank_rank_0", "3.2 (6)", "number-limit", "rank 0", factors(lambda f: f.update(rank=0)))
case("low_rank_rank_1025", "3.2 (6)", "number-limit", "rank 1025, of which all elements exist",
     factors(lambda f: f.update(rank=1025, u=[1, 0, 0, 0, 0], v=[0, 0, 0, 0, 0])))
case("low_rank_scale_infinite", "3.2 (7), 3.5", "low-rank", "an infinite scale",
     factors(lambda f: f.update(scale="7ff0000000000000")))
case("low_rank_scale_nan", "3.2 (7), 3.5", "low-rank", "a scale that is NaN",
     factors(lambda f: f.update(scale="fff8000000000000")))
case("low_rank_vector", "3.2 (7), 3.5", "low-rank", "factors of a tensor of one dimension",
     for_tensor(Tensor("BF16", (12,), M.data), Tensor("BF16", (12,), M2.data)))
case("low_rank_scalar", "3.2 (7), 3.5", "low-rank", "factors of a scalar",
     for_tensor(Tensor("BF16", (), M.data[:2]), Tensor("BF16", (), M2.data[:2])))
case("low_rank_integers", "3.2 (7), 3.5", "low-rank", "factors of integers",
     for_tensor(Tensor("I16", (4, 3), M.data), Tensor("I16", (4, 3), M2.data)))
case("low_rank_f64", "3.2 (7), 3.5", "low-rank", "factors of F64",
     for_tensor(Tensor("F64", (1, 3), M.data), Tensor("F64", (1, 3), M2.data)))
case("low_rank_no_elements", "3.2 (7), 3.5", "low-rank", "factors of a tensor without elements",
     parts(lambda d: d.tensors[0].update(op="change", low_rank=PRODUCT.member(), chunks=[], target={
         "dtype": "BF16", "shape": [0, 4, 3], "fingerprint": "0" * 64}),
         base=Tensor("BF16", (0, 4, 3), b""), target=Tensor("BF16", (0, 4, 3), b""), low_rank={}))
case("low_rank_no_such_tensor", "3.2 (7), 3.5", "low-rank", "u is in tensor 2 of two", view("u", 2, 0, 0, 2, 1))
case("low_rank_tensor_index_bomb", "3.2 (7), 3.5", "low-rank", "v is in tensor 2^53 - 1 of two",
     view("v", 2**53 - 1, 0, 0, 1, 3))
case("low_rank_factor_of_integers", "3.2 (7), 3.5", "low-rank", "u is in a tensor of I32",
     in_adapter(Tensor("I32", (4, 2), bytes(32))))
case("low_rank_factor_f64", "3.2 (7), 3.5", "low-rank", "u is in a tensor of F64",
     in_adapter(Tensor("F64", (4, 2), bytes(64))))
case("low_rank_factor_too_small", "3.2 (7), 3.5", "low-rank",
     "u is in a tensor of 7 elements, all that are referred to exist, but there must be 8",
     parts(lambda d: d.tensors[0].update(low_rank=PRODUCT.member() | {"u": [1, 0, 0, 0, 1]}), low_rank={},
           adapter=ADAPTER | {"m.lora_B.weight": Tensor("F32", (7,), bytes(28))}))
case("low_rank_u_outside", "3.2 (7), 3.5", "low-rank", "u refers to element 8 of 8", view("u", 1, 1, 0, 2, 1))
case("low_rank_v_outside", "3.2 (7), 3.5", "low-rank", "v refers to element 6 of 6", view("v", 0, 0, 0, 1, 4))
case("low_rank_offset_bomb", "3.2 (7), 3.5", "low-rank", "an offset of 2^53 - 1", view("u", 1, 2**53 - 1, 0, 2, 1))
case("low_rank_slice_outside", "3.2 (7), 3.5", "low-rank", "the second of two matrices is outside u", factors(
    lambda f: f.update(u=[1, 0, 6, 1, 1]), base=Tensor("BF16", (2, 2, 3), M.data),
    target=Tensor("BF16", (2, 2, 3), M2.data)))


def wraps(line: int) -> Make:
    """4,096 lines on, the product of numbers is 2^63 or 2^64."""
    tall, tall2 = (Tensor("BF16", (4097, 1), bytes(8192) + last) for last in (b"\0\0", b"\1\0"))

    def edit(d: FeatureDraft) -> None:
        d.tensors[0].update(low_rank={"rank": 1, "rounding": "sum", "scale": "3ff0000000000000",
                                      "u": [0, 0, 0, line, 0], "v": [0, 0, 0, 0, 0]})

    adapter = {"u": Tensor("BF16", (4097,), bytes(range(1, 255)) * 32 + bytes(66))}
    return parts(edit, base=tall, target=tall2, low_rank={}, coder="sparse", adapter=adapter, held="planes")


case("low_rank_overflow", "3.2 (7), 3.5", "low-rank", "u refers to element 2^64, which wraps to 0", wraps(2**52))
case("low_rank_overflow_negative", "3.2 (7), 3.5", "low-rank", "u refers to element 2^63, which wraps to a negative",
     wraps(2**51))

# --- 3.4 --------------------------------------------------------------------------------------


def copied(edit: Callable[[Entry], object] = lambda e: None, base: dict[str, Tensor] | None = None,
           target: dict[str, Tensor] | None = None, flags: int | None = None) -> Make:
    """By default "h" is a copy of "e", which changes; `edit` spoils the entry of the last tensor."""
    one, two = base or {"e": W, "h": W}, target or {"e": W2, "h": W2}

    def make() -> bytes:
        d = FeatureDraft(Checkpoint(one), Checkpoint(two), copies={"h": "e"}, frame=small_frame)
        edit(d.tensors[-1])
        return sealed(d, flags)

    return make


def with_chunks(d: FeatureDraft) -> None:
    d.append(d.tensors[-1], "d", b"\0", 8)


def copy_with_chunks() -> bytes:
    d = FeatureDraft(Checkpoint({"e": W, "h": W}), Checkpoint({"e": W2, "h": W2}), copies={"h": "e"}, frame=small_frame)
    with_chunks(d)
    return d.seal()


X2 = Tensor("X9", (4,), b"12_4")
case("copy_without_flag", "3.2 (4)", "flags", "a copy without the flag copies", copied(flags=0))
case("copy_without_chunks_member", "3.2 (6)", "header-shape", "a copy without the member chunks",
     copied(lambda e: e.pop("chunks")))
case("copy_name_number", "3.2 (6)", "header-shape", "an original that is a number", copied(lambda e: e.update(copy=0)))
case("copy_on_same", "3.2 (6)", "header-shape", "a copy that stays the same", copied(
    lambda e: e.pop("chunks"), target={"e": W, "h": W}))
case("copy_missing", "3.2 (7), 3.4", "copy", "a copy of a tensor that does not exist",
     copied(lambda e: e.update(copy="x")))
case("copy_of_itself", "3.2 (7), 3.4", "copy", "a copy of itself", copied(lambda e: e.update(copy="h")))
case("copy_of_copy", "3.2 (7), 3.4", "copy", "a copy of a copy", copied(
    lambda e: e.update(copy="h", chunks=[]), {"e": W, "h": W, "i": W}, {"e": W2, "h": W2, "i": W2}))
case("copy_with_chunks", "3.2 (7), 3.4", "copy", "a copy with a chunk", copy_with_chunks)
OTHER = Tensor("BF16", (4,), bytes(8))
case("copy_other_base", "3.2 (7), 3.4", "copy", "a copy whose base has another fingerprint",
     copied(base={"e": W, "h": OTHER}))
case("copy_other_target", "3.2 (7), 3.4", "copy", "a copy whose target has another fingerprint",
     copied(target={"e": W2, "h": OTHER}))
case("copy_other_shape", "3.2 (7), 3.4", "copy", "a copy of the same bytes in another shape", copied(
    base={"e": W, "h": Tensor("BF16", (2, 2), W.data)}, target={"e": W2, "h": Tensor("BF16", (2, 2), W2.data)}))
case("copy_other_dtype", "3.2 (7), 3.4", "copy", "a copy of the same bytes with another dtype", copied(
    base={"e": W, "h": Tensor("F16", (4,), W.data)}, target={"e": W2, "h": Tensor("F16", (4,), W2.data)}))
case("copy_other_length", "3.2 (7), 3.4", "copy", "a copy of an unknown dtype that says another length", copied(
    lambda e: e.update(bytes=[5, 5]), {"e": X, "h": X}, {"e": X2, "h": X2}))
case("copy_added_of_removed", "3.2 (7), 3.4", "copy", "an added tensor is a copy of one that the target lacks",
     copied(base={"e": W}, target={"h": W}))
case("copy_changed_of_added", "3.2 (7), 3.4", "copy", "a changed tensor is a copy of an added one",
     copied(base={"h": W}, target={"e": W2, "h": W2}))
case("copy_without_bytes", "3.2 (7)", "operation", "a copy of an unknown dtype without bytes", copied(
    lambda e: e.pop("bytes"), {"e": X, "h": X}, {"e": X2, "h": X2}))
case("copy_operation", "3.2 (7)", "operation", "a copy is replaced where it must be changed",
     copied(lambda e: e.update(op="replace"), {"e": u8(4), "h": u8(4)},
            {name: Tensor("U8", (4,), b"abcd") for name in "eh"}))
