#!/usr/bin/env python3
"""Stands in for vpatch in the bench's own tests: XOR deltas, no checks, no flat memory. Same command line."""
import pickle
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
import checkpoint
from worker import Xor


def rebuild(model, patch, out):
    """XOR is its own inverse, so this applies and reverts."""
    model, out, xor = Path(model), Path(out), Xor()
    if model.is_dir():
        shutil.copytree(model, out)
    for file, (name, delta) in zip(checkpoint.weight_files(model), pickle.loads(Path(patch).read_bytes())):
        (out / name if model.is_dir() else out).write_bytes(xor.decode(file.read_bytes(), delta))
    out.with_name(out.name + ".vpatch.json").write_text("{}")


def main(command, *arguments):
    match command, *(a for a in arguments if a not in ("--quiet", "--no-store")):
        case ["--version"]:
            print("vpatch 0 (fake)")
        case "create", base, tuned, "-o", patch:
            files = zip(checkpoint.weight_files(base), checkpoint.weight_files(tuned))
            Path(patch).write_bytes(pickle.dumps(
                [(theirs.name, Xor().create(mine.read_bytes(), theirs.read_bytes())) for mine, theirs in files]))
        case ("apply" | "revert"), model, patch, "-o", out:
            rebuild(model, patch, out)
        case "verify", patch:
            pickle.loads(Path(patch).read_bytes())
        case "verify", patch, "--base", base:
            for file, (_, delta) in zip(checkpoint.weight_files(base), pickle.loads(Path(patch).read_bytes())):
                Xor().decode(file.read_bytes(), delta)
        case "verify", patch:
            pickle.loads(Path(patch).read_bytes())
        case wrong:
            sys.exit(f"fake vpatch: {wrong}")


main(*sys.argv[1:])
