"""Sections 5.1.2, 5.1.4 and 5.1.5: the ulp coder, both ways.

Sixteen lanes, one NumPy step for all of them. Forward, the extra bits are read in one go at
the end; backward, their position is needed at once, so lanes that might have some are
settled one by one, in order.
"""

import numpy as np

from .elements import Kind, exponent, order
from .refused import require
from .ulp_model import LANES, TOTAL, Model, read_model

LOW = 1 << 16  # states are in 2^16 … 2^32 - 1


def decode(data: bytes, known: np.ndarray, k: Kind, backward: bool) -> np.ndarray:
    """The elements of the other side."""
    model = read_model(data, known.size, k)
    extra, choice, states, words = _parts(data[model.size :])
    coder = Coder(model, states, words, k)
    if backward:
        return _backward(coder, known, extra, choice)
    return _forward(coder, known, extra)


def _parts(data: bytes):
    require(len(data) >= 8 + 4 * LANES, "ulp-layout", "the chunk ends before its states")
    extra_length, choice_length = (int(v) for v in np.frombuffer(data[:8], "<u4"))
    states_at = 8 + extra_length + choice_length
    words_at = states_at + 4 * LANES
    require(words_at <= len(data), "ulp-layout", f"{extra_length} and {choice_length} bytes of bits lead past the end")
    require((len(data) - words_at) % 2 == 0, "ulp-layout", "half a word is left at the end")
    states = np.frombuffer(data[states_at:words_at], "<u4").astype(np.int64)
    require(states.min() >= LOW, "ulp-state", "an initial state is below 2^16")
    extra = data[8 : 8 + extra_length]
    choice = data[8 + extra_length : states_at]
    return extra, choice, states, np.frombuffer(data[words_at:], "<u2").astype(np.int64)


class Coder:
    """The sixteen states, and the tables laid out by slot."""

    def __init__(self, model: Model, states, words, k: Kind):
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
        """5.1.4, steps 2 and 3. Entry = table · 4096 + slot, one for each lane in use."""
        x = self.frequency[entries] * (self.states[: entries.size] >> 12) + self.bias[entries]
        low = np.flatnonzero(x < LOW)
        if low.size:
            taken = self.words[self.next_word : self.next_word + low.size]
            require(taken.size == low.size, "ulp-words", "the words end before the elements do")
            x[low] = (x[low] << 16) + taken
            self.next_word += low.size
        self.states[: entries.size] = x

    def finish(self) -> None:
        require(np.all(self.states == LOW), "ulp-state", "a final state is not 2^16")
        left = self.words.size - self.next_word
        require(left == 0, "ulp-words", f"{left} words are left over")


def _forward(coder: Coder, base: np.ndarray, extra: bytes) -> np.ndarray:
    model, k, count = coder.model, coder.kind, base.size
    contexts = model.maps[model.class_of(np.arange(count)), exponent(base, k)]
    tables = contexts.astype(np.int64) * TOTAL
    symbols = np.empty(count, np.int64)
    for i in range(0, count, LANES):
        here = tables[i : i + LANES]
        entries = here + (coder.states[: here.size] & (TOTAL - 1))
        symbols[i : i + LANES] = coder.symbol[entries]
        coder.advance(entries)
    coder.finish()
    magnitudes = _magnitudes(np.abs(symbols - 128), extra, k)
    difference = np.where(symbols < 128, -magnitudes, magnitudes).astype(k.unsigned)
    return order(order(base, k) + difference, k)


def _magnitudes(index: np.ndarray, extra: bytes, k: Kind) -> np.ndarray:
    """5.1.2: the extra bits of all elements, in order."""
    a = index.copy()
    big = np.flatnonzero(index >= 16)
    power = (index[big] - 16 >> 1) + 4
    ends = np.cumsum(power - 1)
    used = int(ends[-1]) if big.size else 0
    require(used <= 8 * len(extra), "ulp-extra", "the extra bits end before the elements do")
    _check_padding(extra, used, "ulp-extra")
    padded = np.frombuffer(extra + bytes(8), np.uint8).astype(np.int64)
    starts = ends - (power - 1)
    window = sum(padded[(starts >> 3) + i] << (8 * i) for i in range(5))  # 7 + 30 bits at most
    bits = (window >> (starts & 7)) & ((1 << (power - 1)) - 1)
    a[big] = (2 + (index[big] & 1) << (power - 1)) + bits
    require(a.max() <= 1 << (k.bits - 1), "ulp-symbol", "extra bits lead beyond the dtype's range")
    return a


def _check_padding(data: bytes, used: int, rule: str) -> None:
    left = 8 * len(data) - used
    require(left < 8, rule, f"{left} bits are left over")
    require(left == 0 or data[-1] >> (8 - left) == 0, rule, "padding is not zero")


class _Peek:
    """Bits read one field after the other; those beyond the end are zero."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def peek(self, n: int) -> int:
        window = int.from_bytes(self.data[self.at >> 3 : (self.at + n + 7) >> 3], "little")
        return window >> (self.at & 7) & ((1 << n) - 1)


def _backward(coder: Coder, target: np.ndarray, extra: bytes, choice: bytes) -> np.ndarray:
    model, k = coder.model, coder.kind
    half, full = 1 << (k.bits - 1), (1 << k.bits) - 1
    low, high = k.exponent
    exponent_mask = (1 << (high - low + 1)) - 1
    extra_bits, choice_bits = _Peek(extra), _Peek(choice)
    targets = order(target, k).astype(np.int64)
    own = model.maps[:, exponent(target, k)]  # (K, N): first candidate, if the class is k
    candidates = [np.unique(m) for m in model.maps]  # (T,) for each class, ascending
    bases = np.empty(target.size, np.int64)  # orders

    def context(base, exponents):
        """Order of a base → its table."""
        raw = base ^ (base >> (k.bits - 1)) * (half - 1)
        return exponents[raw >> low & exponent_mask]

    def with_extra(index, negative, t):
        """The base's order where extra bits may follow, and how many there are; None if out of range."""
        if index < 16:
            a, n = index, 0
        else:
            n = (index - 16 >> 1) + 3
            a = (2 + (index & 1) << n) + extra_bits.peek(n)
        if a > half - (not negative):
            return None, n
        return (t + a if negative else t - a) & full, n

    def settle(lane, t, own_table, symbols, exponents, tables):
        """5.1.5 for one lane, step by step: row of the chosen candidate and the base."""
        found = []
        for row in sorted(range(tables.size), key=lambda r: tables[r] != own_table):
            index = abs(symbols[row] - 128)
            base, n = with_extra(index, symbols[row] < 128, t)
            if base is not None and context(base, exponents) == tables[row]:
                found.append((row, base, n))
        require(found, "ulp-choice", "no table is consistent with the target")
        for row, base, n in found[:-1]:
            require(choice_bits.at < 8 * len(choice), "ulp-choice", "the choice bits end before the elements do")
            taken = choice_bits.peek(1)
            choice_bits.at += 1
            if taken:
                break
        else:
            row, base, n = found[-1]
        extra_bits.at += n
        require(extra_bits.at <= 8 * len(extra), "ulp-extra", "the extra bits end before the elements do")
        return row, base

    for i in range(0, target.size, LANES):
        t = targets[i : i + LANES]
        cls = model.class_of(i)  # a group is a multiple of 16 elements
        exponents, tables = model.maps[cls], candidates[cls]
        entries = tables[:, None] * TOTAL + (coder.states[: t.size] & (TOTAL - 1))  # (T, lanes)
        difference = coder.symbol[entries] - 128
        base = (t - difference) & full
        consistent = context(base, exponents) == tables[:, None]
        rows = consistent.argmax(axis=0)
        chosen = base[rows, np.arange(t.size)]
        doubtful = (consistent.sum(axis=0) != 1) | (np.abs(difference) >= 16).any(axis=0)
        for lane in np.flatnonzero(doubtful):
            symbols = (difference[:, lane] + 128).tolist()
            rows[lane], chosen[lane] = settle(lane, int(t[lane]), own[cls, i + lane], symbols, exponents, tables)
        bases[i : i + LANES] = chosen
        coder.advance(entries[rows, np.arange(t.size)])
    coder.finish()
    _check_padding(extra, extra_bits.at, "ulp-extra")
    _check_padding(choice, choice_bits.at, "ulp-choice")
    return order(bases.astype(k.unsigned), k)
