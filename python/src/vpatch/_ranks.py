"""Ranks of a process group that do one thing together: all end with the same result, or all with the same error.

A rank that fails tells the others before the next step, so that none waits for it. While the first rank works alone the
others hear from it again and again, so that its work may take longer than the group's timeout. A rank that is killed is
noticed by the group itself: at once with gloo, else at its timeout.
"""

import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from vpatch import errors
from vpatch.errors import Misuse, RankFailed, VPatchError

T = TypeVar("T")

# How long the first rank works before the others hear from it: at first briefly, later this many seconds.
_LONGEST_SILENCE = 1.0


@dataclass(frozen=True)
class Outcome:
    """What came of a rank's work, as it is told to the others.

    Attributes:
        value: the result, where nothing failed.
        error: the name of the exception's class; None where nothing failed.
        message: the exception's text.
    """

    value: Any = None
    error: str | None = None
    message: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Outcome":
        return cls(None, type(error).__name__, str(error))

    def exception(self, rank: int) -> VPatchError:
        """The exception on the other ranks: of the same class, where it is one of vpatch."""
        kind = getattr(errors, self.error or "", None)
        if isinstance(kind, type) and issubclass(kind, VPatchError):
            return kind(self.message)
        lines = self.message.strip().splitlines()
        return RankFailed(f"rank {rank} failed, so nothing was written: {self.error}"
                          + (f": {lines[0]}" if lines else ""))


class Ranks:
    """The ranks of a process group. All of them make the same calls in the same order.

    Attributes:
        rank: this process among them.
        count: how many they are.
    """

    def __init__(self, group: Any = None) -> None:
        """Takes a process group; None: the default group.

        Raises:
            Misuse: if there is none, or this process does not belong to it.
        """
        dist = distributed()
        if dist is None:
            raise Misuse("there is no process group; call torch.distributed.init_process_group first")
        self.group = group
        self.rank: int = dist.get_rank(group)
        self.count: int = dist.get_world_size(group)
        if self.rank < 0:
            raise Misuse("this process does not belong to the process group; only its members may call this")

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def global_rank(self, rank: int) -> int:
        """A rank of this group as a rank among all processes."""
        return rank if self.group is None else int(_dist().get_global_rank(self.group, rank))

    @contextmanager
    def talking(self) -> Iterator[None]:
        """Says what it means when a collective fails.

        Raises:
            RankFailed: then.
        """
        try:
            yield
        # What the backends raise when a peer is gone or too late.
        except (RuntimeError, EOFError, ValueError) as error:
            raise RankFailed("another rank ended or did not answer, so nothing was written; resume from the last "
                             f"checkpoint ({_brief(error)})") from error

    def share(self, value: Any) -> list[Any]:
        """Gives every rank the values of all, in the order of ranks."""
        values: list[Any] = [None] * self.count
        with self.talking():
            _dist().all_gather_object(values, value, group=self.group)
        return values

    def agree(self, error: BaseException | None = None, value: Any = None) -> list[Any]:
        """Shares whether something failed on this rank, or a value.

        Returns:
            The values of all ranks.

        Raises:
            BaseException: on every rank, if it failed on any: this rank's own, if it is the first that failed.
        """
        outcomes: list[Outcome] = self.share(Outcome(value) if error is None else Outcome.of(error))
        for rank, outcome in enumerate(outcomes):
            if outcome.error is not None:
                if rank == self.rank and error is not None:
                    raise error
                raise outcome.exception(rank)
        return [outcome.value for outcome in outcomes]

    def each(self, work: Callable[[], T]) -> list[T]:
        """Does some brief work on every rank.

        Returns:
            The results of all ranks. If it failed on any, all raise.
        """
        value, error = attempt(work)
        return self.agree(error, value)

    def first(self, work: Callable[[], T]) -> T:
        """Does some work on the first rank alone, which may take long.

        Returns:
            Its result, on every rank. If it failed, all raise.
        """
        if not self.is_first:
            while True:
                outcome: Outcome | None = self.share(None)[0]
                if outcome is not None:
                    if outcome.error is not None:
                        raise outcome.exception(0)
                    return self._of_first(None)  # type: ignore[no-any-return]
        # The pool ends only when the work has ended, however this is left.
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(attempt, work)
            silence = 0.001
            while not _is_done(future, silence):
                self.share(None)
                silence = min(2 * silence, _LONGEST_SILENCE)
        value, error = future.result()
        self.share(Outcome() if error is None else Outcome.of(error))
        if error is not None:
            raise error
        return self._of_first(value)  # type: ignore[no-any-return]

    def _of_first(self, value: Any) -> Any:
        """The first rank's value, on every rank. It may be large, so it is not shared by all with all."""
        values = [value]
        with self.talking():
            _dist().broadcast_object_list(values, src=self.global_rank(0), group=self.group)
        return values[0]


def _brief(error: BaseException) -> str:
    """The first sentence of a backend's message, without the place in its source."""
    lines = re.sub(r"^\[[^]]*\] *", "", str(error).strip()).splitlines()
    return lines[0].split(". ")[0] if lines else type(error).__name__


def _is_done(future: Future[Any], seconds: float) -> bool:
    try:
        future.result(timeout=seconds)
    except NotYet:
        return False
    return True


def attempt(work: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    """The result of some work, or what it raised."""
    try:
        return work(), None
    except BaseException as error:
        return None, error


def distributed() -> Any:
    """torch.distributed, if a default process group was made; else None. Imports nothing."""
    dist = sys.modules.get("torch.distributed")
    return dist if dist is not None and dist.is_available() and dist.is_initialized() else None


def _dist() -> Any:
    return sys.modules["torch.distributed"]
