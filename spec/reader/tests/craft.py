"""A small writer of .vpatch files for tests, written from the spec alone. It shares no code with the reader.

`Draft` keeps all parts separate, so that a test can spoil one and still get all digests right.
It is simple and slow: ulp chunks are coded one Python integer at a time.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import craft_ulp
import numpy as np
import zstandard

MAGIC = b"\x89VPT\r\n\x1a\n"
BITS = {"F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E5M2": 8, "F8_E4M3": 8, "BOOL": 8}
BITS |= {f"{sign}{n}": n for sign in "IU" for n in (8, 16, 32, 64)}
INDEX = "model.safetensors.index.json"
Entry = dict[str, Any]  # an object of the header or the manifest
Frame = Callable[[bytes], bytes]
Spoil = Callable[[bytes], bytes]


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    """json.dumps sorts by code point, which is the order of UTF-8 bytes, and does not escape U+007F."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


# --- zstd frames ------------------------------------------------------------------------------


def raw_frame(data: bytes, *, size: int | None = -1, window: int | None = None, flags: int = 0) -> bytes:
    """A frame of raw blocks, which has the same bytes with every version of zstd.

    `size` None leaves the content size out. `window` is a Window_Descriptor byte; without it the
    frame is a single segment.
    """
    size = len(data) if size == -1 else size
    head = flags | (0x20 if window is None else 0) | (0xC0 if size is not None else 0)
    out = b"\x28\xb5\x2f\xfd" + bytes([head]) + (b"" if window is None else bytes([window]))
    out += b"" if size is None else struct.pack("<Q", size)
    blocks = [data[i : i + 2**17] for i in range(0, len(data), 2**17)] or [b""]
    for i, block in enumerate(blocks):
        out += (len(block) << 3 | (i == len(blocks) - 1)).to_bytes(3, "little") + block
    return out


def packed_frame(data: bytes, level: int = 3, checksum: bool = False) -> bytes:
    packer = zstandard.ZstdCompressor(level=level, write_content_size=True, write_checksum=checksum)
    return bytes(packer.compress(data))


# --- elements ---------------------------------------------------------------------------------


@dataclass
class Tensor:
    dtype: str
    shape: tuple[int, ...]
    data: bytes

    @property
    def width(self) -> int:
        return BITS.get(self.dtype, 8) // 8

    @property
    def is_float(self) -> bool:
        return self.dtype[0] in "FB" and self.dtype in BITS and self.dtype != "BOOL"

    @property
    def fingerprint(self) -> str:
        return sha(f"vpatch.tensor.1\n{self.dtype}\n{','.join(str(n) for n in self.shape)}\n".encode() + self.data)

    def side(self) -> Entry:
        return {"dtype": self.dtype, "fingerprint": self.fingerprint, "shape": list(self.shape)}


def orders(data: bytes, t: Tensor) -> list[int]:
    """The orders of the elements (section 4), as signed Python integers."""
    n = 8 * t.width
    out = []
    for i in range(0, len(data), t.width):
        u = int.from_bytes(data[i : i + t.width], "little")
        if t.is_float and u >> (n - 1):
            u ^= (1 << (n - 1)) - 1
        out.append(u - (1 << n) if u >> (n - 1) else u)
    return out


def differences(base: bytes, target: bytes, t: Tensor) -> list[int]:
    n = 8 * t.width
    half = 1 << (n - 1)
    pairs = zip(orders(base, t), orders(target, t), strict=True)
    return [(b - a + half) % (2 * half) - half for a, b in pairs]


def planes(values: list[int], width: int) -> bytes:
    return b"".join(bytes(v >> (8 * i) & 255 for v in values) for i in range(width))


def zigzag(values: list[int]) -> list[int]:
    return [2 * d if d >= 0 else -2 * d - 1 for d in values]


def leb128(v: int) -> bytes:
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


# --- coders -----------------------------------------------------------------------------------


def plain_chunk(coder: str, data: bytes, t: Tensor, frame: Frame) -> bytes:
    if coder == "raw":
        return b"\x01" + data
    values = [int.from_bytes(data[i : i + t.width], "little") for i in range(0, len(data), t.width)]
    return b"\x02" + frame(planes(values, t.width))


def difference_chunk(coder: str, base: bytes, target: bytes, t: Tensor, frame: Frame, **ulp: Any) -> bytes:
    ds = differences(base, target, t)
    if coder == "zero" or coder == "sparse" and not any(ds):
        return b"\x00"
    if coder == "raw":
        return b"\x01" + b"".join((d % 2 ** (8 * t.width)).to_bytes(t.width, "little") for d in ds)
    if coder == "planes":
        return b"\x02" + frame(planes(zigzag(ds), t.width))
    if coder == "ulp":
        return b"\x03" + craft_ulp.encode(base, orders(target, t), ds, t.dtype, **ulp)
    where = [i for i, d in enumerate(ds) if d]
    gaps = [b - a - 1 for a, b in pairwise([-1, *where])]
    values = planes(zigzag([ds[i] for i in where]), t.width)
    return b"\x04" + frame(struct.pack("<I", len(where)) + b"".join(map(leb128, gaps)) + values)


# --- files ------------------------------------------------------------------------------------


def header_text(tensors: dict[str, Tensor], order: Sequence[str] | None = None, metadata: dict[str, str] | None = None,
                pad: int = 8) -> bytes:
    at = 0
    members: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    for name in order or tensors:
        t = tensors[name]
        members[name] = {"dtype": t.dtype, "shape": list(t.shape), "data_offsets": [at, at + len(t.data)]}
        at += len(t.data)
    text = json.dumps(members, ensure_ascii=False).encode()
    return text + b" " * (-len(text) % pad)


def file_bytes(header: bytes, tensors: dict[str, Tensor]) -> bytes:
    members = {k: v for k, v in json.loads(header).items() if k != "__metadata__"}
    names = sorted(members, key=lambda n: members[n]["data_offsets"])
    return struct.pack("<Q", len(header)) + header + b"".join(tensors[n].data for n in names)


@dataclass
class Checkpoint:
    """`files`: name → header; by default one file named ""."""

    tensors: dict[str, Tensor]
    files: dict[str, bytes] = field(default_factory=dict)
    index: bytes | None = None
    side: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = self.files or {"": header_text(self.tensors)}

    def write(self, path: Path) -> None:
        if list(self.files) == [""]:
            path.write_bytes(file_bytes(self.files[""], self.tensors))
            return
        path.mkdir()
        for name, header in self.files.items():
            (path / name).write_bytes(file_bytes(header, self.tensors))
        if self.index is not None:
            (path / INDEX).write_bytes(self.index)
        for name, data in self.side.items():
            (path / name).write_bytes(data)


def sharded(tensors: dict[str, Tensor], shards: dict[str, list[str]], **more: dict[str, bytes]) -> Checkpoint:
    files = {n: header_text({t: tensors[t] for t in names}, metadata={"format": "pt"}) for n, names in shards.items()}
    where = {t: n for n, names in shards.items() for t in names}
    index = json.dumps({"metadata": {"total_size": sum(len(t.data) for t in tensors.values())}, "weight_map": where},
                       indent=2)
    return Checkpoint(tensors, files, index.encode(), **more)


# --- the patch --------------------------------------------------------------------------------

LETTER = {"change": b"c", "rows": b"r", "add": b"a", "remove": b"d", "replace": b"x"}


def operation(base: Tensor | None, target: Tensor | None) -> str:
    if base is None or target is None:
        return "add" if base is None else "remove"
    if (base.dtype, base.shape) == (target.dtype, target.shape) and len(base.data) == len(target.data):
        return "same" if base.data == target.data else "change"
    alike = base.dtype == target.dtype in BITS and len(base.shape) == len(target.shape) > 0
    return "rows" if alike and base.shape[1:] == target.shape[1:] else "replace"


class Draft:
    """All parts of a patch; `seal` assembles them with the right digests."""

    def __init__(self, base: Checkpoint, target: Checkpoint, coder: str = "raw", plain: str = "raw",
                 chunk: int = 4 * 2**20, frame: Frame = raw_frame, **ulp: Any) -> None:
        self.frame, self.payload = frame, b""
        self.tensors: list[Entry] = []
        self.adapter: list[Entry] = []  # craft_features.py
        for name in sorted({*base.tensors, *target.tensors}, key=str.encode):
            self._add(name, base.tensors.get(name), target.tensors.get(name), coder, plain, chunk, ulp)
        self.blobs: list[bytes] = []
        self.manifest: Entry = {"base": self._layout(base), "target": self._layout(target), "side": []}
        for name in sorted({*base.side, *target.side}, key=str.encode):
            if base.side.get(name) != target.side.get(name):
                sides = [(key, c) for key, c in (("base", base), ("target", target)) if name in c.side]
                self.manifest["side"].append({"name": name} | {key: self.blob(c.side[name]) for key, c in sides})
        self.annotations = b"{}"

    def _add(self, name: str, base: Tensor | None, target: Tensor | None, coder: str, plain: str, chunk: int,
             ulp: dict[str, Any]) -> None:
        op = operation(base, target)
        entry: Entry = {"name": name, "op": op}
        if base:
            entry["base"] = base.side()
        if target and op != "same":
            entry["target"] = target.side()
        if any(t and t.dtype not in BITS for t in (base, target)):
            entry["bytes"] = [len(t.data) if t else 0 for t in (base, target)]
        if op != "same":
            entry["chunks"] = []
            b, t = base.data if base else b"", target.data if target else b""
            common = min(len(b), len(t)) if op in ("change", "rows") else 0
            for i in range(0, common, chunk):
                assert base
                end = min(i + chunk, common)
                stored = difference_chunk(coder, b[i:end], t[i:end], base, self.frame, **ulp)
                if len(stored) > end - i + 16:
                    stored = difference_chunk("raw", b[i:end], t[i:end], base, self.frame)
                self.append(entry, "d", stored, end - i)
            for role, data, of in (("b", b, base), ("t", t, target)):
                for i in range(common, len(data), chunk):
                    assert of
                    piece = data[i : i + chunk]
                    stored = plain_chunk(plain, piece, of, self.frame)
                    if len(stored) > len(piece) + 16:
                        stored = plain_chunk("raw", piece, of, self.frame)
                    self.append(entry, role, stored, len(piece))
        self.tensors.append(entry)

    def append(self, entry: Entry, role: str, stored: bytes, decoded: int) -> None:
        entry["chunks"].append([role, len(self.payload), len(stored), decoded, sha(stored)])
        self.payload += stored

    def blob(self, data: bytes) -> int:
        if data not in self.blobs:
            self.blobs.append(data)
        return self.blobs.index(data)

    def _layout(self, c: Checkpoint) -> Entry:
        files = [{"header": self.blob(c.files[n]), "name": n} for n in sorted(c.files, key=str.encode)]
        return {"files": files} | ({"index": self.blob(c.index)} if c.index is not None else {})

    def roots(self) -> tuple[bytes, bytes]:
        out = []
        for key in ("base", "target"):
            text = b"vpatch.root.1\n"
            for e in self.tensors:
                side = e["base"] if e["op"] == "same" else e.get(key)
                if side:
                    text += struct.pack("<I", len(e["name"].encode())) + e["name"].encode()
                    text += bytes.fromhex(side["fingerprint"])
            out.append(hashlib.sha256(text).digest())
        return out[0], out[1]

    def identity(self) -> str:
        text = b"vpatch.identity.1\n" + b"".join(self.roots())
        for e in self.tensors:
            if e["op"] != "same":
                text += LETTER.get(e["op"], b"?") + struct.pack("<I", len(e["name"].encode())) + e["name"].encode()
                text += b"".join(bytes.fromhex(e[k]["fingerprint"]) if k in e else bytes(32)
                                 for k in ("base", "target"))
        return sha(text)

    def annex_plain(self) -> bytes:
        blobs = [{"length": len(b), "sha256": sha(b)} for b in self.blobs]
        manifest = canonical({"blobs": blobs} | self.manifest)
        return struct.pack("<I", len(manifest)) + manifest + b"".join(self.blobs)

    def seal(self, header: Callable[[dict[str, Any]], object] | None = None, text: Spoil | None = None,
             preamble: Spoil | None = None, header_frame: Frame | None = None, annex: Spoil | None = None,
             annex_frame: Frame | None = None, tail: Spoil | None = None) -> bytes:
        """Each argument is a function that spoils one part (header: dict in place; others: bytes → bytes)."""
        plain = self.annex_plain()
        plain = annex(plain) if annex else plain
        stored_annex = (annex_frame or self.frame)(plain)
        roots = self.roots()
        fields = {
            "annex": {"decoded": len(plain), "sha256": sha(stored_annex), "stored": len(stored_annex)},
            "base": roots[0].hex(),
            "format": "vpatch",
            "identity": self.identity(),
            "payload": len(self.payload),
            "target": roots[1].hex(),
            "tensors": self.tensors,
        }
        if self.adapter:
            fields["adapter"] = self.adapter
        edited = json.loads(json.dumps(fields))
        if header:
            header(edited)
        json_text = canonical(edited)
        json_text = text(json_text) if text else json_text
        stored = (header_frame or self.frame)(json_text)
        must = int("adapter" in edited) | 2 * any("copy" in e for e in edited["tensors"])
        numbers = struct.pack("<H6xQQQQQ8x", 1, must, 0, 0, len(stored), len(json_text))
        head = MAGIC + numbers + hashlib.sha256(stored).digest()
        head = preamble(head) if preamble else head
        notes = self.annotations
        end = struct.pack("<QQ", len(notes), 0) + hashlib.sha256(notes).digest() + notes
        end = tail(end) if tail else end
        return head + hashlib.sha256(head).digest() + stored + self.payload + stored_annex + end


def make(base: Checkpoint, target: Checkpoint, **options: Any) -> bytes:
    return Draft(base, target, **options).seal()


def array(dtype: str, values: np.ndarray, shape: Sequence[int] | None = None) -> Tensor:
    return Tensor(dtype, tuple(values.shape) if shape is None else tuple(shape), values.tobytes())
