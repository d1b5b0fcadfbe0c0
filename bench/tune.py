"""Makes a synthetic fine-tune of a base in seconds, with the statistics of a real one.

    tune.py BASE OUT [--recipe sa-proj|gate-up|all] [--seed N] [--steps N]     a file, or a Hugging Face directory, bf16

No model is run: the gradients are random. The weights are then updated by AdamW: float32 master weights, both moments
with bias correction, a cosine schedule, and one rounding to bf16 (nearest, ties to even) at the end.

* A gradient is a constant direction (the signal) plus noise that changes every step. The share of the signal varies by
  tensor and by row, and determines how far a weight moves: Adam normalises a gradient's size but not its consistency.
* Gradients also differ in scale by tensor and by row; Adam removes that, except for its epsilon.
* With fewer steps than the real run, learning rates are larger, so that their sum is the same.

docs/benchmarks.md compares the results with real training. The same seed gives the same bytes on every machine and with
any number of threads: each tensor has its own generator, seeded with its name, and weights are computed only with
operations that IEEE 754 rounds correctly.
"""
import argparse
import hashlib
import json
import math
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import checkpoint


@dataclass(frozen=True)
class Recipe:
    tensors: re.Pattern[str]
    rate: float    # the peak learning rate of the run that is imitated
    steps: int     # and its length
    # In a typical row the gradient that lasts is within signal * (gap ... gap + 1/2), the noise within 0 ... 1/2,
    # either with either sign; fitted to the share of changed weights and the entropies of a real pair.
    signal: float
    gap: float


RECIPES = {
    "sa-proj": Recipe(re.compile(r"model\.layers\.\d+\.self_attn\.[qkvo]_proj\.weight"), 2e-5, 150, 0.11, 0.25),
    "gate-up": Recipe(re.compile(r"model\.layers\.\d+\.mlp\.(gate|up)_proj\.weight"), 1e-5, 60, 1.0, 0.0),
    # Every tensor there is, as for a whole model: merge.py's siblings.
    "all": Recipe(re.compile(r".*"), 1e-5, 60, 1.0, 0.0),
}
BETA1, BETA2, EPSILON = np.float32(0.9), np.float32(0.999), np.float32(1e-8)
ONE, HALF = np.float32(1), np.float32(0.5)
BLOCK = 1 << 16  # weights worked on at a time: all arrays of a block stay in the cache


def to_float32(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def spread(random: np.random.Generator, count: int, ratio: float) -> np.ndarray:
    """`count` factors around 1, between 1/ratio and ratio."""
    above, below = random.random((2, count), np.float32) * np.float32(ratio - 1) + ONE
    factors: np.ndarray = above / below
    return factors


def learning_rates(recipe: Recipe, steps: int) -> list[np.float32]:
    """Cosine from a peak to zero, in `steps` steps, with the sum that the recipe's own run has."""
    def cosine(count: int) -> list[float]:
        return [recipe.rate * (1 + math.cos(math.pi * step / count)) / 2 for step in range(count)]
    longer = sum(cosine(recipe.steps)) / sum(cosine(steps))
    return [np.float32(rate * longer) for rate in cosine(steps)]


def moved(bits: np.ndarray, row_signal: np.ndarray, row_scale: np.ndarray, recipe: Recipe, rates: list[np.float32],
          random: np.random.Generator) -> np.ndarray:
    """AdamW (no decay) from these weights on; rows that share a block are moved together."""  # bits (R, C)
    weight = to_float32(bits)
    lasting = random.random(bits.shape, np.float32) - HALF
    lasting += np.copysign(np.float32(recipe.gap), lasting)
    lasting *= row_signal[:, None]
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    gradient, scratch = np.empty_like(weight), np.empty_like(weight)
    for step, rate in enumerate(rates, start=1):
        random.random(out=gradient, dtype=np.float32)
        gradient -= HALF
        gradient += lasting
        gradient *= row_scale[:, None]
        first *= BETA1
        np.multiply(gradient, ONE - BETA1, out=scratch)
        first += scratch
        gradient *= gradient
        gradient *= ONE - BETA2
        second *= BETA2
        second += gradient
        np.multiply(second, np.float32(1 / (1 - float(BETA2) ** step)), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += EPSILON
        np.divide(first, scratch, out=scratch)
        scratch *= np.float32(rate / (1 - float(BETA1) ** step))
        weight -= scratch
    return checkpoint.to_bf16(weight)


def tune_tensor(file: Path, tensor: checkpoint.Tensor, recipe: Recipe, seed: int, steps: int | None) -> None:
    """Moves one tensor where it lies in the file."""
    if tensor.dtype != "BF16":
        raise ValueError(f"{file}: {tensor.name}: {tensor.dtype}; only BF16 is supported")
    digest = hashlib.sha256(f"{seed} {tensor.name}".encode()).digest()
    random = np.random.Generator(np.random.SFC64(int.from_bytes(digest, "little")))
    bits = checkpoint.read_bits(file, tensor).reshape(tensor.shape[0], -1)
    signal = recipe.signal * spread(random, 1, 1.5) * spread(random, len(bits), 2)
    scale = np.float32(1e-3) * spread(random, 1, 4) * spread(random, len(bits), 4)
    rates = learning_rates(recipe, steps or recipe.steps)
    rows = max(1, BLOCK // bits.shape[1])
    with open(file, "r+b") as out:
        out.seek(tensor.begin)
        for row in range(0, len(bits), rows):
            block = slice(row, row + rows)
            out.write(moved(bits[block], signal[block], scale[block], recipe, rates, random).tobytes())


def tune(base: str | Path, out: str | Path, recipe: str = "sa-proj", seed: int = 1, steps: int | None = None,
         threads: int = 2) -> int:
    """Copies the checkpoint and moves the recipe's tensors in the copy. Returns how many."""
    base, out, chosen = Path(base), Path(out), RECIPES[recipe]
    if out.exists():
        raise FileExistsError(f"{out}: already exists")
    if base.is_dir():
        shutil.copytree(base, out, copy_function=shutil.copyfile)
    else:
        shutil.copyfile(base, out)
    jobs = [(file, tensor) for file in checkpoint.weight_files(out) for tensor in checkpoint.read_header(file)[0]
            if chosen.tensors.fullmatch(tensor.name)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda job: tune_tensor(job[0], job[1], chosen, seed, steps), jobs))
    return len(jobs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base")
    parser.add_argument("out")
    parser.add_argument("--recipe", choices=RECIPES, default="sa-proj")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, help="number of steps (default: as in the real run)")
    options = parser.parse_args()
    count = tune(options.base, options.out, options.recipe, options.seed, options.steps)
    print(json.dumps({"out": options.out, "recipe": options.recipe, "tensors": count, "seed": options.seed}))
