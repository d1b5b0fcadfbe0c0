"""libvpatch.so: its functions (vpatch.h), with errors as exceptions and JSON as values."""

import ctypes
import json
import os
from pathlib import Path
from typing import Any

from vpatch.errors import InvalidFile, IOFailure, Mismatch, Misuse, Refused, VPatchError, WrongBase

_ERRORS: dict[int, type[VPatchError]] = {
    1: IOFailure, 2: InvalidFile, 3: WrongBase, 4: Mismatch, 5: Refused, 6: Misuse,
}

FORWARD = 0
BACKWARD = 1


class Tensor(ctypes.Structure):
    """`vpatch_tensor`: a contiguous tensor in memory."""

    _fields_ = (
        ("name", ctypes.c_char_p), ("dtype", ctypes.c_char_p), ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("rank", ctypes.c_size_t), ("bytes", ctypes.c_void_p), ("byte_count", ctypes.c_size_t),
    )

    @classmethod
    def of(cls, name: str, dtype: str, shape: tuple[int, ...], address: int, byte_count: int) -> "Tensor":
        dimensions = (ctypes.c_int64 * len(shape))(*shape)
        return cls(name.encode(), dtype.encode(), dimensions, len(shape), address, byte_count)


_Text = ctypes.POINTER(ctypes.c_char)
_Result = ctypes.POINTER(_Text)
_Handle = ctypes.c_void_p
_HandleResult = ctypes.POINTER(ctypes.c_void_p)
_Name = ctypes.c_char_p

# The arguments before the message. All return a status.
_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "vpatch_open": (_Name, ctypes.c_uint, _HandleResult),
    "vpatch_describe": (_Handle, _Result),
    "vpatch_decode": (_Handle, _Name, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p,
                      ctypes.c_size_t),
    "vpatch_fingerprint": (ctypes.POINTER(Tensor), ctypes.c_char_p),
    "vpatch_root": (_Name, ctypes.c_char_p),
    "vpatch_checkpoint": (_Name, ctypes.c_int, ctypes.c_uint, _Result),
    "vpatch_select": (_Name, _Name, _Result),
    "vpatch_match": (_Name, _Result),
    "vpatch_create": (_Name, _Name, _Name, _Name, _Result),
    "vpatch_create_begin": (_Name, _Name, _Name, _HandleResult),
    "vpatch_create_add": (_Handle, ctypes.POINTER(Tensor), ctypes.c_int),
    "vpatch_create_finish": (_Handle, _Result),
    "vpatch_merge": (_Name, _Name, _Name, _Name, _Result),
    "vpatch_text_open": (_Name, _HandleResult),
    "vpatch_text_encode": (_Handle, _Name, _Name, _Result),
    "vpatch_rows": (_Name, _Name, _Name, _Result),
}


def _load() -> ctypes.CDLL:
    path = os.environ.get("VPATCH_LIBRARY") or str(Path(__file__).parent / "_native" / "libvpatch.so")
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"vpatch: {path} cannot be loaded ({error}); install the wheel, or set VPATCH_LIBRARY to a libvpatch.so"
        ) from error
    for name, arguments in _ARGUMENTS.items():
        function = getattr(library, name)
        function.argtypes = (*arguments, _Result)
        function.restype = ctypes.c_int
    for name in ("vpatch_close", "vpatch_create_cancel", "vpatch_text_close"):
        getattr(library, name).argtypes = (_Handle,)
        getattr(library, name).restype = None
    library.vpatch_free.argtypes = (ctypes.c_void_p,)
    library.vpatch_free.restype = None
    library.vpatch_version.argtypes = ()
    library.vpatch_version.restype = ctypes.c_char_p
    return library


_library = _load()


def _taken(text: Any) -> str | None:
    """Copies a text that the library returned, and frees it."""
    if not text:
        return None
    value = ctypes.cast(text, ctypes.c_char_p).value
    _library.vpatch_free(ctypes.cast(text, ctypes.c_void_p))
    return None if value is None else value.decode()


def call(function: str, *arguments: Any) -> None:
    """Calls a function of the library. The interpreter's lock is released meanwhile.

    Raises:
        VPatchError: what the library says.
    """
    message = _Text()
    status = getattr(_library, function)(*arguments, ctypes.byref(message))
    text = _taken(message)
    if status != 0:
        raise _ERRORS.get(status, VPatchError)(text or f"{function} failed with status {status}")


def call_json(function: str, *arguments: Any) -> Any:
    """Calls a function whose last result is JSON, and returns the value."""
    result = _Text()
    call(function, *arguments, ctypes.byref(result))
    return json.loads(_taken(result) or "null")


def call_handle(function: str, *arguments: Any) -> int:
    """Calls a function whose last result is a handle."""
    handle = ctypes.c_void_p()
    call(function, *arguments, ctypes.byref(handle))
    return handle.value or 0


def call_hex(function: str, argument: Any) -> str:
    """Calls a function whose last result is 64 hexadecimal digits."""
    digits = ctypes.create_string_buffer(65)
    call(function, argument, digits)
    return digits.value.decode()


def close(function: str, handle: int) -> None:
    """Calls a function that ends a handle."""
    getattr(_library, function)(handle)


def encoded(value: Any) -> bytes:
    """A value as JSON for the library."""
    return json.dumps(value, ensure_ascii=False).encode()


def path_bytes(path: str | os.PathLike[str]) -> bytes:
    """A path for the library."""
    return os.fspath(path).encode()


def version() -> str:
    """The version of the library."""
    return bytes(_library.vpatch_version()).decode()
