"""The patches that `check` must refuse for a defect in the flags or in an adapter."""

from collections.abc import Callable
from typing import Any

import craft
from craft import Checkpoint, Draft, Entry, Tensor
from craft_features import FeatureDraft
from craft_lowrank import Factors
from golden_refused import SCALAR, Make, case, chunk, draft, put, small_frame

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
