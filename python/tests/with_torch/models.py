"""Models for the tests with PyTorch."""

from pathlib import Path
from typing import Any

import torch

import vpatch


def bits(model: Any) -> dict[str, bytes]:
    """The bytes of every parameter and buffer."""
    return {name: value.detach().contiguous().view(torch.uint8).numpy().tobytes()
            for name, value in model.state_dict().items()}


def trained(folder: Path, recipe: str) -> Any:
    """A model whose parameters of a recipe moved a little."""
    model = vpatch.load_model(folder)
    torch.manual_seed(2)
    chosen = set(vpatch.freeze(model, recipe))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name in chosen:
                value.add_((torch.randn(value.shape) * 1e-3).to(value.dtype))
    return model
