"""Token ids and the learned part of training rows, as `vpatch train` sees them."""

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vpatch import _library


@dataclass(frozen=True)
class EncodedRow:
    """A training example.

    Attributes:
        ids: token ids.
        learned: for each id, whether it counts in the loss.
        text: the text as the model sees it; empty for a row of ids.
        images: the paths of its images, in order.
    """

    ids: list[int]
    learned: list[bool]
    text: str
    images: list[str]


class TextEncoder:
    """The tokenizer and chat template of a model's folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens them. A missing one is an error when a row needs it."""
        self._handle = _library.call_handle("vpatch_text_open", _library.path_bytes(folder))
        self._closer = weakref.finalize(self, _library.close, "vpatch_text_close", self._handle)

    def encode(
        self, row: Mapping[str, Any], *, images: str | os.PathLike[str] | None = None
    ) -> list[EncodedRow]:
        """The examples of a row of a data file: one, or several for a conversation whose answers need their own text.

        Args:
            row: as in docs/data.md: "messages", "prompt" with "completion", "text", "input_ids" and others.
            images: the folder of the images that the row names.

        Raises:
            InvalidFile: for a row that cannot be used, with the reason.
        """
        folder = None if images is None else _library.path_bytes(images)
        rows = _library.call_json("vpatch_text_encode", self._handle, _library.encoded(row), folder)
        return [EncodedRow(row["ids"], [bool(flag) for flag in row["learned"]], row["text"], row["images"])
                for row in rows]
