"""Merges with mergekit, tensor by tensor, and compares each weight with vpatch's result.

    mergekit_worker.py JOB      run by merge.py, in mergekit's environment; JOB and what is printed are JSON
"""
import hashlib
import json
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mergekit.sparsify
import numpy as np
import torch
from mergekit.merge_methods import registry
from mergekit.merge_methods.base import TensorGroup
from safetensors import safe_open

TIES = ("ties",)


def to_bf16(x: np.ndarray) -> np.ndarray:
    """float64 -> bf16 bits by one rounding to nearest, ties to even. torch would go through float32."""
    bits = x.view(np.uint64)
    odd = (bits >> np.uint64(45)) & np.uint64(1)
    rounded = (bits + np.uint64((1 << 44) - 1) + odd) >> np.uint64(45) << np.uint64(45)
    tiny = np.abs(x) < 2.0**-126
    exact = np.where(tiny, np.rint(x * 2.0**133) * 2.0**-133, rounded.view(np.float64))
    bits16: np.ndarray = (exact.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return bits16


def undecided(x: np.ndarray, inputs: Sequence[torch.Tensor]) -> np.ndarray:
    """Where a float64's last places decide the bf16: halfway between two of them, or where the inputs cancel out."""
    rest = x.view(np.uint64) & np.uint64((1 << 45) - 1)
    largest = np.max([np.abs(one.double().numpy().reshape(-1)) for one in inputs], axis=0)
    found: np.ndarray = (np.abs(rest.astype(np.int64) - (1 << 44)) < 64) | (np.abs(x) < 2.0**-48 * largest)
    return found


def mask(seed: int, identity: str, name: str, shape: Sequence[int], density: float) -> torch.Tensor:
    """spec/stacks.md, section 5.5."""
    text = b"vpatch.dare.1\n" + struct.pack("<Q", seed) + bytes.fromhex(identity) + name.encode()
    digest = hashlib.sha256(text).digest()
    u = np.uint64
    z = u(int.from_bytes(digest[:8], "little")) + np.arange(1, np.prod(shape) + 1, dtype=u) * u(0x9E3779B97F4A7C15)
    z = (z ^ (z >> u(30))) * u(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> u(27))) * u(0x94D049BB133111EB)
    z ^= z >> u(31)
    return torch.from_numpy(((z >> u(11)) * 2.0**-53 < density).reshape(shape))


class Job:
    base: str
    ours: str
    tuned: list[str]
    identities: list[str]
    scales: list[float]
    method: str
    density: float | None
    seed: int
    options: dict[str, Any]

    def __init__(self, job: dict[str, Any]) -> None:
        self.__dict__.update(job)
        self.call = registry.get(self.method)
        self.files = [safe_open(Path(p) / "model.safetensors", "pt") for p in (self.base, *self.tuned, self.ours)]

    def merge(self, name: str, base: torch.Tensor, tuned: list[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
        """mergekit's result; in `dtype`, not yet rounded."""
        ids = ["base", *self.identities]
        density = self.density or 1
        parameters: dict[str, Any]
        if self.method == "slerp":
            # Its first tensor is called the base; t is how far the way to the second one has gone.
            group = TensorGroup.from_tensors(tuned, base_index=0)
            parameters = {"t": self.scales[1] / sum(self.scales)}
        elif self.method == "linear":
            group = TensorGroup.from_tensors(tuned, ids=self.identities)
            parameters = {"weight": dict(zip(self.identities, self.scales, strict=True))}
        else:
            group = TensorGroup.from_tensors([base, *tuned], ids=ids, base_index=0)
            share = density if "dare" in self.method else 1
            parameters = dict(weight={i: s / share for i, s in zip(self.identities, self.scales, strict=True)},
                              density=dict.fromkeys(self.identities, density), **self.options)
        masks = iter([mask(self.seed, i, name, base.shape, density) for i in self.identities]
                     if "dare" in self.method else [])
        torch.bernoulli = lambda p: next(masks).to(p.dtype)
        return self.call((group,), parameters=parameters, dtype=dtype)[0]

    def exact(self, name: str, base: torch.Tensor, tuned: list[torch.Tensor]) -> np.ndarray:
        values: np.ndarray = self.merge(name, base, tuned, torch.float64).numpy()
        return values.reshape(-1)

    def single(self, name: str, base: torch.Tensor, tuned: list[torch.Tensor]) -> np.ndarray:
        rounded = self.merge(name, base, tuned, torch.float32).to(torch.bfloat16)
        bits: np.ndarray = rounded.view(torch.uint16).numpy()
        return bits.reshape(-1)

    def at_threshold(self, base: torch.Tensor, tuned: list[torch.Tensor]) -> np.ndarray:
        """Where a difference is of the smallest magnitude that TIES keeps, which is a float32 to mergekit."""
        found = np.zeros(base.numel(), bool)
        count = max(1, int((self.density or 1) * base.numel()))
        for one in tuned:
            size = (one.double() - base.double()).abs().float().numpy().reshape(-1)
            found |= size == np.partition(size, -count)[-count]
        return found

    def run(self) -> dict[str, int]:
        names = self.files[0].keys()
        totals = {"weights": 0, "float64": 0, "undecided": 0, "float32": 0, "float32_far": 0}
        if self.method in TIES:
            totals |= {"at_threshold": 0, "stable": 0}
        argsort = torch.argsort
        for name in names:
            base, one, two, ours = (file.get_tensor(name) for file in self.files)
            tuned = [one, two]
            mine = ours.view(torch.uint16).numpy().reshape(-1)
            totals["weights"] += base.numel()
            exact = self.exact(name, base, tuned)
            other = to_bf16(exact) != mine
            totals["float64"] += int(other.sum())
            totals["undecided"] += int((other & undecided(exact, (base, one, two))).sum())
            single = self.single(name, base, tuned)
            totals["float32"] += int((single != mine).sum())
            # Of one sign, neighbours differ by 1 in their bits; across zero these are far apart, and counted as such.
            totals["float32_far"] += int((np.abs(single.astype(np.int32) - mine) > 1).sum())
            if self.method in TIES:
                totals["at_threshold"] += int((other & self.at_threshold(base, tuned)).sum())
                mergekit.sparsify.torch.argsort = lambda w, descending: argsort(w, descending=descending, stable=True)
                totals["stable"] += int((to_bf16(self.exact(name, base, tuned)) != mine).sum())
                mergekit.sparsify.torch.argsort = argsort
        return totals


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    print(json.dumps(Job(json.loads(sys.argv[1])).run()))
