"""LoRA adapters as PEFT 0.21 writes them, in NumPy alone: the factors, the change of each weight, the two roundings.

The change of a weight is D = s * sum of B[i, k] * A[k, j], in float64 and in ascending k from +0. A merged weight is
round(b + D), the rule "sum", or round(b + round(D)), the rule "delta".
"""
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import checkpoint
import entropy

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."
BLOCK = 1 << 16  # weights at a time, so that they stay in the cache


@dataclass(frozen=True)
class Factors:
    a: np.ndarray  # [rank, in], float64
    b: np.ndarray  # [out, rank]
    scale: float
    transposed: bool = False  # the parameter is [in, out]

    def change(self) -> np.ndarray:
        found = product(self.b, self.a) * self.scale
        return found.T if self.transposed else found


def product(b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """b @ a in float64; each sum in ascending order from +0, which BLAS does not promise."""
    found = np.zeros((b.shape[0], a.shape[1]))
    rows = max(1, BLOCK // max(1, a.shape[1]))
    for start in range(0, len(found), rows):
        part = found[start:start + rows]
        term = np.empty_like(part)
        for k in range(a.shape[0]):
            np.multiply(b[start:start + rows, k, None], a[None, k], out=term)
            part += term
    return found


def decoded(bits: np.ndarray, dtype: str) -> np.ndarray:
    """Bit patterns -> float64."""
    if dtype == "BF16":
        return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return bits.view({"F16": np.float16, "F32": np.float32}[dtype]).astype(np.float64)


def rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    """float64 -> bit patterns, rounded once: to nearest, ties to even."""
    if dtype != "BF16":
        with np.errstate(over="ignore"):
            return values.astype({"F16": np.float16, "F32": np.float32}[dtype]).view(checkpoint.BITS[dtype])
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    # Round to odd in float32 first: a last bit that is odd stands for all that follow it.
    beyond = np.abs(near.astype(np.float64)) > np.abs(values)
    bits = near.view(np.uint32) - beyond.astype(np.uint32)
    bits |= (near.astype(np.float64) != values).astype(np.uint32)
    return checkpoint.to_bf16(bits.view(np.float32))


def merged(base: np.ndarray, change: np.ndarray, dtype: str, rule: str) -> np.ndarray:
    """The bit patterns of the merged weights by the rule "sum" or "delta"."""
    if rule == "delta":
        change = decoded(rounded(change, dtype), dtype)
    return rounded(decoded(base, dtype) + change, dtype)


def pattern(patterns: Mapping[str, Any], key: str, default: Any) -> Any:
    """PEFT's choice of a rank or an alpha: the first pattern that matches the end of the module's path."""
    return next((value for name, value in patterns.items() if re.match(rf"(.*\.)?({name})$", key)), default)


class Adapter:
    """A PEFT folder, trusted."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / WEIGHTS
        self.config: dict[str, Any] = json.loads((folder / CONFIG).read_text())
        self.tensors = {tensor.name.removeprefix(PREFIX): tensor
                        for tensor in checkpoint.read_header(self.path)[0]}

    def values(self, name: str) -> np.ndarray:
        tensor = self.tensors[name]
        return decoded(checkpoint.read_bits(self.path, tensor), tensor.dtype).reshape(tensor.shape)

    def scale(self, key: str) -> float:
        """`key`: the path of the module, or of the parameter where PEFT adapts a parameter."""
        rank = pattern(self.config["rank_pattern"], key, self.config["r"])
        alpha = pattern(self.config["alpha_pattern"], key, self.config["lora_alpha"])
        return float(alpha / (math.sqrt(rank) if self.config["use_rslora"] else rank))

    def modules(self) -> list[str]:
        """The paths of the modules that have a pair of factors, parameters of experts among them."""
        return sorted(name.rpartition(".lora_")[0] for name in self.tensors
                      if name.endswith((".lora_A.weight", ".lora_embedding_A")))

    def factors(self, module: str, key: str = "") -> Factors:
        """The factors of a linear layer, a Conv1D or an embedding; `key` for the scale if it is not the path."""
        scale = self.scale(key or module)
        if f"{module}.lora_embedding_A" in self.tensors:
            return Factors(self.values(f"{module}.lora_embedding_A"), self.values(f"{module}.lora_embedding_B"), scale,
                           transposed=True)
        return Factors(self.values(f"{module}.lora_A.weight"), self.values(f"{module}.lora_B.weight"), scale,
                       transposed=self.config["fan_in_fan_out"])

    def experts(self, module: str, key: str, count: int, transposed: bool = False) -> list[Factors]:
        """The factors of each expert: rows of A are grouped by expert, columns of B by rank."""
        a, b = self.values(f"{module}.lora_A.weight"), self.values(f"{module}.lora_B.weight")
        rank = len(a) // count
        return [Factors(a[e * rank:(e + 1) * rank], b[:, e::count], self.scale(key), transposed)
                for e in range(count)]


def from_rank(rank: np.ndarray) -> np.ndarray:
    """The inverse of entropy.ordered for bf16, as float64."""
    bits = np.where(rank < 0, 0x7FFF - rank, rank).astype(np.uint16)
    return decoded(bits, "BF16")


def candidates(change: np.ndarray, target: np.ndarray) -> np.ndarray:
    """For each bf16 weight, how many base weights the rule "sum" rounds to the same target, given the change."""
    rank = entropy.ordered(target)
    value = from_rank(rank)
    # The halves between the target and its neighbours; a tie rounds to the target if that is even.
    low = (from_rank(rank - 1) + value) / 2 - change
    high = (from_rank(rank + 1) + value) / 2 - change
    even = target & 1 == 0

    def nearest(bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        bits = rounded(bound, "BF16")
        return entropy.ordered(bits), decoded(bits, "BF16")

    first, at = nearest(low)
    first = first + ((at < low) | (~even & (at == low)))
    last, at = nearest(high)
    last = last - ((at > high) | (~even & (at == high)))
    return np.where(change == 0, 1, np.maximum(1, last - first + 1))
