"""Sections 5.1.1 and 5.1.3: the model of an ulp chunk: context maps, tables, classes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .elements import Kind
from .refused import Refused, require

TOTAL = 4096
LANES = 32
MAX_TABLES = 31
NONE = 31  # in a context map: no table


class Bits:
    """A bit stream, least significant bit first. Reading beyond the end is an error."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, n: int) -> int:
        first, self.at = self.at, self.at + n
        require(self.at <= 8 * len(self.data), "ulp-model", "the model leads past the end of the chunk")
        window = int.from_bytes(self.data[first >> 3 : (self.at + 7) >> 3], "little")
        return window >> (first & 7) & ((1 << n) - 1)

    def array(self, count: int, n: int) -> np.ndarray:
        """Reads `count` fields of `n` bits."""
        first, self.at = self.at, self.at + count * n
        require(self.at <= 8 * len(self.data), "ulp-model", "the model leads past the end of the chunk")
        window = np.frombuffer(self.data[first >> 3 : (self.at + 7) >> 3], np.uint8)
        bits = np.unpackbits(window, bitorder="little")[first & 7 :][: count * n].reshape(count, n)
        values: np.ndarray = bits @ (1 << np.arange(n))
        return values

    def align(self) -> int:
        """Skips the padding; returns the position in bytes."""
        require(self.read(-self.at % 8) == 0, "ulp-model", "padding of the model is not zero")
        return self.at // 8


@dataclass
class Model:
    maps: np.ndarray  # (K, 256): scale → table, or NONE
    tables: np.ndarray  # (M, 256): frequency of each symbol
    group: int  # elements of a group; 0 if there is one class
    classes: np.ndarray  # (⌈N/G⌉,) or (1,)
    size: int  # bytes of the model

    def class_of(self, element: Any) -> Any:
        """The class of one element, or of each in an array."""
        return self.classes[element // self.group] if self.group else self.classes[0]


def largest_index(bits: int) -> int:
    """5.1.2: the index of 2^(n-1), which only a negative difference has."""
    return 16 + 2 * (bits - 1 - 4)


def read_model(data: bytes, count: int, k: Kind) -> Model:
    bits = Bits(data)
    class_count = bits.read(2) + 1
    table_count = bits.read(5) + 1
    require(table_count <= MAX_TABLES, "ulp-model", f"{table_count} tables; the limit is {MAX_TABLES}")
    group = LANES * (bits.read(22) + 1) if class_count > 1 else 0
    maps = np.stack([_map(bits, table_count) for _ in range(class_count)])
    tables = np.stack([_table(bits, k) for _ in range(table_count)])
    classes = np.zeros(1, np.int64)
    if group:
        classes = bits.array(-(-count // group), 1 if class_count == 2 else 2)
        require(classes.max() < class_count, "ulp-model",
                f"a group of class {classes.max()}, but there are {class_count} classes")
    return Model(maps, tables, group, classes, bits.align())


def _map(bits: Bits, table_count: int) -> np.ndarray:
    first = bits.read(8)
    length = bits.read(8) + 1
    require(first + length <= 256, "ulp-model", f"a context map of scales {first} … {first + length - 1}")
    tables = np.full(256, NONE)
    for scale in range(first, first + length):
        if scale == first or bits.read(1):
            table = bits.read(5)
            good = table < table_count or table == NONE
            require(good, "ulp-model", f"a context map names table {table}, but there are {table_count}")
        tables[scale] = table
    return tables


def _table(bits: Bits, k: Kind) -> np.ndarray:
    first = bits.read(8)
    length = bits.read(8) + 1
    rest = bits.read(8)
    require(rest < length, "ulp-table", f"symbol J = {rest} of a table of {length}")
    top = largest_index(k.bits)
    good = 128 - top <= first and first + length - 1 <= 128 + top
    require(good, "ulp-table",
            f"a table of symbols {first} … {first + length - 1} exceeds those of {k.bits}-bit elements")
    frequencies = np.zeros(256, np.int64)
    n = 6
    for j in range(length):
        if j == rest:
            continue
        n = _bit_length(bits, n)
        frequencies[first + j] = _frequency(bits, n)
    others = int(frequencies.sum())
    require(others < TOTAL, "ulp-table", f"frequencies except that of J add up to {others}, more than 4095")
    frequencies[first + rest] = TOTAL - others
    return frequencies


def _bit_length(bits: Bits, before: int) -> int:
    if not bits.read(1):
        n = before
    elif not bits.read(1):
        n = before - 1 if bits.read(1) else before + 1
    else:
        n = bits.read(4)
    if not 0 <= n <= 12:
        raise Refused("ulp-table", f"a frequency of {n} bits")
    return n


def _frequency(bits: Bits, n: int) -> int:
    if n == 0:
        return 0
    m = min(n - 1, 3)
    return (1 << (n - 1)) + (bits.read(m) << (n - 1 - m))
