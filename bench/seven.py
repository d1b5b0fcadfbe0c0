"""A folder at the size that people have: create, apply, switch, revert, with time, memory and size.

    $(bench/setup.sh) bench/seven.py [--vpatch PATH] [--work DIR] [--layers N]      needs 48 GB of disk

The base has the names and shapes of Qwen2.5-7B-Instruct (28 layers, 15.2 GB in bf16, shards of about 4 GB); its weights
are random. The fine-tune is one of its attention projections with the statistics of a real one (bench/tune.py). Prints
a table in Markdown, and what `cp -r` of the same folder takes. All files are removed afterwards.
"""

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import checkpoint
import measure
import memory
import tune

SHARD = 4_000_000_000
ROOT = Path(__file__).parents[1]


def same(a: Path, b: Path) -> bool:
    return all(filecmp.cmp(file, b / file.name, shallow=False) for file in a.iterdir() if file.name != "vpatch.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"))
    parser.add_argument("--work", help="folder for the files (default: a temporary one in /var/tmp)")
    parser.add_argument("--layers", type=int, default=28)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work or "/var/tmp") as name:
        work = Path(name)
        base, tuned, model, patch = (work / part for part in ("base", "tuned", "model", "task.vpatch"))
        shape = memory.Shape(layers=options.layers)
        memory.write(base, shape, SHARD)
        size = shape.size()
        print(f"base: {size / 1e9:.1f} GB in {len(checkpoint.weight_files(base))} shards", file=sys.stderr)
        tune.tune(base, tuned, "sa-proj", steps=4)
        environment = {"VPATCH_STORE": str(work / "store")}

        def run(*command: object) -> measure.Run:
            os.sync()
            return measure.run(options.vpatch, *command, env=environment)

        rows = [("create, with the proof of `sa-proj`",
                 run("create", base, tuned, "-o", patch, "--name", "task", "--recipe", "sa-proj"))]
        rows.append(("apply to a new folder", run("apply", base, "task", "-o", model)))
        if not same(tuned, model):
            sys.exit("seven: what was applied is not the fine-tune")
        shutil.rmtree(tuned)
        rows.append(("revert in place", run("revert", model)))
        rows.append(("switch in place", run("switch", model, "task")))
        rows.append(("revert in place, again", run("revert", model)))
        if not same(base, model):
            sys.exit("seven: what was reverted is not the base")
        shutil.rmtree(model)
        os.sync()
        copy = measure.run("cp", "-r", base, model)
        os.sync()
        print("| | time | peak memory |\n|---|---|---|")
        for what, result in [*rows, ("`cp -r` of the base", copy)]:
            print(f"| {what} | {result.seconds:.1f} s | {result.peak / 1e6:.0f} MB |")
        version = subprocess.run([options.vpatch, "--version"], stdout=subprocess.PIPE, text=True, check=True)
        print(f"\nmodel {size / 1e9:.1f} GB, patch {patch.stat().st_size / 1e6:.0f} MB "
              f"({100 * patch.stat().st_size / size:.1f} %), vpatch {version.stdout.strip()}, {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
