"""Modules as serving engines hold them: fused projections, padded vocabularies, experts in one parameter."""

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

FUSED = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}


class Layer(torch.nn.Module):  # type: ignore[misc]
    """A layer with one weight or several."""

    output_sizes: list[int]
    org_vocab_size: int
    cpu_linear: Any


def _put(root: torch.nn.Module, name: str, value: torch.Tensor) -> Layer:
    """Registers a parameter under its dotted name, and returns its layer."""
    *path, leaf = name.split(".")
    module = root
    for part in path:
        if part not in module._modules:
            module.add_module(part, Layer())
        module = module.get_submodule(part)
    module.register_parameter(leaf, torch.nn.Parameter(value.clone(), requires_grad=False))
    assert isinstance(module, Layer)
    return module


def _padded(value: torch.Tensor) -> torch.Tensor:
    rows = -len(value) % 64
    return torch.cat([value, torch.full((rows, value.shape[1]), 7, dtype=value.dtype)])


def served_form(folder: Path) -> torch.nn.Module:
    """A model's files as an engine would hold them."""
    tensors = load_file(folder / "model.safetensors")
    root = Layer()
    experts: dict[str, dict[tuple[int, str], torch.Tensor]] = {}
    for name, value in tensors.items():
        if match := re.fullmatch(r"(.+\.experts)\.(\d+)\.(\w+)\.weight", name):
            experts.setdefault(match[1], {})[int(match[2]), match[3]] = value
            continue
        *path, leaf, kind = name.split(".")
        fused = next((fused for fused, parts in FUSED.items() if leaf in parts), None)
        if leaf in ("embed_tokens", "lm_head"):
            _put(root, name, _padded(value)).org_vocab_size = len(value)
        elif fused is None:
            _put(root, name, value)
        elif leaf == FUSED[fused][0]:
            parts = [tensors[".".join([*path, part, kind])] for part in FUSED[fused]]
            _put(root, ".".join([*path, fused, kind]), torch.cat(parts)).output_sizes = [len(part) for part in parts]
    for owner, known in experts.items():
        numbers = range(1 + max(number for number, _ in known))
        _put(root, f"{owner}.w13_weight", torch.stack([
            torch.cat([known[number, "gate_proj"], known[number, "up_proj"]]) for number in numbers]))
        _put(root, f"{owner}.w2_weight", torch.stack([known[number, "down_proj"] for number in numbers]))
    if "lm_head.weight" not in tensors:
        head = Layer()
        head.weight = root.get_parameter("model.embed_tokens.weight")
        root.add_module("lm_head", head)
    return root
