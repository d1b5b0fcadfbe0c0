"""Section 5.2: the low-rank coder: the prediction of the target, and the bases that lead to a prediction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .bits import check_padding
from .elements import Kind, kind, order
from .factors import Factors, matrices
from .floats import narrow, widen
from .refused import require

NEAR = 2  # most bases are at most so many ulps from the prediction less the change


@dataclass(frozen=True)
class Product:
    """The product of two factors, for a tensor of this dtype and shape."""

    factors: Factors
    dtype: str
    shape: Sequence[int]
    u: np.ndarray  # the adapter's tensors, in float64
    v: np.ndarray

    def prediction(self, first: int, count: int) -> "Prediction":
        """5.2.1, steps 1 and 2, for the elements `first` … `first + count - 1` of the tensor."""
        f = self.factors
        _, rows, columns = matrices(self.shape)
        line, column = np.divmod(np.arange(first, first + count), columns)
        matrix, row = np.divmod(line, rows)
        u_at = f.u.offset + matrix * f.u.slice + row * f.u.line
        v_at = f.v.offset + matrix * f.v.slice + column * f.v.line
        x = np.zeros(count)
        with np.errstate(over="ignore", invalid="ignore"):
            for k in range(f.rank):
                x += self.u[u_at + k * f.u.rank] * self.v[v_at + k * f.v.rank]
            change = f.scale * x
        if f.rounding == "change":
            change = widen(narrow(change, self.dtype), self.dtype)
        return Prediction(self.dtype, change)


@dataclass(frozen=True)
class Prediction:
    """What is known of each element of a chunk without its base."""

    dtype: str
    change: np.ndarray  # Δ

    @property
    def kind(self) -> Kind:
        return kind(self.dtype)

    def target(self, base: np.ndarray, change: np.ndarray | None = None) -> np.ndarray:
        """5.2.1, step 3: bits → bits. `change`: of these elements, where they are not the whole chunk."""
        delta = self.change if change is None else change
        value = widen(base, self.dtype)
        moves = (delta != 0) & np.isfinite(delta) & np.isfinite(value)
        with np.errstate(over="ignore", invalid="ignore"):
            return np.where(moves, narrow(value + delta, self.dtype), base)

    def base(self, prediction: np.ndarray, choice: bytes) -> np.ndarray:
        """5.2.3, from the predictions on."""
        k = self.kind
        goal = signed(prediction, k)
        with np.errstate(over="ignore", invalid="ignore"):
            guess = signed(narrow(widen(prediction, self.dtype) - self.change, self.dtype), k)
        least = self._first(guess, lambda at, found: found >= goal[at])
        end = self._first(guess, lambda at, found: found > goal[at])
        return unsigned(least + choices(end - least, choice), k)

    def _first(self, guess: np.ndarray, holds: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """The first order whose prediction `holds`, for each element: by bisection, since predictions ascend."""
        k = self.kind
        half = 1 << (k.bits - 1)

        def test(at: np.ndarray, orders: np.ndarray) -> np.ndarray:
            return holds(at, signed(self.target(unsigned(orders, k), self.change[at]), k))

        everywhere = np.arange(guess.size)
        below, above = (np.clip(guess + step, -half, half - 1) for step in (-NEAR, NEAR))
        low = np.where(test(everywhere, below), -half - 1, below)  # does not hold; before the first order, none does
        high = np.where(test(everywhere, above), above, half)  # holds; behind the last order, all do
        while (at := np.flatnonzero(high - low > 1)).size:
            middle = (low[at] + high[at]) // 2
            right = test(at, middle)
            high[at[right]], low[at[~right]] = middle[right], middle[~right]
        return high


def signed(u: np.ndarray, k: Kind) -> np.ndarray:
    """Bits → order, as signed integers."""
    return order(u, k).view(f"<i{k.width}").astype(np.int64)


def unsigned(orders: np.ndarray, k: Kind) -> np.ndarray:
    """Order → bits."""
    return order(orders.astype(k.unsigned), k)


def parts(data: bytes) -> tuple[bytes, bytes]:
    """5.2.2: the choice bits, and the chunk of the difference."""
    require(len(data) >= 4, "low-rank-layout", "the chunk ends before the length of its choice bits")
    end = 4 + int.from_bytes(data[:4], "little")
    require(end <= len(data), "low-rank-layout", f"{end - 4} bytes of choice bits lead past the end")
    return data[4:end], data[end:]


def choices(counts: np.ndarray, data: bytes) -> np.ndarray:
    """Which of its bases each element has: truncated binary numbers, one after another."""
    require(np.all(counts > 0), "low-rank-choice", "no base leads to the prediction of an element")
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").tolist()
    chosen = np.zeros(counts.size, np.int64)
    at = 0
    for i in np.flatnonzero(counts > 1).tolist():
        n = int(counts[i])
        m = n.bit_length() - 1
        k = (2 << m) - n
        require(at + m <= len(bits), "low-rank-choice", "there are too few choice bits for the elements")
        c = 0
        for bit in bits[at : at + m]:
            c = 2 * c + bit
        at += m
        if c >= k:
            require(at < len(bits), "low-rank-choice", "there are too few choice bits for the elements")
            c = 2 * c + bits[at] - k
            at += 1
        chosen[i] = c
    check_padding(data, at, "low-rank-choice")
    return chosen
