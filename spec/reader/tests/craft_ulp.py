"""The encoder of section 5.1, one element at a time."""

import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

EXPONENT = {"F32": (23, 8), "F16": (10, 5), "BF16": (7, 8), "F8_E5M2": (2, 5), "F8_E4M3": (3, 4)}
BITS = {"F32": 32, "F16": 16, "BF16": 16, "F8_E5M2": 8, "F8_E4M3": 8}
TOTAL, LOW, LANES, NONE = 4096, 1 << 16, 32, 31


class Bits:
    def __init__(self) -> None:
        self.value, self.length = 0, 0

    def put(self, value: int, n: int) -> None:
        assert 0 <= value < 1 << n
        self.value |= value << self.length
        self.length += n

    def bytes(self) -> bytes:
        return self.value.to_bytes((self.length + 7) // 8, "little")


def split(d: int) -> tuple[int, int, int]:
    """Difference → symbol, extra bits, number of extra bits."""
    a = abs(d)
    if a < 16:
        return 128 + d, 0, 0
    k = a.bit_length() - 1
    index = 16 + 2 * (k - 4) + (a >> (k - 1) & 1)
    return (128 + index if d > 0 else 128 - index), a & ((1 << (k - 1)) - 1), k - 1


def low_bits(value: int) -> Callable[[int], int]:
    """A function that returns the lowest n bits of `value`."""
    return lambda n: value & ((1 << n) - 1)


def join(symbol: int, extra: Callable[[int], int], bits: int) -> int | None:
    """Symbol, and a function that reads n extra bits → difference; None if it is out of range."""
    index = abs(symbol - 128)
    if index >= 16:
        k = 4 + (index - 16) // 2
        a = 1 << k | (index & 1) << (k - 1) | extra(k - 1)
    else:
        a = index
    if a > 1 << (bits - 1):
        return None
    return a if symbol >= 128 else -a


def round_down(f: int) -> tuple[int, int, int, int]:
    """Frequency → the largest one that can be written and is not above it, as f, n, m, v."""
    if f == 0:
        return 0, 0, 0, 0
    n = f.bit_length()
    m = min(n - 1, 3)
    v = (f >> (n - 1 - m)) & ((1 << m) - 1)
    return (1 << (n - 1)) + (v << (n - 1 - m)), n, m, v


class Table:
    def __init__(self, counts: dict[int, int]) -> None:
        total = sum(counts.values())
        self.first, last = min(counts), max(counts)
        self.length = last - self.first + 1
        self.rest = max(counts, key=lambda s: (counts[s], -s))
        scale = TOTAL
        while True:
            self.f = {s: round_down(max(1, c * scale // total)) for s, c in counts.items() if s != self.rest}
            others = sum(f[0] for f in self.f.values())
            if others < TOTAL:
                break
            scale = scale * 15 // 16
        self.frequency = {s: f[0] for s, f in self.f.items()} | {self.rest: TOTAL - others}
        self.low, at = {}, 0
        for s in sorted(self.frequency):
            self.low[s] = at
            at += self.frequency[s]
        self.slots = [s for s in sorted(self.frequency) for _ in range(self.frequency[s])]

    def write(self, out: Bits) -> None:
        out.put(self.first, 8)
        out.put(self.length - 1, 8)
        out.put(self.rest - self.first, 8)
        before = 6
        for s in range(self.first, self.first + self.length):
            if s == self.rest:
                continue
            _, n, m, v = self.f.get(s, (0, 0, 0, 0))
            if n == before:
                out.put(0, 1)
            elif abs(n - before) == 1:
                out.put(1 | (n < before) << 2, 3)
            else:
                out.put(3 | n << 2, 6)
            out.put(v, m)
            before = n


def groups_of(count: int, classes: int, group: int) -> list[int]:
    """An arbitrary class for every group; every class is used if there are enough groups."""
    return [(j * 7 + j // 3) % classes for j in range(-(-count // group))]


def write_map(out: Bits, first: int, tables: list[int]) -> None:
    """In a run of the same table each further scale costs one bit."""
    out.put(first, 8)
    out.put(len(tables) - 1, 8)
    out.put(tables[0], 5)
    for before, table in pairwise(tables):
        if table == before:
            out.put(0, 1)
        else:
            out.put(1 | table << 1, 6)


def scale_of(u: int, dtype: str) -> int:
    low, wide = EXPONENT[dtype]
    exponent, mantissa = u >> low & ((1 << wide) - 1), u & ((1 << low) - 1)
    return 0 if exponent == mantissa == 0 else max(exponent, 1)


def encode(base: bytes, targets: list[int], ds: list[int], dtype: str, classes: int = 1, tables: int = 2,
           group: int = 32, holes: bool = False, spoil: Callable[[dict[str, Any]], object] | None = None) -> bytes:
    """`targets`: orders. `holes`: scales that no base element has in a class get no table. `spoil` may
    change the parts, a dict, before they are joined."""
    bits = BITS[dtype]
    width = bits // 8

    def scale(u: int) -> int:
        return scale_of(u, dtype)

    bases = [int.from_bytes(base[i : i + width], "little") for i in range(0, len(base), width)]
    count = len(bases)
    of_group = groups_of(count, classes, group)
    # Contexts: the range of scales is divided evenly among the tables; each class is shifted by one table.
    first, last = min(map(scale, bases)), max(map(scale, bases))
    span = last - first + 1
    maps = [[(e * tables // span + c) % tables for e in range(span)] for c in range(classes)]
    if holes:
        used = {(of_group[i // group], scale(u) - first) for i, u in enumerate(bases)}
        maps = [[t if (c, e) in used else NONE for e, t in enumerate(m)] for c, m in enumerate(maps)]

    def context(u: int, c: int) -> int:
        return maps[c][scale(u) - first] if first <= scale(u) <= last else NONE

    contexts = [context(u, of_group[i // group]) for i, u in enumerate(bases)]
    counts = [{128: 1} for _ in range(tables)]
    for t, d in zip(contexts, ds, strict=True):
        s = split(d)[0]
        counts[t][s] = counts[t].get(s, 0) + 16
    made = [Table(c) for c in counts]

    model = Bits()
    model.put(classes - 1, 2)
    model.put(tables - 1, 5)
    if classes > 1:
        model.put(group // 32 - 1, 22)
    for m in maps:
        write_map(model, first, m)
    for one in made:
        one.write(model)
    if classes > 1:
        for c in of_group:
            model.put(c, 1 if classes == 2 else 2)

    extra = Bits()
    positions = []
    for d in ds:
        positions.append(extra.length)
        _, v, n = split(d)
        extra.put(v, n)

    states, words, slots = [LOW] * LANES, [], [0] * count
    for i in reversed(range(count)):
        table, s, x = made[contexts[i]], split(ds[i])[0], states[i % LANES]
        f = table.frequency[s]
        if x >= f << 20:
            words.append(x & 0xFFFF)
            x >>= 16
        slots[i] = x % f + table.low[s]
        states[i % LANES] = (x // f << 12) + slots[i]

    choice = Bits()
    half = 1 << (bits - 1)
    for i, (target, right) in enumerate(zip(targets, contexts, strict=True)):
        m = maps[of_group[i // group]]
        unsigned = target % (2 * half)
        own = context(unsigned ^ (half - 1) if unsigned >= half else unsigned, of_group[i // group])
        consistent = []
        for t in [own] * (own != NONE) + sorted({*m} - {own, NONE}):
            back = join(made[t].slots[slots[i]], low_bits(extra.value >> positions[i]), bits)
            if back is None:
                continue
            u = (target - back) % (2 * half)
            if context(u ^ (half - 1) if u >= half else u, of_group[i // group]) == t:
                consistent.append(t)
        for t in consistent[:-1]:
            choice.put(t == right, 1)
            if t == right:
                break

    parts: dict[str, Any] = {
        "model": model.bytes(),
        "extra": extra.bytes(),
        "choice": choice.bytes(),
        "states": states,
        "words": words[::-1],
    }
    if spoil:
        spoil(parts)
    sizes = struct.pack("<II", parts.get("R", len(parts["extra"])), parts.get("C", len(parts["choice"])))
    tail = struct.pack(f"<{LANES}I", *parts["states"]) + struct.pack(f"<{len(parts['words'])}H", *parts["words"])
    return b"".join([parts["model"], sizes, parts["extra"], parts["choice"], tail, parts.get("behind", b"")])
