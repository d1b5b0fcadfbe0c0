"""Section 6: the annex: headers, the index and side files, so that whole files can be restored."""

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import strict_json
from .adapter import AdapterTensor
from .names import ascending, is_file_name
from .refused import require
from .safetensors import Header
from .tensors import Side, Tensor

INDEX = "model.safetensors.index.json"
_shape = strict_json.Shape("annex-shape")


@dataclass
class LayoutFile:
    name: str  # "" for a checkpoint that is a single file
    header: Header


@dataclass
class Layout:
    files: list[LayoutFile]
    index: bytes | None

    @property
    def single(self) -> bool:
        return [f.name for f in self.files] == [""]


@dataclass
class SideFile:
    name: str
    base: bytes | None
    target: bytes | None


@dataclass
class AdapterFiles:
    config: bytes  # adapter_config.json
    header: Header  # of adapter_model.safetensors
    digest: str  # of that whole file


class Annex:
    def __init__(self, data: bytes, tensors: Sequence[Tensor], adapter: Sequence[AdapterTensor] = ()) -> None:
        require(len(data) >= 4, "annex-shape", "the annex ends before its manifest")
        (length,) = struct.unpack_from("<I", data)
        require(4 + length <= len(data), "annex-shape", f"a manifest of {length} bytes, but {len(data) - 4} remain")
        manifest = strict_json.parse_canonical(data[4 : 4 + length], "annex-json")
        _shape.members(manifest, "the manifest", ["base", "blobs", "side", "target"], ["adapter"] if adapter else [])
        self._blobs = _read_blobs(manifest["blobs"], data[4 + length :])
        self._used: set[int] = set()
        self.base = self._layout(manifest["base"], "base")
        self.target = self._layout(manifest["target"], "target")
        self.side = self._side(manifest["side"])
        self.adapter = self._adapter(manifest["adapter"], adapter) if "adapter" in manifest else None
        alone = self.base.single or self.target.single
        require(not (alone and self.side), "annex-side", "side files of a checkpoint that is a single file")
        unused = set(range(len(self._blobs))) - self._used
        require(not unused, "annex-blobs", f"nothing refers to blob {min(unused, default=0)}")
        _check_headers(self.base, {t.name: t.base for t in tensors if t.base}, "base")
        _check_headers(self.target, {t.name: t.target for t in tensors if t.target}, "target")

    def _blob(self, value: Any, where: str) -> bytes:
        number = _shape.number(value, where)
        require(number < len(self._blobs), "annex-blobs", f"{where} is blob {number} of {len(self._blobs)}")
        self._used.add(number)
        return self._blobs[number]

    def _layout(self, value: Any, where: str) -> Layout:
        _shape.members(value, where, ["files"], ["index"])
        files = []
        for entry in _shape.array(value["files"], f"{where}.files"):
            _shape.members(entry, f"{where}.files", ["header", "name"])
            name = _shape.text(entry["name"], f"{where}.files.name")
            text = self._blob(entry["header"], f"{where}.files.header")
            files.append(LayoutFile(name, Header(text, "annex-headers")))
        index = self._blob(value["index"], f"{where}.index") if "index" in value else None
        layout = Layout(files, index)
        if layout.single:
            require(index is None, "annex-files", f"{where}: a single file has no index")
            return layout
        names = [f.name for f in files]
        require(names, "annex-files", f"{where} has no file")
        for name in names:
            good = is_file_name(name) and name.endswith(".safetensors")
            require(good, "annex-files", f"{where}: {name[:80]!r} is not the name of a safetensors file")
        require(ascending(names), "annex-files", f"{where}: the files are not in strictly ascending order of name")
        if index is None:
            alone = names == ["model.safetensors"]
            require(alone, "annex-files", f"{where}: without an index, the only file must be model.safetensors")
        else:
            where_is = weight_map(index, "annex-index")
            right = where_is == {t: f.name for f in files for t in f.header.tensors}
            require(right, "annex-index", f"{where}: the index and the headers disagree")
        return layout

    def _adapter(self, value: Any, tensors: Sequence[AdapterTensor]) -> AdapterFiles:
        _shape.members(value, "adapter", ["config", "header", "sha256"])
        config, text = (self._blob(value[key], f"adapter.{key}") for key in ("config", "header"))
        header = Header(text, "annex-adapter")
        said = {name: (i.dtype, i.shape) for name, i in header.tensors.items()}
        held = {t.name: (t.side.dtype, t.side.shape) for t in tensors}
        require(said == held, "annex-adapter", "the adapter's header does not have exactly the adapter's tensors")
        return AdapterFiles(config, header, _shape.digest(value["sha256"], "adapter.sha256"))

    def _side(self, value: Any) -> list[SideFile]:
        side = []
        for entry in _shape.array(value, "side"):
            _shape.members(entry, "side", ["name"], ["base", "target"])
            name = _shape.text(entry["name"], "side.name")
            good = is_file_name(name) and not name.endswith(".safetensors") and name not in ("vpatch.json", INDEX)
            require(good, "annex-side", f"{name[:80]!r} is not the name of a side file")
            base, target = (self._blob(entry[k], f"side.{k}") if k in entry else None for k in ("base", "target"))
            require(base != target, "annex-side", f"side file {name!r} is the same on both sides")
            side.append(SideFile(name, base, target))
        require(ascending([s.name for s in side]), "annex-side",
                "side files are not in strictly ascending order of name")
        return side


def _read_blobs(value: Any, data: bytes) -> list[bytes]:
    blobs: list[bytes] = []
    digests: set[str] = set()
    at = 0
    for entry in _shape.array(value, "blobs"):
        _shape.members(entry, "blobs", ["length", "sha256"])
        length, digest = _shape.number(entry["length"], "blobs.length"), _shape.digest(entry["sha256"], "blobs.sha256")
        require(at + length <= len(data), "annex-blobs", f"a blob of {length} bytes, but {len(data) - at} remain")
        blob = data[at : at + length]
        require(hashlib.sha256(blob).hexdigest() == digest, "annex-blobs", f"the digest of blob {len(blobs)} is wrong")
        require(digest not in digests, "annex-blobs", f"blob {len(blobs)} is a duplicate")
        digests.add(digest)
        blobs.append(blob)
        at += length
    require(at == len(data), "annex-blobs", f"{len(data) - at} bytes after the last blob")
    return blobs


def _check_headers(layout: Layout, expected: dict[str, Side], where: str) -> None:
    found: dict[str, tuple[str, tuple[int, ...], int]] = {}
    for file in layout.files:
        for name, info in file.header.tensors.items():
            require(name not in found, "annex-headers", f"{where}: two files have the tensor {name!r}")
            found[name] = (info.dtype, info.shape, info.length)
    wanted = {name: (s.dtype, s.shape, s.length) for name, s in expected.items()}
    for name in sorted(found.keys() | wanted.keys()):
        what = f"{where}: tensor {name!r} is {found.get(name)} in the headers and {wanted.get(name)} in the patch"
        require(found.get(name) == wanted.get(name), "annex-headers", what)


def weight_map(index: bytes, rule: str) -> dict[str, str]:
    """Tensor → file, from a model.safetensors.index.json."""
    value = strict_json.parse(index, rule)
    require(isinstance(value, dict), rule, "the index is not an object")
    found = value.get("weight_map")
    require(isinstance(found, dict), rule, "the index has no weight_map")
    for tensor, file in found.items():
        good = isinstance(file, str) and is_file_name(file) and file.endswith(".safetensors")
        require(good, rule, f"the index maps {tensor!r} to {file!r}, which is not a safetensors file name")
    where: dict[str, str] = found
    return where
