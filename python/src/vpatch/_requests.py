"""What is said to a server that holds patches, and what it answers: JSON objects (docs/serving.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vpatch.errors import (
    InvalidFile,
    IOFailure,
    Mismatch,
    Misuse,
    MixedModel,
    Refused,
    VPatchError,
    WrongBase,
)

Json = dict[str, Any]

ERRORS: dict[str, type[VPatchError]] = {
    "io": IOFailure, "invalid-file": InvalidFile, "wrong-base": WrongBase, "mismatch": Mismatch, "refused": Refused,
    "misuse": Misuse, "mixed-model": MixedModel,
}
CHANGES = ("apply", "revert")

_KEYS = {
    "status": {"verify"}, "check": {"of", "patch", "full", "replace", "all"}, "apply": {"patch", "full", "replace"},
    "revert": {"patch", "all"},
}


class Busy(Refused):
    """Requests are in flight: the same request may succeed a moment later."""


@dataclass(frozen=True)
class Request:
    """A request that was read.

    Attributes:
        action: "status", "apply" or "revert".
        is_check: only check whether the action is possible.
        patch: a path on the server, or a name in its store.
        verify: for a status: compare "none", the "touched" or "all" tensors with what is recorded.
        full: compare all tensors of the base, not only the touched ones.
        replace: take out first what is in.
        all: take out all patches, not only the one on top.
    """

    action: str
    is_check: bool = False
    patch: str | None = None
    verify: str = "none"
    full: bool = False
    replace: bool = False
    all: bool = False

    @classmethod
    def of(cls, request: Mapping[str, Any]) -> "Request":
        """Reads a request.

        Raises:
            Misuse: for one that cannot be right.
        """
        values = dict(request)
        action = values.pop("action", None)
        if action not in _KEYS:
            raise Misuse(f'the action must be one of {", ".join(_KEYS)}, not {action!r}')
        if other := sorted(values.keys() - _KEYS[action]):
            keys = ", ".join(sorted(_KEYS[action]))
            raise Misuse(f'"{other[0]}" is not a key of the action {action}; its keys are {keys}')
        what = values.pop("of", None) if action == "check" else action
        if action == "check" and what not in CHANGES:
            raise Misuse('a check needs "of": "apply" or "revert"')
        found = cls(what, action == "check", **values)
        for key in ("full", "replace", "all"):
            if not isinstance(getattr(found, key), bool):
                raise Misuse(f'"{key}" must be true or false')
        if found.verify not in ("none", "touched", "all"):
            raise Misuse('"verify" must be "none", "touched" or "all"')
        if found.patch is not None and (not isinstance(found.patch, str) or not found.patch):
            raise Misuse('"patch" must be a path on the server, or a name in its store')
        if what == "apply" and found.patch is None:
            raise Misuse('"patch" is missing: a path on the server, or a name in its store')
        return found


def change_request(patch: str | None, *, revert: bool, everything: bool, full: bool) -> Json:
    """The request of a `swap` function.

    Raises:
        Misuse: if nothing is asked.
    """
    if patch is not None:
        return {"action": "apply", "patch": str(patch), "full": full, "replace": revert}
    if not revert:
        raise Misuse("give a patch to put in, or revert=True to take one out")
    return {"action": "revert", "all": everything}


def failure(error: Exception) -> Json:
    """An exception as it is reported: its kind, and one line."""
    kind = next((kind for kind, known in ERRORS.items() if isinstance(error, known)), "internal")
    message = str(error) if kind != "internal" else f"{type(error).__name__}: {error}"
    return {"kind": kind, "message": " ".join(message.split())}


def raised(reply: Json) -> Json:
    """A reply; a failure as its exception."""
    if reply["ok"]:
        return reply
    error = reply["error"]
    raise ERRORS.get(error["kind"], VPatchError)(error["message"])


# Why a server cannot be changed at all.


def several_devices(server: str, option: str, size: int) -> str:
    """For a server that runs on several devices."""
    return (f"{server} runs with {option} {size}, on several devices; vpatch changes models on one device: start the "
            f"server with {option} 1")


def quantised(server: str, method: str) -> str:
    """For a server with quantised weights."""
    return (f"{server} holds the weights quantised ({method}); serve the model without quantisation, or write the "
            "tuned model with 'vpatch apply', and quantise that")


def with_lora(server: str) -> str:
    """For a server with LoRA layers."""
    return f"{server} was started with --enable-lora, which wraps the layers; start it without"
