"""Section 3.5: the header's `adapter`: the tensors of an adapter that the patch holds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .chunks import decode_bytes
from .elements import KNOWN, kind
from .names import ascending, is_tensor_name
from .refused import require
from .strict_json import Shape
from .tensors import Chunk, Side, fingerprint_start, read_chunk, read_side

MOST_FOR_A_BYTE = 64  # decoded bytes for each stored byte of a chunk
_shape = Shape("header-shape")


@dataclass
class AdapterTensor:
    name: str
    side: Side
    chunks: list[Chunk]

    @property
    def elements(self) -> int:
        return (self.side.length or 0) // kind(self.side.dtype).width


def parse(value: Any, where: str) -> list[AdapterTensor]:
    found = []
    for i, entry in enumerate(_shape.array(value, where)):
        here = f"{where}[{i}]"
        _shape.members(entry, here, ["chunks", "dtype", "fingerprint", "name", "shape"])
        chunks = [read_chunk(c, f"{here}.chunks", "a") for c in _shape.array(entry["chunks"], f"{here}.chunks")]
        for c in chunks:
            most = MOST_FOR_A_BYTE * c.stored
            require(c.decoded <= most, "number-limit", f"{here}: a chunk of {c.decoded} bytes; the limit is {most}")
        found.append(AdapterTensor(_shape.text(entry["name"], f"{here}.name"), read_side(entry, here), chunks))
    return found


def check(adapter: list[AdapterTensor]) -> None:
    require(adapter, "adapter", "an adapter without tensors")
    for t in adapter:
        require(is_tensor_name(t.name), "name", f"adapter: {t.name[:80]!r} is not a tensor name")
        require(t.side.dtype in KNOWN, "adapter", f"adapter: tensor {t.name!r} has the unknown dtype {t.side.dtype!r}")
        covered = sum(c.decoded for c in t.chunks)
        what = f"adapter: tensor {t.name!r} has {t.side.length} bytes, but its chunks cover {covered}"
        require(covered == t.side.length, "chunks", what)
        whole = all(c.decoded % kind(t.side.dtype).width == 0 for c in t.chunks)
        require(whole, "chunks", f"adapter: a chunk of {t.name!r} splits an element")
    require(ascending([t.name for t in adapter]), "name-order", "the adapter's names are not strictly ascending")


def decode(t: AdapterTensor, read: Callable[[AdapterTensor, Chunk], bytes]) -> bytes:
    """The tensor's bytes. `read` returns a stored chunk."""
    data = b"".join(decode_bytes(read(t, c), kind(t.side.dtype), c.decoded) for c in t.chunks)
    digest = fingerprint_start(t.side.dtype, t.side.shape)
    digest.update(data)
    right = digest.digest() == t.side.fingerprint
    require(right, "result", f"the adapter's tensor {t.name!r} is not what the patch lists")
    return data
