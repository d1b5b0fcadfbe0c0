"""A LoRA adapter at the widths of a 7B model: sizes, and the speed of decoding, beside other tools.

    $(bench/setup.sh) bench/adapter_layer.py [--vpatch PATH] [--work DIR] [--rank R] [--changed SHARE] [--layers N]

Two decoder layers with Qwen2.5-7B's shapes (3584 wide, MLP 18944) in bf16, random weights of a usual spread; an adapter
of all seven projections with random factors in bf16, so strong that the given share of the weights changes. vpatch
merges it. Prints two tables in Markdown: bytes of the patch beside today's coder, z4ai and zstd, and the time and the
memory of decoding, apply and revert, checks included. All files are removed afterwards.
"""

import argparse
import filecmp
import json
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

import checkpoint
import measure
import tools

ROOT = Path(__file__).parents[1]
WIDTH, KEYS, HIDDEN = 3584, 512, 18944
SHAPES = {
    "self_attn.q_proj": (WIDTH, WIDTH), "self_attn.k_proj": (KEYS, WIDTH), "self_attn.v_proj": (KEYS, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH), "mlp.gate_proj": (HIDDEN, WIDTH), "mlp.up_proj": (HIDDEN, WIDTH),
    "mlp.down_proj": (WIDTH, HIDDEN),
}


def bf16(values: np.ndarray) -> np.ndarray:
    return checkpoint.to_bf16(values.astype(np.float32))


def widened(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def strength(share: float, rank: int, random: np.random.Generator) -> float:
    """The spread of B with which a share of the weights changes, by bisection on a sample."""
    base = bf16(random.standard_normal(200_000) * 0.02)
    noise = np.sqrt(rank) * random.standard_normal(200_000)
    low, high = 1e-7, 1.0
    for _ in range(40):
        middle = float(np.sqrt(low * high))
        changed = np.mean(bf16(widened(base) + noise * middle / np.sqrt(WIDTH)) != base)
        low, high = (middle, high) if changed < share else (low, middle)
    return low


def write(work: Path, layers: int, rank: int, share: float) -> tuple[Path, Path, int]:
    """Writes base and adapter, and returns their paths and the number of weights that the adapter changes."""
    random = np.random.default_rng(11)
    spread = strength(share, rank, random)
    base, adapter = work / "base.safetensors", work / "adapter"
    adapter.mkdir()
    weights: list[checkpoint.Written] = []
    factors: list[checkpoint.Written] = []
    total = 0
    for layer in range(layers):
        for name, (rows, columns) in SHAPES.items():
            # Small blocks, so that no matrix is in memory in float64.
            parts = [bf16(random.standard_normal((min(512, rows - i), columns)) * 0.02) for i in range(0, rows, 512)]
            weights.append((f"model.layers.{layer}.{name}.weight", "BF16", (rows, columns), parts))
            key = f"base_model.model.model.layers.{layer}.{name}"
            a = bf16(random.standard_normal((rank, columns)) / np.sqrt(columns))
            b = bf16(random.standard_normal((rows, rank)) * spread * np.sqrt(columns / WIDTH))
            factors += [(key + ".lora_A.weight", "BF16", (rank, columns), [a]),
                        (key + ".lora_B.weight", "BF16", (rows, rank), [b])]
            total += rows * columns
    checkpoint.write_file(base, weights)
    checkpoint.write_file(adapter / "adapter_model.safetensors", factors, {"format": "pt"})
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": rank}))
    return base, adapter, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"))
    parser.add_argument("--work", help="folder for the files (default: a temporary one in /var/tmp)")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--changed", type=float, default=0.6)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.work or "/var/tmp") as folder:
        work = Path(folder)
        base, adapter, weights = write(work, options.layers, options.rank, options.changed)
        patch, plain = work / "a.vpatch", work / "p.vpatch"
        tuned, back = work / "tuned.safetensors", work / "back.safetensors"
        created = measure.run(options.vpatch, "create", base, adapter, "-o", patch, "--no-store", "--keep-adapter")
        applied, reverted, forward, backward = [], [], [], []
        for _ in range(options.runs):
            applied.append(measure.run(options.vpatch, "apply", base, patch, "-o", tuned, "--force"))
            reverted.append(measure.run(options.vpatch, "revert", tuned, patch, "-o", back, "--force"))
            # Decodes and checks everything, and writes nothing.
            forward.append(measure.run(options.vpatch, "verify", patch, "--base", base))
            backward.append(measure.run(options.vpatch, "verify", patch, "--target", tuned))
        if not filecmp.cmp(base, back, shallow=False):
            sys.exit("adapter_layer: what was reverted is not the base")
        changed = sum(int(np.count_nonzero(checkpoint.read_bits(base, a) != checkpoint.read_bits(tuned, b)))
                      for a, b in checkpoint.changed_tensors(base, tuned))
        sizes = {"the adapter": sum(file.stat().st_size for file in adapter.iterdir()),
                 "vpatch, with the adapter": patch.stat().st_size}
        measure.run(options.vpatch, "create", base, tuned, "-o", plain, "--no-store")
        sizes["vpatch, without"] = plain.stat().st_size
        for tool in tools.peers():
            if tool.key in ("z4ai", "zstd"):
                out = work / tool.key
                tool.create(base, tuned, out)
                sizes[f"{tool.name} ({tool.version()})"] = out.stat().st_size
                out.unlink()
        size = base.stat().st_size
        print(f"rank {options.rank}, {weights:,} weights, {100 * changed / weights:.1f} % changed, "
              f"{os.cpu_count()} cores\n\n| | bytes | bits a weight | times the patch |\n|---|---|---|---|")
        own = sizes["vpatch, with the adapter"]
        for name, count in sizes.items():
            print(f"| {name} | {count:,} | {8 * count / weights:.3f} | {count / own:.2f} |")
        print("\n| | time | tuned GB/s | peak memory |\n|---|---|---|---|")
        rows = [("create", [created]), ("decode forwards (`verify --base`)", forward),
                ("decode backwards (`verify --target`)", backward),
                ("apply, written durably", applied), ("revert, written durably", reverted)]
        for what, runs in rows:
            best = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
            print(f"| {what} | {best.seconds:.2f} s | {size / 1e9 / best.seconds:.2f} "
                  f"| {max(run.peak for run in runs) / 1e6:.0f} MB |")


if __name__ == "__main__":
    main()
