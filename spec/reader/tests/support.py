"""Shared by the tests: paths, realistic weights, and the reader on sys.path."""

import importlib
import os
import re
import sys
import unittest
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FIXTURES = ROOT / "fixtures"
REQUIREMENTS = HERE.parent / "requirements.txt"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.findall(r"\d+", version)[:3])


def missing(requirements: str) -> str | None:
    """The problem with the installed packages; None if there is none."""
    for name, least in re.findall(r"^(\w+)>=([\d.]+)$", requirements, re.M):
        try:
            version = importlib.import_module(name).__version__
        except Exception as error:  # a broken build can raise anything
            return f"{name} cannot be imported: {type(error).__name__}: {error}"
        if _numbers(version) < _numbers(least):
            return f"{name} is {version}; {least} or newer is needed"
    return None


if problem := missing(REQUIREMENTS.read_text()):
    print(f"The second reader cannot be tested: {problem}", file=sys.stderr)
    print(f"{sys.executable} -m pip install -r {REQUIREMENTS}", file=sys.stderr, flush=True)
    os._exit(1)  # unittest catches even SystemExit, and would print this once for every module

for folder in (HERE, HERE.parent):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

import craft  # noqa: E402 (after the check of packages)
import craft_ulp  # noqa: E402 (after the check of packages)
import numpy as np  # noqa: E402 (after the check of packages)

from vpatch_reader.refused import Refused  # noqa: E402 (after the check of packages)

LENGTHS = [1, 2, 3, 5, 7, 8, 15, 16, 17, 31, 33, 127, 129, 1023, 5000]
FLOATS = ["BF16", "F16", "F32", "F8_E4M3", "F8_E5M2"]
DTYPES = [*FLOATS, "F64", "I64", "U64", "I32", "U32", "I16", "U16", "I8", "U8", "BOOL", "F4", "X9_odd"]


def weights(dtype: str, count: int, seed: int) -> np.ndarray:
    """Bits, as unsigned integers, of normally distributed values at three random scales, each ten times the last."""
    rng = np.random.default_rng(seed)
    width = craft.BITS.get(dtype, 8) // 8
    values = rng.normal(0, 0.02, count) * 10.0 ** rng.integers(-1, 2, count)
    match dtype:
        case "F32" | "BF16":
            bits = values.astype("<f4").view("<u4")
            return bits if dtype == "F32" else (bits >> 16).astype("<u2")
        case "F16":
            return values.astype("<f2").view("<u2")
        case "F64":
            return values.astype("<f8").view("<u8")
        case "F8_E5M2":
            return (values.astype("<f2").view("<u2") >> 8).astype("u1")
    return rng.integers(0, 2 if dtype == "BOOL" else 256, count * width).astype("u1").view(f"<u{width}")


def special(dtype: str) -> np.ndarray:
    """±0, the smallest and largest subnormals and normals, ±inf, NaNs, and their neighbours."""
    bits = craft.BITS.get(dtype, 8)
    half = 1 << (bits - 1)
    low, wide = craft_ulp.EXPONENT.get(dtype, (bits - 1, 0))
    inf = ((1 << wide) - 1) << low
    edges = {e % half
             for e in (0, 1, 2, (1 << low) - 1, 1 << low, (1 << low) + 1, inf - 1, inf, inf + 1, half - 1, half // 2)}
    return np.array(sorted(edges | {e + half for e in edges}), dtype=f"<u{bits // 8}")


def nudge(base: np.ndarray, seed: int, far: float = 0.05) -> np.ndarray:
    """A fine-tuned version: half of the elements unchanged, most others a few ulps away, some random."""
    rng = np.random.default_rng(seed)
    step = np.where(rng.random(base.size) < 0.5, 0, rng.integers(-9, 10, base.size))
    out: np.ndarray = (base + step.astype(base.dtype)).astype(base.dtype)
    wild = rng.random(base.size) < far
    out[wild] = np.frombuffer(rng.bytes(base.nbytes), base.dtype)[wild]
    if base.size and np.array_equal(out, base):
        out[-1:] ^= out.dtype.type(1)  # NumPy 1 would treat a plain 1 as signed
    return out


class Refusals(unittest.TestCase):
    def assertRefused(self, rule: str, words: str, call: Callable[..., object], *arguments: object,
                      **named: object) -> None:
        with self.assertRaises(Refused) as caught:
            call(*arguments, **named)
        self.assertEqual(caught.exception.rule, rule, str(caught.exception))
        self.assertIn(words, str(caught.exception))
