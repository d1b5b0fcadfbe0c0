"""Section 6: writes the two files of the adapter that a patch holds."""

import hashlib
import struct
from pathlib import Path

from . import adapter
from .container import Patch
from .refused import Refused, require

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def run(patch: str | Path, out: str | Path) -> None:
    """`out`: a folder, which must not exist. Nothing is written before the digest is checked."""
    with Patch(patch) as p:
        files = p.annex.adapter
        if files is None:
            raise Refused("no-adapter", "the patch does not hold the files of an adapter")
        tensors = {t.name: t for t in p.adapter}
        data = struct.pack("<Q", len(files.header.text)) + files.header.text
        data += b"".join(adapter.decode(tensors[name], p.chunk) for name in files.header.tensors)
        right = hashlib.sha256(data).hexdigest() == files.digest
        require(right, "adapter-digest", f"{WEIGHTS} is not the file that the patch lists")
        folder = Path(out)
        require(not folder.exists(), "output", f"{out} already exists")
        folder.mkdir()
        (folder / CONFIG).write_bytes(files.config)
        (folder / WEIGHTS).write_bytes(data)
