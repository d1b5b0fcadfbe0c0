"""Compares stacks with mergekit on SmolLM2-135M: equality of the weights, and speed. Markdown on stdout.

    $(bench/setup.sh) bench/merge.py          on .build/release/vpatch; a quarter of an hour, 3 GB of memory and of disk

Two synthetic fine-tunes of all tensors (tune.py) are merged by `vpatch apply` and by mergekit's methods, and every
weight is compared. Both sides use the DARE masks of spec/stacks.md. mergekit computes in float32 (its default) and, for
an exact comparison, in float64; float64 results are rounded to bf16 once, as in vpatch.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import checkpoint
import measure
import report
import smollm2
import tools
import tune
from measure import BenchError

HERE = Path(__file__).parent
SCALES = (0.8, 1.0)
SEED = 7


@dataclass(frozen=True)
class Case:
    title: str
    method: str             # vpatch's
    mergekit: str
    density: float | None = None
    apart: bool = False     # with a second model that is far from the base, so that SLERP has an arc
    speed: bool = False     # whole processes are timed, too
    options: dict[str, Any] = field(default_factory=dict)  # of mergekit

    def arguments(self) -> list[object]:
        density: list[object] = ["--density", self.density] if self.density else []
        return ["--method", self.method, *density, *(["--seed", SEED] if "dare" in self.method else [])]


CASES = [
    Case("sum", "sum", "task_arithmetic"),
    Case("linear", "linear", "linear"),
    Case("TIES, density 0.5", "ties", "ties", 0.5, speed=True),
    Case("TIES, density 0.05", "ties", "ties", 0.05),
    # mergekit makes up for what DARE drops by the ratio of L1 norms; turned off, and the weights divided instead.
    Case("DARE, density 0.5", "dare", "dare_linear", 0.5, speed=True, options={"rescale": False}),
    Case("DARE-TIES, density 0.3", "dare-ties", "dare_ties", 0.3, options={"rescale": False}),
    Case("SLERP, siblings", "slerp", "slerp"),
    Case("SLERP, far apart", "slerp", "slerp", apart=True),
]


Member = tuple[Path, Path, str, float]  # a tuned checkpoint, its patch, the patch's identity, a scale


class Bench:
    def __init__(self, vpatch: str, scratch: Path, runs: int) -> None:
        self.vpatch, self.scratch, self.runs = tools.Vpatch(vpatch), scratch, runs
        self.store = scratch / "store"
        os.environ["VPATCH_STORE"] = str(self.store)
        self.python = subprocess.run([HERE / "setup.sh", "mergekit"], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout.strip()
        self.base = smollm2.directory()
        self.tuned = [scratch / name for name in ("a", "b", "apart")]

    def say(self, words: str) -> None:
        print(f"bench: {words}", file=sys.stderr, flush=True)

    def prepare(self) -> None:
        for seed, out in enumerate(self.tuned[:2], start=1):
            self.say(f"making {out.name}")
            tune.tune(self.base, out, "all", seed, steps=12)
        self.say("making apart")
        tune.tune(self.base, self.tuned[2], "sa-proj", 3, steps=1)
        for file in checkpoint.weight_files(self.tuned[2]):
            for tensor in checkpoint.read_header(file)[0]:
                if "self_attn" in tensor.name:
                    rows = checkpoint.read_bits(file, tensor).reshape(tensor.shape)
                    with open(file, "r+b") as weights:
                        weights.seek(tensor.begin)
                        weights.write(rows[::-1].tobytes())
        self.patches: list[tuple[Path, str]] = []
        for tuned in self.tuned:
            patch = self.scratch / f"{tuned.name}.vpatch"
            self.vpatch.create(self.base, tuned, patch)
            shown = measure.run(self.vpatch.binary, "show", patch, "--json").output
            self.patches.append((patch, json.loads(shown)["identity"]))

    def pair(self, case: Case) -> list[Member]:
        """Tuned checkpoint, patch, identity, scale of both members, in order of identity."""
        chosen = (0, 2) if case.apart else (0, 1)
        members = [(self.tuned[i], *self.patches[i], scale) for i, scale in zip(chosen, SCALES, strict=True)]
        return sorted(members, key=lambda member: member[2])

    def apply(self, case: Case, out: Path) -> measure.Run:
        references = [f"{patch}@{scale}" if scale != 1 else patch for _, patch, _, scale in self.pair(case)]
        return measure.run(self.vpatch.binary, "apply", self.base, *references, "-o", out, *case.arguments(), "--quiet")

    def compare(self, case: Case) -> report.Row:
        out = self.scratch / "ours"
        self.apply(case, out)
        members = self.pair(case)
        job = {"base": str(self.base), "ours": str(out), "tuned": [str(m[0]) for m in members],
               "identities": [m[2] for m in members], "scales": [m[3] for m in members], "method": case.mergekit,
               "density": case.density, "seed": SEED, "options": case.options}
        found = measure.run(self.python, HERE / "mergekit_worker.py", json.dumps(job)).output
        self.clear(out)
        return dict(title=case.title, **json.loads(found))

    def clear(self, out: Path) -> None:
        """With the store: it keeps what a stack came to, and the next run is to merge again."""
        subprocess.run(["rm", "-rf", out, f"{out}.vpatch.json", self.store], check=True)

    def configuration(self, case: Case, dtype: str) -> Path:
        parameters = [{"model": str(tuned), "parameters": {"weight": scale, "density": case.density}}
                      for tuned, _, _, scale in self.pair(case)]
        path = self.scratch / "config.yaml"  # JSON is YAML
        path.write_text(json.dumps({"merge_method": case.mergekit, "base_model": str(self.base), "models": parameters,
                                    "dtype": dtype, "out_dtype": "bfloat16"}))
        return path

    def times(self, case: Case) -> report.Row:
        """Medians of whole processes, taken in turn."""
        found: dict[str, list[measure.Run]] = {"vpatch": [], "bfloat16": [], "float32": []}
        for _ in range(self.runs):
            for name, runs in found.items():
                out = self.scratch / "timed"
                if name == "vpatch":
                    runs.append(self.apply(case, out))
                else:
                    program = Path(self.python).with_name("mergekit-yaml")
                    runs.append(measure.run(program, self.configuration(case, name), out, "--no-copy-tokenizer"))
                self.clear(out)
        row = {name: statistics.median(run.seconds for run in runs) for name, runs in found.items()}
        peaks = {name: max(run.peak for run in runs) for name, runs in found.items()}
        faster = min(row["bfloat16"], row["float32"])
        return dict(title=case.title, **row, ratio=faster / row["vpatch"], ours_peak=peaks["vpatch"],
                    their_peak=min(peaks["bfloat16"], peaks["float32"]))


def bits_table(rows: list[report.Row]) -> report.Table:
    columns = [
        report.Column("title", "method", right=False), report.Column("weights", "weights", report.count),
        report.Column("float64", "different", report.count),
        report.Column("undecided", "of these halfway", report.count),
        report.Column("at_threshold", "of these at the TIES threshold", report.count),
        report.Column("stable", "different, ties by index", report.count),
        report.Column("float32", "different in float32", report.count),
        report.Column("float32_far", "of these by more than 1 ulp", report.count)]
    return report.Table(
        "Weights that differ from mergekit's", columns, rows,
        "*Halfway*: the result is halfway between two bf16 numbers, or what remains after all terms cancel. The last "
        "place of a float64 decides there, and it differs between base + the sum of w·Δ and the sum of w·tuned. Equal "
        "magnitudes at the TIES threshold: mergekit keeps any of them, vpatch those with the lowest index; *ties by "
        "index* is mergekit with a stable sort. The last two columns are mergekit's default arithmetic, float32.")


def speed_table(rows: list[report.Row]) -> report.Table:
    columns = [
        report.Column("title", "method", right=False), report.Column("vpatch", "vpatch, s", report.seconds),
        report.Column("bfloat16", "mergekit bf16, s", report.seconds),
        report.Column("float32", "mergekit float32, s", report.seconds),
        report.Column("ratio", "speedup", report.fixed(1)),
        report.Column("ours_peak", "vpatch, MB", report.megabytes),
        report.Column("their_peak", "mergekit, MB", report.megabytes)]
    return report.Table("Whole processes, two patches on SmolLM2-135M", columns, rows,
                        "vpatch also verifies the base and both patches. Speedups are over mergekit's faster setting.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="rounds of the timings (default: %(default)s)")
    parser.add_argument("--only", action="append", metavar="TEXT", help="methods whose titles contain TEXT; repeatable")
    parser.add_argument("--without-times", action="store_true", help="compare weights only")
    parser.add_argument("--check", action="store_true",
                        help="exit code 1 if weights differ without explanation, or if the speedup is below 2")
    parser.add_argument("--scratch", metavar="DIR", default=os.environ.get("TMPDIR", "/var/tmp"))
    options = parser.parse_args()
    cases = [case for case in CASES if not options.only or any(text in case.title for text in options.only)]
    with tempfile.TemporaryDirectory(prefix="vpatch-merge-", dir=options.scratch) as scratch:
        bench = Bench(options.vpatch, Path(scratch), options.runs)
        bench.prepare()
        rows, times = [], []
        for case in cases:
            bench.say(case.title)
            rows.append(bench.compare(case))
        print("# Merging compared with mergekit 0.1.5\n\n" + bits_table(rows).markdown(), flush=True)
        if not options.without_times:
            times = [bench.times(case) for case in cases if case.speed]
            print("\n" + speed_table(times).markdown())
    good = all(row["float64"] <= row["undecided"] + row.get("at_threshold", 0) and not row.get("stable")
               for row in rows)
    return int(options.check and not (good and all(row["ratio"] >= 2 for row in times)))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
