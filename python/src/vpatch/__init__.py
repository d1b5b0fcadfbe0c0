"""vpatch: fine-tunes as exact, revertible patches, in and out of models in memory."""

from typing import TYPE_CHECKING, Any

from vpatch import _library
from vpatch._arrays import fingerprint
from vpatch.checkpoints import from_checkpoint
from vpatch.create import create
from vpatch.errors import (
    InvalidFile,
    IOFailure,
    Mismatch,
    Misuse,
    MixedModel,
    RankFailed,
    Refused,
    VPatchError,
    WrongBase,
)
from vpatch.loading import load_model
from vpatch.patch import Patch, TensorChange, open  # noqa: A004
from vpatch.recipes import freeze, select
from vpatch.saving import save_patch
from vpatch.stacks import merge
from vpatch.store import Store
from vpatch.text import EncodedRow, TextEncoder

if TYPE_CHECKING:
    from vpatch.callback import PatchCallback

__version__ = _library.version()

__all__ = [
    "EncodedRow", "IOFailure", "InvalidFile", "Mismatch", "Misuse", "MixedModel", "Patch", "PatchCallback",
    "RankFailed", "Refused", "Store", "TensorChange", "TextEncoder", "VPatchError", "WrongBase", "create",
    "fingerprint", "freeze", "from_checkpoint", "load_model", "merge", "open", "save_patch", "select",
]


def __getattr__(name: str) -> Any:
    # The callback is a class of transformers, which is not needed for anything else here.
    if name == "PatchCallback":
        from vpatch.callback import PatchCallback  # noqa: PLC0415

        return PatchCallback
    raise AttributeError(f"module 'vpatch' has no attribute '{name}'")
