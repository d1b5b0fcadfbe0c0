"""Stacks: several patches of one base, merged by one rule whatever their order."""

import os
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path

from vpatch import _library
from vpatch.errors import Refused
from vpatch.patch import Patch, default_threads
from vpatch.patch import open as open_patch

Member = str | os.PathLike[str] | Patch | tuple[str | os.PathLike[str] | Patch, float]
"""A patch, its file, or its name in the store; or one of them with a scale."""


def _found(
    member: str | os.PathLike[str] | Patch, base: str | os.PathLike[str], threads: int | None
) -> str | os.PathLike[str] | Patch:
    """A patch or its file as it is; what the store has under another name.

    A stack of the store is merged into a temporary file, which lives as long as the patch that is returned.

    Raises:
        IOFailure: for a name that nothing has.
    """
    from vpatch.store import Store  # noqa: PLC0415  (it uses this module)

    if isinstance(member, Patch) or not isinstance(member, str) or Path(member).exists():
        return member
    store = Store()
    return store.stack(member, base) if store.is_stack(member) else store[member]


def _opened(member: str | os.PathLike[str] | Patch, threads: int | None) -> Patch:
    return member if isinstance(member, Patch) else open_patch(member, threads=threads)


def _scaled(
    members: Iterable[Member], base: str | os.PathLike[str], threads: int | None
) -> list[tuple[str | os.PathLike[str] | Patch, float]]:
    pairs = [member if isinstance(member, tuple) else (member, 1.0) for member in members]
    return [(_found(patch, base, threads), scale) for patch, scale in pairs]


def merge(
    members: Iterable[Member], base: str | os.PathLike[str], output: str | os.PathLike[str] | None = None, *,
    method: str | None = None, name: str | None = None, replace: bool = False,
    threads: int | None = None,
) -> Patch:
    """Merges patches of one base into one patch: from the base to the result.

    The result depends on the set of patches and their scales, not on their order (spec/stacks.md). A merge cannot be
    undone from its own bits; the patch that this returns undoes it.

    Args:
        members: patches, each with an optional scale.
        base: the file or folder that all were made from.
        output: the patch file; None for a temporary one, which is removed with the returned patch.
        method: "sum", "linear", "ties density=0.5", "dare density=0.5 seed=0", "dare-ties …" or "slerp", as in stack
            files; None: "sum".

    Raises:
        Refused: for patches that cannot be combined.
    """
    # Kept until the library has read them.
    found = _scaled(members, base, threads)
    if not found:
        raise Refused("no patch was given; give at least one")
    if len(found) == 1 and found[0][1] == 1 and method is None and output is None:
        return _opened(found[0][0], threads)
    paths = [(patch.path if isinstance(patch, Patch) else os.fspath(patch), scale) for patch, scale in found]
    scratch = None if output is not None else tempfile.TemporaryDirectory(prefix="vpatch-")
    target = Path(output) if output is not None else Path(scratch.name if scratch else "") / "stack.vpatch"
    stack = {"members": paths, "method": method, "name": name}
    _library.call_json(
        "vpatch_merge", _library.path_bytes(base), _library.encoded(stack), _library.path_bytes(target),
        _library.encoded({"replace": replace, "threads": threads or default_threads()}))
    patch = Patch(target, threads=threads)
    if scratch is not None:
        # The open file can be read to its end; the name is not needed until the patch goes.
        weakref.finalize(patch, scratch.cleanup)
    return patch


def resolve(
    patches: Iterable[Member], base: str | os.PathLike[str], *, threads: int | None = None
) -> list[Patch]:
    """Patches to apply one after another: a chain as it is, patches of one base merged into one.

    Raises:
        Refused: for patches that are neither.
    """
    opened = [(_opened(patch, threads), scale) for patch, scale in _scaled(patches, base, threads)]
    chain = [patch for patch, _ in opened]
    follows = all(later.base_root == earlier.target_root for earlier, later in zip(chain, chain[1:], strict=False))
    if all(scale == 1 for _, scale in opened) and follows:
        return chain
    if len({patch.base_root for patch in chain}) == 1:
        return [merge(opened, base, threads=threads)]
    raise Refused("the patches are neither a chain, each made on top of the one before, nor all made from one base; "
                  "'vpatch show PATCH' says what each was made from")
