"""Data files as examples, read by libvpatch with every check of `vpatch train`."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vpatch import _library
from vpatch.errors import Refused
from vpatch.patch import default_threads
from vpatch.train.options import ONE_MACHINE, Options


@dataclass(frozen=True)
class Example:
    """A training example.

    Attributes:
        ids: token ids.
        learned: for each id, whether it counts in the loss. The first never does: nothing predicts it.
    """

    ids: npt.NDArray[np.int32]
    learned: npt.NDArray[np.bool_]

    @property
    def answer_tokens(self) -> int:
        return int(self.learned.sum())


@dataclass(frozen=True)
class DataFile:
    """A data file.

    Attributes:
        path: its path.
        facts: counts and digests, as `vpatch_rows` gives them.
        examples: what is trained on.
        lines: the line of each example.
    """

    path: str
    facts: dict[str, Any]
    examples: list[Example]
    lines: list[int]

    @property
    def name(self) -> str:
        return Path(self.path).name

    @property
    def tokens(self) -> int:
        return sum(len(example.ids) for example in self.examples)

    def record(self) -> dict[str, Any]:
        """The entry of the training record."""
        return {
            "name": self.name, "sha256": self.facts["sha256"], "rows": self.facts["rows"], "tokens": self.tokens,
            "answer_tokens": self.facts["answer_tokens"], "cut": self.facts["cut_rows"]}

    def notes(self) -> list[str]:
        """What a user should know about the rows."""
        facts = self.facts
        notes = [f'{self.path}: unused field "{name}" (in {counted(rows, "row")})' for name, rows in facts["unread"]]
        if facts["left_out_rows"]:
            notes.append(f'{self.path}: {counted(facts["left_out_rows"], "row")} left out: a field such as "weight" '
                         "excludes them")
        if facts["cut_rows"]:
            notes.append(f'{self.path}: {counted(facts["cut_rows"], "row")} too long, cut by {facts["cut_tokens"]:,} '
                         "tokens in total (see --max-length and --too-long)")
        if facts["endless_rows"]:
            notes.append(f'{self.path}: in {counted(facts["endless_rows"], "row")} the chat template puts no end token '
                         "after a trained answer: the model does not learn to stop")
        if facts["merged_rows"] == len(self.examples) > 1:
            notes.append(f"{self.path}: every prompt ends inside a token; if prompts end with a space, move it to the "
                         "completion")
        return notes


def counted(count: int, word: str) -> str:
    """ "1 row", "1,200 rows" """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def read(path: str, options: Options, vocabulary: int, maximum_length: int | None) -> DataFile:
    """Reads a data file.

    Args:
        vocabulary: the number of ids that the model knows.
        maximum_length: the model's own limit, in tokens; None if it has none.

    Raises:
        InvalidFile: with the first unusable rows, their lines and the reasons.
        Refused: for rows with images, or rows that need a tokenizer which vpatch cannot read.
    """
    asked = {
        "vocabulary": vocabulary, "max_length": options.max_length or maximum_length, "too_long": options.too_long,
        "learn_prompts": options.learn_prompts, "allow_outside": options.allow_outside,
        "chat_template": options.chat_template, "template_args": options.template_arg,
        "template_date": options.template_date, "threads": min(64, options.threads or default_threads())}
    facts = _library.call_json(
        "vpatch_rows", _library.path_bytes(options.base), _library.path_bytes(path), _library.encoded(asked))
    if facts["images"]:
        raise Refused(f"{path}: has rows with images, which python -m vpatch.train does not train on; {ONE_MACHINE}")
    tokens = np.frombuffer(bytes.fromhex(facts.pop("tokens")), "<u4")
    ends = np.cumsum(facts.pop("lengths"))[:-1]
    ids = np.split((tokens & 0x7FFFFFFF).astype(np.int32), ends)
    learned = np.split((tokens >> 31).astype(bool), ends)
    for mask in learned:
        mask[:1] = False
    return DataFile(facts["name"], facts, [Example(*pair) for pair in zip(ids, learned, strict=True)],
                    facts.pop("lines"))


def digest(examples: list[Example]) -> str:
    """SHA-256 over ids and masks, for the identity of a run."""
    hasher = hashlib.sha256()
    for example in examples:
        hasher.update(len(example.ids).to_bytes(8, "little"))
        hasher.update(example.ids.astype("<i4").tobytes())
        hasher.update(example.learned.tobytes())
    return hasher.hexdigest()
