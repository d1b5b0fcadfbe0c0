"""`switch` in place: a model of 0.27 GB and one of more than 8 GB, with the same tensors tuned.

The large model is the small one plus shards of random weights. The cost of a switch must depend on the patch and not on
the model's size. It is compared with decoding the patch (`vpatch verify --base`, a whole process) and a plain write of
the touched bytes with fsync, in the same rounds. Both models are switched and reverted in turn; at the end, their files
are compared with the original ones.
"""
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import checkpoint
from measure import BenchError, Run
from memory import check_room, random_weights
from report import Bar, Column, Section, Table, megabytes, seconds

if TYPE_CHECKING:
    from run import Context

LARGE = 8_000_000_000
SHARD = 2_000_000_000
WIDTH = 4096
FACTOR, SPREAD = 2.0, 1.2


def large(folder: Path, weights: Path, fillers: Sequence[Path]) -> Path:
    """A directory of one real shard and the filler shards, which are linked, not copied."""
    folder.mkdir()
    names = [f"model-{number:05}-of-{len(fillers) + 1:05}.safetensors" for number in range(1, len(fillers) + 2)]
    shutil.copyfile(weights, folder / names[0])
    for filler, name in zip(fillers, names[1:], strict=True):
        os.symlink(filler, folder / name)
    weight_map = {tensor.name: name for name in names for tensor in checkpoint.read_header(folder / name)[0]}
    (folder / checkpoint.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}) + "\n")
    return folder


def write_fillers(folder: Path) -> Iterator[Path]:
    rows = SHARD // (2 * WIDTH)
    for number in range(-(-LARGE // SHARD)):
        path = folder / f"filler-{number}.safetensors"
        checkpoint.write_file(
            path, [(f"filler.{number}.weight", "BF16", (rows, WIDTH), random_weights(number, rows * WIDTH))])
        yield path


def plain_write(copy: Path, ranges: Sequence[checkpoint.Tensor]) -> Run:
    """Writes the touched bytes over a copy of the model and waits for the disk, timed inside this process."""
    data = []
    with open(copy, "rb") as file:
        for tensor in ranges:
            file.seek(tensor.begin)
            data.append(file.read(tensor.size))
    with open(copy, "r+b", buffering=0) as file:
        start = time.perf_counter()
        for tensor, piece in zip(ranges, data, strict=True):
            os.pwrite(file.fileno(), piece, tensor.begin)
        os.fsync(file.fileno())
        return Run(time.perf_counter() - start, 0, "")


def section(context: "Context") -> Section:
    check_room(context.scratch, 1.3 * LARGE)
    with tempfile.TemporaryDirectory(prefix="inplace-", dir=context.scratch) as folder:
        return measured(context, Path(folder))


def measured(context: "Context", folder: Path) -> Section:
    pair, vpatch = context.made("sa-proj"), context.with_vpatch()
    touched = [mine for mine, _ in checkpoint.changed_tensors(pair.base, pair.tuned)]
    context.say(f"in place: writing {LARGE / 1e9:.0f} GB")
    fillers = list(write_fillers(folder))
    base, tuned = large(folder / "base", pair.base, fillers), large(folder / "tuned", pair.tuned, fillers)
    models = {"0.27 GB": folder / "model.safetensors", f"{(LARGE + os.path.getsize(pair.base)) / 1e9:.1f} GB": base}
    shutil.copyfile(pair.base, models["0.27 GB"])
    patches = {name: folder / f"{number}.vpatch" for number, name in enumerate(models)}
    small, big = models
    vpatch.create(pair.base, pair.tuned, patches[small])
    vpatch.create(base, tuned, patches[big])
    original = {name: checkpoint.contents(model) for name, model in models.items()}
    expected = {small: {"": pair.tuned_sha256}, big: checkpoint.contents(tuned)}
    copy = folder / "copy.safetensors"
    shutil.copyfile(pair.base, copy)
    runs: dict[str, list[Run]] = {}

    def note(what: str, run: Run) -> None:
        os.sync()
        runs.setdefault(what, []).append(run)

    # The first hashes the models, which have no provenance yet, and is not counted.
    for round in range(-1, context.runs):
        context.say(f"in place: round {round + 1} of {context.runs}" if round >= 0 else "in place: the first switch")
        for name, model in models.items():
            forward = vpatch.switch(model, patches[name])
            if round < 0 and checkpoint.contents(model) != expected[name]:
                raise BenchError(f"switch of {name}: the result is not the tuned model, bit for bit")
            os.sync()
            backward = vpatch.revert_in_place(model, patches[name])
            if round >= 0:
                note(f"switch, {name}", forward)
                note(f"revert, {name}", backward)
        if round >= 0:
            note("decode (vpatch verify --base)", vpatch.verify(pair.base, patches[small]))
            note("plain write and fsync", plain_write(copy, touched))
    for name, model in models.items():
        if checkpoint.contents(model) != original[name]:
            raise BenchError(f"revert of {name}: the result is not the base, bit for bit")

    times = {what: median(run.seconds for run in found) for what, found in runs.items()}
    limit = FACTOR * (times["decode (vpatch verify --base)"] + times["plain write and fsync"])
    spread = times[f"switch, {big}"] / times[f"switch, {small}"]
    rows = [{"what": what, "median": times[what], "least": min(run.seconds for run in found),
             "most": max(run.seconds for run in found), "n": len(found), "peak": max(run.peak for run in found) or None}
            for what, found in runs.items()]
    size = sum(tensor.size for tensor in touched)
    table = Table("Switch in place", [
        Column("what", "", right=False), Column("median", "median, s", seconds), Column("least", "min", seconds),
        Column("most", "max", seconds), Column("n", "runs"), Column("peak", "peak, MB", megabytes)], rows,
        f"{len(touched)} tensors, {size / 1e6:.1f} MB touched in each model. Switch and revert are whole processes, "
        "with journal, fsyncs and reading back the written bytes; the plain write is timed inside its process.")
    return Section("Switch in place", [table], [
        *(Bar(f"switch, {name}", f"{times[f'switch, {name}']:.3f} s", f"≤ {limit:.3f} s (2 × (decode + plain write))",
              times[f"switch, {name}"] <= limit) for name in models),
        Bar(f"switch, {big} relative to {small}", f"{spread:.2f} ×", f"≤ {SPREAD} ×, ≥ {1 / SPREAD:.2f} ×",
            1 / SPREAD <= spread <= SPREAD)])
