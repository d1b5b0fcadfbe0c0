"""Tensors of PyTorch and arrays of NumPy: dtypes by their names in safetensors files, and bytes without copies.

torch is imported only where a tensor of it is given: NumPy is the one hard dependency.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpatch import _library
from vpatch.errors import Refused

Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_TORCH_DTYPES = {
    "torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16",
    "torch.float8_e5m2": "F8_E5M2", "torch.float8_e4m3fn": "F8_E4M3", "torch.int64": "I64", "torch.int32": "I32",
    "torch.int16": "I16", "torch.int8": "I8", "torch.uint8": "U8", "torch.uint16": "U16", "torch.uint32": "U32",
    "torch.uint64": "U64", "torch.bool": "BOOL",
}
_NUMPY_DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "float8_e5m2": "F8_E5M2",
    "float8_e4m3fn": "F8_E4M3", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8", "uint8": "U8",
    "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL",
}
WIDTHS = {
    "F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2, "F8_E5M2": 1,
    "F8_E4M3": 1, "I8": 1, "U8": 1, "BOOL": 1,
}


def is_torch(value: object) -> bool:
    """Whether a value is a tensor of PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def reason_against(value: Any) -> str | None:
    """Why a tensor's bits cannot be read or written; None where they can."""
    if not is_torch(value):
        if not isinstance(value, np.ndarray):
            return f"is a {type(value).__name__}, not a tensor or an array; give tensors of PyTorch or arrays of NumPy"
        if not value.dtype.isnative or value.dtype.hasobject:
            return f"has the dtype {value.dtype}, which is not a plain one of this machine; convert it first"
        return None
    kind = type(value).__name__
    if kind == "DTensor":
        return ("is a DTensor, of which each rank holds a part; vpatch.save_patch gathers it; or gather it first "
                "(DTensor.full_tensor)")
    if value.device.type == "meta":
        return "is on the meta device: its weights are offloaded or not loaded; load the whole model into memory"
    if hasattr(value, "ds_id") and value.numel() == 0:
        return ("is partitioned by ZeRO-3; vpatch.save_patch gathers it; or gather it first "
                "(deepspeed.zero.GatheredParameters)")
    if hasattr(value, "quant_state") or kind in ("Int8Params", "Params4bit") or "torchao" in type(value).__module__:
        return f"is quantised ({kind}); load the model without quantisation"
    if kind not in ("Tensor", "Parameter", "Buffer"):
        return f"is a {kind}, not a plain tensor; convert it first"
    if str(value.layout) != "torch.strided":
        return f"has the layout {value.layout}; make it dense first"
    # FSDP frees the memory of whole tensors and keeps their shapes.
    if value.numel() > 0 and value.untyped_storage().nbytes() == 0:
        return "has no memory any more: FSDP freed it; copy the tensor while it is gathered"
    return None


def dtype_of(value: Any) -> str:
    """The dtype's name in safetensors files; the library's own name where there is none."""
    return (_TORCH_DTYPES if is_torch(value) else _NUMPY_DTYPES).get(str(value.dtype), str(value.dtype))


def shape_of(value: Any) -> tuple[int, ...]:
    """The shape, outermost dimension first."""
    return tuple(int(n) for n in value.shape)


def bytes_in_place(value: Any) -> Bytes | None:
    """The tensor's own bytes, to read and write; None where they are not contiguous in this machine's memory."""
    if is_torch(value):
        plain = value.detach()
        if plain.device.type != "cpu" or not plain.is_contiguous():
            return None
        if plain.numel() == 0:
            return np.empty(0, np.uint8)
        return _bytes_of_torch(plain)
    if not value.flags.c_contiguous or not value.flags.writeable:
        return None
    own: Bytes = value.reshape(-1).view(np.uint8)
    return own


class _Memory:
    """The memory of a contiguous tensor, for NumPy.

    Tensor.numpy() would do, but marks the storage for good as one that cannot be resized, which FSDP does.
    """

    def __init__(self, plain: Any) -> None:
        self._keeps = plain
        self.__array_interface__ = {
            "data": (plain.data_ptr(), False), "shape": (plain.numel() * plain.element_size(),), "typestr": "|u1",
            "version": 3}


def _bytes_of_torch(plain: Any) -> Bytes:
    view: Bytes = np.asarray(_Memory(plain))
    return view


def bytes_copied(value: Any) -> Bytes:
    """A copy of the tensor's bytes, contiguous, in this machine's memory."""
    if is_torch(value):
        copy = value.detach().cpu().contiguous()
        if copy.numel() == 0:
            return np.empty(0, np.uint8)
        data: Bytes = _bytes_of_torch(copy).copy()
        return data
    view: Bytes = np.ascontiguousarray(value).reshape(-1).view(np.uint8).copy()
    return view


def write_bytes(value: Any, data: Bytes) -> None:
    """Sets a tensor to these bytes, on whatever device it is."""
    if is_torch(value):
        torch = sys.modules["torch"]
        plain = value.detach()
        source = torch.from_numpy(data).view(plain.dtype).reshape(plain.shape)
        with torch.no_grad():
            plain.copy_(source)
        return
    value[...] = data.view(value.dtype).reshape(value.shape)


@dataclass(frozen=True)
class Given:
    """A tensor as an argument of the library. Keeps its bytes alive."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    data: Bytes

    def tensor(self) -> _library.Tensor:
        return _library.Tensor.of(self.name, self.dtype, self.shape, self.data.ctypes.data, self.data.nbytes)

    def fingerprint(self) -> str:
        """The tensor's fingerprint: SHA-256 over dtype, shape and bytes."""
        return _library.call_hex("vpatch_fingerprint", self.tensor())


def given(name: str, value: Any) -> Given:
    """A tensor for the library: its own memory where that is contiguous, otherwise a copy.

    Raises:
        Refused: for a tensor whose bits cannot be read.
    """
    if reason := reason_against(value):
        raise Refused(f'"{name}" {reason}')
    dtype = dtype_of(value)
    if dtype not in WIDTHS:
        raise Refused(f'"{name}" has the dtype {value.dtype}, which safetensors files do not have; convert it first')
    data = bytes_in_place(value)
    return Given(name, dtype, shape_of(value), bytes_copied(value) if data is None else data)


def fingerprint(value: Any) -> str:
    """The fingerprint of a tensor or an array: SHA-256 over dtype, shape and bytes, as 64 hexadecimal digits."""
    return given("tensor", value).fingerprint()
