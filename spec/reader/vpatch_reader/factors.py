"""Section 3.5: the member `low_rank`: where the two factors of a change are in the adapter."""

import math
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .refused import require
from .strict_json import Shape

MAX_RANK = 1024
DTYPES = ("F32", "F16", "BF16")
_shape = Shape("header-shape")


@dataclass(frozen=True)
class View:
    """Where a factor's elements are in a tensor of the adapter."""

    tensor: int  # an index in the header's `adapter`
    offset: int
    slice: int
    line: int
    rank: int


@dataclass(frozen=True)
class Factors:
    rank: int
    rounding: str  # "sum" or "change"
    scale: float
    u: View
    v: View


def parse(value: Any, where: str) -> Factors:
    _shape.members(value, where, ["rank", "rounding", "scale", "u", "v"])
    rank = _shape.number(value["rank"], f"{where}.rank")
    require(1 <= rank <= MAX_RANK, "number-limit", f"{where}: rank {rank}, not 1 … {MAX_RANK}")
    rounding = _shape.text(value["rounding"], f"{where}.rounding")
    require(rounding in ("sum", "change"), "header-shape", f"{where}: unknown rounding {rounding!r}")
    digits = _shape.text(value["scale"], f"{where}.scale")
    good = re.fullmatch("[0-9a-f]{16}", digits) is not None
    require(good, "header-shape", f"{where}.scale is not 16 lower-case hexadecimal digits")
    (scale,) = struct.unpack(">d", bytes.fromhex(digits))
    views = []
    for key in ("u", "v"):
        numbers = _shape.array(value[key], f"{where}.{key}", 5)
        views.append(View(*(_shape.number(n, f"{where}.{key}") for n in numbers)))
    return Factors(rank, rounding, scale, views[0], views[1])


def matrices(shape: Sequence[int]) -> tuple[int, int, int]:
    """Matrices, rows, columns."""
    return math.prod(shape[:-2]), shape[-2], shape[-1]


def check(f: Factors, dtype: str, shape: Sequence[int], adapter: Sequence[tuple[str, int]]) -> None:
    """`adapter`: the dtype and the number of elements of each of its tensors. Python's integers do not overflow."""
    good = dtype in DTYPES and len(shape) >= 2 and 0 not in shape
    require(good, "low-rank", f"factors for {dtype} {list(shape)}: only for matrices of F32, F16 or BF16")
    require(math.isfinite(f.scale), "low-rank", f"the scale is {f.scale}")
    count, rows, columns = matrices(shape)
    for name, view, lines in (("u", f.u, rows), ("v", f.v, columns)):
        what = f"{name} is in tensor {view.tensor} of an adapter of {len(adapter)}"
        require(view.tensor < len(adapter), "low-rank", what)
        kind, elements = adapter[view.tensor]
        require(kind in DTYPES, "low-rank", f"{name} is in a tensor of {kind}")
        least = lines * f.rank
        require(elements >= least, "low-rank", f"{name} is in a tensor of {elements} elements, fewer than {least}")
        last = view.offset + (count - 1) * view.slice + (lines - 1) * view.line + (f.rank - 1) * view.rank
        require(last < elements, "low-rank", f"{name} refers to element {last} of {elements}")
