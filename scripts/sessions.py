"""Runs the console sessions in the docs and updates their output. Checks that all commands and flags shown exist.

    sessions.py [--check] FILE.md…       --check changes nothing; exit code 1 if an output is out of date

A session is a block marked `console`: lines that start with `$ ` are commands, the lines below are their output. All
blocks of a file are one session. It runs in a temporary folder in which `fixtures` and `bench` are the repository's
and `vpatch` is the release build. An exit code other than 0 is shown in brackets.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.M | re.S)
CLOCK = {"SOURCE_DATE_EPOCH": "1790000000", "TZ": "UTC"}  # the store's clock, so that every run prints the same
MARK = "\x1eexit "  # ends the output of a command


def commands(block: str) -> list[str]:
    """The commands; one that ends in a backslash continues in the next line."""
    found: list[str] = []
    more = False
    for line in block.splitlines():
        if more:
            found[-1] += "\n" + line
        elif line.startswith("$ "):
            found.append(line)
        more = line.endswith("\\") and (more or line.startswith("$ "))
    return found


def run(blocks: Iterable[list[str]]) -> Iterator[str]:
    """The output of each command of each block."""
    script = "\n".join(f"{{ {command[2:]}\n}} 2>&1; echo '{MARK}'$?" for block in blocks for command in block)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as data:
        for name in ("fixtures", "bench"):
            os.symlink(ROOT / name, Path(folder, name))
        path = f"{ROOT}/.build/release:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env={**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "VPATCH_STORE": f"{data}/store", **CLOCK},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    outputs = re.findall(rf"(.*?){MARK}(\d+)\n", done.stdout, re.S)
    return iter([text + (f"[exit code {code}]\n" if code != "0" else "") for text, code in outputs])


def refreshed(text: str) -> str:
    blocks = [commands(block) for block in BLOCK.findall(text)]
    outputs, left = run(blocks), iter(blocks)
    return BLOCK.sub(lambda _: "".join(f"{command}\n{next(outputs)}" for command in next(left)), text)


def options(command: dict[str, Any]) -> set[str]:
    """The flags of a command, with their dashes."""
    names = [name for argument in command.get("arguments", []) for name in argument.get("names") or []]
    return {("-" if name["kind"] == "short" else "--") + name["name"] for name in names}


def unknown(text: str, root: dict[str, Any]) -> Iterator[str]:
    """The commands and flags of vpatch that a page shows and that do not exist."""
    joined = re.sub(r"\\\n\s*", " ", text)
    code = re.findall(r"^```.*?^```$", joined, re.M | re.S) + re.findall(r"`vpatch [^`\n]+`", joined)
    for shown in re.findall(r"(?:^(?:\$ )?|`|'|\$\()vpatch ((?:[^\n`'|;&#)]|'[^'\n]*')+)", "\n".join(code), re.M):
        command, words = root, shown.split()
        while words and (inner := [c for c in command.get("subcommands", []) if c["commandName"] == words[0]]):
            command, words = inner[0], words[1:]
        if command is root:
            if words and re.fullmatch(r"[a-z]+", words[0]) and words[0] != "help":
                yield f"vpatch {words[0]}"
            continue
        for flag in words:
            name = flag.split("=")[0]
            if re.fullmatch(r"--[a-z][a-z-]*", name) and name not in options(command):
                yield f"vpatch {command['commandName']} {name}"


if __name__ == "__main__":
    check, files = "--check" in sys.argv, [Path(name) for name in sys.argv[1:] if name != "--check"]
    stale = False
    help_text = subprocess.run(
        [ROOT / ".build/release/vpatch", "--experimental-dump-help"], stdout=subprocess.PIPE, check=True
    ).stdout
    tool = json.loads(help_text)["command"]
    for file in files:
        old = file.read_text()
        for name in sorted(set(unknown(old, tool))):
            print(f'{file}: shows "{name}", which does not exist', file=sys.stderr)
            stale = check = True
        new = refreshed(old)
        if new != old:
            stale = True
            if check:
                print(f"{file}: the shown output is out of date; run 'make docs'", file=sys.stderr)
            else:
                file.write_text(new)
    sys.exit(int(check and stale))
