"""The content of a folder, to compare it and to write it again."""
import hashlib
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Entry:
    #: A folder has no bytes; a link has its target.
    kind: str
    data: bytes
    mode: int


Tree = dict[str, Entry]


def read(folder: Path) -> Tree:
    """Everything below a folder, by its path relative to it."""
    tree: Tree = {}

    def walk(path: str, name: str) -> None:
        with os.scandir(path) as entries:
            for entry in entries:
                below = f"{name}{entry.name}"
                mode = stat.S_IMODE(entry.stat(follow_symlinks=False).st_mode)
                if entry.is_symlink():
                    tree[below] = Entry("link", os.readlink(entry.path).encode(), 0)
                elif entry.is_dir():
                    tree[below] = Entry("folder", b"", mode)
                    walk(entry.path, below + "/")
                elif entry.is_file():
                    with open(entry.path, "rb") as file:
                        tree[below] = Entry("file", file.read(), mode)
                else:
                    tree[below] = Entry("other", b"", mode)

    walk(str(folder), "")
    return tree


def lay(tree: Tree, folder: Path) -> None:
    """Writes a tree to a folder and removes everything else in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, entry in sorted(tree.items()):
        path = f"{folder}/{name}"
        if entry.kind == "link":
            os.symlink(entry.data, path)
        elif entry.kind == "folder":
            os.mkdir(path)
            os.chmod(path, entry.mode)
        else:
            with open(path, "wb") as file:
                file.write(entry.data)
            os.chmod(path, entry.mode)


def below(tree: Tree, name: str) -> Tree:
    """One file, or one folder with its content."""
    return {path: entry for path, entry in tree.items() if path == name or path.startswith(name + "/")}


def plain(name: str) -> str:
    """A name, or a text with names, without the random part of temporary names."""
    return re.sub(r"\.vpatch-[A-Za-z0-9]{6,}", ".vpatch-XXXXXX", name)


def digest(tree: Tree) -> str:
    """A digest that ignores the random part of temporary names, and SQLite's -shm file."""
    whole = hashlib.sha256()
    named = [(plain(name), entry) for name, entry in tree.items() if not name.endswith("-shm")]
    for name, entry in sorted(named, key=lambda pair: pair[0]):
        whole.update(f"{name}\0{entry.kind}\0{entry.mode}\0{len(entry.data)}\0".encode(errors="surrogateescape"))
        whole.update(entry.data)
    return whole.hexdigest()


def differences(a: Tree, b: Tree) -> list[str]:
    return sorted(name for name in a.keys() | b.keys() if a.get(name) != b.get(name))
