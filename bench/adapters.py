"""Patches of twelve PEFT fine-tunes of SmolLM2-135M, with the adapter as context. Markdown on stdout.

    $(bench/setup.sh) bench/smollm2.py               once: the model
    $(bench/setup.sh torch) bench/adapters.py        on .build/release/vpatch; 3 GB of memory, 2 GB of disk

Trains the adapters (adapter_runs.py; the first time a quarter of an hour) and merges each with PEFT. Then:

    P   create BASE MERGED --adapter ADAPTER, the smallest form
    K   the same with --keep-adapter
    Q   create BASE MERGED, without the adapter
    R   create BASE ADAPTER --keep-adapter, merged by vpatch's rule

P, K and Q must give PEFT's merged weights byte for byte, R those of the rule "sum" (lowrank.py), and all the base's
back. `export --peft` of K and R must give back the adapter's two files.
"""
import argparse
import hashlib
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import adapter_runs
import cache
import checkpoint
import entropy
import lowrank
import measure
import report
import tools
from adapter_runs import Recipe
from measure import BenchError
from report import Bar, Column, Row, Table, count, fixed

FACTOR, SLACK, FIXED = 1.15, 0.01, 64_000  # of the bound: times the mean log2, bits a weight, bytes
NOTE = 512                                 # bytes of the annotation that names the adapter
RESIDUAL = 0.002                           # bits a weight that PEFT's own merge may cost beside the factors
COLUMNS = [Column("run", "", right=False), Column("changed", "changed", lambda share: f"{share:.1%}"),
           Column("weights", "merged weights", count), Column("log2", "mean log2(candidates)", fixed(4)),
           Column("differ", "PEFT ≠ rule", count), Column("residual", "residual, bits a weight", fixed(5)),
           Column("adapter", "adapter, bytes", count), Column("q", "Q", count), Column("p", "P", count),
           Column("k", "K", count), Column("r", "R", count), Column("bound", "bound of P", count),
           Column("wrong", "wrong after PEFT's unmerge", count),
           Column("exact", "exact", lambda exact: "yes" if exact else "**no**", right=False)]


@dataclass(frozen=True)
class Figures:
    weights: int
    changed: int           # weights that the merge changed
    log2: float            # mean log2 of the candidates for the base, given target and change
    differ: int            # weights that PEFT rounds otherwise than the rule "sum"
    residual: float        # bits a weight: entropy of that difference in ulps
    predicted: dict[str, str]  # SHA-256 of each tensor by the rule

    def bound(self, today: int, adapter: int) -> int:
        """The most that P may take, given the bytes of Q and of the adapter. The note of the adapter is for free."""
        return min(today + NOTE, int(adapter + (FACTOR * self.log2 + SLACK) * self.weights / 8 + FIXED))


def contents(model: Path) -> dict[str, np.ndarray]:
    """The bits of all tensors of a model in bf16."""
    return {tensor.name: checkpoint.read_bits(path, tensor)
            for path in checkpoint.weight_files(model) for tensor in checkpoint.read_header(path)[0]}


def digest(bits: np.ndarray) -> str:
    return hashlib.sha256(bits.tobytes()).hexdigest()


def figures(base: Path, merged: Path, folder: Path) -> Figures:
    adapter = lowrank.Adapter(folder)
    before, after = contents(base), contents(merged)
    weights = changed = 0
    log2, predicted = 0.0, {}
    counts: dict[int, int] = {}  # of each difference in ulps between PEFT's weight and the rule's
    for module in adapter.modules():
        name = f"{module}.weight"
        change = adapter.factors(module).change().ravel()
        ruled = lowrank.merged(before[name], change, "BF16", "sum")
        predicted[name] = digest(ruled)
        weights += ruled.size
        changed += int(np.count_nonzero(before[name] != after[name]))
        for part in (slice(start, start + lowrank.BLOCK) for start in range(0, ruled.size, lowrank.BLOCK)):
            log2 += float(np.log2(lowrank.candidates(change[part], ruled[part])).sum())
        for ulps, times in zip(*np.unique(entropy.ordered(after[name]) - entropy.ordered(ruled), return_counts=True),
                               strict=True):
            counts[int(ulps)] = counts.get(int(ulps), 0) + int(times)
    return Figures(weights, changed, log2 / weights, weights - counts.get(0, 0),
                   entropy.entropy_sum(np.array([*counts.values()])) / weights, predicted)


@dataclass(frozen=True)
class Folders:
    base: Path
    merged: Path
    adapter: Path
    scratch: Path


class Patches:
    """What vpatch makes of one run."""

    def __init__(self, vpatch: tools.Vpatch, at: Folders) -> None:
        self.vpatch, self.at = vpatch, at

    def create(self, name: str, tuned: Path, *options: object) -> Path:
        patch = self.at.scratch / f"{name}.vpatch"
        measure.run(self.vpatch.binary, "create", self.at.base, tuned, "-o", patch, *options, "--no-store", "--quiet")
        return patch

    @contextmanager
    def applied(self, patch: Path) -> Iterator[tuple[Path, bool]]:
        """The model that the patch makes, and whether reverting it gives the base byte for byte."""
        with tempfile.TemporaryDirectory(dir=self.at.scratch) as scratch:
            made, back = Path(scratch, "made"), Path(scratch, "back")
            self.vpatch.decode(self.at.base, patch, made)
            self.vpatch.revert(made, patch, back)
            yield made, checkpoint.contents(back) == checkpoint.contents(self.at.base)

    def exact(self, patch: Path) -> bool:
        with self.applied(patch) as (made, reverts):
            return reverts and checkpoint.contents(made) == checkpoint.contents(self.at.merged)

    def ruled(self, patch: Path, predicted: dict[str, str]) -> bool:
        with self.applied(patch) as (made, reverts):
            tensors = contents(made)
            return reverts and all(digest(tensors[name]) == wanted for name, wanted in predicted.items())

    def exports(self, patch: Path) -> bool:
        with tempfile.TemporaryDirectory(dir=self.at.scratch) as scratch:
            out = Path(scratch, "adapter")
            measure.run(self.vpatch.binary, "export", patch, "--peft", out)
            return all((out / name).read_bytes() == (self.at.adapter / name).read_bytes()
                       for name in (lowrank.CONFIG, lowrank.WEIGHTS))

    def row(self, found: Figures) -> Row:
        p = self.create("p", self.at.merged, "--adapter", self.at.adapter)
        k = self.create("k", self.at.merged, "--adapter", self.at.adapter, "--keep-adapter")
        q = self.create("q", self.at.merged)
        r = self.create("r", self.at.adapter, "--keep-adapter")
        exact = (self.exact(p) and self.exact(k) and self.exact(q) and self.ruled(r, found.predicted)
                 and self.exports(k) and self.exports(r))
        sizes = {"p": p.stat().st_size, "k": k.stat().st_size, "q": q.stat().st_size, "r": r.stat().st_size}
        adapter = (self.at.adapter / lowrank.WEIGHTS).stat().st_size
        return {**sizes, "bound": found.bound(sizes["q"], adapter), "exact": exact}


def rows(base: Path, recipes: list[Recipe], vpatch: tools.Vpatch | None, scratch: Path) -> Iterator[Row]:
    for recipe in recipes:
        print(f"bench: {recipe.name}", file=sys.stderr, flush=True)
        adapter = adapter_runs.adapter(base, recipe)
        with adapter_runs.merged(base, adapter, scratch) as merged, tempfile.TemporaryDirectory(dir=scratch) as out:
            found = figures(base, merged, adapter)
            row = {"run": recipe.name, "changed": found.changed / found.weights, "weights": found.weights,
                   "log2": found.log2, "differ": found.differ, "residual": found.residual,
                   "adapter": (adapter / lowrank.WEIGHTS).stat().st_size,
                   "wrong": adapter_runs.left_wrong(base, adapter)}
            if vpatch:
                row |= Patches(vpatch, Folders(base, merged, adapter, Path(out))).row(found)
            yield row


def bars(row: Row) -> Iterator[Bar]:
    yield Bar(f"residual, {row['run']}", f"{row['residual']:.5f}", f"≤ {RESIDUAL} bits a weight",
              row["residual"] <= RESIDUAL)
    if "p" in row:
        yield Bar(f"size, {row['run']}", count(row["p"]), f"≤ {count(row['bound'])} bytes", row["p"] <= row["bound"])
        yield Bar(f"exact, {row['run']}", "yes" if row["exact"] else "no", "yes", row["exact"])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--model", metavar="DIR", help="SmolLM2-135M (default: the cache folder's)")
    parser.add_argument("--only", choices=[recipe.name for recipe in adapter_runs.RECIPES], action="append",
                        help="one run; repeatable")
    parser.add_argument("--figures-only", action="store_true", help="only what Python computes, without vpatch")
    parser.add_argument("--scratch", metavar="DIR", default=os.environ.get("TMPDIR", "/var/tmp"))
    parser.add_argument("--check", action="store_true", help="exit code 1 if a requirement is missed")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    adapter_runs.quiet()
    base = Path(options.model).absolute() if options.model else cache.folder() / "smollm2"
    if not (base / "model.safetensors").exists():
        raise BenchError(f"{base}: has no model.safetensors; download it with $(bench/setup.sh) bench/smollm2.py, "
                         "or give --model")
    vpatch = None if options.figures_only else tools.Vpatch(options.vpatch)
    recipes = [recipe for recipe in adapter_runs.RECIPES if recipe.name in (options.only or [recipe.name])]
    with tempfile.TemporaryDirectory(prefix="vpatch-adapters-", dir=options.scratch) as scratch:
        os.environ["VPATCH_STORE"] = str(Path(scratch, "store"))
        table = Table("Twelve PEFT fine-tunes of SmolLM2-135M", COLUMNS,
                      list(rows(base, recipes, vpatch, Path(scratch))),
                      "Sizes in bytes. A run is named by rank, modules, and the percentage it was meant to change.")
    print(table.markdown(), flush=True)
    found = [bar for row in table.rows for bar in bars(row)]
    print("\n" + report.bars_table(found).markdown())
    return int(options.check and not all(bar.met for bar in found))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
