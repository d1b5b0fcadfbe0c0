"""Sections 2, 3.1 and 3.4: the entries of the header and their checks, roots, and the patch identity."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from . import factors
from .elements import KNOWN, MAX_LENGTH, kind, tensor_length
from .names import ascending, is_dtype, is_tensor_name
from .refused import Refused, require
from .strict_json import Shape

MAX_CHUNK = 4 * 1024 * 1024
LETTER = {"change": b"c", "rows": b"r", "add": b"a", "remove": b"d", "replace": b"x"}
HAS_BASE = {"same", "change", "rows", "remove", "replace"}
HAS_TARGET = {"change", "rows", "add", "replace"}


@dataclass
class Side:
    dtype: str
    shape: tuple[int, ...]
    fingerprint: bytes
    length: int | None  # bytes; None until it is read from `bytes`


@dataclass
class Chunk:
    role: str
    offset: int  # in the payload
    stored: int
    decoded: int
    digest: str


@dataclass
class Tensor:
    name: str
    op: str
    base: Side | None
    target: Side | None  # for `same`: that of the base
    lengths: list[int] | None  # `bytes`
    chunks: list[Chunk] = field(default_factory=list)
    copy: str | None = None  # the name of the original
    low_rank: factors.Factors | None = None


# --- 3.2 (6): members and types ---------------------------------------------------------------

_shape = Shape("header-shape")


def parse(value: Any, where: str) -> Tensor:
    require(isinstance(value, dict), "header-shape", f"{where} is not an object")
    op = value.get("op")
    require(op in HAS_BASE | HAS_TARGET, "header-shape", f"{where}: unknown operation {op!r}")
    needed = ["name", "op"]
    needed += ["base"] if op in HAS_BASE else []
    needed += ["target"] if op in HAS_TARGET else []
    needed += ["chunks"] if op != "same" else []
    optional = ["bytes"]
    optional += ["copy"] if op != "same" else []
    optional += ["low_rank"] if op == "change" and "copy" not in value else []
    _shape.members(value, where, needed, optional)
    base = _parse_side(value["base"], f"{where}.base") if op in HAS_BASE else None
    target = _parse_side(value["target"], f"{where}.target") if op in HAS_TARGET else None
    lengths = value.get("bytes")
    if lengths is not None or "bytes" in value:
        lengths = [_shape.number(n, f"{where}.bytes") for n in _shape.array(lengths, f"{where}.bytes", 2)]
    entries = _shape.array(value.get("chunks", []), f"{where}.chunks")
    chunks = [read_chunk(entry, f"{where}.chunks[{i}]", "dbt") for i, entry in enumerate(entries)]
    name = _shape.text(value["name"], f"{where}.name")
    copy = _shape.text(value["copy"], f"{where}.copy") if "copy" in value else None
    low_rank = factors.parse(value["low_rank"], f"{where}.low_rank") if "low_rank" in value else None
    return Tensor(name, op, base, base if op == "same" else target, lengths, chunks, copy, low_rank)


def _parse_side(value: Any, where: str) -> Side:
    _shape.members(value, where, ["dtype", "fingerprint", "shape"])
    return read_side(value, where)


def read_side(value: dict[str, Any], where: str) -> Side:
    """From an object that has these members, and maybe others."""
    dtype = _shape.text(value["dtype"], f"{where}.dtype")
    shape = tuple(_shape.number(n, f"{where}.shape") for n in _shape.array(value["shape"], f"{where}.shape"))
    fingerprint = bytes.fromhex(_shape.digest(value["fingerprint"], f"{where}.fingerprint"))
    return Side(dtype, shape, fingerprint, tensor_length(dtype, shape, "overflow"))


def read_chunk(value: Any, where: str, roles: str) -> Chunk:
    role, offset, stored, decoded, digest = _shape.array(value, where, 5)
    require(role in tuple(roles), "header-shape", f"{where}: unknown role {role!r}")
    for number in (offset, stored, decoded):
        _shape.number(number, where)
    require(1 <= decoded <= MAX_CHUNK, "number-limit", f"{where} decodes to {decoded} bytes, not to 1 … {MAX_CHUNK}")
    require(1 <= stored <= decoded + 16, "number-limit",
            f"{where} is stored in {stored} bytes, for {decoded} decoded; the limit is 16 more")
    return Chunk(role, offset, stored, decoded, _shape.digest(digest, where))


# --- 3.2 (7): operations ----------------------------------------------------------------------


def check(tensors: list[Tensor]) -> None:
    for t in tensors:
        require(is_tensor_name(t.name), "name", f"{t.name[:80]!r} is not a tensor name")
    require(ascending([t.name for t in tensors]), "name-order", "the tensors' names are not strictly ascending")
    for t in tensors:
        try:
            _check_sides(t)
            if t.copy is None:
                _check_chunks(t)
        except Refused as error:
            raise Refused(error.rule, f"tensor {t.name!r}: {error.message}") from None
    for name, sides in (("base", [t.base for t in tensors]), ("target", [t.target for t in tensors])):
        total = sum(side.length or 0 for side in sides if side)
        require(total <= MAX_LENGTH, "total",
                f"the tensors of the {name} have {total} bytes in total; the limit is {MAX_LENGTH}")
    named = {t.name: t for t in tensors}
    for t in tensors:
        if t.copy is not None:
            _check_copy(t, named.get(t.copy))


def _check_sides(t: Tensor) -> None:
    for side in (t.base, t.target):
        require(side is None or is_dtype(side.dtype), "name", f"{side and side.dtype!r} is not a dtype")
    _set_lengths(t)
    if t.op not in ("change", "rows", "replace"):
        return
    assert t.base and t.target  # these operations have both sides
    if t.op in ("change", "rows"):
        require(t.base.fingerprint != t.target.fingerprint, "operation",
                f"the operation is {t.op}, but the fingerprints are equal")
    if t.op == "change":
        same = (t.base.dtype, t.base.shape, t.base.length) == (t.target.dtype, t.target.shape, t.target.length)
        require(same, "operation", "the operation is change, but dtype, shape or length differ")
    if t.op == "rows":
        require(_is_rows(t.base, t.target), "operation",
                "the operation is rows, but more than the first dimension differs")
    if t.op == "replace":
        same = (t.base.dtype, t.base.shape, t.base.length) == (t.target.dtype, t.target.shape, t.target.length)
        require(not same and not _is_rows(t.base, t.target), "operation",
                "the operation is replace, but must be change or rows")


def _set_lengths(t: Tensor) -> None:
    sides = [t.base, t.target]
    unknown = any(s and s.dtype not in KNOWN for s in sides)
    require(unknown == (t.lengths is not None), "operation", "`bytes` must be present exactly if a dtype is unknown")
    if t.op == "same" and t.lengths:
        require(t.lengths[0] == t.lengths[1], "operation", f"the operation is same, but `bytes` is {t.lengths}")
    for side, length in zip(sides, t.lengths or (), strict=False):
        if side is None:
            require(length == 0, "operation", "`bytes` is not 0 for a side that does not exist")
        else:
            what = f"`bytes` is {length}, but shape and dtype give {side.length}"
            require(side.length in (None, length), "operation", what)
            side.length = length


def _is_rows(base: Side, target: Side) -> bool:
    alike = base.dtype == target.dtype in KNOWN and len(base.shape) == len(target.shape) >= 1
    return alike and base.shape[1:] == target.shape[1:] and base.shape[0] != target.shape[0]


def parts(t: Tensor) -> dict[str, int]:
    """Role → number of bytes that the chunks of that role cover."""
    base, target = (side.length or 0 if side else 0 for side in (t.base, t.target))
    if t.op == "same":
        return {"d": 0, "b": 0, "t": 0}
    common = min(base, target) if t.op in ("change", "rows") else 0
    return {"d": common, "b": base - common, "t": target - common}


def _check_chunks(t: Tensor) -> None:
    roles = "".join(c.role for c in t.chunks)
    require(roles == "".join(sorted(roles, key="dbt".index)), "chunks", "chunks are not in the order d, b, t")
    sides = {"d": t.base, "b": t.base, "t": t.target}
    for role, length in parts(t).items():
        own = [c for c in t.chunks if c.role == role]
        covered = sum(c.decoded for c in own)
        require(covered == length, "chunks", f"the {role} chunks cover {covered} bytes, not {length}")
        side = sides[role]
        for c in own:
            fits = side is not None and c.decoded % kind(side.dtype).width == 0
            require(fits, "chunks", f"a chunk of {c.decoded} bytes splits an element")


def _check_copy(t: Tensor, original: Tensor | None) -> None:
    what = f"tensor {t.name!r} is a copy of {t.copy!r}"
    require(not t.chunks, "copy", f"{what} and has chunks")
    if original is None:
        raise Refused("copy", f"{what}, which is not in the patch")
    require(original.copy is None, "copy", f"{what}, which is itself a copy")
    for name, mine, its in (("base", t.base, original.base), ("target", t.target, original.target)):
        require(mine is None or mine == its, "copy", f"{what}, but their {name} is not the same")


# --- section 2: fingerprints, roots, identities -----------------------------------------------


def fingerprint_start(dtype: str, shape: Sequence[int]) -> "hashlib._Hash":
    """A SHA-256 object; the caller updates it with the tensor's bytes."""
    return hashlib.sha256(f"vpatch.tensor.1\n{dtype}\n{','.join(map(str, shape))}\n".encode())


def _name(name: str) -> bytes:
    data = name.encode("utf-8")
    return struct.pack("<I", len(data)) + data


def root(fingerprints: list[tuple[str, bytes]]) -> str:
    """The root of names with their fingerprints, in ascending order of name."""
    return hashlib.sha256(b"vpatch.root.1\n" + b"".join(_name(n) + f for n, f in fingerprints)).hexdigest()


def roots(tensors: list[Tensor]) -> tuple[str, str]:
    base, target = ([(t.name, s.fingerprint) for t, s in side if s] for side in (
        [(t, t.base) for t in tensors],
        [(t, t.target) for t in tensors],
    ))
    return root(base), root(target)


def identity(base: str, target: str, tensors: list[Tensor]) -> str:
    text = b"vpatch.identity.1\n" + bytes.fromhex(base) + bytes.fromhex(target)
    for t in tensors:
        if t.op != "same":
            sides = [s.fingerprint if s else bytes(32) for s in (t.base, t.target)]
            text += LETTER[t.op] + _name(t.name) + sides[0] + sides[1]
    return hashlib.sha256(text).hexdigest()
