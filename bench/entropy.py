"""Entropy limits for the size of a lossless patch.

    entropy.py BASE TUNED         two safetensors files

d is the difference of two weights in units in the last place: the bit patterns mapped to integers in the order of the
values, subtracted. Over all weights of the tensors that changed (their unchanged weights included):

    H0                       the entropy of d: the limit of a coder that knows only the frequencies of the differences
    H_given_base_exponent    the entropy of d given the base weight's exponent. The decoder has the base, so this
                             context is free; AdamW moves all weights by similar amounts, so it helps much

Both are in bits per weight; bytes are for all weights together. Frequencies are counted over all changed tensors
together. A coder with more context (such as a table for each tensor) can be better.
"""
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import checkpoint

MANTISSA = {"BF16": 7, "F16": 10, "F32": 23}
SHIFT, MIDDLE = 40, 1 << 36  # key = exponent << SHIFT | d + MIDDLE; |d| < 2**33


@dataclass(frozen=True)
class Limits:
    tensors: int
    weights: int
    tuned_bytes: int   # of the changed tensors
    changed: float     # share of their weights
    h0: float          # bits a weight
    h_exponent: float

    @property
    def bytes_h0(self) -> int:
        return int(self.h0 * self.weights / 8)

    @property
    def bytes_h_exponent(self) -> int:
        return int(self.h_exponent * self.weights / 8)


def ordered(bits: np.ndarray) -> np.ndarray:
    """Bit patterns -> integers in the order of the values; -0 is next below +0."""
    sign = 1 << (bits.dtype.itemsize * 8 - 1)
    value = bits.astype(np.int64)
    return np.where(value & sign, sign - value - 1, value)


def keys(base: np.ndarray, tuned: np.ndarray, dtype: str) -> np.ndarray:
    """One integer for each weight: the base's exponent and the difference in ulps."""
    width, mantissa = base.dtype.itemsize * 8, MANTISSA[dtype]
    exponent = (base.astype(np.int64) >> mantissa) & ((1 << (width - 1 - mantissa)) - 1)
    found: np.ndarray = (exponent << SHIFT) | (ordered(tuned) - ordered(base) + MIDDLE)
    return found


def merged(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums the counts of equal values."""
    unique, where = np.unique(values, return_inverse=True)
    return unique, np.bincount(where, weights=counts)


def entropy_sum(counts: np.ndarray) -> float:
    """Entropy times the number of events: the bits an ideal coder with these frequencies writes."""
    total = counts.sum()
    return float(-(counts * np.log2(counts / total)).sum())


def limits(base: Path, tuned: Path) -> Limits:
    """Measures a pair of files, one tensor at a time."""
    values: list[np.ndarray] = []
    counts: list[np.ndarray] = []
    dtypes: set[str] = set()
    tuned_bytes = 0
    for mine, other in checkpoint.changed_tensors(base, tuned):
        found = np.unique(keys(checkpoint.read_bits(base, mine), checkpoint.read_bits(tuned, other), mine.dtype),
                          return_counts=True)
        values.append(found[0])
        counts.append(found[1])
        dtypes.add(mine.dtype)
        tuned_bytes += mine.size
    if len(dtypes) != 1:
        raise ValueError(f"{tuned}: no tensor differs from the base's" if not dtypes else
                         f"{tuned}: the changed tensors have several dtypes: {', '.join(sorted(dtypes))}")
    value, count = merged(np.concatenate(values), np.concatenate(counts))
    difference, exponent = value & ((1 << SHIFT) - 1), value >> SHIFT
    weights = int(count.sum())
    return Limits(
        tensors=len(values), weights=weights, tuned_bytes=tuned_bytes,
        changed=float(count[difference != MIDDLE].sum() / weights),
        h0=entropy_sum(merged(difference, count)[1]) / weights,
        h_exponent=sum(entropy_sum(count[exponent == e]) for e in np.unique(exponent)) / weights)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    found = limits(Path(sys.argv[1]), Path(sys.argv[2]))
    print(json.dumps({"tensors": found.tensors, "weights": found.weights, "changed": round(found.changed, 4),
                      "H0": round(found.h0, 4), "H_given_base_exponent": round(found.h_exponent, 4),
                      "bytes_H0": found.bytes_h0, "bytes_H_given_base_exponent": found.bytes_h_exponent}))
