"""Tests of lowrank.py: its roundings against exact arithmetic, its reading against PEFT (fixtures/adapters).

    $(bench/setup.sh) -m unittest discover bench/tests
"""
import hashlib
import json
import sys
import unittest
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
import numpy as np

import checkpoint
import entropy
import lowrank

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
ADAPTERS = FIXTURES / "adapters"
EXPECTED: dict[str, Any] = json.loads((ADAPTERS / "expected.json").read_text())


def read(folder: Path) -> dict[str, tuple[np.ndarray, checkpoint.Tensor]]:
    path = folder / "model.safetensors"
    return {tensor.name: (checkpoint.read_bits(path, tensor), tensor) for tensor in checkpoint.read_header(path)[0]}


def random_weights(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """bf16 weights, and changes from far below their last place to far above them."""
    rng = np.random.default_rng(seed)
    base = lowrank.rounded(0.1 * rng.standard_normal(count), "BF16")
    return base, 0.1 * rng.standard_normal(count) * 2.0 ** rng.integers(-14, 3, count)


class RoundingTests(unittest.TestCase):
    def test_each_dtype_rounds_to_the_nearest_once(self) -> None:
        rng = np.random.default_rng(1)
        for dtype, low, high in (("BF16", -41, 37), ("F16", -9, 4), ("F32", -46, 37)):
            values = rng.standard_normal(2000) * 10.0 ** rng.integers(low, high, 2000)
            bits = lowrank.rounded(values, dtype)
            for step in (-1, 1):
                beside = lowrank.decoded((bits.astype(np.int64) + step).astype(bits.dtype), dtype)
                for value, mine, other in zip(values, lowrank.decoded(bits, dtype), beside, strict=True):
                    if np.isfinite(other):
                        self.assertLessEqual(abs(Fraction(mine) - Fraction(value)),
                                             abs(Fraction(other) - Fraction(value)))

    def test_a_value_just_beside_a_tie_is_not_rounded_twice(self) -> None:
        tie = 1 + 2.0 ** -8  # between two bf16
        for values, bits in (([tie], 0x3F80), ([tie + 2.0 ** -40], 0x3F81), ([tie - 2.0 ** -40], 0x3F80),
                             ([-tie - 2.0 ** -40], 0xBF81)):
            self.assertEqual(int(lowrank.rounded(np.array(values), "BF16")[0]), bits)

    def test_the_product_sums_in_ascending_order(self) -> None:
        b, a = np.array([[1e16, 1.0, -1e16]]), np.ones((3, 1))
        self.assertEqual(lowrank.product(b, a)[0, 0], 0.0)
        self.assertEqual(lowrank.product(b[:, [0, 2, 1]], a)[0, 0], 1.0)

    def test_candidates_are_what_a_search_of_all_weights_finds(self) -> None:
        base, change = random_weights(2, 200)
        target = lowrank.merged(base, change, "BF16", "sum")
        every = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
        with np.errstate(invalid="ignore"):
            values = lowrank.decoded(every, "BF16")
        values = values[np.isfinite(values)]
        found = [int((lowrank.rounded(values + d, "BF16") == t).sum()) for d, t in zip(change, target, strict=True)]
        self.assertEqual(found, list(lowrank.candidates(change, target)))
        self.assertGreater(max(found), 8)

    def test_ranks_and_values_are_inverse(self) -> None:
        bits = random_weights(3, 1000)[0]
        np.testing.assert_array_equal(lowrank.from_rank(entropy.ordered(bits)), lowrank.decoded(bits, "BF16"))


class AdapterTests(unittest.TestCase):
    """Every fixture over a bf16 base, each tensor that has a pair of factors and is stored as it is adapted."""

    def merges(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        for name, case in EXPECTED.items():
            for way, found in case.items():
                if isinstance(found, dict):
                    yield name, case["base"], way, found

    def test_the_rules_give_what_peft_merged(self) -> None:
        checked: set[str] = set()
        for name, base, way, found in self.merges():
            adapter, tensors = lowrank.Adapter(ADAPTERS / name), read(FIXTURES / base)
            for module in adapter.modules():
                # A tied head is stored as the embedding; experts are stored split.
                weight = f"{module}.weight" if f"{module}.weight" in tensors else "model.embed_tokens.weight"
                if ".experts" in module:
                    continue
                bits, tensor = tensors[weight]
                if tensor.dtype != "BF16":
                    continue
                rule = "sum" if found["differ"][weight]["sum"] == 0 else "delta"
                with self.subTest(adapter=name, merge=way, tensor=weight):
                    change = adapter.factors(module).change()
                    self.assertEqual(change.shape, tensor.shape)
                    merged = lowrank.merged(bits, change.ravel(), tensor.dtype, rule)
                    self.assertEqual(hashlib.sha256(merged.tobytes()).hexdigest(), found["sha256"][weight])
                    checked.add(name)
        self.assertGreater(len(checked), 20)

    def test_experts_stored_fused_and_transposed(self) -> None:
        for name in ("experts-transposed", "experts-square"):
            adapter, tensors = lowrank.Adapter(ADAPTERS / name), read(FIXTURES / EXPECTED[name]["base"])
            found = EXPECTED[name]["merge_and_unload"]
            module = "model.layers.0.mlp.experts"
            places = {"down_proj": module}
            if name == "experts-transposed":
                places["gate_up_proj"] = f"{module}.base_layer"
            for parameter, place in places.items():
                bits, tensor = tensors[f"{module}.{parameter}"]
                factors = adapter.experts(place, tensor.name, tensor.shape[0], transposed=True)
                change = np.stack([each.change() for each in factors])
                self.assertEqual(change.shape, tensor.shape)
                merged = lowrank.merged(bits, change.ravel(), tensor.dtype, "delta")
                self.assertEqual(hashlib.sha256(merged.tobytes()).hexdigest(), found["sha256"][tensor.name])

    def test_the_first_pattern_that_matches_the_end_of_a_path_counts(self) -> None:
        path = "model.layers.1.self_attn.q_proj"
        for patterns, value in (({"q_proj": 1}, 1), ({"proj": 1}, 0), ({"k_proj|q_proj": 1}, 1), ({f"^{path}": 1}, 1),
                                ({".*q_proj": 1, "q_proj": 2}, 1), ({f"base_model.model.{path}": 1}, 0)):
            self.assertEqual(lowrank.pattern(patterns, path, 0), value, patterns)


if __name__ == "__main__":
    unittest.main()
