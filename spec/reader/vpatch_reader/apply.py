"""Apply (base → target) and revert (target → base)."""

import os
import shutil
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from . import adapter
from .annex import INDEX
from .checkpoint import Checkpoint
from .chunks import decode_bytes, decode_difference
from .container import Patch
from .elements import kind, read
from .floats import widen
from .lowrank import Product
from .refused import Refused, require
from .safetensors import Header
from .tensors import Tensor, fingerprint_start

BLOCK = 4 * 1024 * 1024


class Run:
    """One patch in one direction on one checkpoint. `source` and `result` are "base" and "target", or the reverse."""

    def __init__(self, patch: Patch, model: Checkpoint, backward: bool) -> None:
        self.patch, self.model, self.backward = patch, model, backward
        self.source, self.result = ("target", "base") if backward else ("base", "target")
        self.tensors = {t.name: t for t in patch.tensors}
        self.originals = {t.copy for t in patch.tensors if t.copy is not None}
        self.decoded: dict[int, np.ndarray] = {}  # tensors of the adapter
        self.check_input()
        self.exact = self.has_layout_of_source()
        self.notes = [] if self.exact else ["kept the input's own layout; the patch was made from another"]
        if not self.exact:
            odd = next((t for t in patch.tensors if t.op not in ("same", "change")), None)
            if odd:
                raise Refused("other-layout", f"the input's files do not have the layout of the patch's "
                              f"{self.source}, and {odd.op} of {odd.name!r} needs that")

    def check_input(self) -> None:
        """Checks names, dtypes and shapes of all tensors, and fingerprints of those that the patch touches."""
        expected = {t.name: getattr(t, self.source) for t in self.patch.tensors if getattr(t, self.source)}
        for name in sorted(expected.keys() | self.model.tensors.keys()):
            require(name in self.model.tensors, "wrong-base", f"the input lacks the tensor {name!r}")
            require(name in expected, "wrong-base", f"the input has the tensor {name!r}, which is not in the patch")
            info, side = self.model.tensors[name][1], expected[name]
            alike = (info.dtype, info.shape, info.length) == (side.dtype, side.shape, side.length)
            require(alike, "wrong-base", f"the input's tensor {name!r} is {info.dtype} {list(info.shape)}")
            if self.tensors[name].op != "same" or name in self.originals:
                digest = fingerprint_start(side.dtype, side.shape)
                for piece in self.copy(name, side.length):
                    digest.update(piece)
                what = f"the input's tensor {name!r} has other bytes than the patch's {self.source}"
                require(digest.digest() == side.fingerprint, "wrong-base", what)

    def has_layout_of_source(self) -> bool:
        layout = getattr(self.patch.annex, self.source)
        mine = [(name, file.header.text) for name, file in self.model.files.items()]
        return mine == [(f.name, f.header.text) for f in layout.files]

    def copy(self, name: str, length: int) -> Iterator[bytes]:
        for offset in range(0, length, BLOCK):
            yield self.model.read(name, offset, min(BLOCK, length - offset))

    def pieces(self, t: Tensor) -> Iterator[bytes]:
        """The bytes of the resulting tensor, in order. Those of a copy are those of its original."""
        t = t if t.copy is None else self.tensors[t.copy]
        side = getattr(t, self.result)
        if t.op == "same":
            yield from self.copy(t.name, side.length)
            return
        product, width = self.product(t), kind(side.dtype).width
        offset = 0
        for c in t.chunks:
            if c.role == "d":
                known = self.model.read(t.name, offset, c.decoded)
                predict = partial(product.prediction, offset // width, c.decoded // width) if product else None
                yield decode_difference(self.patch.chunk(t, c), kind(side.dtype), known, self.backward, predict)
                offset += c.decoded
            elif c.role == self.result[0]:  # "b" if the result is the base, "t" if it is the target
                yield decode_bytes(self.patch.chunk(t, c), kind(side.dtype), c.decoded)

    def product(self, t: Tensor) -> Product | None:
        if t.low_rank is None:
            return None
        assert t.base  # it is a change
        u, v = (self.factor(view.tensor) for view in (t.low_rank.u, t.low_rank.v))
        return Product(t.low_rank, t.base.dtype, t.base.shape, u, v)

    def factor(self, index: int) -> np.ndarray:
        """A tensor of the adapter in float64."""
        if index not in self.decoded:
            t = self.patch.adapter[index]
            elements = read(adapter.decode(t, self.patch.chunk), kind(t.side.dtype))
            self.decoded[index] = widen(elements, t.side.dtype)
        return self.decoded[index]

    def write_file(self, path: Path, header: Header) -> None:
        with open(path, "wb") as out:
            out.write(struct.pack("<Q", len(header.text)) + header.text)
            for name in header.tensors:
                t = self.tensors[name]
                side = getattr(t, self.result)
                digest = fingerprint_start(side.dtype, side.shape)
                for piece in self.pieces(t):
                    digest.update(piece)
                    out.write(piece)
                right = t.op == "same" or digest.digest() == side.fingerprint
                require(right, "result", f"tensor {name!r} did not become what the patch lists")
            out.flush()
            os.fsync(out.fileno())

    def write(self, out: Path) -> None:
        """When this returns, `out` is complete; when it raises, nothing was written."""
        require(not out.exists(), "output", f"{out} already exists")
        layout = getattr(self.patch.annex, self.result)
        single = layout.single if self.exact else self.model.single
        laid_out = [(f.name, f.header) for f in layout.files]
        files = laid_out if self.exact else [(n, f.header) for n, f in self.model.files.items()]
        index = layout.index if self.exact else self.model.index
        temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
        try:
            if single:
                self.write_file(temporary, files[0][1])
            else:
                temporary.mkdir()
                for name, header in files:
                    self.write_file(temporary / name, header)
                if index is not None:
                    _write_bytes(temporary / INDEX, index)
                self.write_side_files(temporary)
            os.rename(temporary, out)
        except BaseException:
            shutil.rmtree(temporary) if temporary.is_dir() else temporary.unlink(missing_ok=True)
            raise

    def write_side_files(self, folder: Path) -> None:
        """Writes the input's side files; one that is the source's is replaced by the result's."""
        beside = {path.name: path for path in self.model.side_files()}
        for s in self.patch.annex.side:
            source, result = getattr(s, self.source), getattr(s, self.result)
            mine = beside[s.name].read_bytes() if s.name in beside else None
            if mine == source:
                beside.pop(s.name, None)
                if result is not None:
                    _write_bytes(folder / s.name, result)
            elif mine != result:
                what = "is missing and was not added" if mine is None else "was changed and is kept as it is"
                self.notes.append(f"{s.name} {what}: the patch was made from a different one")
        for name, path in beside.items():
            shutil.copyfile(path, folder / name)


def _write_bytes(path: Path, data: bytes) -> None:
    with open(path, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def run(model: str | Path, patch: str | Path, out: str | Path, backward: bool) -> list[str]:
    """Returns notes for the user; none if the files are byte for byte those of the patch's other side."""
    with Patch(patch) as p, Checkpoint(model) as m:
        it = Run(p, m, backward)
        it.write(Path(out))
        return it.notes
