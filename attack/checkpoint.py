"""Small checkpoints, as safetensors files and as folders of shards. Needs only the standard library."""
import json
import random
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Tensor:
    dtype: str
    shape: tuple[int, ...]
    data: bytes


Tensors = dict[str, Tensor]


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """A safetensors file."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, tensor in tensors.items():
        end = at + len(tensor.data)
        header[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensor.data for tensor in tensors.values())


def unpack(file: bytes) -> Tensors:
    (length,) = struct.unpack_from("<Q", file)
    header: dict[str, Any] = json.loads(file[8:8 + length])
    header.pop("__metadata__", None)
    body = file[8 + length:]
    return {name: Tensor(entry["dtype"], tuple(entry["shape"]), body[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def write_folder(folder: Path, tensors: Mapping[str, Tensor], files: Mapping[str, bytes], shards: int = 2) -> None:
    """A Hugging Face folder: shards with an index, and files beside them."""
    folder.mkdir(parents=True)
    names = list(tensors)
    size = -(-len(names) // shards)
    places: dict[str, str] = {}
    for shard in range(shards):
        held = names[shard * size:(shard + 1) * size]
        file = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        (folder / file).write_bytes(pack({name: tensors[name] for name in held}))
        places |= dict.fromkeys(held, file)
    index = {"metadata": {}, "weight_map": places}
    for name, data in {"model.safetensors.index.json": json.dumps(index).encode(), **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def weights(names: list[str], rows: int, columns: int, seed: int) -> Tensors:
    """Random BF16 numbers between 2⁻⁷ and 1."""
    rng = random.Random(seed)
    return {name: Tensor("BF16", (rows, columns), struct.pack(
        f"<{rows * columns}H", *(rng.randrange(0x3C00, 0x3F80) for _ in range(rows * columns))))
        for name in names}


def tuned(tensors: Mapping[str, Tensor], part: str, seed: int, share: float = 0.1) -> Tensors:
    """The same tensors; in those whose name contains `part`, a share of the weights is moved by a few ulps."""
    rng = random.Random(seed)
    result: Tensors = {}
    for name, tensor in tensors.items():
        if part in name:
            values = list(struct.unpack(f"<{len(tensor.data) // 2}H", tensor.data))
            for at in range(len(values)):
                if at == 0 or rng.random() < share:
                    values[at] += rng.randrange(1, 9)
            tensor = Tensor(tensor.dtype, tensor.shape, struct.pack(f"<{len(values)}H", *values))
        result[name] = tensor
    return result
