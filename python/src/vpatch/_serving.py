"""Patches in and out of a model that a server holds: what was asked, what is in, and what may follow.

One request is one JSON object, and so is its reply (docs/serving.md). A change is all or nothing: the weights are one
whole side of each patch, before and after it.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vpatch
from vpatch import _library
from vpatch._engines import EngineModel
from vpatch._library import BACKWARD, FORWARD
from vpatch._places import Entry, Place
from vpatch._requests import Busy, Json, Request, failure
from vpatch._swap import Change, compare
from vpatch.errors import MixedModel, Refused, WrongBase
from vpatch.patch import Patch, TensorChange, default_threads
from vpatch.patch import open as open_patch

# A patch, and the direction in which it is decoded.
_Step = tuple[Patch, int]


@dataclass(frozen=True)
class Engine:
    """A server's model.

    Attributes:
        server: "vllm" or "sglang".
        path: the model's folder, or the name that the server was given.
        module: the model.
        refusal: why no patch can go into this server at all, and what to do; None if it can.
    """

    server: str
    path: str
    module: Any
    refusal: Callable[[], str | None]


class Served:
    """A served model, and the patches in it. Called by one thread at a time."""

    def __init__(self, engine: Engine) -> None:
        """Takes a model as it was loaded: no patch is in it."""
        self._engine = engine
        self._stack: list[Patch] = []
        # The base's tensors, from the patch that was made from it; None until one has been in.
        self._base: Patch | None = None
        self._last_error: Json | None = None
        self._broken: str | None = None
        self.session_open = False

    def handle(self, request: Mapping[str, Any], busy: Callable[[], str | None]) -> Json:
        """Does what a request asks. Never raises: a failure is a reply.

        Args:
            request: the request.
            busy: called before a change. Drops what was computed with the old weights and returns None; or says why the
                weights must not change now.
        """
        begin = time.perf_counter()
        try:
            asked = Request.of(request)
            if asked.action == "status":
                return {**self._state(), **self._verified(asked.verify), "seconds": time.perf_counter() - begin}
            return self._change(asked, None if asked.is_check else busy)
        except Exception as error:
            return self._failed(error)

    # Replies.

    def _state(self) -> Json:
        reason = self._broken or self._engine.refusal()
        return {
            "ok": True, "server": self._engine.server, "vpatch": vpatch.__version__, "model": self._engine.path,
            "ready": reason is None, "reason": reason, "base": None if self._base is None else self._base.base_root,
            "root": self._root(self._stack),
            "applied": [{
                "identity": patch.identity, "name": patch.name, "path": patch.path, "base": patch.base_root,
                "target": patch.target_root, "touched": len(patch.touched)} for patch in self._stack],
            "weight_version": self._version(self._stack), "verified": "none", "not_held": [],
            "session_open": self.session_open, "seconds": 0.0, "last_error": self._last_error,
        }

    def _failed(self, error: Exception) -> Json:
        self._last_error = failure(error)
        return {**self._state(), "ok": False, "error": self._last_error, "busy": isinstance(error, Busy)}

    def _root(self, stack: list[Patch]) -> str | None:
        if stack:
            return stack[-1].target_root
        return None if self._base is None else self._base.base_root

    def _version(self, stack: list[Patch], base: Patch | None = None) -> str | None:
        if stack:
            return stack[-1].identity
        known = base or self._base
        return None if known is None else known.base_root

    # A change.

    def _change(self, asked: Request, busy: Callable[[], str | None] | None) -> Json:
        """Makes a change; or only checks it, without `busy`."""
        if reason := self._broken or self._engine.refusal():
            raise Refused(reason)
        steps, after = self._apply_plan(asked) if asked.action == "apply" else self._revert_plan(asked)
        model = EngineModel(self._engine.module)
        if busy is None or asked.full or len(steps) > 1:
            self._require(model, steps, full=asked.full)
        bottom = after[0] if after else steps[-1][0]
        verified = "all" if asked.full else "touched"
        if busy is None:
            return {**self._state(), "weight_version": self._version(after, bottom), "verified": verified}
        if reason := busy():
            raise Busy(reason)
        begin = time.perf_counter()
        self._run(model, steps)
        self._stack, self._base, self._last_error = after, bottom, None
        return {**self._state(), "verified": verified, "seconds": time.perf_counter() - begin}

    def _apply_plan(self, asked: Request) -> tuple[list[_Step], list[Patch]]:
        """What putting a patch in means: the steps, and the patches that are in afterwards."""
        below = [] if asked.replace else self._stack
        patch = self._opened(str(asked.patch))
        label = patch.name or patch.path
        names = ", ".join(other.name or other.path for other in self._stack)
        if any(other.identity == patch.identity for other in below):
            raise Refused(f"{label} is in the server already; --revert takes the patch on top out")
        if below and patch.base_root != below[-1].target_root:
            raise Refused(
                f"{label} was made from {patch.base_root[:12]}, and the server holds {below[-1].target_root[:12]}: its "
                f"model with {names}; take that out first (with PATCH --revert, or \"replace\": true, in one pause)")
        steps: list[_Step] = [(other, BACKWARD) for other in reversed(self._stack)] if asked.replace else []
        return [*steps, (patch, FORWARD)], [*below, patch]

    def _revert_plan(self, asked: Request) -> tuple[list[_Step], list[Patch]]:
        """What taking patches out means."""
        given = None if asked.patch is None else self._opened(asked.patch)
        if not self._stack:
            if given is None:
                raise Refused("no patch is in the server; nothing to revert")
            return [(given, BACKWARD)], []
        top = self._stack[-1]
        if given is not None and given.identity != top.identity:
            raise Refused(f"{given.name or given.path} is not the patch on top in the server, which is "
                          f"{top.name or top.path} ({top.identity[:12]}); --revert takes that out")
        out = list(reversed(self._stack)) if asked.all else [top]
        if given is not None:
            out[0] = given
        return [(patch, BACKWARD) for patch in out], self._stack[:len(self._stack) - len(out)]

    def _opened(self, text: str) -> Patch:
        """A patch by its path, or by its name in the server's store."""
        if Path(text).exists() or "/" in text:
            return open_patch(text)
        store = vpatch.Store()
        return store.stack(text, self._engine.path) if store.is_stack(text) else store[text]

    def _run(self, model: EngineModel, steps: list[_Step]) -> None:
        done: list[_Step] = []
        try:
            for patch, direction in steps:
                _turn(model, patch, direction)
                done.append((patch, direction))
        except MixedModel as error:
            self._broken = str(error)
            raise
        except BaseException as error:
            try:
                for patch, direction in reversed(done):
                    _turn(model, patch, 1 - direction)
            except Exception as second:
                mixed = MixedModel(f"the change failed ({error}), and could not be taken back ({second}); start the "
                                   "server again: it serves the base")
                self._broken = str(mixed)
                raise mixed from error
            raise

    # Checks.

    def _require(self, model: EngineModel, steps: list[_Step], *, full: bool) -> None:
        """Checks by fingerprints that all steps can be made, one after another, without making one.

        Raises:
            WrongBase: if a tensor that a step starts from has other bits.
        """
        made: dict[str, str] = {}
        for patch, direction in steps:
            label = patch.name or patch.path
            changes = patch.changes(model, direction)
            if wrong := [change.place.name for change in changes
                         if made.get(change.place.name, change.before) != change.before]:
                raise WrongBase(f"{label}: the model will not hold the patch's base after what is taken out: other "
                                f"bits in {_listed(wrong)}; load the base that the patch was made from")
            _require_held([change for change in changes if change.place.name not in made], patch, direction)
            made.update({change.place.name: change.after for change in changes})
            if full and direction == FORWARD:
                others = [tensor for tensor in patch.tensors if tensor.operation == "same" and tensor.name not in made]
                _require_held(_unchanged(model, patch, others), patch, direction)

    def _verified(self, verify: str) -> Json:
        """Compares the model with what is recorded, for a status.

        Raises:
            WrongBase: if it holds other bits.
        """
        if verify == "none" or (verify == "touched" and self._base is None):
            return {"verified": "none"}
        model = EngineModel(self._engine.module)
        if self._base is None:
            return {"verified": "all", **self._measured_root(model)}
        expected: dict[str, TensorChange] = {tensor.name: tensor for tensor in self._base.tensors}
        digests = {tensor.name: tensor.base for tensor in self._base.tensors if tensor.base is not None}
        touched = {tensor.name for tensor in self._base.touched}
        for patch in self._stack:
            digests.update({tensor.name: str(tensor.target) for tensor in patch.touched})
            touched |= {tensor.name for tensor in patch.touched}
        wanted = [name for name in digests if verify == "all" or name in touched]
        places = model.places([_entry(expected[name]) for name in wanted if name in expected])
        sides = [Change(place, digests[name], digests[name]) for name, place in places.items()]
        others, _ = compare(sides, default_threads())
        if others:
            raise WrongBase(f"the model no longer holds what was put in: other bits in {_listed(others)}; something "
                            "else has changed the weights since; start the server again: it serves the base")
        return {"verified": verify, "not_held": sorted(set(wanted) - places.keys())}

    def _measured_root(self, model: EngineModel) -> Json:
        """The root of the model in memory. Tensors that are not found in it count as the files have them."""
        def listed(hashed: int) -> list[Any]:
            found: list[Any] = _library.call_json(
                "vpatch_checkpoint", _library.path_bytes(self._engine.path), hashed, default_threads())["tensors"]
            return found

        tensors = listed(0)
        places = model.places([(name, dtype, tuple(shape)) for name, dtype, shape, *_ in tensors])
        digests = _fingerprints(places.values())
        missing = sorted({name for name, *_ in tensors} - digests.keys())
        if missing:
            digests = {name: digests.get(name, digest) for name, _, _, digest in listed(1)}
        return {"root": _library.call_hex("vpatch_root", _library.encoded(digests)), "not_held": missing}


def _turn(model: EngineModel, patch: Patch, direction: int) -> None:
    (patch.apply_ if direction == FORWARD else patch.revert_)(model)


def _entry(tensor: TensorChange) -> Entry:
    return tensor.name, tensor.dtype, tensor.shape


def _unchanged(model: EngineModel, patch: Patch, tensors: list[TensorChange]) -> list[Change]:
    """Tensors that a patch leaves alone, as far as the server has loaded them."""
    places = model.places([_entry(tensor) for tensor in tensors])
    return [Change(places[tensor.name], str(tensor.base), str(tensor.base)) for tensor in tensors
            if tensor.name in places]


def _require_held(changes: list[Change], patch: Patch, direction: int) -> None:
    others, is_there = compare(changes, default_threads())
    if others:
        raise patch.wrong(others, is_there, direction)


def _fingerprints(places: Iterable[Place]) -> dict[str, str]:
    digests: dict[str, str] = {}

    def read(place: Place) -> None:
        digests[place.name] = place.fingerprint()

    with ThreadPoolExecutor(max_workers=default_threads()) as pool:
        list(pool.map(read, places))
    return digests


def _listed(names: list[str]) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
