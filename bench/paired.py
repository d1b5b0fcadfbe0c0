"""The time and memory of two builds of vpatch, in alternating rounds on the same files.

    $(bench/setup.sh) bench/paired.py OLD NEW     the binaries

Whole processes on SmolLM2-135M and its synthetic pairs. The ratios are medians of the rounds' ratios, NEW / OLD. Exit
code 1 if one of them is above 1.05, or a patch or a model differs in a byte.
"""
import argparse
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import measure
import pairs
import smollm2
from measure import BenchError, Run

BAR = 1.05
Work = Callable[[str, Path], Run]


def works(scratch: Path) -> dict[str, Work]:
    """What is timed: gets a binary and a folder of its own."""
    attention, mlp = pairs.made(scratch, "sa-proj"), pairs.made(scratch, "gate-up")
    base, model = attention.base, smollm2.directory()
    rows = scratch / "rows.jsonl"
    rows.write_text("".join(f'{{"input_ids": {[(7 * i + j) % 4000 for j in range(128)]}}}\n' for i in range(16)))

    def call(binary: str, own: Path, *words: object) -> Run:
        store = {"VPATCH_STORE": str(own / "store")}
        return measure.run(binary, *words, "--quiet", "--threads", "2", env=store)

    def create(binary: str, own: Path) -> Run:
        return call(binary, own, "create", base, attention.tuned, "-o", own / "a.vpatch", "--force", "--no-store")

    def create_mlp(binary: str, own: Path) -> Run:
        return call(binary, own, "create", base, mlp.tuned, "-o", own / "b.vpatch", "--force", "--no-store")

    def apply(binary: str, own: Path) -> Run:
        return call(binary, own, "apply", base, own / "a.vpatch", "-o", own / "applied", "--force")

    def merge(binary: str, own: Path) -> Run:
        return call(binary, own, "apply", base, own / "a.vpatch", own / "b.vpatch", "--method", "ties",
                    "-o", own / "merged", "--force")

    def switch(binary: str, own: Path) -> Run:
        live = own / "live"
        shutil.copy(base, live)
        Path(f"{live}.vpatch.json").unlink(missing_ok=True)
        return call(binary, own, "switch", live, own / "a.vpatch")

    def revert(binary: str, own: Path) -> Run:
        switch(binary, own)
        return call(binary, own, "revert", own / "live")

    def diff(binary: str, own: Path) -> Run:
        return call(binary, own, "diff", base, attention.tuned)

    def train(binary: str, own: Path) -> Run:
        return call(binary, own, "train", model, "--recipe", "sa-proj", "--data", rows, "--steps", "2",
                    "--batch", "8", "-o", own / "t.vpatch", "--force", "--no-store")

    def score(binary: str, own: Path) -> Run:
        return call(binary, own, "score", model, "--data", rows)

    def generate(binary: str, own: Path) -> Run:
        return call(binary, own, "generate", model, "The sea is", "--max-tokens", "48")

    return {"create, attention": create, "create, MLP": create_mlp, "apply": apply, "merge, TIES": merge,
            "switch": switch, "revert": revert, "diff": diff, "train, 2 steps": train, "score": score,
            "generate": generate}


def digests(folder: Path) -> dict[str, str]:
    """Of the files that have to be equal: a trained patch has its time in it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "t.vpatch"]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files if "store" not in path.parts}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="rounds (default: %(default)s)")
    options = parser.parse_args()
    os.environ.pop("OPENBLAS_CORETYPE", None)  # so that OpenBLAS chooses its kernel
    is_met = True
    with tempfile.TemporaryDirectory(prefix="vpatch-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        scratch = Path(name)
        folders = {binary: scratch / str(i) for i, binary in enumerate((options.old, options.new))}
        for folder in folders.values():
            folder.mkdir()
        print("| command | old, s | new, s | time | memory |\n|---|---:|---:|---:|---:|")
        for command, work in works(scratch).items():
            rounds = [[work(binary, folder) for binary, folder in folders.items()]
                      for _ in range(options.rounds + 1)][1:]
            old, new = (median(row[i].seconds for row in rounds) for i in (0, 1))
            time = median(row[1].seconds / row[0].seconds for row in rounds)
            memory = median(row[1].peak / row[0].peak for row in rounds)
            is_met = is_met and max(time, memory) <= BAR
            print(f"| {command} | {old:.3f} | {new:.3f} | {time:.3f} | {memory:.3f} |", flush=True)
        if digests(folders[options.old]) != digests(folders[options.new]):
            print("patches or models differ")
            is_met = False
        else:
            print("patches and models are equal to the byte")
    return 0 if is_met else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
