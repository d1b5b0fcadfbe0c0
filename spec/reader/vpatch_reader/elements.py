"""Section 4: dtypes, lengths, the order of elements, differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .refused import require

MAX_LENGTH = 2**53 - 1


@dataclass(frozen=True)
class Kind:
    """How to read the elements of a dtype."""

    bits: int
    exponent: tuple[int, int] | None = None  # lowest and highest bit; None for integers and F64
    float: bool = False

    @property
    def width(self) -> int:
        return self.bits // 8

    @cached_property
    def unsigned(self) -> np.dtype:
        return np.dtype(f"<u{self.width}")

    @property
    def ulp(self) -> bool:
        """Whether the ulp coder is defined for it (section 5)."""
        return self.exponent is not None


KNOWN = {
    "F64": Kind(64, None, True),
    "F32": Kind(32, (23, 30), True),
    "F16": Kind(16, (10, 14), True),
    "BF16": Kind(16, (7, 14), True),
    "F8_E5M2": Kind(8, (2, 6), True),
    "F8_E4M3": Kind(8, (3, 6), True),
    **{name: Kind(bits) for bits in (64, 32, 16, 8) for name in (f"I{bits}", f"U{bits}")},
    "BOOL": Kind(8),
}
BYTES = Kind(8)  # any other dtype: one element a byte


def kind(dtype: str) -> Kind:
    return KNOWN.get(dtype, BYTES)


def tensor_length(dtype: str, shape: Sequence[int], rule: str) -> int | None:
    """Bytes of a tensor, at most 2^53 - 1; None for a dtype of unknown width."""
    if dtype not in KNOWN:
        return None
    if 0 in shape:
        return 0  # whatever the other dimensions are
    length = KNOWN[dtype].width
    for factor in shape:
        length *= factor
        require(length <= MAX_LENGTH, rule, f"{dtype} {list(shape)} has more than {MAX_LENGTH} bytes")
    return length


def read(data: bytes, k: Kind) -> np.ndarray:
    return np.frombuffer(data, dtype=k.unsigned)


def to_bytes(u: np.ndarray) -> bytes:
    return bytes(u.tobytes())


def order(u: np.ndarray, k: Kind) -> np.ndarray:
    """Bits → order, modulo 2^n; it is its own inverse."""
    if not k.float:
        return u
    negative = u >> u.dtype.type(k.bits - 1)
    ordered: np.ndarray = u ^ (negative * u.dtype.type(2 ** (k.bits - 1) - 1))
    return ordered


def scale(u: np.ndarray, k: Kind) -> np.ndarray:
    """5.1.1: 0 for ±0, otherwise the exponent field, but at least 1."""
    assert k.exponent
    without_sign = u & u.dtype.type(2 ** (k.bits - 1) - 1)
    exponent = without_sign >> u.dtype.type(k.exponent[0])  # the exponent is directly below the sign
    scales: np.ndarray = np.maximum(exponent, without_sign != 0)
    return scales


def move(u: np.ndarray, difference: np.ndarray, k: Kind, backward: bool) -> np.ndarray:
    """Base → target, or the reverse. Unsigned arithmetic wraps, as the format requires."""
    moved = order(u, k) - difference if backward else order(u, k) + difference
    return order(moved, k)


def unzigzag(z: np.ndarray) -> np.ndarray:
    one = z.dtype.type(1)
    differences: np.ndarray = (z >> one) ^ (z.dtype.type(0) - (z & one))
    return differences


def from_planes(data: bytes, k: Kind) -> np.ndarray:
    """Byte 0 of every element, then byte 1 of every element, …"""
    planes = np.frombuffer(data, np.uint8).reshape(k.width, -1)
    return np.ascontiguousarray(planes.T).view(k.unsigned).reshape(-1)
