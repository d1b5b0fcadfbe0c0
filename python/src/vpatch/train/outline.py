"""Models without values: names, shapes and modules, in no memory."""

from typing import Any

import torch

from vpatch.loading import class_of


def outline(base: str, config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """A model without values, on the meta device."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device("meta"):
            return class_of(base, config)(config)
    finally:
        torch.set_default_dtype(before)
