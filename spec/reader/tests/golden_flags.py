"""The patches that `check` must refuse for a defect in a copy, in factors, or in an adapter."""

from collections.abc import Callable
from typing import Any

import craft
from craft import Checkpoint, Draft, Entry, Tensor
from craft_features import FeatureDraft
from craft_lowrank import Factors
from golden_refused import SCALAR, W2, Make, W, X, case, chunk, draft, put, small_frame, u8

# --- the patch to spoil: "m" = 4 × 3, changed by a product of rank 2 --------------------------
M = Tensor("BF16", (4, 3), bytes.fromhex("803f0040" * 6))
M2 = Tensor("BF16", (4, 3), bytes.fromhex("813f0040" * 6))
A = Tensor("F32", (2, 3), bytes(24))
B = Tensor("F32", (4, 2), bytes(32))
ADAPTER = {"m.lora_A.weight": A, "m.lora_B.weight": B}
PRODUCT = Factors(2, "sum", 1.0, [1, 0, 0, 2, 1], [0, 0, 0, 1, 3])
Edit = Callable[[FeatureDraft], object]


def featured(base: Tensor = M, target: Tensor = M2, **options: Any) -> FeatureDraft:
    options.setdefault("adapter", ADAPTER)
    options.setdefault("low_rank", {"m": PRODUCT})
    return FeatureDraft(Checkpoint({"m": base}), Checkpoint({"m": target}), frame=small_frame, **options)


def parts(edit: Edit, **of: Any) -> Make:
    def make() -> bytes:
        d = featured(**of)
        edit(d)
        return d.seal()

    return make


def held(edit: Callable[[Entry], object]) -> Make:
    """Spoils the entry of the adapter's last tensor."""
    return parts(lambda d: edit(d.adapter[-1]))


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


def sealed(d: Draft, flags: int | None = None) -> bytes:
    if flags is None:
        return d.seal()
    return d.seal(preamble=lambda head: head[:16] + bytes([flags]) + head[17:])


# --- 3.3 --------------------------------------------------------------------------------------
case("flag_must_understand_2", "3.2 (4)", "must-understand", "an unknown flag that must be understood, bit 2",
     put(16, b"\4"))
case("flag_copies_without_copy", "3.2 (4)", "flags", "the flag copies, and no copy", put(16, b"\2"))
case("adapter_without_flag", "3.2 (4)", "flags", "an adapter without the flag low-rank", lambda: sealed(featured(), 0))
case("low_rank_without_flag", "3.2 (4)", "flags", "factors without an adapter and without the flag low-rank",
     parts(lambda d: setattr(d, "adapter", [])))

# --- 3.5: the adapter -------------------------------------------------------------------------


def no_tensors() -> bytes:
    d = draft()
    return d.seal(header=lambda h: h.update(adapter=[]))


def adapter_first(d: FeatureDraft) -> None:
    """The chunks of the adapter before those of the tensors."""
    first = d.adapter[0]["chunks"][0][1]
    d.payload = d.payload[first:] + d.payload[:first]
    for e in d.adapter:
        e["chunks"][0][1] -= first
    d.tensors[0]["chunks"][0][1] = len(d.payload) - first


def adapter_gap(d: FeatureDraft) -> None:
    at = d.adapter[-1]["chunks"][0][1]
    d.payload = d.payload[:at] + b"\0" + d.payload[at:]
    d.adapter[-1]["chunks"][0][1] += 1


def over_64(d: FeatureDraft) -> None:
    """2,048 bytes from 31."""
    d.tensors[0]["low_rank"] = PRODUCT.member()
    e = d.adapter[-1]
    d.payload = d.payload[: e["chunks"][0][1]]
    e["chunks"] = []
    d.append(e, "a", b"\2" + bytes(30), 2048)


def flipped(d: FeatureDraft) -> None:
    d.payload = d.payload[:-1] + b"\1"


def split_element(e: Entry) -> None:
    offset, digest = e["chunks"][0][1], e["chunks"][0][4]
    e["chunks"] = [["a", offset, 17, 16, digest], ["a", offset + 17, 8, 15, digest], ["a", offset + 25, 8, 1, digest]]


case("adapter_not_an_array", "3.2 (6)", "header-shape", "the adapter is an object",
     lambda: featured().seal(header=lambda h: h.update(adapter={})))
case("adapter_unknown_key", "3.2 (6)", "header-shape", "an unknown member of an adapter's tensor",
     held(lambda e: e.update(op="add")))
case("adapter_missing_key", "3.2 (6)", "header-shape", "an adapter's tensor without chunks",
     held(lambda e: e.pop("chunks")))
case("adapter_role", "3.2 (6)", "header-shape", "role t in the adapter",
     held(lambda e: e["chunks"][0].__setitem__(0, "t")))
case("adapter_role_elsewhere", "3.2 (6)", "header-shape", "role a in a tensor's entry", chunk(0, "a"))
case("adapter_chunk_over_64", "3.2 (6)", "number-limit", "a chunk of the adapter: 2,048 bytes stored in 31",
     parts(over_64, low_rank={}, adapter=ADAPTER | {"z": Tensor("F32", (512,), bytes(2048))}))
case("adapter_chunk_stored_over_bound", "3.2 (6)", "number-limit", "a chunk of the adapter: 32 bytes stored in 49",
     held(lambda e: e["chunks"][0].__setitem__(2, 49)))
case("adapter_shape_overflow", "3.2 (6)", "overflow", "a tensor of the adapter: 2^32 times 2^32 elements",
     held(lambda e: e.update(shape=[2**32, 2**32])))
case("adapter_empty", "3.2 (7), 3.5", "adapter", "an adapter without tensors", no_tensors)
case("adapter_dtype", "3.2 (7), 3.5", "adapter", "a dtype that is not in the table",
     held(lambda e: e.update(dtype="F4")))
case("adapter_name_empty", "3.2 (7), 3.5", "name", "a name of no bytes", parts(
    lambda d: None, low_rank={}, adapter=ADAPTER | {"": SCALAR}))
case("adapter_not_sorted", "3.2 (7), 3.5", "name-order", "lora_B before lora_A",
     parts(lambda d: [e.update(name=f"m.lora_{n}.weight") for e, n in zip(d.adapter, "BA", strict=True)]))
case("adapter_name_twice", "3.2 (7), 3.5", "name-order", "a name twice",
     held(lambda e: e.update(name="m.lora_A.weight")))
case("adapter_chunks_too_short", "3.2 (7), 3.5", "chunks", "the chunks of an adapter's tensor cover 28 of 32 bytes",
     held(lambda e: e["chunks"][0].__setitem__(3, 28)))
case("adapter_chunks_too_long", "3.2 (7), 3.5", "chunks", "the chunks of an adapter's tensor cover 36 of 32 bytes",
     held(lambda e: e["chunks"][0].__setitem__(3, 36)))
case("adapter_chunk_splits_element", "3.2 (7), 3.5", "chunks", "chunks of 16, 15 and 1 bytes of F32",
     held(split_element))
case("adapter_before_tensors", "3.2 (7), 3.5", "chunks", "the adapter's chunks before those of the tensors",
     parts(adapter_first))
case("adapter_chunk_gap", "3.2 (7), 3.5", "chunks", "a gap of one byte before the adapter's last chunk",
     parts(adapter_gap))
case("adapter_chunk_digest", "3.2 (10)", "chunk-digest", "a bit of the adapter's last chunk flipped", parts(flipped))

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

# --- section 6 --------------------------------------------------------------------------------
HEADER = craft.header_text(ADAPTER, pad=1)


def files(edit: Edit = lambda d: None, header: bytes = HEADER) -> Make:
    """Both files in the annex."""

    def make() -> bytes:
        d = featured()
        d.add_files(b"{}", HEADER)
        d.blobs[d.manifest["adapter"]["header"]] = header
        edit(d)
        return d.seal()

    return make


def of_manifest(edit: Callable[[Entry], object]) -> Make:
    return files(lambda d: edit(d.manifest["adapter"]))


def files_without_adapter() -> bytes:
    d = featured()
    d.add_files(b"{}", HEADER)
    d.adapter = []
    d.tensors[0].pop("low_rank")
    d.payload = d.payload[: d.tensors[0]["chunks"][0][2]]
    return d.seal()


def without_config(d: FeatureDraft) -> None:
    """The blob is not there: its number is one too large."""
    at = d.manifest["adapter"]["config"]
    d.blobs.pop(at)
    d.manifest["adapter"].update(config=len(d.blobs), header=d.manifest["adapter"]["header"] - 1)


case("annex_adapter_without_flag", "3.2 (11), 6", "annex-shape", "files of an adapter without the flag low-rank",
     files_without_adapter)
case("annex_adapter_unknown_key", "3.2 (11), 6", "annex-shape", "an unknown member of the adapter's files",
     of_manifest(lambda m: m.update(name="x")))
case("annex_adapter_missing_key", "3.2 (11), 6", "annex-shape", "no digest of the adapter's file",
     of_manifest(lambda m: m.pop("sha256")))
case("annex_adapter_digest_short", "3.2 (11), 6", "annex-shape", "a digest of 63 digits",
     of_manifest(lambda m: m.update(sha256=m["sha256"][1:])))
case("annex_adapter_blob_missing", "3.2 (11), 6", "annex-blobs", "the blob of adapter_config.json is missing",
     files(without_config))
case("annex_adapter_header_lacks_tensor", "3.2 (11), 6", "annex-adapter", "the adapter's header lacks a tensor",
     files(header=craft.header_text({"m.lora_A.weight": A}, pad=1)))
case("annex_adapter_header_more_tensors", "3.2 (11), 6", "annex-adapter", "the adapter's header has one tensor more",
     files(header=craft.header_text(ADAPTER | {"n": SCALAR}, pad=1)))
case("annex_adapter_header_other_dtype", "3.2 (11), 6", "annex-adapter",
     "I32 in the adapter's header, F32 in the patch", files(header=HEADER.replace(b"F32", b"I32", 1)))
case("annex_adapter_header_other_shape", "3.2 (11), 6", "annex-adapter",
     "[2,4] in the adapter's header, [4,2] in the patch", files(header=HEADER.replace(b"[4, 2]", b"[2, 4]")))
case("annex_adapter_header_gap", "3.2 (11), 6", "annex-adapter", "the adapter's header leaves a gap",
     files(header=HEADER.replace(b"[24, 56]", b"[28, 60]")))
case("annex_adapter_header_not_json", "3.2 (11), 6", "annex-adapter", "the adapter's header is not JSON",
     files(header=HEADER[:-1]))
