"""Sections 5.1.2, 5.1.4 and 5.1.5: the ulp coder, both directions.

One NumPy step decodes all thirty-two lanes; the extra bits are read together at the end. Backward,
a candidate is tested against all bases that its symbol can lead to, whatever the extra bits.
Usually one candidate remains. The other lanes are decided one by one.
"""

from typing import Any

import numpy as np

from .bits import check_padding
from .elements import Kind, order, scale
from .refused import require
from .ulp_model import LANES, NONE, TOTAL, Model, largest_index, read_model

LOW = 1 << 16  # states are in 2^16 … 2^32 - 1


def decode(data: bytes, known: np.ndarray, k: Kind, backward: bool) -> np.ndarray:
    """The elements of the other side."""
    model = read_model(data, known.size, k)
    extra, choice, states, words = _parts(data[model.size :])
    coder = Coder(model, states, words, k)
    if backward:
        return _backward(coder, known, extra, choice)
    return _forward(coder, known, extra)


def _parts(data: bytes) -> tuple[bytes, bytes, np.ndarray, np.ndarray]:
    require(len(data) >= 8 + 4 * LANES, "ulp-layout", "the chunk ends before its states")
    extra_length, choice_length = (int(v) for v in np.frombuffer(data[:8], "<u4"))
    states_at = 8 + extra_length + choice_length
    words_at = states_at + 4 * LANES
    require(words_at <= len(data), "ulp-layout",
            f"{extra_length} bytes of extra bits and {choice_length} of choice bits lead past the end")
    require((len(data) - words_at) % 2 == 0, "ulp-layout", "an odd byte is left at the end")
    states = np.frombuffer(data[states_at:words_at], "<u4").astype(np.int64)
    require(states.min() >= LOW, "ulp-state", "an initial state is below 2^16")
    extra = data[8 : 8 + extra_length]
    choice = data[8 + extra_length : states_at]
    return extra, choice, states, np.frombuffer(data[words_at:], "<u2").astype(np.int64)


class Coder:
    """The states, and the tables indexed by slot."""

    def __init__(self, model: Model, states: np.ndarray, words: np.ndarray, k: Kind) -> None:
        self.model, self.states, self.words, self.kind = model, states, words, k
        self.next_word = 0
        slots = np.arange(TOTAL)
        self.symbol, self.frequency, self.bias = (np.zeros(len(model.tables) * TOTAL, np.int64) for _ in range(3))
        for t, frequencies in enumerate(model.tables):
            part = slice(t * TOTAL, (t + 1) * TOTAL)
            self.symbol[part] = np.repeat(np.arange(256), frequencies)
            self.frequency[part] = frequencies[self.symbol[part]]
            self.bias[part] = slots - (np.cumsum(frequencies) - frequencies)[self.symbol[part]]

    def advance(self, entries: np.ndarray) -> None:
        """5.1.4, steps 2 and 3. An entry is table · 4096 + slot; there is one for each lane in use."""
        x = self.frequency[entries] * (self.states[: entries.size] >> 12) + self.bias[entries]
        low = np.flatnonzero(x < LOW)
        if low.size:
            taken = self.words[self.next_word : self.next_word + low.size]
            require(taken.size == low.size, "ulp-words", "there are too few words for the elements")
            x[low] = (x[low] << 16) + taken
            self.next_word += low.size
        self.states[: entries.size] = x

    def finish(self) -> None:
        require(np.all(self.states == LOW), "ulp-state", "a final state is not 2^16")
        left = self.words.size - self.next_word
        require(left == 0, "ulp-words", f"{left} words are left over")


def _forward(coder: Coder, base: np.ndarray, extra: bytes) -> np.ndarray:
    model, k, count = coder.model, coder.kind, base.size
    contexts = model.maps[model.class_of(np.arange(count)), scale(base, k)]
    without = np.flatnonzero(contexts == NONE)
    what = f"no context for element {without[:1]}: the patch was made from another base"
    require(not without.size, "ulp-context", what)
    tables = contexts * TOTAL
    symbols = np.empty(count, np.int64)
    for i in range(0, count, LANES):
        here = tables[i : i + LANES]
        entries = here + (coder.states[: here.size] & (TOTAL - 1))
        symbols[i : i + LANES] = coder.symbol[entries]
        coder.advance(entries)
    coder.finish()
    return order(order(base, k) + _differences(symbols, extra, k), k)


def _differences(symbols: np.ndarray, extra: bytes, k: Kind) -> np.ndarray:
    """5.1.2: the differences of all elements, with their extra bits, modulo 2^n."""
    index = np.abs(symbols - 128)
    a = index.copy()
    big = np.flatnonzero(index >= 16)
    power = (index[big] - 16 >> 1) + 4
    ends = np.cumsum(power - 1)
    used = int(ends[-1]) if big.size else 0
    require(used <= 8 * len(extra), "ulp-extra", "there are too few extra bits for the elements")
    check_padding(extra, used, "ulp-extra")
    padded = np.frombuffer(extra + bytes(8), np.uint8).astype(np.int64)
    starts = ends - (power - 1)
    window = sum(padded[(starts >> 3) + i] << (8 * i) for i in range(5))  # 7 + 30 bits at most
    bits = (window >> (starts & 7)) & ((1 << (power - 1)) - 1)
    a[big] = (2 + (index[big] & 1) << (power - 1)) + bits
    require(a.max() <= 1 << (k.bits - 1), "ulp-symbol", "extra bits lead beyond the dtype's range")
    differences: np.ndarray = np.where(symbols < 128, -a, a).astype(k.unsigned)
    return differences


class _Bits:
    """Reads single fields; bits beyond the end are zero."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def peek(self, at: int, n: int) -> int:
        window = int.from_bytes(self.data[at >> 3 : (at + n + 7) >> 3], "little")
        return window >> (at & 7) & ((1 << n) - 1)


class _Symbols:
    """For each symbol, its smallest and largest difference and its number of extra bits."""

    def __init__(self, k: Kind) -> None:
        index = np.abs(np.arange(256) - 128)
        power = np.maximum(index - 16 >> 1, 0) + 4
        self.extra = np.where(index < 16, 0, power - 1)
        least = np.where(index < 16, index, 2 + (index & 1) << power - 1)
        most = least + (1 << self.extra) - 1
        negative = np.arange(256) < 128
        self.low, self.high = np.where(negative, -most, least), np.where(negative, -least, most)
        self.least = least.tolist()
        self.partly = index >= largest_index(k.bits)  # not all extra bits are valid


class _Contexts:
    """The context map of one class. A place is a scale with a sign: places ascend with the order."""

    def __init__(self, scales: np.ndarray, k: Kind) -> None:
        assert k.exponent
        self.low = k.exponent[0]
        exponents = 1 << k.bits - 1 - self.low
        positive = np.concatenate((scales[:2], scales[1:exponents]))  # 0, subnormals, exponents from 1
        places = np.concatenate((positive[::-1], positive))
        self.zero = positive.size - 1  # the place of −0
        self.tables = np.unique(scales[scales != NONE])  # candidates, ascending
        here = places == self.tables[:, None]
        self.before = np.pad(np.cumsum(here, axis=1), ((0, 0), (1, 0)))  # number of places below with the table
        self.place_to_table = places.tolist()

    def place(self, orders: Any) -> Any:
        """The place of one order, or of each in an array."""
        return (orders >> self.low) + (orders > 0) + (orders >= -1) + self.zero


def _backward(coder: Coder, target: np.ndarray, extra: bytes, choice: bytes) -> np.ndarray:
    model, k = coder.model, coder.kind
    half = 1 << (k.bits - 1)
    extra_bits, choice_bits = _Bits(extra), _Bits(choice)
    extra_at = choice_at = 0
    targets = order(target, k).view(f"<i{k.width}").astype(np.int64)
    own = model.maps[model.class_of(np.arange(target.size)), scale(target, k)].tolist()
    meaning, contexts = _Symbols(k), [_Contexts(m, k) for m in model.maps]
    partly = meaning.partly[coder.symbol].any()
    lowest, highest = meaning.low[coder.symbol], meaning.high[coder.symbol]
    symbols = np.empty(target.size, np.int64)

    def settle(t: int, own_table: int, at: int, context: _Contexts, rows: list[int], row_symbols: list[int]) -> int:
        """5.1.5 for one lane, step by step. Returns the row of the candidate; only `rows` can be consistent."""
        nonlocal choice_at
        found = []
        pairs = zip(rows, row_symbols, strict=True)
        for row, symbol in sorted(pairs, key=lambda r: bool(context.tables[r[0]] != own_table)):
            a = meaning.least[symbol] + extra_bits.peek(at, int(meaning.extra[symbol]))
            base = (t + (a if symbol < 128 else -a) + half) % (2 * half) - half
            if a <= half and context.place_to_table[context.place(base)] == context.tables[row]:
                found.append(row)
        require(found, "ulp-choice", "no table is consistent with the target")
        for row in found[:-1]:
            require(choice_at < 8 * len(choice), "ulp-choice", "there are too few choice bits for the elements")
            choice_at += 1
            if choice_bits.peek(choice_at - 1, 1):
                return row
        return found[-1]

    for i in range(0, target.size, LANES):
        t = targets[i : i + LANES]
        lanes = np.arange(t.size)
        context = contexts[model.class_of(i)]  # a group is a multiple of 32 elements
        require(context.tables.size, "ulp-choice", "no table is consistent with the target")
        entries = context.tables[:, None] * TOTAL + (coder.states[: t.size] & (TOTAL - 1))  # (T, lanes)
        first, last = t - highest[entries], t - lowest[entries]  # the range of bases that the symbol can lead to
        wraps = (first < -half) | (last >= half)
        np.clip(first, -half, half - 1, out=first)
        np.clip(last, -half, half - 1, out=last)
        first, last = context.place(first), context.place(last)
        rows = np.arange(context.tables.size)[:, None]
        inside = context.before[rows, last + 1] - context.before[rows, first]
        possible = (inside > 0) | wraps
        certain = (inside > last - first) & ~wraps
        if partly:
            certain &= ~meaning.partly[coder.symbol[entries]]
        chosen = possible.argmax(axis=0)
        doubtful = np.flatnonzero((possible.sum(axis=0) != 1) | ~certain[chosen, lanes])
        here = coder.symbol[entries[chosen, lanes]]
        for lane in doubtful.tolist():
            at = extra_at + int(meaning.extra[here[:lane]].sum())
            candidates = np.flatnonzero(possible[:, lane])
            found = coder.symbol[entries[candidates, lane]].tolist()
            row = settle(int(t[lane]), own[i + lane], at, context, candidates.tolist(), found)
            chosen[lane], here[lane] = row, coder.symbol[entries[row, lane]]
        symbols[i : i + LANES] = here
        extra_at += int(meaning.extra[here].sum())
        coder.advance(entries[chosen, lanes])
    coder.finish()
    check_padding(choice, choice_at, "ulp-choice")
    return order(order(target, k) - _differences(symbols, extra, k), k)
