#!/usr/bin/env python3
"""Adapters extracted from patches: how near they are, beside NumPy's decomposition and mergekit-extract-lora.

    $(bench/setup.sh) bench/extract.py                          the table of docs/adapters.md
    $(bench/setup.sh) bench/extract.py --without-mergekit
    $(bench/setup.sh) bench/extract.py --fixture FILE           only NumPy's optimum for fixtures/pair, as JSON

Two cases: fixtures/pair, real fine-tunes of single tensors, and SmolLM2-135M (bench/smollm2.py) after some steps of
training on random tokens. The optimum of a rank is what the singular values after the first ones leave (Eckart and
Young). An error is relative: the Frobenius norm of what is left, divided by that of the change.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import checkpoint
import measure
import model_speed
import smollm2
from lowrank import Adapter
from report import Column, Row, Table, fixed, megabytes, seconds

HERE = Path(__file__).parent
PAIR = HERE.parent / "fixtures" / "pair"
RANKS = (4, 16, 64)
# Of the bar: at most one per cent above the optimum.
MOST = 1.01


@dataclass(frozen=True)
class Case:
    name: str
    base: Path
    tuned: Path
    patch: Path


def changes(base: Path, tuned: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The change of each matrix, in float64."""
    for path in checkpoint.weight_files(base):
        partner = tuned / path.name if tuned.is_dir() else tuned
        for before, after in checkpoint.changed_tensors(path, partner):
            if len(before.shape) == 2:
                old, new = (widened(file, tensor) for file, tensor in ((path, before), (partner, after)))
                yield before.name, (new - old).reshape(before.shape)


def widened(path: Path, tensor: checkpoint.Tensor) -> np.ndarray:
    bits = checkpoint.read_bits(path, tensor)
    return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)


def optimum(change: np.ndarray, rank: int) -> float:
    values = np.linalg.svd(change, compute_uv=False)
    return float(np.sqrt((values[rank:] ** 2).sum() / (values ** 2).sum()))


def fixture(path: Path) -> None:
    """For each file of the pair, tensor and rank: the optimum."""
    found = {name: {tensor: {str(rank): optimum(change, rank) for rank in RANKS}
                    for tensor, change in changes(PAIR / "base.safetensors", PAIR / f"tuned-{name}.safetensors")}
             for name in ("sa-proj", "gate-up")}
    path.write_text(json.dumps(found, indent=1) + "\n")


def by_mergekit(case: Case, rank: int, out: Path) -> dict[str, float]:
    """The errors of mergekit's adapter, by tensor."""
    setup = subprocess.run([HERE / "setup.sh", "mergekit"], check=True, text=True, stdout=subprocess.PIPE)
    program = Path(setup.stdout.strip()).parent / "mergekit-extract-lora"
    subprocess.run([program, "--model", case.tuned, "--base-model", case.base, "--out-path", out, "--max-rank",
                    str(rank)], check=True, capture_output=True)
    return errors_of(out, case)


def errors_of(folder: Path, case: Case) -> dict[str, float]:
    """The errors of an adapter's files."""
    adapter = Adapter(folder)
    modules = set(adapter.modules())
    found = {}
    for name, change in changes(case.base, case.tuned):
        if (module := name.removesuffix(".weight")) in modules:
            factors = adapter.factors(module)
            left = change - factors.scale * (factors.b.astype(np.float64) @ factors.a.astype(np.float64))
            found[name] = float(np.linalg.norm(left) / np.linalg.norm(change))
    return found


def run(vpatch: str, *arguments: object) -> None:
    subprocess.run([vpatch, *map(str, arguments), "--quiet"], check=True)


def cases(vpatch: str, scratch: Path) -> Iterator[Case]:
    for name in ("sa-proj", "gate-up"):
        base, tuned = PAIR / "base.safetensors", PAIR / f"tuned-{name}.safetensors"
        patch = scratch / f"{name}.vpatch"
        run(vpatch, "create", base, tuned, "-o", patch, "--no-store")
        yield Case(f"{name} (fixtures/pair)", base, tuned, patch)
    base, patch, tuned = smollm2.directory(), scratch / "trained.vpatch", scratch / "tuned"
    rows = model_speed.write_rows(scratch / "rows.jsonl")
    run(vpatch, "train", base, "--data", rows, "--recipe", "mlp", "--steps", 10, "--lr", 1e-3, "-o", patch,
        "--no-store")
    run(vpatch, "apply", base, patch, "-o", tuned)
    yield Case("mlp (SmolLM2-135M)", base, tuned, patch)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH")
    parser.add_argument("--fixture", type=Path, metavar="FILE")
    parser.add_argument("--without-mergekit", action="store_true")
    options = parser.parse_args()
    os.environ.pop("OPENBLAS_CORETYPE", None)
    if options.fixture:
        fixture(options.fixture)
        return 0
    rows: list[Row] = []
    isNear = True
    with tempfile.TemporaryDirectory(prefix="vpatch-extract-") as name:
        scratch = Path(name)
        os.environ["VPATCH_STORE"] = str(scratch / "store")
        for case in cases(options.vpatch, scratch):
            best = {tensor: {rank: optimum(change, rank) for rank in RANKS}
                    for tensor, change in changes(case.base, case.tuned)}
            for rank in RANKS:
                out = scratch / f"adapter-{len(rows)}"
                done = measure.run(options.vpatch, "export", case.patch, "--base", case.base, "--peft", out, "--rank",
                                   str(rank), "--json", "--quiet")
                said = {entry["name"]: entry["error"] for entry in json.loads(done.output)["matrices"]}
                own = errors_of(out, case)
                assert said.keys() == own.keys() == best.keys()
                assert all(abs(said[tensor] - own[tensor]) < 1e-6 for tensor in own), "the README has other errors"
                ratio = max(own[tensor] / best[tensor][rank] for tensor in own)
                row: Row = {"case": case.name, "rank": rank, "tensors": len(own), "ratio": ratio,
                            "seconds": done.seconds, "peak": done.peak, "error": float(np.mean(list(own.values())))}
                if not options.without_mergekit and case.base.is_dir():
                    theirs = by_mergekit(case, rank, scratch / f"mergekit-{len(rows)}")
                    row["mergekit"] = max(theirs[tensor] / best[tensor][rank] for tensor in theirs)
                rows.append(row)
                isNear = isNear and ratio <= MOST
    print(Table("Extracted adapters", [
        Column("case", "patch", right=False), Column("tensors", "matrices"), Column("rank", "rank"),
        Column("error", "error, mean", fixed(4)), Column("ratio", "worst ÷ optimum", fixed(6)),
        Column("mergekit", "mergekit's ÷ optimum", fixed(6)), Column("seconds", "time", seconds),
        Column("peak", "peak, MB", megabytes)], rows).markdown())
    return int(not isNear)


if __name__ == "__main__":
    sys.exit(main())
