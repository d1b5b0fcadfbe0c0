"""Section 5: one chunk and its coder."""

from collections.abc import Callable

import numpy as np

from . import frame, lowrank, ulp
from .elements import Kind, from_planes, move, read, to_bytes, unzigzag
from .refused import Refused, require

WINDOW = 2**23
ZERO, RAW, PLANES, ULP, SPARSE, LOW_RANK = range(6)
Predict = Callable[[], lowrank.Prediction]


def _open(stored: bytes) -> tuple[int, bytes]:
    require(stored, "chunk-length", "a chunk without a coder byte")
    return stored[0], stored[1:]


def decode_bytes(stored: bytes, k: Kind, length: int) -> bytes:
    """Decodes a `b` or `t` chunk: the elements themselves."""
    coder, data = _open(stored)
    if coder == RAW:
        require(len(data) == length, "chunk-length", f"raw chunk of {len(data)} bytes, not {length}")
        return data
    if coder == PLANES:
        return to_bytes(from_planes(frame.decode(data, WINDOW, "chunk-frame", exactly=length), k))
    raise Refused("coder", f"coder {coder} in a chunk of plain bytes")


def decode_difference(stored: bytes, k: Kind, known: bytes, backward: bool, predict: Predict | None = None) -> bytes:
    """Decodes a `d` chunk: from the bytes of one side to those of the other. `predict`: in an entry with factors."""
    coder, data = _open(stored)
    if coder == LOW_RANK:
        if predict is None:
            raise Refused("coder", "the low-rank coder in an entry without factors, or within itself")
        return _low_rank(data, k, known, backward, predict())
    elements = read(known, k)
    if coder == ULP:
        require(k.ulp, "coder", "the ulp coder on a dtype it is not defined for")
        return to_bytes(ulp.decode(data, elements, k, backward))
    return to_bytes(move(elements, _difference(coder, data, elements.size, k), k, backward))


def _low_rank(data: bytes, k: Kind, known: bytes, backward: bool, prediction: lowrank.Prediction) -> bytes:
    """5.2: the chunk within leads from the prediction to the target."""
    choice, within = lowrank.parts(data)
    if backward:
        predicted = read(decode_difference(within, k, known, backward), k)
        return to_bytes(prediction.base(predicted, choice))
    return decode_difference(within, k, to_bytes(prediction.target(read(known, k))), backward)


def _difference(coder: int, data: bytes, count: int, k: Kind) -> np.ndarray:
    if coder == ZERO:
        require(not data, "chunk-length", f"zero chunk with {len(data)} bytes of data")
        return np.zeros(count, k.unsigned)
    if coder == RAW:
        require(len(data) == count * k.width, "chunk-length", f"raw chunk of {len(data)} bytes, not {count * k.width}")
        return read(data, k)
    if coder == PLANES:
        return unzigzag(from_planes(frame.decode(data, WINDOW, "chunk-frame", exactly=count * k.width), k))
    if coder == SPARSE:
        return _sparse(data, count, k)
    raise Refused("coder", f"unknown coder {coder}")


def _sparse(data: bytes, count: int, k: Kind) -> np.ndarray:
    plain = frame.decode(data, WINDOW, "chunk-frame", at_most=4 + count * (5 + k.width))
    require(len(plain) >= 4, "sparse", "sparse chunk without its count")
    changed = int.from_bytes(plain[:4], "little")
    require(1 <= changed <= count, "sparse", f"{changed} changes among {count} elements")
    values = len(plain) - changed * k.width
    require(values >= 4, "sparse", "sparse chunk ends before its differences")
    gaps = _leb128(plain[4:values], changed)
    where = np.cumsum(gaps + 1) - 1
    require(where[-1] < count, "sparse", f"a gap leads to element {where[-1]} of {count}")
    zigzag = from_planes(plain[values:], k)
    require(zigzag.all(), "sparse", "a difference of 0 in a sparse chunk")
    difference = np.zeros(count, k.unsigned)
    difference[where] = unzigzag(zigzag)
    return difference


def _leb128(data: bytes, count: int) -> np.ndarray:
    raw = np.frombuffer(data, np.uint8)
    last = np.flatnonzero(raw < 128)
    good = last.size == count and (not raw.size or raw[-1] < 128)
    require(good, "sparse", f"{last.size} gaps, not {count}, or the last is truncated")
    first = np.concatenate(([0], last[:-1] + 1))
    length = last - first + 1
    require(length.max() <= 5, "sparse", "a gap of more than 5 bytes")
    require(not np.any((raw[last] == 0) & (length > 1)), "sparse", "a gap with a superfluous zero byte")
    gaps = np.zeros(count, np.int64)
    for i in range(int(length.max())):
        has = length > i
        gaps[has] |= (raw[first[has] + i].astype(np.int64) & 127) << (7 * i)
    return gaps
