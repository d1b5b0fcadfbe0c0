"""Changes a model in memory from one side of a patch to the other: all of it, or nothing.

First every touched tensor is checked by its fingerprint. Then each is decoded and checked, tensor by tensor. A failure,
or Ctrl-C, takes back what is done by decoding the other way: no second copy of the weights is needed.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from vpatch._arrays import Bytes
from vpatch._places import Place
from vpatch.errors import Mismatch, MixedModel, VPatchError, WrongBase

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


def _for_each(changes: Sequence[Change], threads: int, body: Callable[[Change], None]) -> None:
    """Calls `body` on threads; after the first error, or Ctrl-C, no more begin. Returns when none runs any more."""
    stop = threading.Event()

    def guarded(change: Change) -> None:
        if not stop.is_set():
            body(change)

    with ThreadPoolExecutor(max_workers=max(1, threads)) as pool:
        futures: list[Future[None]] = []
        try:
            futures.extend(pool.submit(guarded, change) for change in _largest_first(changes))
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            stop.set()
            _settle(futures)


def _settle(futures: Sequence[Future[None]]) -> None:
    """Waits for running threads, also if Ctrl-C is pressed again: the model must be whole afterwards."""
    while True:
        try:
            wait(futures)
            return
        except KeyboardInterrupt:
            continue


def wrong(changes: Sequence[Change], threads: int) -> tuple[list[str], list[str]]:
    """The tensors that the model does not hold as before the change: all of them, and those that it holds as after."""
    others: list[str] = []
    already: list[str] = []

    def check(change: Change) -> None:
        found = change.place.fingerprint()
        if found != change.before:
            others.append(change.place.name)
            if found == change.after:
                already.append(change.place.name)

    _for_each(changes, threads, check)
    return sorted(others), sorted(already)


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
    others, already = wrong(changes, threads)
    if others:
        raise explain(others, len(already) == len(changes))
    done: list[Change] = []

    def forward(change: Change) -> None:
        _turn(change.place, decode, direction, change.after)
        done.append(change)

    try:
        _for_each(changes, threads, forward)
    except BaseException as error:
        _take_back(done, decode, 1 - direction, threads, error)
        raise


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
        except (VPatchError, RuntimeError) as error:
            failed.append(f'"{change.place.name}" ({error})')

    def run() -> None:
        _for_each(done, threads, back)

    # In a thread of its own: Ctrl-C interrupts only the main thread.
    worker = threading.Thread(target=run)
    worker.start()
    while True:
        try:
            worker.join()
            break
        except KeyboardInterrupt:
            continue
    if failed:
        raise MixedModel(
            f"the change failed ({cause}), and could not be taken back in {', '.join(sorted(failed))}; load the model "
            "again") from cause
