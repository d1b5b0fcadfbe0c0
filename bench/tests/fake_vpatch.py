#!/usr/bin/env python3
"""Stands in for vpatch in the bench's own tests: XOR deltas, no checks, no flat memory. Same command line."""
import pickle
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import checkpoint
from worker import Xor


def rebuild(model: str, patch: str, out: str) -> None:
    """XOR is its own inverse, so this applies and reverts."""
    source, result, xor = Path(model), Path(out), Xor()
    if source.is_dir():
        shutil.copytree(source, result)
    for file, (name, delta) in zip(checkpoint.weight_files(source), pickle.loads(Path(patch).read_bytes()),
                                   strict=True):
        (result / name if source.is_dir() else result).write_bytes(xor.decode(file.read_bytes(), delta))
    result.with_name(result.name + ".vpatch.json").write_text("{}")


def main(command: str, *arguments: str) -> None:
    match command, *(a for a in arguments if a not in ("--quiet", "--no-store")):
        case ["--version"]:
            print("vpatch 0 (fake)")
        case "create", base, tuned, "-o", patch:
            files = zip(checkpoint.weight_files(base), checkpoint.weight_files(tuned), strict=True)
            Path(patch).write_bytes(pickle.dumps(
                [(theirs.name, Xor().create(mine.read_bytes(), theirs.read_bytes())) for mine, theirs in files]))
        case ("apply" | "revert"), model, patch, "-o", out:
            rebuild(model, patch, out)
        case "verify", patch:
            pickle.loads(Path(patch).read_bytes())
        case "verify", patch, "--base", base:
            deltas = pickle.loads(Path(patch).read_bytes())
            for file, (_, delta) in zip(checkpoint.weight_files(base), deltas, strict=True):
                Xor().decode(file.read_bytes(), delta)
        case "verify", patch:
            pickle.loads(Path(patch).read_bytes())
        case wrong:
            sys.exit(f"fake vpatch: {wrong}")


main(*sys.argv[1:])
