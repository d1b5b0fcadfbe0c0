"""The order of the rows: the same as that of `vpatch train`, from the same seed."""

import math
from dataclasses import dataclass

_MASK = (1 << 64) - 1


class SeededRandom:
    """SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), as in the Swift engine."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next(self) -> int:
        """The next number of 64 bits."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def permutation(self, count: int) -> list[int]:
        """A random permutation of 0 … count − 1 (Fisher and Yates)."""
        order = list(range(count))
        for i in range(count - 1, 0, -1):
            j = self.next() % (i + 1)
            order[i], order[j] = order[j], order[i]
        return order


@dataclass(frozen=True)
class BatchOrder:
    """The rows of each step: epoch after epoch, each in its own order that follows from the seed."""

    rows: int
    batch: int
    seed: int
    is_shuffled: bool

    @property
    def steps_per_epoch(self) -> int:
        return (self.rows + self.batch - 1) // self.batch

    def rows_of(self, step: int) -> list[int]:
        """The rows of a step, counted from 0. An epoch's last batch may be smaller."""
        epoch, position = divmod(step, self.steps_per_epoch)
        return self._order(epoch)[position * self.batch:(position + 1) * self.batch]

    def _order(self, epoch: int) -> list[int]:
        if not self.is_shuffled:
            return list(range(self.rows))
        seeds = SeededRandom(self.seed)
        for _ in range(epoch):
            seeds.next()
        return SeededRandom(seeds.next()).permutation(self.rows)


MOST_HELD_OUT = 200


def held_out(share: float, count: int, seed: int) -> list[int]:
    """The rows that are held out of `count` for validation, ascending; at least one row stays to train on."""
    if count < 2:
        return []
    number = min(max(1, math.floor(share * count + 0.5)), count - 1, MOST_HELD_OUT)
    return sorted(SeededRandom(seed ^ 0x5A11DA7E).permutation(count)[:number])


def split(sizes: list[int], limit: int) -> list[range]:
    """Groups items into ranges whose sizes add up to at most `limit`, each with at least one item."""
    ranges: list[range] = []
    start = total = 0
    for i, size in enumerate(sizes):
        if i > start and total + size > limit:
            ranges.append(range(start, i))
            start, total = i, 0
        total += size
    if start < len(sizes):
        ranges.append(range(start, len(sizes)))
    return ranges
