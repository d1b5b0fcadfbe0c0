"""Patches with low-rank changes that pass `check` and must be refused when they are used, as in golden_decode.py.

All apply to the same base.safetensors: "m" BF16 [16, 12] and "p" BF16 [32].
"""

from collections.abc import Callable
from typing import Any

import craft
import craft_lowrank
import numpy as np
from craft import Checkpoint, Entry, Tensor
from craft_features import FeatureDraft
from craft_lowrank import Factors
from golden_refused import Make, small_frame

CASES: list[tuple[str, str, str, str, str, Make]] = []  # file, section, rule, command, reason, maker


def case(name: str, section: str, rule: str, reason: str, make: Make, command: str = "apply") -> None:
    CASES.append((name, section, rule, command, reason, make))


def _m() -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Weights near 1 become about 0.1 in half of the rows, so some targets have no base; in the others, weights near
    0.1 become about 1, so most predictions have several bases."""
    rng = np.random.default_rng(20261130)
    values = np.where(np.arange(16)[:, None] % 2, 1.0, 0.1) + rng.normal(0, 0.02, (16, 12))
    base = craft_lowrank.join([craft_lowrank.narrow(float(v), "BF16") for v in values.reshape(-1)],
                              Tensor("BF16", (16, 12), b""))
    side = np.where(np.arange(16) % 2, -0.9, 0.9)
    adapter = {"A": craft.array("F32", np.ones((1, 12), "<f4")),
               "B": craft.array("F32", side.astype("<f4").reshape(16, 1))}
    found = PRODUCT.predictions(base, [*adapter.values()])
    found[::5] = [u + 1 for u in found[::5]]
    return base, craft_lowrank.join(found, base), adapter


PRODUCT = Factors(1, "sum", 1.0, [1, 0, 0, 1, 0], [0, 0, 0, 1, 0])
M, M2, ADAPTER = _m()
P = Tensor("BF16", (32,), bytes(64))
P2 = Tensor("BF16", (32,), bytes(62) + b"\1\0")
BASE = Checkpoint({"m": M, "p": P})
TARGET = Checkpoint({"m": M2, "p": P})
Parts = dict[str, Any]


def by_factors(spoil: Callable[[Parts], object] | None = None, edit: Callable[[FeatureDraft], object] | None = None,
               of: Factors = PRODUCT) -> Make:
    """ "m" changes by its factors; `spoil` changes the parts of the chunk, `edit` the draft."""

    def make() -> bytes:
        f = Factors(of.rank, of.rounding, of.scale, of.u, of.v, of.within, spoil)
        d = FeatureDraft(BASE, TARGET, ADAPTER, {"m": f}, frame=small_frame)
        if edit:
            edit(d)
        return d.seal()

    return make


def set_to(key: str, change: Callable[[Any], Any]) -> Make:
    return by_factors(lambda p: p.__setitem__(key, change(p[key])))


def within(stored: bytes) -> Make:
    return set_to("within", lambda _: stored)


def whole(stored: bytes) -> Make:
    """The chunk is exactly this."""
    return by_factors(lambda p: p.update(coder=stored))


def elsewhere(name: str, target: Tensor | None, role: str, stored: bytes) -> Make:
    """The coder in an entry without factors, beside an adapter."""

    def make() -> bytes:
        added = {name: target} if target else {}
        d = FeatureDraft(BASE, Checkpoint(BASE.tensors | added), frame=small_frame)
        e = next(e for e in d.tensors if e["name"] == name)
        e["chunks"], d.payload = [], b""
        d.append(e, role, stored, 64)
        for key, t in ADAPTER.items():
            held: Entry = {"name": key, "chunks": []} | t.side()
            d.append(held, "a", b"\1" + t.data, len(t.data))
            d.adapter.append(held)
        return d.seal()

    return make


def held(stored: bytes) -> Make:
    """The chunk of the adapter's last tensor is this."""

    def edit(d: FeatureDraft) -> None:
        e = d.adapter[-1]
        d.payload = d.payload[: e["chunks"][0][1]]
        e["chunks"] = []
        d.append(e, "a", stored, 64)

    return by_factors(edit=edit)


B = ADAPTER["B"].data
NONE = b"\5" + bytes(4) + b"\0"  # no choice bits, no difference
case("lowrank_without_factors", "5", "coder", "the low-rank coder in an entry without factors",
     elsewhere("p", P2, "d", NONE))
case("lowrank_in_t", "5", "coder", "the low-rank coder in a chunk of plain bytes", elsewhere("z", P2, "t", NONE))
case("lowrank_within_itself", "5.2.2", "coder", "a low-rank chunk within a low-rank chunk", within(NONE))
case("lowrank_within_unknown", "5.2.2", "coder", "coder 6 within a low-rank chunk", within(b"\6"))
case("lowrank_within_nothing", "5.2.2", "chunk-length", "no chunk within", within(b""))
case("lowrank_within_too_short", "5.2.2", "chunk-length", "raw of 300 bytes for 384 within", within(b"\1" + bytes(300)))
case("lowrank_empty", "5.2.2", "low-rank-layout", "nothing behind the coder",
     by_factors(lambda p: p.update(coder=b"\5"), lambda d: shortened(d, 1)))
case("lowrank_length_cut_off", "5.2.2", "low-rank-layout", "three bytes behind the coder",
     by_factors(edit=lambda d: shortened(d, 4)))
case("lowrank_choice_past_end", "5.2.2", "low-rank-layout", "C leads past the end of the chunk",
     by_factors(lambda p: p.update(C=400)))
case("lowrank_choice_length_bomb", "5.2.2", "low-rank-layout", "C is 2^32 - 1",
     by_factors(lambda p: p.update(C=2**32 - 1)))


def shortened(d: FeatureDraft, length: int) -> None:
    """Only the first bytes of the chunk of "m"."""
    stored, rest = d.payload[:length], d.payload[d.tensors[0]["chunks"][0][2] :]
    d.tensors[0]["chunks"], d.payload = [], b""
    d.append(d.tensors[0], "d", stored, len(M.data))
    removed = d.adapter[0]["chunks"][0][1] - length
    for e in d.adapter:
        e["chunks"][0][1] -= removed
    d.payload += rest


case("lowrank_choice_missing", "5.2.3", "low-rank-choice", "the last byte of the choice bits is missing",
     set_to("choice", lambda c: c[:-1]), "revert")
case("lowrank_choice_none", "5.2.3", "low-rank-choice", "no choice bits", set_to("choice", lambda c: b""), "revert")
case("lowrank_choice_left", "5.2.3", "low-rank-choice", "eight choice bits are left over",
     set_to("choice", lambda c: c + b"\0"), "revert")
case("lowrank_choice_padding", "5.2.3", "low-rank-choice", "the padding of the choice bits is not zero",
     set_to("choice", lambda c: c[:-1] + bytes([c[-1] | 128])), "revert")
case("lowrank_choice_wrong", "3.2, end", "result", "a choice bit is the wrong one: another base than promised",
     set_to("choice", lambda c: bytes([c[0] ^ 1]) + c[1:]), "revert")
case("lowrank_no_base", "5.2.3", "low-rank-choice", "without the difference, no base leads to some of the targets",
     within(b"\0"), "revert")
case("lowrank_result_wrong", "3.2, end", "result", "without the difference, the targets are not what is promised",
     within(b"\0"))
case("lowrank_rounding_wrong", "3.2, end", "result", "the scale is another: the chunk is valid and gives other bytes",
     by_factors(edit=lambda d: d.tensors[0]["low_rank"].update(scale="3fe0000000000000")))
case("lowrank_adapter_other", "3.2, end", "result", "a tensor of the adapter is not what is promised",
     held(b"\1" + B[:-4] + bytes(4)))
case("lowrank_adapter_fingerprint", "3.2, end", "result", "a tensor of the adapter has another fingerprint than listed",
     by_factors(edit=lambda d: d.adapter[-1].update(fingerprint="0" * 64)))
case("lowrank_adapter_zero", "5", "coder", "a tensor of the adapter with the coder zero", held(b"\0"))
case("lowrank_adapter_sparse", "5", "coder", "a tensor of the adapter with the coder sparse",
     held(b"\4" + small_frame(b"\1\0\0\0\0" + b"\1\0\0\0")))
case("lowrank_adapter_low_rank", "5", "coder", "a tensor of the adapter with the low-rank coder", held(NONE))
case("lowrank_adapter_too_short", "5", "chunk-length", "raw of 60 bytes for 64 in the adapter", held(b"\1" + B[:-4]))
case("lowrank_adapter_too_long", "5", "chunk-frame", "planes of 68 bytes for 64 in the adapter",
     held(b"\2" + small_frame(bytes(68))))
