"""Patches, and their way into models in memory and out again."""

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, NamedTuple

from vpatch import _library
from vpatch._arrays import Bytes
from vpatch._library import BACKWARD, FORWARD
from vpatch._places import Entry, find
from vpatch._swap import Change, compare, swap
from vpatch.errors import InvalidFile, Refused, WrongBase


class TensorChange(NamedTuple):
    """A tensor of a patch.

    Attributes:
        name: as in safetensors files.
        operation: "same", "change", "rows", "add", "remove" or "replace".
        dtype: of the base's tensor, or of an added one; as in safetensors files.
        shape: likewise.
        base: fingerprint in the base; None for an added tensor.
        target: fingerprint in the tuned model; None for a removed one.
        stored_bytes: what it takes in the patch.
    """

    name: str
    operation: str
    dtype: str
    shape: tuple[int, ...]
    base: str | None
    target: str | None
    stored_bytes: int


def default_threads() -> int:
    """Threads that decode at once: the processors that this process may use, at most 16."""
    return max(1, min(16, len(os.sched_getaffinity(0))))


class Patch:
    """An open patch. The whole file was verified.

    Attributes:
        path: where it was opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None) -> None:
        """Opens a patch file; `vpatch.open` is the same.

        Raises:
            InvalidFile: if it is damaged, or no patch.
            IOFailure: if it cannot be read.
        """
        self.path = os.fspath(path)
        self._threads = threads or default_threads()
        _ = self._handle

    @classmethod
    def _known(cls, path: str | os.PathLike[str], facts: dict[str, Any], *, threads: int | None = None) -> "Patch":
        """A patch that another process wrote and verified. The file is opened where it is put into a model."""
        patch = cls.__new__(cls)
        patch.path = os.fspath(path)
        patch._threads = threads or default_threads()
        patch._facts = facts
        return patch

    @cached_property
    def _handle(self) -> int:
        handle = _library.call_handle("vpatch_open", _library.path_bytes(self.path), self._threads)
        self._closer = weakref.finalize(self, _library.close, "vpatch_close", handle)
        # Of one that was known before it was opened.
        if "_facts" in self.__dict__:
            identity = _library.call_json("vpatch_describe", handle)["identity"]
            if identity != self.identity:
                raise InvalidFile(f"{self.path}: is another patch by now ({identity[:12]}, not {self.identity[:12]}); "
                                  "open it again")
        return handle

    def __repr__(self) -> str:
        return f"<vpatch.Patch {self.name or self.path} {self.identity[:12]}>"

    # What it says about itself.

    @cached_property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = _library.call_json("vpatch_describe", self._handle)
        return facts

    def to_dict(self) -> dict[str, Any]:
        """What `vpatch show --json` prints."""
        return {key: value for key, value in self._facts.items() if key != "tensor_list"}

    @property
    def identity(self) -> str:
        """Its SHA-256 identity: 64 hexadecimal digits."""
        return str(self._facts["identity"])

    @property
    def base_root(self) -> str:
        """The root of the model that it applies to."""
        return str(self._facts["base"])

    @property
    def target_root(self) -> str:
        """The root of the model that it makes."""
        return str(self._facts["target"])

    @property
    def name(self) -> str | None:
        """The name that it was given."""
        name = self._facts["annotations"].get("name")
        return None if name is None else str(name)

    @property
    def recipe(self) -> str | None:
        """The recipe that covers its changes, if there is one."""
        recipe = self._facts["annotations"].get("recipe")
        return None if recipe is None else str(recipe)

    @property
    def records(self) -> list[dict[str, Any]]:
        """Its forgetting records: what was measured, before and after."""
        return list(self._facts["forgetting"].get("records", []))

    @property
    def status(self) -> str:
        """How far its forgetting is known: "measured", "reported", "predicted" or "unmeasured"."""
        return str(self._facts["forgetting"]["status"])

    @cached_property
    def tensors(self) -> tuple[TensorChange, ...]:
        """All tensors of both sides, in ascending order of name."""
        return tuple(
            TensorChange(name, operation, dtype, tuple(shape), base, target, stored)
            for name, operation, dtype, shape, base, target, stored in self._facts["tensor_list"])

    @cached_property
    def touched(self) -> tuple[TensorChange, ...]:
        """The tensors that it changes."""
        return tuple(tensor for tensor in self.tensors if tensor.operation != "same")

    # Into a model and out again.

    def apply_(self, model: Any, *, threads: int | None = None) -> None:
        """Changes a model from the patch's base to its target, in place and bit for bit.

        All touched tensors are checked first. A failure, or Ctrl-C, leaves the model as it was.

        Args:
            model: a torch.nn.Module, or a dictionary of tensors or of NumPy arrays. Names may be those of the files,
                or those of the running model of transformers, torch.compile or DDP.
            threads: how many tensors are decoded at once; None for the number of processors.

        Raises:
            WrongBase: if a tensor's bits are not those of the base.
            Refused: for a model in another dtype, quantised, offloaded, or with other tensors.
        """
        self._swap(model, FORWARD, threads)

    def revert_(self, model: Any, *, threads: int | None = None) -> None:
        """Changes a model that holds this patch back to the base's bits. Does not need the base.

        Raises:
            WrongBase: if the model does not hold this patch's target.
            Refused: as for `apply_`.
        """
        self._swap(model, BACKWARD, threads)

    @contextmanager
    def applied(self, model: Any, *, threads: int | None = None) -> Iterator[Any]:
        """Holds the patch in a model for the length of a `with` block, also if that ends with an exception."""
        self.apply_(model, threads=threads)
        try:
            yield model
        finally:
            self.revert_(model, threads=threads)

    def is_applied(self, model: Any, *, threads: int | None = None) -> bool | None:
        """Whether a model holds the target's bits (True), or the base's (False); None if neither."""
        others, is_there = compare(self.changes(model, FORWARD), threads or self._threads)
        return True if is_there else None if others else False

    def _swap(self, model: Any, direction: int, threads: int | None) -> None:
        # Opened and checked before anything is changed.
        _ = self._handle
        swap(self.changes(model, direction), self._decode, direction, threads or self._threads,
             lambda others, is_there: self.wrong(others, is_there, direction))

    def _decode(self, name: str, direction: int, source: Bytes, target: Bytes) -> None:
        _library.call(
            "vpatch_decode", self._handle, name.encode(), direction, source.ctypes.data, source.nbytes,
            target.ctypes.data, target.nbytes)

    def changes(self, model: Any, direction: int) -> list[Change]:
        """The tensors to change in a model, each once; for this package's own use."""
        fitting = [tensor for tensor in self.touched if tensor.operation == "change"]
        self._require_same_shapes(model)
        entries: list[Entry] = [
            (tensor.name, tensor.dtype, tensor.shape) for tensor in self.tensors if tensor.base is not None]
        places = find(entries, [tensor.name for tensor in fitting], model, self._refuse)
        changes: dict[tuple[Any, ...], Change] = {}
        for tensor in fitting:
            sides = (str(tensor.base), str(tensor.target))
            before, after = sides if direction == FORWARD else sides[::-1]
            change = Change(places[tensor.name], before, after)
            other = changes.setdefault(change.place.storage(), change)
            if (other.before, other.after) != (before, after):
                raise self._refuse(
                    tensor.name, f'is the same memory as "{other.place.name}" in the model (they are tied), and the '
                                 "patch makes them differ; load the model with untied weights")
        return list(changes.values())

    def _refuse(self, name: str, reason: str) -> Refused:
        return Refused(f'{self.name or self.path}: "{name}" {reason}')

    def _require_same_shapes(self, model: Any) -> None:
        """A model in memory keeps its tensors. A head that is added as a copy of the embedding is tied in memory."""
        made = {tensor.target for tensor in self.touched if tensor.operation == "change"}
        made |= {tensor.target for tensor in self.tensors if tensor.operation == "same"}
        for tensor in self.touched:
            if tensor.operation == "change" or (tensor.operation == "add" and tensor.target in made):
                continue
            verb = {"add": "is added by the patch", "remove": "is removed by the patch"}.get(
                tensor.operation, "gets another shape or dtype by the patch")
            raise self._refuse(
                tensor.name, f"{verb}, which a model in memory cannot follow; write the model with 'vpatch apply' and "
                             "load that")

    def wrong(self, others: list[str], is_there: bool, direction: int) -> WrongBase:
        """What to say when a model holds other bits; for this package's own use."""
        label = self.name or self.path
        shown = ", ".join(f'"{name}"' for name in others[:3]) + (
            f" and {len(others) - 3} more" if len(others) > 3 else "")
        if is_there:
            if direction == FORWARD:
                return WrongBase(f"{label}: the model holds this patch already, in {shown}; revert_ takes it out")
            return WrongBase(
                f"{label}: the model does not hold this patch, but its base, in {shown}; nothing to revert")
        side = "the patch's base" if direction == FORWARD else "this patch's target"
        return WrongBase(
            f"{label}: the model does not hold {side}: other bits in {shown}; "
            + ("load the base that the patch was made from" if direction == FORWARD
               else "take out what was applied after it first"))


def open(path: str | os.PathLike[str], *, threads: int | None = None) -> Patch:  # noqa: A001
    """Opens a patch file and verifies all of it.

    Raises:
        InvalidFile: if it is damaged, or no patch.
        IOFailure: if it cannot be read.
    """
    return Patch(path, threads=threads)
