"""The pairs of checkpoints that the bench measures."""
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cache
import checkpoint
import entropy
import smollm2
import tune
from measure import BenchError

WITHOUT_PAIRS = """**Left out: sizes on real pairs.** `{folder}` has none. Put `base.safetensors` and one or more
`tuned-<name>.safetensors` there (bf16, the base's tensors in the base's order), or give a folder with `--pairs DIR`."""


@dataclass(frozen=True)
class Pair:
    name: str
    base: Path
    tuned: Path

    @cached_property
    def limits(self) -> entropy.Limits:
        return entropy.limits(self.base, self.tuned)

    @cached_property
    def tuned_sha256(self) -> str:
        return checkpoint.sha256(self.tuned)

    @cached_property
    def base_sha256(self) -> str:
        return checkpoint.sha256(self.base)


def real(folder: str | Path | None = None) -> tuple[list[Pair], str]:
    """(pairs, note): the real fine-tunes in the folder, or none and what to do about it."""
    place = Path(folder or cache.folder() / "pairs")
    base, tuned = place / "base.safetensors", sorted(place.glob("tuned-*.safetensors"), reverse=True)
    if base.exists() and tuned:
        return [Pair(f"{path.stem.removeprefix('tuned-')} (real)", base, path) for path in tuned], ""
    if folder is not None:
        raise BenchError(f"{place}: needs base.safetensors and at least one tuned-<name>.safetensors")
    return [], WITHOUT_PAIRS.format(folder=place)


def made(scratch: Path, recipe: str) -> Pair:
    """SmolLM2-135M and a tuned copy of it that the bench makes."""
    base = smollm2.directory() / "model.safetensors"
    tuned = Path(scratch) / f"{recipe}.safetensors"
    tune.tune(base, tuned, recipe)
    return Pair(f"{recipe}, whole SmolLM2-135M (made)", base, tuned)
