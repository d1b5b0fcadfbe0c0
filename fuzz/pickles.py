"""Writes seeds of the target `pickle`: objects over the two storages of 64 floats that the target puts behind them, and
the pickles in the fixtures' files of torch.save."""

import pathlib
import struct
import sys
import zipfile


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(b"K" + bytes([value]) for value in values) + b"t"


def tensor(key: str, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + b"K\x40tQ"
    hooks = b"ccollections\nOrderedDict\n)R"
    return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K" + bytes([offset]) + numbers(shape)
            + numbers(strides) + b"\x89" + hooks + b"tR")


def parameter(inner: bytes) -> bytes:
    return b"ctorch._utils\n_rebuild_parameter\n(" + inner + b"\x88ccollections\nOrderedDict\n)RtR"


def members(**values: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in values.items()) + b"u"


whole, part = tensor("0", (8, 8), (8, 1)), tensor("1", (4, 5), (1, 8), 3)
objects = {
    "flat": members(a=whole, b=part),
    "nested": members(model=members(a=whole), optim=members(state=b"](" + part + b"K\x01e", step=b"K\x07")),
    "parameters": members(a=parameter(whole), b=parameter(part)),
    "expanded": members(a=tensor("0", (3, 64), (0, 1)), b=tensor("1", (), ())),
}
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
for name, value in objects.items():
    (out / f"{name}.pkl").write_bytes(b"\x80\x02" + value + b".")
for path in sorted(pathlib.Path("fixtures/torch").glob("*/pytorch_model*.bin")):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("/data.pkl"):
                    (out / f"{path.parent.name}-{path.stem}.pkl").write_bytes(archive.read(name))
