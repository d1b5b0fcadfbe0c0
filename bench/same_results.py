#!/usr/bin/env python3
"""Compares two builds of vpatch: the console sessions of the docs run with each, every command with --json.

    same_results.py OLD NEW [FILE.md…]     the binaries; the pages are README.md and docs/**/*.md

Equal must be: exit codes; JSON, with its keys in order, except texts for people; every file that is left in the
session's folder, to the byte. Patches with a training record have the time that training took, so they are compared by
identity. The exit code is 1 if something differs.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Members whose texts are for people, and may be worded in another way.
TEXTS = {"notes", "remarks", "warnings", "reason", "detail", "what", "losses", "remedy", "sentence"}
# Members with a time, and the size of a file that has one.
TIMES = {"seconds", "tokens_per_second"}
SIZES = {"bytes", "stored_bytes"}

# What the pages do not show: training and what computes a model, on tiny models.
TRAINING = """
$ mkdir models; for name in llama mistral qwen2 qwen2.5-vl llava-next; do \
  cp -rL fixtures/tiny-models/tiny-$name models/$name; rm models/$name/reference.safetensors; done; chmod -R u+w models
$ printf '{"input_ids": [5, 6, 7, 8, 9, 10]}\\n{"input_ids": [11, 12, 13]}\\n' > rows.jsonl
$ for name in llama mistral qwen2 qwen2.5-vl llava-next; do for recipe in sa-proj gate-up; do \
  vpatch train models/$name --recipe $recipe --data rows.jsonl -o $name-$recipe.vpatch --name $name/$recipe \
  --steps 4 --batch 2 --lr 1e-2; done; done
$ vpatch train models/llama --recipe sa-proj --data rows.jsonl -o drift.vpatch --steps 6 --lr 1e-2 --max-drift 1e-6
$ for name in llama mistral qwen2 qwen2.5-vl llava-next; do \
  vpatch score models/$name --data rows.jsonl --patch $name/gate-up; done
$ vpatch stack new both --base models/llama llama/sa-proj llama/gate-up
$ vpatch score models/llama --data rows.jsonl --stack both
$ vpatch switch models/llama both; vpatch status models/llama; vpatch revert models/llama
$ vpatch report llama/sa-proj --base models/llama -o report.html; vpatch list; vpatch log; vpatch fsck
"""

SHIM = """#!/bin/bash
out=$(mktemp) err=$(mktemp)
"$BINARY" "$@" --json >"$out" 2>"$err"
code=$?
if [ $code = 64 ]; then "$BINARY" "$@" >"$out" 2>"$err"; code=$?; fi
printf '%s\\0%s\\0' "$code" "$*" >>"$RECORD"; cat "$out" >>"$RECORD"; printf '\\0' >>"$RECORD"
cat "$out"; cat "$err" >&2
exit $code
"""


def sessions() -> Any:
    spec = importlib.util.spec_from_file_location("sessions", ROOT / "scripts" / "sessions.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def reduced(value: Any, folders: list[str], ignored: set[str]) -> Any:
    """A JSON value without what may differ; objects become lists of pairs, so that the order counts."""
    if isinstance(value, dict):
        return [[key, None if key in ignored else reduced(member, folders, ignored)] for key, member in value.items()]
    if isinstance(value, list):
        return [reduced(member, folders, ignored) for member in value]
    if isinstance(value, str):
        for folder in folders:
            value = value.replace(folder, "FOLDER")
    return value


def output(text: str, folders: list[str], ignored: set[str]) -> Any:
    try:
        return reduced(json.loads(text), folders, ignored)
    except ValueError:
        return "text"


def files(folder: Path, binary: str) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix in {".html", ".err", ".log"}:
            continue
        if path.suffix == ".vpatch":
            shown = subprocess.run([binary, "show", path, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            if b'"tokens_per_second"' in shown.stdout:
                yield str(path.relative_to(folder)), json.loads(shown.stdout)["identity"]
                continue
        yield str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()


def results(binary: str, blocks: list[list[str]], tool: Any) -> tuple[list[Any], dict[str, str]]:
    """What the commands of a page print, and the files they leave."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as data:
        for name in ("fixtures", "bench"):
            os.symlink(ROOT / name, Path(folder, name))
        shim = Path(data, "bin", "vpatch")
        shim.parent.mkdir()
        shim.write_text(SHIM)
        shim.chmod(0o755)
        record = Path(data, "record")
        record.touch()
        script = "\n".join(f"{{ {command[2:]}\n}} >/dev/null 2>&1" for block in blocks for command in block)
        own = {"BINARY": binary, "RECORD": str(record), "VPATCH_STORE": f"{data}/store", "LC_ALL": "C.UTF-8"}
        environment = {**os.environ, **own, **tool.CLOCK, "PATH": f"{shim.parent}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL, check=False)
        fields = record.read_bytes().decode("utf-8", "replace").split("\0")
        ignored = TEXTS | TIMES | (SIZES if " train " in script else set())
        folders = [os.path.realpath(folder), folder, os.path.realpath(data), data]
        printed = [
            (fields[i + 1], int(fields[i]), output(fields[i + 2], folders, ignored))
            for i in range(0, len(fields) - 2, 3)
        ]
        return printed, dict(files(Path(folder), binary))


def main() -> int:
    old, new = (str(Path(name).resolve()) for name in sys.argv[1:3])
    pages = [Path(name) for name in sys.argv[3:]]
    pages = pages or [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    tool = sessions()
    commands = compared = differences = 0
    shown = [(page.name, tool.BLOCK.findall(page.read_text())) for page in pages]
    for page, texts in [*shown, ("training", [TRAINING])]:
        blocks = [tool.commands(block) for block in texts]
        if not blocks:
            continue
        (printed, made), (printed_new, made_new) = results(old, blocks, tool), results(new, blocks, tool)
        commands, compared = commands + len(printed_new), compared + len(made_new)
        for before, after in zip(printed, printed_new, strict=False):
            if before != after:
                differences += 1
                print(f"{page}: vpatch {after[0]}: exit code {before[1]} and {after[1]}")
                print(f"  {json.dumps(before[2])[:1500]}\n  {json.dumps(after[2])[:1500]}")
        for name in sorted(made.keys() | made_new.keys()):
            if made.get(name) != made_new.get(name):
                differences += 1
                print(f"{page}: the file {name} differs")
        if len(printed) != len(printed_new):
            differences += 1
            print(f"{page}: {len(printed)} and {len(printed_new)} commands")
    print(f"{commands} commands, {compared} files compared, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
