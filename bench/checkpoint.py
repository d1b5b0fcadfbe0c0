"""Safetensors files and Hugging Face directories, as far as the bench needs them.

A file is 8 bytes of header length (little-endian), the header (JSON: name -> dtype, shape, data_offsets), the data.
The bench trusts its inputs; the tool under test is the one that must not.
"""
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

BITS = {"BF16": np.uint16, "F16": np.uint16, "F32": np.uint32}  # floating point, seen as unsigned integers
INDEX = "model.safetensors.index.json"


Dimensions = tuple[int, ...]
Part: TypeAlias = bytes | memoryview | np.ndarray
Written = tuple[str, str, Dimensions, Iterable[Part]]  # name, dtype, shape, the data in pieces


@dataclass(frozen=True)
class Tensor:
    name: str
    dtype: str
    shape: Dimensions
    begin: int  # offsets in the file, not in its data section
    end: int

    @property
    def size(self) -> int:
        return self.end - self.begin


def to_bf16(values: np.ndarray) -> np.ndarray:
    """float32 -> bf16 bits, rounded to nearest, ties to even. Finite values only."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def read_header(path: str | Path) -> tuple[list[Tensor], int]:
    """The tensors of one file, in the order of their bytes, and where their data starts."""
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8))
    header.pop("__metadata__", None)
    tensors = [Tensor(name, t["dtype"], tuple(t["shape"]), start + t["data_offsets"][0], start + t["data_offsets"][1])
               for name, t in header.items()]
    return sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end)), start


def read_bits(path: str | Path, tensor: Tensor) -> np.ndarray:
    """The tensor's weights as unsigned integers, flat."""
    dtype = np.dtype(BITS[tensor.dtype])
    return np.fromfile(path, dtype=dtype, count=tensor.size // dtype.itemsize, offset=tensor.begin)


def changed_tensors(base: Path, tuned: Path) -> Iterator[tuple[Tensor, Tensor]]:
    """Pairs of tensors of the same name, dtype and shape in two files whose bits differ."""
    theirs = {tensor.name: tensor for tensor in read_header(tuned)[0]}
    for mine in read_header(base)[0]:
        other = theirs.get(mine.name)
        if mine.dtype not in BITS or other is None or (other.dtype, other.shape) != (mine.dtype, mine.shape):
            continue
        if not np.array_equal(read_bits(base, mine), read_bits(tuned, other)):
            yield mine, other


def write_file(path: str | Path, tensors: Sequence[Written], metadata: Mapping[str, str] | None = None) -> None:
    """Writes a safetensors file. `tensors`: (name, dtype, shape, parts), where `parts` yields the data in pieces."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    offset = 0
    for name, dtype, shape, _ in tensors:
        end = offset + math.prod(shape) * np.dtype(BITS[dtype]).itemsize
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, _, _, parts in tensors:
            for part in parts:
                file.write(part.data if isinstance(part, np.ndarray) else part)
            if file.tell() != 8 + len(text) + header[name]["data_offsets"][1]:
                raise ValueError(f"{path}: {name}: the parts do not fill the shape")


def weight_files(checkpoint: str | Path) -> list[Path]:
    """The safetensors files of a checkpoint: the file itself; what the directory's index names; else its one file."""
    checkpoint = Path(checkpoint)
    if not checkpoint.is_dir():
        return [checkpoint]
    index = checkpoint / INDEX
    if index.exists():
        return [checkpoint / name for name in sorted(set(json.loads(index.read_text())["weight_map"].values()))]
    return [checkpoint / "model.safetensors"]


def sha256(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def made(out: Path, make: Callable[[Path], object], digest: str | None = None) -> Path:
    """The directory `out` with the model that `make(folder)` writes, if it is not there yet; whole or not at all.

    `digest`: SHA-256 of the weights, where they are known to the bit."""
    weights = out / "model.safetensors"
    if weights.exists() and digest in (None, sha256(weights)):
        return out
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out}: is not the expected model; remove it and run again")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch, "model")
        folder.mkdir()
        make(folder)
        found = sha256(folder / weights.name)
        if digest not in (None, found):
            raise ValueError(f"{out}: model.safetensors would have sha256 {found}, expected {digest}")
        if out.exists():
            out.rmdir()
        os.rename(folder, out)
    return out


def contents(checkpoint: str | Path) -> dict[str, str]:
    """sha256 of each weight file by name: equal if and only if every file is the same byte for byte."""
    return {file.name if Path(checkpoint).is_dir() else "": sha256(file) for file in weight_files(checkpoint)}
