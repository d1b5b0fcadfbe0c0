"""Downloads packages that contain chat templates, and prints the folder with the templates.

    python bench/jinja_templates.py FOLDER

The packages are wheels of trl (Apache 2.0) and axolotl (Apache 2.0), and the source of llama-cpp-python (MIT), whose
llama.cpp has a collection of chat templates. A template's name is its package and its file name.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

PACKAGES = ["trl==1.16.0", "axolotl==0.19.0"]
SOURCES = ["llama-cpp-python==0.3.36"]


def download(folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, *PACKAGES], check=True, stdout=sys.stderr)
    for source in SOURCES:
        subprocess.run([*pip, "--no-binary", source.split("==")[0], source], check=True, stdout=sys.stderr)


def templates(archive: Path) -> Iterator[tuple[str, bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for name in wheel.namelist():
                if name.endswith(".jinja"):
                    yield name, wheel.read(name)
    elif archive.name.endswith(".tar.gz"):
        with tarfile.open(archive) as source:
            for member in source:
                if member.name.endswith(".jinja") and (file := source.extractfile(member)) is not None:
                    yield member.name, file.read()


def main() -> None:
    folder = Path(sys.argv[1])
    downloads = folder / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    download(downloads)
    for archive in sorted(downloads.iterdir()):
        for name, data in templates(archive):
            (folder / f"{archive.name.split('-')[0]}--{PurePosixPath(name).name}").write_bytes(data)
    print(folder)


if __name__ == "__main__":
    main()
