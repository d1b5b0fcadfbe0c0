"""vpatch and the other tools, with one interface: create(base, tuned, patch), decode(base, patch, out) -> a Run.

`decode` writes the whole tuned file and flushes it to disk (fsync). Tools with `inside` are Python and are timed inside
their process, from memory to memory.
"""
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

import measure
from measure import BenchError, Run


class Tool:
    name: str            # as the tables show it
    key: str             # as options and files name it
    inside = False       # timed inside the process
    slow = False         # once is enough

    def version(self) -> str:
        raise NotImplementedError

    def create(self, base: Path, tuned: Path, patch: Path) -> Run:
        raise NotImplementedError

    def decode(self, base: Path, patch: Path, out: Path) -> Run:
        raise NotImplementedError


class Zstd(Tool):
    name = "zstd --patch-from -3"
    key = "zstd"

    def version(self) -> str:
        return "zstd " + first_line(need("zstd"), "--version").partition(" v")[2].partition(",")[0]

    def create(self, base: Path, tuned: Path, patch: Path) -> Run:
        return measure.run("zstd", "-q", "-f", "-3", f"--patch-from={base}", tuned, "-o", patch)

    def decode(self, base: Path, patch: Path, out: Path) -> Run:
        # --long: the window that the encoder chose is as long as the base, above what zstd accepts by default.
        return synced(out, "zstd", "-q", "-f", "-d", "--long=31", f"--patch-from={base}", patch, "-o", out)


class Xdelta3(Tool):
    name = "xdelta3 -3"
    key = "xdelta3"
    slow = True

    def version(self) -> str:
        return first_line(need("xdelta3"), "-V").partition(",")[0].replace("Xdelta version", "xdelta3")

    def create(self, base: Path, tuned: Path, patch: Path) -> Run:
        return measure.run("xdelta3", "-q", "-f", "-3", "-e", "-s", base, tuned, patch)

    def decode(self, base: Path, patch: Path, out: Path) -> Run:
        return synced(out, "xdelta3", "-q", "-f", "-d", "-s", base, patch, out)


class PythonPeer(Tool):
    inside = True

    def create(self, base: Path, tuned: Path, patch: Path) -> Run:
        return self.work("create", base, tuned, patch)

    def decode(self, base: Path, patch: Path, out: Path) -> Run:
        return self.work("decode", base, patch, out)

    def work(self, *arguments: object) -> Run:
        found = measure.run(sys.executable, Path(__file__).with_name("worker.py"), self.key, *arguments)
        return replace(found, seconds=json.loads(found.output)["seconds"])


class Z4ai(PythonPeer):
    name = "z4ai model_delta"
    key = "z4ai"

    def version(self) -> str:
        return "z4ai " + distribution("z4ai")


class Xor(PythonPeer):
    name = "XOR, byte planes, zstd -3"
    key = "xor"

    def version(self) -> str:
        return f"numpy {distribution('numpy')}, zstandard {distribution('zstandard')}"


class Vpatch(Tool):
    name = "vpatch"
    key = "vpatch"

    def __init__(self, binary: str | Path) -> None:
        self.binary = Path(binary).absolute()
        if not os.access(self.binary, os.X_OK):
            raise BenchError(f"{binary}: no such program; build it (swift build -c release) or give --vpatch PATH")

    def version(self) -> str:
        return "vpatch " + first_line(self.binary, "--version").removeprefix("vpatch ")

    def create(self, base: Path, tuned: Path, patch: Path, env: Mapping[str, str] | None = None) -> Run:
        return measure.run(self.binary, "create", base, tuned, "-o", patch, "--quiet", "--no-store", env=env)

    def decode(self, base: Path, patch: Path, out: Path, env: Mapping[str, str] | None = None) -> Run:
        return measure.run(self.binary, "apply", base, patch, "-o", out, "--quiet", env=env)

    def revert(self, model: Path, patch: Path, out: Path, env: Mapping[str, str] | None = None) -> Run:
        return measure.run(self.binary, "revert", model, patch, "-o", out, "--quiet", env=env)

    def switch(self, model: Path, stack: Path, env: Mapping[str, str] | None = None) -> Run:
        return measure.run(self.binary, "switch", model, stack, "--quiet", env=env)

    def revert_in_place(self, model: Path, patch: Path, env: Mapping[str, str] | None = None) -> Run:
        return measure.run(self.binary, "revert", model, patch, "--quiet", env=env)

    def verify(self, base: Path, patch: Path, env: Mapping[str, str] | None = None) -> Run:
        """Rebuilds every touched tensor in memory and checks base and result; writes nothing."""
        return measure.run(self.binary, "verify", patch, "--base", base, env=env)

    def open(self, patch: Path, env: Mapping[str, str] | None = None) -> Run:
        """What `verify` does before it rebuilds: the process starts, the whole patch is verified."""
        return measure.run(self.binary, "verify", patch, env=env)

    def train(self, model: Path, data: Path, patch: Path, *options: object,
              env: Mapping[str, str] | None = None) -> Run:
        return measure.run(self.binary, "train", model, "--data", data, "-o", patch, *options, "--json", "--no-store",
                           env=env)

    def generate(self, model: Path, prompt: str, *options: object) -> Run:
        return measure.run(self.binary, "generate", model, "--raw", "--json", *options, "--", prompt)

    def score(self, model: Path, *options: object) -> Run:
        return measure.run(self.binary, "score", model, *options, "--json")


PEERS: list[type[Tool]] = [Zstd, Xdelta3, Z4ai, Xor]


def peers(without: Collection[str] = ()) -> list[Tool]:
    """The peers to measure, each asked for its version: one that is missing is an error and not a shorter table."""
    found = [peer() for peer in PEERS if peer.key not in without]
    for peer in found:
        peer.version()
    return found


def need(program: str) -> str:
    if shutil.which(program) is None:
        raise BenchError(f"{program} is missing: run bench/setup.sh (apt-get install {program}), "
                         f"or leave it out with --without {program}")
    return program


def distribution(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise BenchError(f"the Python package {name} is missing: run the bench with the python that bench/setup.sh "
                         "prints, or leave the tool out with --without") from None


def first_line(*command: str | Path) -> str:
    # xdelta3 prints its version on stderr.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.stdout.strip().partition("\n")[0]


def synced(out: Path, *command: object) -> Run:
    return measure.run("sh", "-c", 'out=$0; "$@" && sync -- "$out"', out, *command)
