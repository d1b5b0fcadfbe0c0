"""Patches in a live PyTorch model: bits, time and memory beside the command's.

    VPATCH_LIBRARY=… VPATCH_COMMAND=… PYTHONPATH=python/src python bench/live.py BASE, or with the wheel installed:
    python bench/live.py BASE [--runs N] [--swaps N]

BASE is a model's folder (bench/smollm2.py makes one). Three kinds of patches are made of it: of moved attention
projections, of a stack of two, and of a LoRA adapter (with the low-rank coder). For each, apply_ and revert_ are timed
beside the command's decoding of the same patch (`vpatch verify`, which reads, decodes, checks, and writes nothing), in
turns; the bits are compared with what `vpatch apply` writes. Then five patches are swapped in and out. Prints tables in
Markdown.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import vpatch
from safetensors.torch import save_file
from vpatch.command import path_of_command
from vpatch.loading import root_of


def command(*arguments: object) -> float:
    """Runs the command and returns its time in seconds."""
    begin = time.perf_counter()
    done = subprocess.run([path_of_command(), *map(str, arguments)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"live: vpatch {arguments[0]}: {done.stderr}")
    return time.perf_counter() - begin


def timed(body: Callable[[], object]) -> float:
    begin = time.perf_counter()
    body()
    return time.perf_counter() - begin


def moved(base: Path, recipe: str, seed: int) -> dict[str, torch.Tensor]:
    """A model's tensors of a recipe, 30 % of them moved by a fifth of their spread."""
    model = vpatch.load_model(base)
    random = torch.Generator().manual_seed(seed)
    tensors = dict(model.named_parameters())
    made = {}
    for name in vpatch.select(recipe, tensors):
        value = tensors[name].detach()
        noise = torch.randn(value.shape, generator=random) * value.float().std() * 0.2
        made[name] = (value.float() + noise * (torch.rand(value.shape, generator=random) < 0.3)).to(value.dtype)
    return made


def adapter(base: Path, folder: Path, rank: int) -> Path:
    """A LoRA adapter of the attention projections with random factors."""
    model = vpatch.load_model(base)
    random = torch.Generator().manual_seed(5)
    tensors = dict(model.named_parameters())
    factors = {}
    for name in vpatch.select("sa-proj", tensors):
        rows, columns = tensors[name].shape
        key = "base_model.model." + name.removesuffix(".weight")
        factors[key + ".lora_A.weight"] = torch.randn((rank, columns), generator=random) / columns**0.5
        factors[key + ".lora_B.weight"] = torch.randn((rows, rank), generator=random) * 0.002
    folder.mkdir()
    save_file(factors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": rank}))
    return folder


def same_bits(model: Any, other: Any) -> bool:
    pairs = zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a.view(torch.uint8), b.view(torch.uint8)) for a, b in pairs)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def reset_peak() -> None:
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def highest() -> int:
    """The most memory since `reset_peak`, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--swaps", type=int, default=1000)
    options = parser.parse_args()
    base: Path = options.base
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        work = Path(folder)
        one = vpatch.create(base, moved(base, "sa-proj", 1), work / "sa.vpatch", recipe="sa-proj", partial=True)
        two = vpatch.create(base, moved(base, "gate-up", 2), work / "gu.vpatch", recipe="gate-up", partial=True)
        three = vpatch.create(base, moved(base, "sa-qkv", 3), work / "qkv.vpatch", partial=True)
        stack = vpatch.merge([one, (three, 0.5)], base, work / "stack.vpatch")
        low_rank = vpatch.create(base, adapter(base, work / "adapter", 16), work / "lora.vpatch", keep_adapter=True)
        model = vpatch.load_model(base)
        print(f"{base.name}, {sum(p.numel() for p in model.parameters()):,} weights, {os.cpu_count()} cores, torch "
              f"{torch.__version__}\n\n| patch | weights | apply_ | command | ratio | revert_ | command | ratio | bits "
              "| peak above the model |\n|---|---|---|---|---|---|---|---|---|---|")
        for label, patch in (("sa-proj", one), ("stack of two", stack), ("low-rank, rank 16", low_rank)):
            report(label, patch, base, work, model, options.runs)
        swaps([one, two, three, stack, low_rank], base, model, options.swaps)


def report(label: str, patch: vpatch.Patch, base: Path, work: Path, model: Any, runs: int) -> None:
    tuned = work / f"tuned {label}"
    command("apply", base, patch.path, "-o", tuned, "--force")
    times: dict[str, list[float]] = {"apply": [], "apply command": [], "revert": [], "revert command": []}
    opened = vpatch.open(patch.path)
    # The list of its tensors is read once for each patch.
    _ = opened.tensors
    before = resident()
    reset_peak()
    for _ in range(runs):
        times["apply command"].append(command("verify", patch.path, "--base", base))
        times["apply"].append(timed(lambda: opened.apply_(model)))
        times["revert command"].append(command("verify", patch.path, "--target", tuned))
        times["revert"].append(timed(lambda: opened.revert_(model)))
    above = max(0, highest() - before)
    opened.apply_(model)
    is_same = same_bits(model, vpatch.load_model(tuned))
    opened.revert_(model)
    is_same = is_same and same_bits(model, vpatch.load_model(base))
    median = {key: statistics.median(values) for key, values in times.items()}
    weights = sum(torch.Size(tensor.shape).numel() for tensor in patch.touched)
    print(f"| {label} | {weights:,} | {median['apply'] * 1000:.0f} ms | {median['apply command'] * 1000:.0f} ms "
          f"| {median['apply'] / median['apply command']:.2f} | {median['revert'] * 1000:.0f} ms "
          f"| {median['revert command'] * 1000:.0f} ms | {median['revert'] / median['revert command']:.2f} "
          f"| {'the same' if is_same else 'DIFFERENT'} | {above / 1e6:.0f} MB |", flush=True)
    if not is_same:
        sys.exit("live: the bits are not the command's")


def swaps(patches: list[vpatch.Patch], base: Path, model: Any, count: int) -> None:
    start = 0
    begin = time.perf_counter()
    for i in range(count):
        with patches[i % len(patches)].applied(model):
            pass
        if i == min(20, count // 2):
            start = resident()
    seconds = time.perf_counter() - begin
    root = root_of(model, base)
    whose = "the base's" if root == patches[0].base_root else "ANOTHER"
    print(f"\n{count} swaps among {len(patches)} patches in {seconds:.0f} s; the root afterwards is {whose}; memory "
          f"grew by {(resident() - start) / 1e6:.1f} MB.")
    if root != patches[0].base_root:
        sys.exit("live: the model is not the base")


if __name__ == "__main__":
    main()
