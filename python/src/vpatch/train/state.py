"""The state of a run in its folder: `step-N`, a distributed checkpoint (DCP) of PyTorch with a file `progress.json`."""

import contextlib
import json
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp

from vpatch.errors import InvalidFile, IOFailure, Refused
from vpatch.train.ranks import Ranks

_REMEDY = "give another folder, or delete it to start again"


@dataclass
class Progress:
    """A run's progress, without tensors."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    stopped: str | None = None
    inside: int | None = None
    """The step whose weights a run ends with if it stops early."""


class StateFolder:
    """Saves and finds states. A state is visible when it is whole; then the one before is deleted."""

    def __init__(self, folder: str, identity: dict[str, str], ranks: Ranks) -> None:
        self._folder, self._identity, self._ranks = Path(folder), identity, ranks

    def check(self) -> None:
        """Makes the folder (on the first rank).

        Raises:
            Refused: if it is something else, or holds the state of another run.
        """
        folder = self._folder
        if folder.exists() and not folder.is_dir():
            raise Refused(f"{folder}: is not a folder; give one for the state of the run")
        if (folder / "config.json").exists():
            raise Refused(f"{folder}: is a model folder; give another one for the state of the run")
        if (folder / "training.safetensors").exists():
            raise Refused(f"{folder}: holds the state of a run of 'vpatch train', which python -m vpatch.train cannot "
                          f"continue; {_REMEDY}")
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise IOFailure(f"{folder}: cannot be created: {error.strerror}") from error
        if not os.access(folder, os.W_OK):
            raise IOFailure(f"{folder}: cannot be written")
        if (saved := self.saved()) is None:
            return
        found = self._read(saved)["identity"]
        differing = [key for key in {**self._identity, **found} if self._identity.get(key) != found.get(key)]
        if differing:
            raise Refused(f"{saved}: is the state of another run: it differs in {', '.join(differing)}; {_REMEDY}")

    def saved(self) -> Path | None:
        """The latest whole state."""
        if not self._folder.is_dir():
            return None
        found = [(int(match[1]), path) for path in self._folder.iterdir() if (match := _NAME.fullmatch(path.name))]
        return max(found)[1] if found else None

    def _read(self, state: Path) -> dict[str, Any]:
        try:
            progress: dict[str, Any] = json.loads((state / "progress.json").read_text())
        except (OSError, ValueError) as error:
            raise InvalidFile(f"{state}: is not a training state that this version can read; {_REMEDY}") from error
        if progress.get("version") != 1:
            raise InvalidFile(f"{state}: is not a training state that this version can read; {_REMEDY}")
        return progress

    def load(self, tensors: Callable[[bool], dict[str, Any]]) -> tuple[Progress, int] | None:
        """Fills a run's tensors from the latest state.

        Args:
            tensors: the tensors to fill, with or without those of `Progress.inside`.

        Returns:
            The progress, and the number of ranks that saved it; None if there is no state yet.
        """
        def find() -> tuple[str, dict[str, Any]] | None:
            return None if (saved := self.saved()) is None else (str(saved), self._read(saved))

        if (found := self._ranks.first(find)) is None:
            return None
        path, read = found
        progress = Progress(**read["progress"])
        with _quiet():
            dcp.load(tensors(progress.inside is not None), checkpoint_id=path, no_dist=self._ranks.size == 1)
        return progress, int(read["ranks"])

    def save(self, progress: Progress, tensors: dict[str, Any]) -> None:
        """Saves a state in place of the one before. Every rank calls it.

        Raises:
            Exception: on every rank, if it cannot be saved. The state before is kept.
        """
        part = self._folder / f"step-{progress.step}.part"

        def begin() -> None:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()

        def finish() -> None:
            text = json.dumps({"version": 1, "identity": self._identity, "ranks": self._ranks.size,
                               "progress": asdict(progress)})
            with (part / "progress.json").open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            final = self._folder / f"step-{progress.step}"
            shutil.rmtree(final, ignore_errors=True)
            part.rename(final)
            for path in self._folder.iterdir():
                if path != final and re.fullmatch(r"step-\d+(\.part)?", path.name):
                    shutil.rmtree(path, ignore_errors=True)

        self._ranks.first(begin)
        with _quiet():
            dcp.save(tensors, checkpoint_id=str(part), no_dist=self._ranks.size == 1)
        self._ranks.first(finish)


_NAME = re.compile(r"step-(\d+)")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without PyTorch's warning that one process saves or loads alone, which is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled")
        yield
