"""Stands in for SGLang's kernels, which are not called for bf16 models on a CPU without AMX."""
from typing import Any

__version__ = "0"


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)

    def missing(*_: Any, **__: Any) -> Any:
        raise NotImplementedError(f"sgl_kernel.{name} is not there: this is a stub")

    return missing
