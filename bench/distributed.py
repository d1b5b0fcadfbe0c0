"""Patches of models that are sharded over ranks, beside a full save: who they are, memory, time, and bytes sent.

    VPATCH_LIBRARY=… VPATCH_COMMAND=… PYTHONPATH=python/src python bench/distributed.py [identity] [zero3] [memory] …

    identity   FSDP2 on 2 and 3 ranks over gloo, a tiny Qwen2 and SmolLM2 (bench/smollm2.py makes it; --smollm2 FOLDER),
               5 steps of AdamW, two recipes: the patch of save_patch is that of `vpatch create` on the full save, and
               that of the distributed checkpoint (--no-dcp leaves it out)
    zero3      the same under ZeRO-3, in an environment of its own (--deepspeed PYTHON; bench/setup.sh deepspeed)
    memory     2 ranks save a made model of which all is trained: what rank 0 needs, and the time of the parts

Without a word: identity and memory. Each run has a network of its own (`unshare`, as root), so that the bytes sent are
its own. Prints tables in Markdown; the figures of docs/distributed.md are from here.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import vpatch

HERE = Path(__file__).parent
TINY = HERE.parent / "fixtures" / "tiny-models" / "tiny-qwen2"
RECIPES = ("sa-proj", "gate-up")
WORLDS = (2, 3)
# The bar of memory: so many times the largest tensor, and so much beside.
LARGEST_TIMES, BESIDE = 3, 200e6


def run(python: Path, ranks: int, *arguments: object, out: Path) -> dict[str, Any]:
    """Runs the worker on ranks, and returns what rank 0 found."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "PYTHONWARNINGS": "ignore", "USE_LIBUV": "0",
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "HF_HUB_OFFLINE": "1",
        "GLOO_SOCKET_IFNAME": "lo"}
    command = [str(python), "-m", "torch.distributed.run", "--master-addr", "127.0.0.1", "--master-port", "29577",
               "--nproc-per-node", str(ranks), str(HERE / "distributed_worker.py"), *map(str, arguments)]
    if os.geteuid() == 0:
        command = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"distributed: {' '.join(map(str, arguments))}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads((out / "result.json").read_text())
    return found


def from_full_save(base: Path, out: Path, recipe: str) -> str:
    """The identity of the patch that the command's way makes of the whole saved model."""
    return vpatch.create(base / "model.safetensors", out / "model.safetensors", out / "full.vpatch", recipe=recipe,
                         map_keys=True).identity


def from_checkpoint(base: Path, out: Path, recipe: str) -> str:
    """The identity of the patch of the distributed checkpoint, which holds the trained tensors."""
    return vpatch.create(base / "model.safetensors", out / "dcp", out / "dcp.vpatch", recipe=recipe,
                         partial=True).identity


def identities(mode: str, python: Path, bases: list[Path], *, dcp: bool) -> bool:
    print(f"{'FSDP2' if mode == 'fsdp2' else 'ZeRO-3'}, gloo, 5 steps of AdamW\n\n| model | ranks | recipe | tensors | "
          "patch | = of the full save | = of the DCP folder | save_patch | full save | sent | by a full save |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|")
    is_same = True
    for ranks in WORLDS:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            made = run(python, ranks, mode, folder, ",".join(RECIPES), *bases, out=Path(folder))
            for base, recipe in itertools.product(bases, RECIPES):
                out = Path(folder) / f"{base.name}-{recipe}"
                found = made[out.name]
                own = found["identity"]
                full = from_full_save(base, out, recipe) == own
                checkpoint = None if mode != "fsdp2" or not dcp else from_checkpoint(base, out, recipe) == own
                is_same = is_same and full and checkpoint is not False
                patch, whole = found["patch"], found["full"]
                print(f"| {base.name} | {ranks} | {recipe} | {found['touched']} | {own[:12]} | {words(full)} "
                      f"| {words(checkpoint)} | {patch['seconds']:.1f} s | {whole['seconds']:.1f} s "
                      f"| {patch['bytes'] / 1e6:.1f} MB | {whole['bytes'] / 1e6:.1f} MB |", flush=True)
    print()
    return is_same


def words(value: bool | None) -> str:
    return "-" if value is None else "yes" if value else "NO"


def memory(python: Path, tensors: int, rows: int, columns: int) -> bool:
    """The made model: its base is random, and every weight of it is moved a little."""
    largest, total = rows * columns * 2, tensors * rows * columns * 2
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        out = Path(folder)
        make = ("import sys, torch; from safetensors.torch import save_file; torch.manual_seed(0); "
                f"save_file({{f'layers.{{i}}.weight': (torch.randn({rows}, {columns}) * 0.02).to(torch.bfloat16) "
                f"for i in range({tensors})}}, sys.argv[1])")
        subprocess.run([str(python), "-c", make, out / "base.safetensors"], check=True)
        found = run(python, 2, "memory", out, out / "base.safetensors", tensors, rows, columns, out=out)
    bar = LARGEST_TIMES * largest + BESIDE
    patch, parts = found["patch"], found["parts"]
    print(f"A made model of {tensors} matrices of {rows} x {columns} in bf16, all trained, 2 ranks, FSDP2\n\n"
          "| tuned | largest tensor | rank 0 above its own part of the model | bar | patch |\n|---|---|---|---|---|\n"
          f"| {total / 1e9:.2f} GB | {largest / 1e6:.0f} MB | {patch['peak'] / 1e6:.0f} MB | {bar / 1e6:.0f} MB "
          f"| {found['size'] / 1e9:.2f} GB |\n\n"
          f"It took {patch['seconds']:.0f} s on {os.cpu_count()} cores, beside other jobs; {patch['bytes'] / 1e9:.2f} "
          "GB were sent.\n\n| part | time | of the processors, by GB |\n|---|---|---|\n"
          + "".join(f"| {label} | {parts[key][0]:.1f} s | {parts[key][1] / total * 1e9:.2f} s |\n" for label, key in (
              ("gathering", "_exchange"), ("comparing with the base and setting aside", "_write"),
              ("making and verifying the patch", "_finish")))
          + f"| hashing the base, a part of the last | | {found['hash'] / total * 1e9:.2f} s |\n")
    return bool(patch["peak"] <= bar)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", metavar="identity|zero3|memory")
    parser.add_argument("--smollm2", type=Path)
    parser.add_argument("--deepspeed", type=Path)
    parser.add_argument("--no-dcp", action="store_true")
    parser.add_argument("--tensors", type=int, default=8)
    parser.add_argument("--rows", type=int, default=16384)
    parser.add_argument("--columns", type=int, default=8192)
    options = parser.parse_args()
    what = options.what or ["identity", "memory"]
    if unknown := set(what) - {"identity", "zero3", "memory"}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    bases = [TINY] + ([options.smollm2] if options.smollm2 else [])
    held = True
    if "identity" in what:
        held = identities("fsdp2", Path(sys.executable), bases, dcp=not options.no_dcp) and held
    if "zero3" in what:
        if options.deepspeed is None:
            parser.error("zero3 needs --deepspeed; bench/setup.sh deepspeed prints it")
        held = identities("zero3", options.deepspeed, bases, dcp=False) and held
    if "memory" in what:
        held = memory(Path(sys.executable), options.tensors, options.rows, options.columns) and held
    if not held:
        sys.exit("distributed: an identity differs, or the memory is above its bar")


if __name__ == "__main__":
    main()
