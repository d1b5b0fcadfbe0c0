"""A patch of a model whose answers differ much from the base's: a third of a recipe's weights is moved."""
import os
import re
import subprocess
from pathlib import Path

import numpy as np

import checkpoint
from tune import RECIPES, to_float32


def make_patch(model: Path, recipe: str, patch: Path, *, seed: int, base: Path | None = None) -> Path:
    """Moves 30 % of the weights by a fifth of their spread, and makes the patch with the command.

    Args:
        model: the folder whose weights are moved.
        recipe: sa-proj or gate-up.
        patch: the file to write.
        base: the folder that the patch is made from; default: `model`.
    """
    random = np.random.default_rng(seed)
    file = model / "model.safetensors"
    made: list[checkpoint.Written] = []
    for tensor in checkpoint.read_header(file)[0]:
        if re.fullmatch(RECIPES[recipe].tensors, tensor.name):
            values = to_float32(checkpoint.read_bits(file, tensor)).reshape(tensor.shape)
            noise = random.standard_normal(values.shape, np.float32) * values.std() * np.float32(0.2)
            moved = checkpoint.to_bf16(values + noise * (random.random(values.shape, np.float32) < 0.3))
            made.append((tensor.name, "BF16", tuple(tensor.shape), [moved.tobytes()]))
    tuned = patch.with_suffix(".safetensors")
    checkpoint.write_file(tuned, made, {"format": "pt"})
    subprocess.run(
        [os.environ["VPATCH_COMMAND"], "create", base or model, tuned, "-o", patch, "--partial", "--recipe", recipe,
         "--name", patch.stem, "--no-store"], check=True, stdout=subprocess.DEVNULL)
    tuned.unlink()
    return patch
