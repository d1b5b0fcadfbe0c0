"""The encoder of section 5.2, one element at a time, with Python's floats."""

import math
import struct
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import craft
import craft_ulp
from craft import Entry, Frame, Tensor


def widen(u: int, dtype: str) -> float:
    match dtype:
        case "BF16":
            return float(struct.unpack("<f", struct.pack("<I", u << 16))[0])
        case "F16":
            return float(struct.unpack("<e", struct.pack("<H", u))[0])
    return float(struct.unpack("<f", struct.pack("<I", u))[0])


def narrow(x: float, dtype: str) -> int:
    """To nearest even, with subnormals and infinities; `x` is not NaN."""
    low, wide = craft_ulp.EXPONENT[dtype]
    sign = (math.copysign(1, x) < 0) << (low + wide)
    infinity = ((1 << wide) - 1) << low
    if math.isinf(x):
        return sign | infinity
    if x == 0:
        return sign
    least = 2 - (1 << (wide - 1))  # exponent of the smallest normal number
    exponent = max(math.frexp(abs(x))[1] - 1, least)
    code = round(math.ldexp(abs(x), low - exponent)) + ((exponent - least) << low)
    return sign | min(code, infinity)


def code_of(order: int, dtype: str) -> int:
    bits = craft.BITS[dtype]
    u = order % (1 << bits)
    return u ^ ((1 << (bits - 1)) - 1) if u >> (bits - 1) else u


def order_of(u: int, dtype: str) -> int:
    bits = craft.BITS[dtype]
    if u >> (bits - 1):
        u ^= (1 << (bits - 1)) - 1
        u -= 1 << bits
    return u


def predict(u: int, change: float, dtype: str) -> int:
    """5.2.1, step 3."""
    base = widen(u, dtype)
    moves = change != 0 and math.isfinite(change) and math.isfinite(base)
    return narrow(base + change, dtype) if moves else u


def bases(p: int, change: float, dtype: str) -> range:
    """The orders of the bases that lead to the prediction `p`."""
    half = 1 << (craft.BITS[dtype] - 1)
    everything = range(-half, half)

    def forward(order: int) -> int:
        return order_of(predict(code_of(order, dtype), change, dtype), dtype)

    goal = order_of(p, dtype)
    first, end = (bisect_left(everything, g, key=forward) for g in (goal, goal + 1))
    return everything[first:end]


def put_truncated(out: craft_ulp.Bits, c: int, n: int) -> None:
    m = n.bit_length() - 1
    k = (2 << m) - n
    value, length = (c, m) if c < k else (c + k, m + 1)
    for i in reversed(range(length)):
        out.put(value >> i & 1, 1)


def elements(data: bytes, width: int) -> list[int]:
    return [int.from_bytes(data[i : i + width], "little") for i in range(0, len(data), width)]


@dataclass
class Factors:
    rank: int
    rounding: str
    scale: float
    u: Sequence[int]  # tensor, offset, slice, line, rank
    v: Sequence[int]
    within: str = "sparse"  # coder of the difference from the prediction
    spoil: Callable[[dict[str, Any]], object] | None = None  # changes the parts of a chunk before they are joined

    def member(self) -> Entry:
        digits = struct.pack(">d", self.scale).hex()
        return {"rank": self.rank, "rounding": self.rounding, "scale": digits, "u": [*self.u], "v": [*self.v]}

    def changes(self, t: Tensor, adapter: Sequence[Tensor]) -> list[float]:
        """Δ of every element of a tensor of the dtype and shape of `t`."""
        *outer, rows, columns = t.shape
        u, v = ([widen(e, a.dtype) for e in elements(a.data, a.width)] for a in (adapter[self.u[0]],
                                                                                adapter[self.v[0]]))
        out = []
        for s in range(math.prod(outer)):
            for i in range(rows):
                for j in range(columns):
                    x = 0.0
                    for k in range(self.rank):
                        x += (u[self.u[1] + s * self.u[2] + i * self.u[3] + k * self.u[4]]
                              * v[self.v[1] + s * self.v[2] + j * self.v[3] + k * self.v[4]])
                    change = self.scale * x
                    if self.rounding == "change" and not math.isnan(change):
                        change = widen(narrow(change, t.dtype), t.dtype)
                    out.append(change)
        return out

    def predictions(self, t: Tensor, adapter: Sequence[Tensor]) -> list[int]:
        pairs = zip(elements(t.data, t.width), self.changes(t, adapter), strict=True)
        return [predict(u, change, t.dtype) for u, change in pairs]

    def counts(self, t: Tensor, adapter: Sequence[Tensor]) -> list[int]:
        """For each element, how many bases lead to its prediction."""
        pairs = zip(self.predictions(t, adapter), self.changes(t, adapter), strict=True)
        return [len(bases(p, change, t.dtype)) for p, change in pairs]


def join(values: Sequence[int], t: Tensor) -> Tensor:
    return Tensor(t.dtype, t.shape, b"".join(v.to_bytes(t.width, "little") for v in values))


def chunk(base: bytes, target: bytes, changes: Sequence[float], t: Tensor, within: str, frame: Frame,
          spoil: Callable[[dict[str, Any]], object] | None, **ulp: Any) -> bytes:
    """A stored chunk of these elements, which have these changes."""
    sources = elements(base, t.width)
    predicted = [predict(u, change, t.dtype) for u, change in zip(sources, changes, strict=True)]
    choice = craft_ulp.Bits()
    for u, p, change in zip(sources, predicted, changes, strict=True):
        leading = bases(p, change, t.dtype)
        if len(leading) > 1:
            put_truncated(choice, leading.index(order_of(u, t.dtype)), len(leading))
    middle = join(predicted, t).data
    parts: dict[str, Any] = {
        "coder": b"\5",
        "choice": choice.bytes(),
        "within": craft.difference_chunk(within, middle, target, t, frame, **ulp),
    }
    if spoil:
        spoil(parts)
    size = struct.pack("<I", parts.get("C", len(parts["choice"])))
    return bytes(parts["coder"] + size + parts["choice"] + parts["within"])
