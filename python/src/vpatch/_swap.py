"""Changes a model in memory from one side of a patch to the other: all of it, or nothing.

First every touched tensor is checked by its fingerprint. Then each is decoded and checked, tensor by tensor. A failure,
or Ctrl-C, takes back what is done by decoding the other way: no second copy of the weights is needed.
"""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from vpatch._arrays import Bytes
from vpatch._places import Place
from vpatch.errors import Mismatch, MixedModel, WrongBase

Decode = Callable[[str, int, Bytes, Bytes], None]


@dataclass(frozen=True)
class Change:
    """A tensor to change: where it is, and its fingerprints before and after."""

    place: Place
    before: str
    after: str


def _largest_first(changes: Sequence[Change]) -> list[Change]:
    # So that no large tensor runs alone at the end.
    return sorted(changes, key=lambda change: -change.place.byte_count)


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """Holds Ctrl-C back for the length of a block, and tells whether it was pressed.

    Only the main thread receives Ctrl-C, at any instruction. So this concerns that thread, and the handler that raises
    KeyboardInterrupt; a program's own handler is left alone.
    """
    pressed = threading.Event()
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or handler is not signal.default_int_handler:
        yield pressed
        return
    signal.signal(signal.SIGINT, lambda *_: pressed.set())
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, handler)
        if pressed.is_set():
            raise KeyboardInterrupt


def _for_each(
    changes: Sequence[Change], threads: int, stop: threading.Event, body: Callable[[Change], None]
) -> None:
    """Calls `body` on threads. After the first error, or when `stop` is set, no more begin.

    Raises:
        BaseException: the first error, when none runs any more.
    """
    failures: list[BaseException] = []

    def guarded(change: Change) -> None:
        if stop.is_set() or failures:
            return
        try:
            body(change)
        except BaseException as error:
            failures.append(error)

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        for change in _largest_first(changes):
            pool.submit(guarded, change)
    if failures:
        raise failures[0]


def compare(
    changes: Sequence[Change], threads: int, stop: threading.Event | None = None
) -> tuple[list[str], bool]:
    """The tensors that the model does not hold as before the change, and whether it holds all as after it."""
    others: list[str] = []
    already: list[str] = []

    def check(change: Change) -> None:
        found = change.place.fingerprint()
        if found != change.before:
            others.append(change.place.name)
        if found == change.after:
            already.append(change.place.name)

    _for_each(changes, threads, stop or threading.Event(), check)
    return sorted(others), len(already) == len(changes)


def swap(
    changes: Sequence[Change], decode: Decode, direction: int, threads: int,
    explain: Callable[[list[str], bool], WrongBase],
) -> None:
    """Makes all changes.

    Args:
        changes: the tensors.
        decode: decodes a tensor: name, direction, input, output.
        direction: that of the change; 1 minus it leads back.
        threads: how many tensors are decoded at once.
        explain: makes the exception from the tensors that do not fit, and whether all are as after the change.

    Raises:
        WrongBase: if the model does not hold the side that the change starts from.
        MixedModel: if a failed change cannot be taken back.
    """
    done: list[Change] = []

    def forward(change: Change) -> None:
        _turn(change.place, decode, direction, change.after)
        done.append(change)

    with _deferred_interrupt() as pressed:
        others, is_there = compare(changes, threads, pressed)
        if others and not pressed.is_set():
            raise explain(others, is_there)
        try:
            _for_each(changes, threads, pressed, forward)
        except BaseException as error:
            _take_back(done, decode, 1 - direction, threads, error)
            raise
        if pressed.is_set():
            _take_back(done, decode, 1 - direction, threads, KeyboardInterrupt())


def _turn(place: Place, decode: Decode, direction: int, expected: str) -> None:
    """Decodes a tensor where it is; or beside it, and copies it there."""
    own = place.own_bytes()
    if own is not None:
        decode(place.name, direction, own, own)
        return
    old = place.read()
    new = old.copy()
    decode(place.name, direction, old, new)
    try:
        place.write(new)
        # A copy to another device, or into a fused parameter, is checked by reading it back.
        if place.fingerprint() != expected:
            raise Mismatch(f'"{place.name}" does not hold what was written to it')
    except BaseException:
        place.write(old)
        raise


def _take_back(
    done: list[Change], decode: Decode, direction: int, threads: int, cause: BaseException
) -> None:
    failed: list[str] = []

    def back(change: Change) -> None:
        try:
            _turn(change.place, decode, direction, change.before)
        except Exception as error:
            failed.append(f'"{change.place.name}" ({error})')

    _for_each(done, threads, threading.Event(), back)
    if failed:
        raise MixedModel(
            f"the change failed ({cause}), and could not be taken back in {', '.join(sorted(failed))}; load the model "
            "again") from cause
