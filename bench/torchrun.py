"""`python -m vpatch.train` beside `vpatch train`: losses of five steps, and speed, at 1, 2 and 3 ranks (gloo, CPU).

    VPATCH_LIBRARY=… VPATCH_COMMAND=… PYTHONPATH=python/src python bench/torchrun.py [MODEL …] [--ranks 1 2 3]

MODEL: folders of models; default: the tiny models of the fixtures. Rows of random ids, of different lengths, in batches
that the ranks do not divide. Prints a table in Markdown: the largest difference of a loss, and of a gradient's norm in
proportion, over the steps; and the median speed of the steps after the first.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import transformers
from vpatch.command import path_of_command

ROOT = Path(__file__).parents[1]
TINY = [ROOT / "fixtures" / "tiny-models" / name for name in ("tiny-llama", "tiny-qwen2")]
RECIPES = ("sa-proj", "gate-up")
STEPS = 5


def write_rows(path: Path, model: Path, count: int = 24) -> None:
    numbers = random.Random(0)
    vocabulary = json.loads((model / "config.json").read_text())["vocab_size"]
    with path.open("w") as file:
        for _ in range(count):
            ids = [numbers.randrange(3, vocabulary) for _ in range(numbers.randint(8, 40))]
            begin = numbers.randint(0, len(ids) - 2)
            print(json.dumps({"input_ids": ids, "labels": [-100] * begin + ids[begin:]}), file=file)


def trained(command: list[str], model: Path, recipe: str, folder: Path, name: str, log: str) -> list[dict[str, Any]]:
    """Trains, and gives the steps of the log."""
    path = folder / f"{name}.jsonl"
    arguments = [
        *command, str(model), "--recipe", recipe, "--data", str(folder / "rows.jsonl"), "-o",
        str(folder / f"{name}.vpatch"), "--steps", str(STEPS), "--batch", "7", "--lr", "1e-4", "--no-store", "-q", log,
        str(path)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode != 0:
        sys.exit(f"torchrun: {' '.join(arguments)}: {done.stderr}")
    return [json.loads(line) for line in path.read_text().splitlines()]


def speed(steps: list[dict[str, Any]]) -> float:
    return statistics.median(float(step["tokens_per_second"]) for step in steps[1:])


def row(model: Path, recipe: str, ranks: int, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    loss = max(abs(a["loss"] - b["loss"]) for a, b in zip(ours, theirs, strict=True))
    norm = max(abs(a["gradient_norm"] / b["gradient_norm"] - 1) for a, b in zip(ours, theirs, strict=True))
    losses = f"{theirs[0]['loss']:.6f} … {theirs[-1]['loss']:.6f}"
    return (f"| {model.name} | {recipe} | {ranks} | {losses} | {ours[-1]['loss']:.6f} | {loss:.1e} | {norm:.1e} | "
            f"{speed(ours):,.0f} | {speed(theirs):,.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, default=TINY)
    parser.add_argument("--ranks", nargs="+", type=int, default=[1, 2, 3])
    options = parser.parse_args()
    print(f"{STEPS} steps of 7 rows, float32, torch {torch.__version__}, transformers {transformers.__version__}, "
          f"{len(os.sched_getaffinity(0))} cores\n")
    print("| model | recipe | ranks | losses of `vpatch train` | last loss here | largest difference | of the norm | "
          "tokens/s here | of `vpatch train` |")
    print("|---|---|---:|---|---:|---:|---:|---:|---:|")
    for model in options.models:
        for recipe in RECIPES:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                write_rows(folder / "rows.jsonl", model)
                command = [path_of_command(), "train", "--threads", "1", "--samples", "0"]
                theirs = trained(command, model, recipe, folder, "command", "--log")
                for ranks in options.ranks:
                    start = [sys.executable, "-m"] if ranks == 1 else [
                        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "-m"]
                    ours = trained([*start, "vpatch.train"], model, recipe, folder, str(ranks), "--log-file")
                    print(row(model, recipe, ranks, ours, theirs), flush=True)


if __name__ == "__main__":
    main()
