"""Patches with features that flags announce, which must be accepted: low-rank changes and copies.

All `lowrank_*` lead from one base to one target, and so do all `copy_*`.
"""

from collections.abc import Callable
from typing import Any

import support

import craft
import craft_lowrank
import numpy as np
from craft import Checkpoint, Tensor
from craft_features import FeatureDraft
from craft_lowrank import Factors
from golden_refused import small_frame

Cases = dict[str, tuple[str, str, str, Callable[[], bytes]]]  # file: section, models, reason, maker


def tensor(dtype: str, shape: tuple[int, ...], seed: int) -> Tensor:
    return craft.array(dtype, support.weights(dtype, int(np.prod(shape)), seed), shape)


def factor(dtype: str, shape: tuple[int, ...], seed: int, spread: float = 1.0) -> Tensor:
    rng = np.random.default_rng(seed)
    count = int(np.prod(shape))
    values = (float(v) for v in rng.normal(0, spread, count) * 10.0 ** rng.integers(-2, 2, count))
    return craft_lowrank.join([craft_lowrank.narrow(v, dtype) for v in values], Tensor(dtype, shape, b""))


# --- low-rank ---------------------------------------------------------------------------------
# Every kind of base element meets: zero, changes that are lost or subnormal, small and large ones, infinity, NaN.
EDGES = craft.array("BF16", np.repeat(support.special("BF16"), 10), (support.special("BF16").size, 10))
EDGE_CHANGES = craft.array("F32", np.array([0, -0.0, 1e-45, -3e-39, 1e-3, -1, 1.5, -3.3e38, np.inf, np.nan], "<f4"))

ADAPTER = {
    "bf16.lora_A.weight": factor("F32", (3, 9), 1, 0.1),
    "bf16.lora_B.weight": factor("F32", (14, 3), 2, 0.1),
    "edges.lora_A.weight": EDGE_CHANGES,
    "edges.lora_B.weight": craft.array("F16", np.full(EDGES.shape[0], 0x3C00, "<u2")),
    "experts.lora_A.weight": factor("BF16", (3, 2, 5), 3, 0.05),
    "experts.lora_B.weight": factor("BF16", (3, 4, 2), 4, 0.05),
    "f16.lora_A.weight": factor("F16", (6, 2), 5, 0.05),  # transposed
    "f16.lora_B.weight": factor("F16", (2, 10), 6, 0.05),  # transposed
    "f32.lora_AB.weight": factor("F32", (40,), 7, 0.05),  # both factors, with gaps
    "saved.weight": tensor("I32", (5,), 8),  # no factor
}


View = tuple[str, int, int, int, int]
PRODUCTS: dict[str, tuple[int, str, float, View, View]] = {
    "bf16": (3, "sum", 0.5, ("bf16.lora_B.weight", 0, 0, 3, 1), ("bf16.lora_A.weight", 0, 0, 1, 9)),
    "edges": (1, "sum", 1.0, ("edges.lora_B.weight", 0, 0, 1, 0), ("edges.lora_A.weight", 0, 0, 1, 0)),
    "experts": (2, "change", 2.0, ("experts.lora_B.weight", 0, 8, 2, 1), ("experts.lora_A.weight", 0, 10, 1, 5)),
    "f16": (2, "change", -1 / 3, ("f16.lora_B.weight", 0, 0, 1, 10), ("f16.lora_A.weight", 0, 0, 2, 1)),
    "f32": (2, "sum", 0.1, ("f32.lora_AB.weight", 3, 0, 3, 1), ("f32.lora_AB.weight", 22, 0, 2, 1)),
}


def products(names: list[str], held: dict[str, Tensor], within: str) -> dict[str, Factors]:
    at = sorted(held).index
    found = {}
    for name in names:
        rank, rounding, scale, u, v = PRODUCTS[name]
        found[name] = Factors(rank, rounding, scale, [at(u[0]), *u[1:]], [at(v[0]), *v[1:]], within)
    return found


def predicted(name: str, base: Tensor, off: int = 0) -> Tensor:
    """The predictions; every `off`-th is a few ulps away, as where PEFT's sums differ."""
    found = products([name], ADAPTER, "zero")[name].predictions(base, [*ADAPTER.values()])
    if off:
        found[::off] = [u + 1 + i % 3 for i, u in enumerate(found[::off])]
    return craft_lowrank.join(found, base)


LOW_BASE = {
    "bf16": tensor("BF16", (14, 9), 11), "edges": EDGES, "experts": tensor("BF16", (3, 4, 5), 12),
    "f16": tensor("F16", (10, 6), 13), "f32": tensor("F32", (5, 7), 14), "same": tensor("BF16", (9,), 15),
}
LOW_BASE["tied"] = LOW_BASE["bf16"]
LOW_TARGET = LOW_BASE | {
    "bf16": predicted("bf16", LOW_BASE["bf16"], 7), "edges": predicted("edges", EDGES),
    "experts": predicted("experts", LOW_BASE["experts"], 20), "f16": predicted("f16", LOW_BASE["f16"]),
    "f32": predicted("f32", LOW_BASE["f32"], 5),
}
LOW_TARGET["tied"] = LOW_TARGET["bf16"]


def low(*names: str, within: str = "sparse", whole: bool = False, **options: Any) -> Callable[[], bytes]:
    """These tensors by their factors; the patch holds only these, or the whole adapter with its files."""

    def make() -> bytes:
        held = {key: t for key, t in ADAPTER.items() if whole or key.split(".")[0] in names}
        d = FeatureDraft(Checkpoint(LOW_BASE), Checkpoint(LOW_TARGET), held, products([*names], held, within),
                         coder="sparse", frame=small_frame, **options)
        if whole:
            order = ["saved.weight", *[key for key in held if key != "saved.weight"]]
            d.add_files(b'{"peft_type": "LORA"}\n', craft.header_text(held, order, {"format": "pt"}, pad=64))
        return d.seal()

    return make


def plain_chunk_beside_factors() -> bytes:
    d = FeatureDraft(Checkpoint(LOW_BASE), Checkpoint(LOW_TARGET), ADAPTER, coder="raw", frame=small_frame)
    d.tensors[0]["low_rank"] = products(["bf16"], ADAPTER, "zero")["bf16"].member()
    return d.seal()


ALL = ("bf16", "edges", "experts", "f16", "f32")
LOW_RANK: Cases = {
    "lowrank_sum": ("5.2", "lowrank", "BF16, factors in F32, rounding sum, difference sparse", low("bf16")),
    "lowrank_change": ("5.2", "lowrank", "F16, transposed factors in F16, rounding change, no difference", low("f16")),
    "lowrank_f32": ("5.2", "lowrank", "F32, both factors in one tensor with gaps", low("f32", within="planes")),
    "lowrank_experts": ("3.5", "lowrank", "three matrices, factors in BF16 with slices", low("experts")),
    "lowrank_edges": ("5.2", "lowrank", "signed zeros, subnormals, infinities and NaNs as bases; changes of zero, "
                      "infinity and NaN; up to thousands of bases for a prediction", low("edges")),
    "lowrank_within_raw": ("5.2.2", "lowrank", "chunks of twelve elements, the difference raw",
                           low("f16", within="raw", chunk=2 * 12)),
    "lowrank_within_planes": ("5.2.2", "lowrank", "the difference in planes", low("bf16", within="planes")),
    "lowrank_within_ulp": ("5.2.2", "lowrank", "the difference in ulps", low("bf16", within="ulp")),
    "lowrank_within_ulp_f32": ("5.2.2", "lowrank", "the difference in ulps, F32", low("f32", within="ulp")),
    "lowrank_chunks": ("5.2", "lowrank", "chunks that begin and end within a row",
                       low("bf16", "experts", "edges", chunk=2 * 46)),
    "lowrank_adapter_chunks": ("3.5", "lowrank", "a tensor of the adapter in chunks of 40 bytes, in planes",
                               low("bf16", held="planes", held_chunk=40)),
    "lowrank_factors_only": ("3.5", "lowrank", "all factors, without the files of the adapter", low(*ALL)),
    "lowrank_whole_adapter": ("6", "lowrank", "the files of the adapter in the annex", low(*ALL, whole=True)),
    "lowrank_adapter_unused": ("3.3", "lowrank", "an adapter, and no tensor that it changes", low(whole=True)),
    "lowrank_plain_chunk": ("3.5", "lowrank", "factors, and a chunk that does not use them",
                            plain_chunk_beside_factors),
    "lowrank_copy": ("3.4", "lowrank", "both flags: a copy of a tensor with factors",
                     low("bf16", copies={"tied": "bf16"})),
}

# --- copies -----------------------------------------------------------------------------------
_vocabulary = tensor("BF16", (4, 6), 21)
_grown = Tensor("BF16", (6, 6), support.nudge(np.frombuffer(_vocabulary.data, "<u2"), 22).tobytes()
                + tensor("BF16", (2, 6), 23).data)
_tuned = craft.array("BF16", support.nudge(support.weights("BF16", 24, 24), 25), (4, 6))
_odd, _odd2 = Tensor("X9_odd", (7,), b"odd one"), Tensor("X9_odd", (7,), b"odd two")
COPY_BASE = {
    "embed": tensor("BF16", (4, 6), 20), "old_head": tensor("BF16", (4, 6), 20), "tuned": tensor("BF16", (4, 6), 24),
    "old_tuned_head": tensor("BF16", (4, 6), 24), "wte": tensor("F32", (3, 5), 26),
    "lm_head": tensor("F32", (3, 5), 26), "vocabulary": _vocabulary, "vocabulary_head": _vocabulary,
    "cast": tensor("F32", (5,), 27), "cast_too": tensor("F32", (5,), 27), "odd": _odd, "odd_too": _odd,
}
_wte = craft.array("F32", support.nudge(support.weights("F32", 15, 26), 28), (3, 5))
COPY_TARGET = {
    "embed": COPY_BASE["embed"], "head": COPY_BASE["embed"], "tuned": _tuned, "tuned_head": _tuned, "wte": _wte,
    "lm_head": _wte, "vocabulary": _grown, "vocabulary_head": _grown, "cast": tensor("BF16", (5,), 29),
    "cast_too": tensor("BF16", (5,), 29), "new": tensor("F16", (2, 3), 30), "new_too": tensor("F16", (2, 3), 30),
    "odd": _odd2, "odd_too": _odd2,
}
COPIES = {
    "copy_added": ("an added head equals an embedding that stays the same", {"head": "embed"}),
    "copy_added_of_changed": ("an added head equals an embedding that changes", {"tuned_head": "tuned"}),
    "copy_removed": ("a removed head equals an embedding that stays the same", {"old_head": "embed"}),
    "copy_removed_of_changed": ("a removed head equals the base of an embedding that changes",
                                {"old_tuned_head": "tuned"}),
    "copy_changed": ("both change; the copy is before its original", {"lm_head": "wte"}),
    "copy_rows": ("both get new rows", {"vocabulary_head": "vocabulary"}),
    "copy_added_of_added": ("both are added", {"new_too": "new"}),
    "copy_replaced": ("both get another dtype", {"cast_too": "cast"}),
    "copy_unknown_dtype": ("both change, of a dtype that is not in the table", {"odd_too": "odd"}),
}
ALL_COPIES = {name: original for _, pairs in COPIES.values() for name, original in pairs.items()}


def copied(pairs: dict[str, str]) -> Callable[[], bytes]:
    return lambda: FeatureDraft(Checkpoint(COPY_BASE), Checkpoint(COPY_TARGET), copies=pairs, coder="sparse",
                                frame=small_frame).seal()


COPY: Cases = {name: ("3.4", "copy", reason, copied(pairs)) for name, (reason, pairs) in COPIES.items()}
COPY["copy_all"] = ("3.4", "copy", "all of these; two copies of one original", copied(ALL_COPIES))

ACCEPTED = LOW_RANK | COPY
MODELS = {"lowrank_base": LOW_BASE, "lowrank_target": LOW_TARGET, "copy_base": COPY_BASE, "copy_target": COPY_TARGET}
