"""Section 3: the layout of the file, and 3.2: whether the patch is valid, checked in that order."""

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Self

from . import adapter, factors, frame, strict_json, tensors
from .annex import Annex
from .refused import Refused, require

MAGIC = b"\x89VPT\r\n\x1a\n"
PREAMBLE = struct.Struct("<8sH6sQQQQQ8s32s32s")
MAX_HEADER = 64 * 2**20
MAX_ANNEX = 128 * 2**20
MAX_ANNOTATIONS = 16 * 2**20
HEADER_WINDOW, ANNEX_WINDOW = 2**26, 2**27
LOW_RANK, COPIES = 1, 2  # 3.3: flags that must be understood

Owner = tensors.Tensor | adapter.AdapterTensor  # of chunks


class Patch:
    """A patch that has passed all checks that do not need its chunks decoded."""

    def __init__(self, path: str | Path) -> None:
        self.file: BinaryIO = open(path, "rb")  # noqa: SIM115 (it stays open)
        try:
            self.size = os.fstat(self.file.fileno()).st_size
            head = self._preamble()
            self._header(*head)
            self._check_entries()
            self._layout()
            self._roots()
            self._digests()
            annex = frame.decode(self._annex, ANNEX_WINDOW, "annex-frame", exactly=self.annex_decoded)
            self.annex = Annex(annex, self.tensors, self.adapter)
            self.annotations = strict_json.parse(self._annotations, "annotations-json")  # (12)
            require(isinstance(self.annotations, dict), "annotations-json", "the annotations are not an object")
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def _read(self, offset: int, length: int) -> bytes:
        """Callers check the bounds first; a file that shrinks meanwhile is refused too."""
        self.file.seek(offset)
        data = self.file.read(length)
        require(len(data) == length, "layout", "the file ended while it was read")
        return data

    def _preamble(self) -> tuple[int, int, bytes]:  # (1) … (4)
        require(self.size >= PREAMBLE.size, "too-short", f"{self.size} bytes: too short for a patch")
        data = self._read(0, PREAMBLE.size)
        (magic, major, zero6, must, no_rewrite, _, stored, decoded, zero8, digest, own) = PREAMBLE.unpack(data)
        require(magic == MAGIC, "magic", "not a .vpatch file, or damaged by a transfer in text mode")
        require(hashlib.sha256(data[:96]).digest() == own, "preamble-digest", "the digest of the preamble is wrong")
        require(major == 1, "major-version", f"major version {major}; this reader supports only 1")
        unknown = must & ~(LOW_RANK | COPIES)
        require(unknown == 0, "must-understand", f"unknown flags that must be understood: {unknown:#x}")
        self.flags = must
        require(not any(zero6 + zero8), "reserved", "reserved bytes are not zero")
        self.rewritable = no_rewrite == 0
        return stored, decoded, digest

    def _header(self, stored: int, decoded: int, digest: bytes) -> None:  # (5), (6)
        require(decoded <= MAX_HEADER, "header-length", f"a header of {decoded} bytes; the limit is {MAX_HEADER}")
        room = self.size - PREAMBLE.size
        require(stored <= room, "header-length", f"a stored header of {stored} bytes, but {room} remain")
        data = self._read(PREAMBLE.size, stored)
        require(hashlib.sha256(data).digest() == digest, "header-digest", "the digest of the header is wrong")
        text = frame.decode(data, HEADER_WINDOW, "header-frame", exactly=decoded)
        header = strict_json.parse_canonical(text, "header-json")
        shape = strict_json.Shape("header-shape")
        self._check_flags(header)
        shape.members(header, "the header", ["annex", "base", "format", "identity", "payload", "target", "tensors"],
                      ["adapter"])
        require(header["format"] == "vpatch", "header-shape", "format is not \"vpatch\"")
        self.base, self.target, self.identity = (shape.digest(header[k], k) for k in ("base", "target", "identity"))
        annex = shape.members(header["annex"], "annex", ["decoded", "sha256", "stored"])
        self.annex_stored = shape.number(annex["stored"], "annex.stored")
        self.annex_decoded = shape.number(annex["decoded"], "annex.decoded")
        what = f"an annex of {self.annex_decoded} bytes; the limit is {MAX_ANNEX}"
        require(self.annex_decoded <= MAX_ANNEX, "number-limit", what)
        self.annex_digest = shape.digest(annex["sha256"], "annex.sha256")
        self.payload_stored = shape.number(header["payload"], "payload")
        self.payload_at = PREAMBLE.size + stored
        self.annex_at = self.payload_at + self.payload_stored
        entries = shape.array(header["tensors"], "tensors")
        self.tensors = [tensors.parse(entry, f"tensors[{i}]") for i, entry in enumerate(entries)]
        self.adapter = adapter.parse(header["adapter"], "adapter") if "adapter" in header else []

    def _check_flags(self, header: Any) -> None:  # (4), the known ones; they stand for members of the header
        found = header if isinstance(header, dict) else {}
        entries = found.get("tensors")
        members = {key for e in entries if isinstance(e, dict) for key in e} if isinstance(entries, list) else set()
        for flag, name, there in ((LOW_RANK, "low-rank", "adapter" in found), (COPIES, "copies", "copy" in members)):
            said = self.flags & flag != 0
            require(said == there, "flags", f"the flag {name} is {int(said)}, but the header says otherwise")
        right = "low_rank" not in members or self.flags & LOW_RANK
        require(right, "flags", "an entry has `low_rank`, but the flag low-rank is not set")

    def _check_entries(self) -> None:  # (7)
        tensors.check(self.tensors)
        if self.flags & LOW_RANK:
            adapter.check(self.adapter)
        sizes = [(a.side.dtype, a.elements) for a in self.adapter]
        for t in self.tensors:
            if t.low_rank:
                assert t.base  # it is a change
                factors.check(t.low_rank, t.base.dtype, t.base.shape, sizes)

    def _stored(self) -> Iterator[tuple[Owner, tensors.Chunk]]:
        """All chunks, in the order of the payload."""
        owners: Iterable[Owner] = chain(self.tensors, self.adapter)
        return ((t, c) for t in owners for c in t.chunks)

    def _layout(self) -> None:  # (7), the offsets of chunks; (8)
        end = 0
        for t, c in self._stored():
            what = f"tensor {t.name!r}: a chunk at {c.offset}, the one before ends at {end}"
            require(c.offset == end, "chunks", what)
            end += c.stored
        require(end == self.payload_stored, "chunks", f"the chunks end at {end}, the payload at {self.payload_stored}")
        end = self.annex_at + self.annex_stored
        require(end + 48 <= self.size, "layout", f"the file ends at {self.size}, before its annotations")
        length, zero, digest = struct.unpack("<QQ32s", self._read(end, 48))
        require(length <= MAX_ANNOTATIONS, "layout", f"annotations of {length} bytes; the limit is {MAX_ANNOTATIONS}")
        require(zero == 0, "layout", "reserved bytes of the annotations are not zero")
        what = f"the annotations end at {end + 48 + length}, the file at {self.size}"
        require(end + 48 + length == self.size, "layout", what)
        self._annotations, self._annotations_digest = self._read(end + 48, length), digest

    def _roots(self) -> None:  # (9)
        base, target = tensors.roots(self.tensors)
        require(base == self.base, "base-root", f"base root {self.base}, but the tensors give {base}")
        require(target == self.target, "target-root", f"target root {self.target}, but the tensors give {target}")
        identity = tensors.identity(base, target, self.tensors)
        require(identity == self.identity, "identity", f"identity {self.identity}, but the tensors give {identity}")

    def _digests(self) -> None:  # (10)
        for t, c in self._stored():
            self.chunk(t, c)
        self._annex = self._read(self.annex_at, self.annex_stored)
        right = hashlib.sha256(self._annex).hexdigest() == self.annex_digest
        require(right, "annex-digest", "the digest of the annex is wrong")
        right = hashlib.sha256(self._annotations).digest() == self._annotations_digest
        require(right, "annotations-digest", "the digest of the annotations is wrong")

    def chunk(self, t: Owner, c: tensors.Chunk) -> bytes:
        """Reads a stored chunk and checks its digest."""
        data = self._read(self.payload_at + c.offset, c.stored)
        if hashlib.sha256(data).hexdigest() != c.digest:
            raise Refused("chunk-digest", f"tensor {t.name!r}: the digest of the chunk at {c.offset} is wrong")
        return data

    def summary(self) -> dict[str, Any]:
        operations: dict[str, int] = {}
        for t in self.tensors:
            operations[t.op] = operations.get(t.op, 0) + 1
        return {
            "file": Path(self.file.name).name,
            "bytes": self.size,
            "identity": self.identity,
            "base": self.base,
            "target": self.target,
            "operations": operations,
            "copies": sum(t.copy is not None for t in self.tensors),
            "low_rank": sum(t.low_rank is not None for t in self.tensors),
            "adapter": {"tensors": len(self.adapter), "files": self.annex.adapter is not None},
            "payload": {"stored": self.payload_stored,
                        "decoded": sum(c.decoded for _, c in self._stored())},
            "files": {side: [f.name for f in getattr(self.annex, side).files] for side in ("base", "target")},
            "side": [s.name for s in self.annex.side],
            "annotations": self.annotations,
            "rewritable": self.rewritable,
        }
