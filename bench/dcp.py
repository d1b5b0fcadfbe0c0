"""Patches of distributed checkpoints at the size that people have: the same identity, in how much memory and time.

    $(bench/setup.sh) bench/dcp.py [--vpatch PATH] [--work DIR] [--layers N] [--ranks N …]     needs 30 GB of disk

The base has the names and shapes of Qwen2-7B with fewer layers (14: 8.7 GB) and random weights; the fine-tune is one of
its attention projections (bench/tune.py). PyTorch saves it with N ranks: rows over the ranks, down_proj by columns,
o_proj with transposed storage. All files are removed afterwards.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
import memory
import tune

ROOT = Path(__file__).parents[1]


def torch_python() -> Path:
    """A Python with PyTorch and safetensors."""
    requirements = ROOT / "python" / "requirements-torch.txt"
    return Path(subprocess.check_output(
        [ROOT / "scripts" / "venv.sh", "python-torch", requirements], text=True).strip())


def identity(text: str) -> str:
    found = re.search(r"identity\s+([0-9a-f]{64})", text)
    if found is None:
        sys.exit(f"dcp: no identity in {text}")
    return found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"))
    parser.add_argument("--work", help="folder for the files (default: a temporary one in /var/tmp)")
    parser.add_argument("--layers", type=int, default=14)
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    python = torch_python()
    with tempfile.TemporaryDirectory(dir=options.work or "/var/tmp") as name:
        work = Path(name)
        base, tuned = work / "base", work / "tuned"
        shape = memory.Shape(layers=options.layers)
        memory.write(base, shape, memory.SHARD)
        tune.tune(base, tuned, "sa-proj", steps=4)
        print(f"{shape.size() / 1e9:.1f} GB\n")
        print("| tuned side | seconds | peak MB | identity |\n|---|---|---|---|")

        def create(side: Path) -> str:
            os.sync()
            run = measure.run(options.vpatch, "create", base, side, "-o", work / "p.vpatch", "--force", "--no-store",
                              "--recipe", "sa-proj")
            return f"{run.seconds:.0f} | {run.peak / 1e6:.0f} | {identity(run.output)}"

        wanted = create(tuned)
        print(f"| safetensors | {wanted} |", flush=True)
        for ranks in options.ranks:
            saved = work / "dcp"
            subprocess.run(
                [python, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks),
                 ROOT / "bench" / "dcp_worker.py", tuned, saved],
                check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            row = create(saved)
            print(f"| distributed, {ranks} {'rank' if ranks == 1 else 'ranks'} | {row} |", flush=True)
            shutil.rmtree(saved)
            if row.split()[-1] != wanted.split()[-1]:
                sys.exit("dcp: the identities differ")


if __name__ == "__main__":
    main()
