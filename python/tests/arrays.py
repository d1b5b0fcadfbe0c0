"""Checkpoints as arrays of NumPy."""

import json
from pathlib import Path

import ml_dtypes
import numpy as np

ROOT = Path(__file__).parents[2]
PAIR = ROOT / "fixtures" / "pair"
Arrays = dict[str, np.ndarray]

def read(path: Path) -> Arrays:
    """A safetensors file as arrays."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        data = file.read()
    kinds = {"BF16": ml_dtypes.bfloat16, "F32": np.float32, "F16": np.float16, "I64": np.int64}
    arrays: Arrays = {}
    for name, info in header.items():
        if name != "__metadata__":
            start, end = info["data_offsets"]
            arrays[name] = np.frombuffer(data[start:end], kinds[info["dtype"]]).reshape(info["shape"]).copy()
    return arrays


def same(a: Arrays, b: Arrays) -> bool:
    """Whether two sets of arrays have the same bits."""
    return a.keys() == b.keys() and all(a[name].tobytes() == b[name].tobytes() for name in a)
