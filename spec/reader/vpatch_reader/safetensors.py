"""A safetensors file: u64 length of the header, the header (JSON), the tensors' bytes.

Valid if and only if: (1) the length is at most 100,000,000 and within the file; (2) the header
starts with `{` and is an object in strict JSON; (3) `__metadata__`, if present, maps strings to
strings or is null; (4) each other member has a valid name, dtype, shape and two offsets; (5) a dtype in the
table of section 4 has the length of its shape; (6) in order of offset, the tensors cover the
data without gap or overlap; (7) the data end with the file.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from . import strict_json
from .elements import tensor_length
from .names import is_dtype, is_tensor_name
from .refused import require

MAX_HEADER = 100_000_000


@dataclass
class Info:
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.begin


class Header:
    def __init__(self, text: bytes, rule: str = "safetensors") -> None:
        require(len(text) <= MAX_HEADER, rule, f"a header of {len(text)} bytes; the limit is {MAX_HEADER}")
        require(text[:1] == b"{", rule, "the header does not start with {")
        self.text = text
        members = strict_json.parse(text, rule)
        metadata = members.pop("__metadata__", None)
        strings = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
        require(metadata is None or strings, rule, "__metadata__ is not an object of strings")
        found = {name: _info(name, value, rule) for name, value in members.items()}
        # An empty tensor has the same offset as the next one, so sort by end as well.
        ordered = sorted(found.items(), key=lambda item: (item[1].begin, item[1].end))
        self.tensors = dict(ordered)
        self.data_length = 0
        for name, info in self.tensors.items():
            what = "overlaps" if info.begin < self.data_length else "leaves a gap after"
            require(info.begin == self.data_length, rule, f"tensor {name!r} {what} the tensor before it")
            self.data_length = info.end


def _whole_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v <= strict_json.MAX_NUMBER for v in values)


def _info(name: str, value: Any, rule: str) -> Info:
    require(is_tensor_name(name), rule, f"{name[:80]!r} is not a tensor name")
    require(isinstance(value, dict), rule, f"tensor {name!r} is not an object")
    dtype, shape, offsets = (value.get(key) for key in ("dtype", "shape", "data_offsets"))
    require(isinstance(dtype, str) and is_dtype(dtype), rule, f"tensor {name!r}: {dtype!r} is not a dtype")
    require(_whole_numbers(shape), rule, f"tensor {name!r}: its shape is not an array of non-negative integers")
    good = _whole_numbers(offsets) and len(offsets) == 2 and offsets[0] <= offsets[1]
    require(good, rule, f"tensor {name!r}: data_offsets are not two non-negative integers in ascending order")
    info = Info(dtype, tuple(shape), *offsets)
    length = tensor_length(dtype, shape, rule)
    what = f"tensor {name!r} has {info.length} bytes, but {dtype} {list(shape)} needs {length}"
    require(length in (None, info.length), rule, what)
    return info


class File:
    """One open file."""

    def __init__(self, path: str | Path) -> None:
        self.file: BinaryIO = open(path, "rb")  # noqa: SIM115 (it stays open)
        try:
            size = os.fstat(self.file.fileno()).st_size
            require(size >= 8, "safetensors", f"{path}: {size} bytes: too short for a safetensors file")
            (length,) = struct.unpack("<Q", self.file.read(8))
            limit = min(MAX_HEADER, size - 8)
            require(length <= limit, "safetensors", f"{path}: a header of {length} bytes; the limit is {limit}")
            self.header = Header(self.file.read(length))
            self.data_at = 8 + length
            end = self.data_at + self.header.data_length
            require(end == size, "safetensors", f"{path}: the tensors end at {end}, the file at {size}")
        except BaseException:
            self.file.close()
            raise

    def read(self, info: Info, offset: int, length: int) -> bytes:
        self.file.seek(self.data_at + info.begin + offset)
        data = self.file.read(length)
        require(len(data) == length, "safetensors", "the file ended while it was read")
        return data
