"""Canonical deltas (slime, ModelExpress): vpatch and modelexpress 0.7.0 read what the other writes. Markdown on stdout.

    $(bench/setup.sh modelexpress) bench/canonical_delta.py [--vpatch PATH] [--slime FILE] [--pairs DIR]

On the tensors of fixtures/pair and on SmolLM2 with made fine-tunes (tune.py):

* modelexpress's reader applies `vpatch export --canonical-delta`, and every tensor has the tuned bytes;
* `vpatch create BASE DELTA` makes the patch of `vpatch create BASE TUNED` again, with the same identity: of vpatch's
  own delta, and of the one that modelexpress's writer publishes;
* with --slime, slime's reader does what modelexpress's does. FILE is `docker/patch/latest/sglang-pull_weights.patch` of
  its repository, which adds the reader to SGLang.

Exit code 1 if a byte or an identity differs. The sizes are those of all files of a delta.
"""
import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import checkpoint
import modelexpress_peer as peer
import smollm2
import tune
from measure import BenchError
from report import Column, Row, Table, count, fixed

T = TypeVar("T")
ROOT = Path(__file__).parents[1]
SLIME_READER = "python/sglang/srt/weight_sync/local_checkpoint.py"
COLUMNS = [Column("pair", "", right=False), Column("tuned", "tuned tensors, bytes", count),
           Column("theirs", "delta by modelexpress", count), Column("ours", "delta by vpatch", count),
           Column("patch", "patch", count), Column("ratio", "delta ÷ patch", fixed(2)),
           Column("export", "export, s", fixed(2)), Column("create", "create from the delta, s", fixed(2)),
           Column("receive", "modelexpress applies, s", fixed(2))]


def timed(work: Callable[[], T]) -> tuple[T, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


def tensors(model: Path) -> dict[str, str]:
    """SHA-256 of each tensor's bytes, by name."""
    return {tensor.name: hashlib.sha256(checkpoint.read_bits(file, tensor).tobytes()).hexdigest()
            for file in checkpoint.weight_files(model) for tensor in checkpoint.read_header(file)[0]}


def slime_reader(patch: Path) -> Any:
    """The module that slime's patch adds to SGLang. It needs only NumPy and zstandard."""
    text = patch.read_text()
    start = text.index(f"+++ b/{SLIME_READER}")
    added = text[start:].split("\ndiff --git ")[0].split("\n")
    module = types.ModuleType("local_checkpoint")
    exec("\n".join(line[1:] for line in added[2:] if line.startswith("+")), module.__dict__)
    return module


class Comparison:
    def __init__(self, vpatch: Path, slime: Path | None, scratch: Path) -> None:
        self.vpatch, self.scratch = vpatch, scratch
        self.slime = slime_reader(slime) if slime else None

    def run(self, *words: object) -> dict[str, Any]:
        done = subprocess.run([self.vpatch, *map(str, words), "--json", "--quiet"], stdout=subprocess.PIPE, check=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def create(self, base: Path, tuned: Path, name: str) -> tuple[Path, str]:
        """The patch and its identity."""
        patch = self.scratch / f"{name}.vpatch"
        self.run("create", base, tuned, "-o", patch, "--no-store", "--force")
        return patch, str(self.run("show", patch)["identity"])

    def require_tuned(self, model: Path, tuned: Path, by: str) -> None:
        if tensors(model) != tensors(tuned):
            raise BenchError(f"{by} does not make the tuned tensors of vpatch's delta")

    def row(self, name: str, base: Path, tuned: Path) -> Row:
        work = self.scratch / "pair"
        work.mkdir()
        patch, identity = self.create(base, tuned, "tuned")
        ours, theirs = work / "weight_v000001", work / "theirs"
        exported, export_seconds = timed(lambda: self.run("export", patch, "--base", base, "--canonical-delta", ours))
        received, receive_seconds = timed(lambda: peer.receive(base, ours, work / "cache"))
        self.require_tuned(received, tuned, "modelexpress")
        peer.publish(base, tuned, theirs)
        create_seconds = 0.0
        for folder, of in (ours, "vpatch"), (theirs, "modelexpress"):
            (_, again), create_seconds = timed(partial(self.create, base, folder, "again"))
            if again != identity:
                raise BenchError(f"the patch of the delta by {of} has another identity than the patch of the models")
        if self.slime:
            model = work / "slime"
            model.mkdir()
            shutil.copy(base, model / "model.safetensors")
            self.slime.pull(str(work / "local"), str(model), str(work), 1)
            self.require_tuned(work / "local", tuned, "slime")
        row = {"pair": name, "tuned": exported["tuned_bytes"], "theirs": size(theirs), "ours": size(ours),
               "patch": patch.stat().st_size, "ratio": size(ours) / patch.stat().st_size, "export": export_seconds,
               "create": create_seconds, "receive": receive_seconds}
        shutil.rmtree(work)
        return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", type=Path, default=ROOT / ".build" / "release" / "vpatch")
    parser.add_argument("--slime", type=Path)
    parser.add_argument("--pairs", type=Path, default=ROOT / "fixtures" / "pair")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        comparison = Comparison(options.vpatch.absolute(), options.slime, Path(name))
        base = options.pairs / "base.safetensors"
        rows = [comparison.row(f"{tuned.stem.removeprefix('tuned-')} (fixtures/pair)", base, tuned)
                for tuned in sorted(options.pairs.glob("tuned-*.safetensors"), reverse=True)]
        model = smollm2.directory() / "model.safetensors"
        for recipe in "sa-proj", "gate-up", "all":
            tuned = Path(name) / f"{recipe}.safetensors"
            tune.tune(model, tuned, recipe)
            rows.append(comparison.row(f"{recipe}, SmolLM2-135M (made)", model, tuned))
            tuned.unlink()
    print(Table("Canonical deltas and patches", COLUMNS, rows).markdown())
    readers = "modelexpress and slime" if options.slime else "modelexpress"
    print(f"\nAll exact: {readers} made the tuned tensors, and all patches had the same identity.")


if __name__ == "__main__":
    try:
        main()
    except (BenchError, subprocess.CalledProcessError) as error:
        sys.exit(f"canonical_delta.py: {error}")
