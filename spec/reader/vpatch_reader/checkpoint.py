"""A checkpoint on disk: one safetensors file, or the shards of a directory."""

from pathlib import Path
from typing import Self

from . import safetensors
from .annex import INDEX, weight_map
from .refused import require

MAX_INDEX = 128 * 2**20


class Checkpoint:
    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.single = not self.path.is_dir()
        self.index: bytes | None = None
        self.files: dict[str, safetensors.File] = {}  # by name, ascending; "" for a single file
        self.tensors: dict[str, tuple[safetensors.File, safetensors.Info]] = {}
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        if self.single:
            self.files[""] = safetensors.File(self.path)
        elif (self.path / INDEX).exists():
            require((self.path / INDEX).stat().st_size <= MAX_INDEX, "index", "the index is too large")
            self.index = (self.path / INDEX).read_bytes()
            self._open_shards(weight_map(self.index, "index"))
        else:
            path = self.path / "model.safetensors"
            require(path.exists(), "index", f"{self.path} has neither {INDEX} nor model.safetensors")
            self.files[path.name] = safetensors.File(path)
        for file in self.files.values():
            for name, info in file.header.tensors.items():
                require(name not in self.tensors, "index", f"two files have the tensor {name!r}")
                self.tensors[name] = (file, info)

    def _open_shards(self, where_is: dict[str, str]) -> None:
        for name in sorted(set(where_is.values()), key=lambda n: n.encode()):
            require((self.path / name).is_file(), "index", f"the index names {name}, which does not exist")
            self.files[name] = safetensors.File(self.path / name)
            said = {t for t, file in where_is.items() if file == name}
            found = set(self.files[name].header.tensors)
            lacks, more = min(said - found, default=""), min(found - said, default="")
            require(said <= found, "index", f"{name} lacks the tensor {lacks!r}, which the index maps to it")
            require(found <= said, "index", f"{name} has the tensor {more!r}, which the index does not map to it")

    def close(self) -> None:
        for file in self.files.values():
            file.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, name: str, offset: int, length: int) -> bytes:
        file, info = self.tensors[name]
        return file.read(info, offset, length)

    def side_files(self) -> list[Path]:
        """Regular files beside the checkpoint."""
        if self.single:
            return []
        no = (INDEX, "vpatch.json")
        beside = (p for p in self.path.iterdir() if p.is_file() and p.name not in no)
        return sorted(p for p in beside if not p.name.endswith(".safetensors"))
