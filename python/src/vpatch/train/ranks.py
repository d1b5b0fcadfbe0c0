"""The processes of a run: what one does for all, sums over all, and one message if any fails."""

import datetime
import itertools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from vpatch import _ranks
from vpatch.errors import InvalidFile, IOFailure, Mismatch, Misuse, Refused, WrongBase

Value = TypeVar("Value")

_TIMEOUT = datetime.timedelta(minutes=30)
"""For one collective operation. What the first rank does alone is waited for without a limit."""

_RUNS = itertools.count()

_CODES: tuple[tuple[type[BaseException], int], ...] = (
    (IOFailure, 1), (InvalidFile, 2), (WrongBase, 3), (Mismatch, 4), (Refused, 5), (Misuse, 64),
    (KeyboardInterrupt, 130),
)


def exit_code(error: BaseException) -> int:
    """The exit code for an error, as the command's (docs/exit-codes.md)."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), 1)


class Ranks:
    """The processes that torchrun started, or this one alone.

    Attributes:
        rank: of this process, from 0.
        size: the number of processes.
        device: that this process computes on.
    """

    def __init__(self) -> None:
        """Joins the others."""
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        self.device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        self._store: Any = None
        self._talk: _ranks.Ranks | None = None
        if self.size > 1:
            store, _, _ = next(iter(dist.rendezvous("env://", self.rank, self.size)))
            # A restart by torchrun finds the same store, and so does a second run in this process.
            attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
            store = dist.PrefixStore(f"vpatch/{attempt}/{next(_RUNS)}", store)
            backend = "cpu:gloo,cuda:nccl" if self.device.type == "cuda" else "gloo"
            dist.init_process_group(backend, store=store, rank=self.rank, world_size=self.size, timeout=_TIMEOUT)
            self._store, self._talk = store, _ranks.Ranks()

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def first(self, work: Callable[[], Value]) -> Value:
        """Does something on the first rank, however long it takes, and gives its result to all.

        Raises:
            VPatchError: on every rank, if it failed.
        """
        return work() if self._talk is None else self._talk.first(work)

    def sum(self, *numbers: float) -> list[float]:
        """The sums of numbers over all ranks, in float64."""
        if self._store is None:
            return list(numbers)
        values = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(values)
        return [float(value) for value in values]

    def speaks_of_failure(self) -> bool:
        """Whether this rank is the first that fails, and therefore the one that says so."""
        if self._store is None:
            return True
        try:
            return int(self._store.add("failures", 1)) == 1
        except Exception:
            # Without a store, torchrun is gone too, and nobody else speaks.
            return True

    def leave(self) -> None:
        """Parts from the others, when all are done."""
        if self._store is not None:
            dist.barrier()
            dist.destroy_process_group()
            self._store = self._talk = None
