"""Writes the pickles in the fixtures' files of torch.save, each into a file: seeds of the target `pickle`."""

import pathlib
import sys
import zipfile

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
for path in sorted(pathlib.Path("fixtures/torch").glob("*/pytorch_model*.bin")):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith("/data.pkl"):
                    (out / f"{path.parent.name}-{path.stem}.pkl").write_bytes(archive.read(name))
