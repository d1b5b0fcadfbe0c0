#!/usr/bin/env python3
"""Layouts of transformers 5: pairs hub and runtime layouts by `create --map-keys auto`; compares what apply gives.

    layouts.py DIR [--vpatch PATH] [--only NAME]
    layouts.py DIR --fixtures fixtures/keys/runtime

DIR has a folder for each family, with two tiny models in the hub's layout: NAME/base and NAME/tuned. The script saves
their twins in transformers' runtime layout (save_original_format=False) and prints a row a family and direction:

    base in the hub's layout, tuned in the runtime layout; and the reverse.

A row is right if every tensor of the base is paired, and apply gives the tuned model in the base's layout, byte for
byte as transformers saves it. Runs in an environment with torch, transformers and safetensors.

With --fixtures it writes a file for each family whose layouts differ: a row for each tensor of the runtime layout, with
its shape, how it is made of the hub's tensors, and their names. What is made of what follows from the bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

#: The hub's files of this family have transposed experts. transformers reads both forms and saves its own.
TRANSPOSED = "qwen3_vl_moe"

Tensors = dict[str, tuple[str, tuple[int, ...], bytes]]


def tensors(folder: Path) -> Tensors:
    """Every tensor's dtype, shape and bytes."""
    found: Tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in list(file.keys()):
                value = file.get_tensor(name).contiguous()
                data = value.reshape(-1).view(torch.uint8).numpy().tobytes()
                found[name] = (str(value.dtype), tuple(value.shape), data)
    return found


def load(folder: Path) -> torch.nn.Module:
    config = transformers.AutoConfig.from_pretrained(folder)
    return getattr(transformers, config.architectures[0]).from_pretrained(folder, dtype=torch.bfloat16)


def transposed(source: Path, target: Path) -> None:
    """The same model with its stacked experts transposed, as on the hub."""
    shutil.copytree(source, target)
    path = target / "model.safetensors"
    with safe_open(path, "pt") as file:
        all_tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    for name, value in all_tensors.items():
        if name.endswith(("experts.gate_up_proj", "experts.down_proj")):
            all_tensors[name] = value.transpose(1, 2).contiguous()
    save_file(all_tensors, path, {"format": "pt"})
    saved, read = load(source).state_dict(), load(target).state_dict()
    if not all(torch.equal(saved[name], read[name]) for name in saved):
        raise AssertionError(f"{source}: transformers does not read the transposed experts alike")


def uneven(source: Path, target: Path) -> None:
    """Another random model of that family, none of whose stacked experts is square: no shape is ambiguous."""
    config = transformers.AutoConfig.from_pretrained(source / "base")
    config.text_config.moe_intermediate_size = 48
    torch.manual_seed(7)
    model = getattr(transformers, config.architectures[0])(config).to(torch.bfloat16)
    for parameter in model.parameters():
        if parameter.dim() < 2:
            parameter.data.add_(torch.randn_like(parameter) * 0.05)
    model.save_pretrained(target / "base")
    for name, parameter in model.named_parameters():
        if "experts" in name or "self_attn" in name:
            parameter.data.add_((torch.randn(parameter.shape) * 0.01).to(parameter.dtype))
    model.save_pretrained(target / "tuned")


def twins(family: Path, work: Path) -> dict[tuple[str, str], Path]:
    """The four models: base and tuned, in both layouts."""
    models = {}
    is_transposed = family.name == TRANSPOSED
    if is_transposed:
        uneven(family, work / family.name)
        family = work / family.name
    for side in ("base", "tuned"):
        hub, runtime = work / f"{side}-hub", work / f"{side}-runtime"
        load(family / side).save_pretrained(runtime, save_original_format=False)
        if is_transposed:
            transposed(runtime, hub)
        else:
            load(family / side).save_pretrained(hub)
        models[side, "hub"], models[side, "runtime"] = hub, runtime
    return models


def row(vpatch: str, base: Path, tuned: Path, expected: Path, work: Path) -> tuple[bool, str]:
    patch, out = work / "p.vpatch", work / "out"
    for path in (patch, out):
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    command: list[str | Path] = [
        vpatch,
        "create",
        base,
        tuned,
        "-o",
        patch,
        "--map-keys",
        "auto",
        "--no-store",
        "--json",
    ]
    made = subprocess.run(command, capture_output=True, text=True)
    if made.returncode:
        return False, made.stderr.strip()
    result = json.loads(made.stdout)
    applied = subprocess.run([vpatch, "apply", base, patch, "-o", out], capture_output=True, text=True)
    if applied.returncode:
        return False, applied.stderr.strip()
    want, got = tensors(expected), tensors(out)
    wrong = sorted(name for name in want.keys() | got.keys() if want.get(name) != got.get(name))
    text = f"{len(want):>5} tensors  {result['renamed']:>4} renamed  {result['rearranged']:>4} rearranged"
    return not wrong, text + (f"  {len(wrong)} differ, first {wrong[0]}" if wrong else "  same bytes")


def key(value: torch.Tensor) -> bytes:
    """The bytes of a tensor, and its shape."""
    data: bytes = value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return data + repr(tuple(value.shape)).encode()


def origin(value: torch.Tensor, hub: dict[bytes, list[str]], name: str) -> str:
    """How a runtime tensor is made of the hub's."""

    def one(part: torch.Tensor) -> str | None:
        found = hub.get(key(part), [])
        last = name.rsplit(".", 2)[-2:]
        return next((n for n in found if n.rsplit(".", 2)[-2:] == last), found[0] if found else None)

    whole = one(value)
    if whole:
        return f"same\t{whole}"
    exchanged = one(value.transpose(-1, -2)) if value.dim() == 3 else None
    if exchanged:
        return f"exchanged\t{exchanged}"
    stack = [one(expert) for expert in value]
    if all(stack):
        return "stack\t" + " ".join(map(str, stack))
    middle = value.shape[1] // 2
    pairs = [one(part) for expert in value for part in (expert[:middle], expert[middle:])]
    if all(pairs):
        return "pairs\t" + " ".join(map(str, pairs))
    raise AssertionError(f"{name}: made of no tensors of the hub's")


def fixture(models: dict[tuple[str, str], Path], path: Path) -> bool:
    """Writes the rows of a family, of its first two layers; False if its layouts are the same."""
    sides = []
    for layout in ("hub", "runtime"):
        found: dict[str, torch.Tensor] = {}
        for file_path in sorted(models["tuned", layout].glob("*.safetensors")):
            with safe_open(file_path, "pt") as file:
                found |= {name: file.get_tensor(name).to(torch.bfloat16) for name in list(file.keys())}
        sides.append(found)
    if {k: v.shape for k, v in sides[0].items()} == {k: v.shape for k, v in sides[1].items()}:
        return False
    hub: dict[bytes, list[str]] = {}
    for name, value in sides[0].items():
        hub.setdefault(key(value), []).append(name)
    rows = []
    for name, value in sorted(sides[1].items()):
        if re.search(r"\b(layers|blocks|layer)\.([2-9]|\d\d)", name):
            continue
        rows.append(f"{name}\t{'x'.join(map(str, value.shape))}\t{origin(value, hub, name)}")
    path.write_text("\n".join(rows) + "\n")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vpatch", default="vpatch")
    parser.add_argument("--only")
    parser.add_argument("--fixtures", type=Path, help="write rows for tests into this folder instead")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failed = 0
    for family in sorted(path for path in arguments.folder.iterdir() if path.is_dir()):
        if arguments.only not in (None, family.name):
            continue
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            models = twins(family, work)
            if arguments.fixtures:
                if fixture(models, arguments.fixtures / f"{family.name}.tsv"):
                    print(family.name, flush=True)
                continue
            shapes = [{k: v[1] for k, v in tensors(models["base", layout]).items()} for layout in ("hub", "runtime")]
            for base, tuned in (("hub", "runtime"), ("runtime", "hub")):
                is_right, text = row(
                    arguments.vpatch, models["base", base], models["tuned", tuned], models["tuned", base], work
                )
                failed += not is_right
                kind = "same layout" if shapes[0] == shapes[1] else f"base {base}"
                print(f"{family.name:<18} {kind:<13} {'ok  ' if is_right else 'FAIL'} {text}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
