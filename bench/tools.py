"""vpatch and its peers, behind one face: create(base, tuned, patch) and decode(base, patch, out), each a measured Run.

`decode` writes the whole tuned file and flushes it to the disk (fsync), except where `inside` says that the tool is
Python and is timed inside its process, memory to memory.
"""
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import measure
from measure import BenchError


class Tool:
    name = ""            # as the tables show it
    inside = False       # timed inside the process
    slow = False         # once is enough

    def version(self):
        raise NotImplementedError


class Zstd(Tool):
    name = "zstd --patch-from -3"
    key = "zstd"

    def version(self):
        return "zstd " + first_line(need("zstd"), "--version").partition(" v")[2].partition(",")[0]

    def create(self, base, tuned, patch):
        return measure.run("zstd", "-q", "-f", "-3", f"--patch-from={base}", tuned, "-o", patch)

    def decode(self, base, patch, out):
        # --long: the window that the encoder chose is as long as the base, above what zstd accepts by default.
        return synced(out, "zstd", "-q", "-f", "-d", "--long=31", f"--patch-from={base}", patch, "-o", out)


class Xdelta3(Tool):
    name = "xdelta3 -3"
    key = "xdelta3"
    slow = True

    def version(self):
        return first_line(need("xdelta3"), "-V").partition(",")[0].replace("Xdelta version", "xdelta3")

    def create(self, base, tuned, patch):
        return measure.run("xdelta3", "-q", "-f", "-3", "-e", "-s", base, tuned, patch)

    def decode(self, base, patch, out):
        return synced(out, "xdelta3", "-q", "-f", "-d", "-s", base, patch, out)


class PythonPeer(Tool):
    inside = True

    def create(self, base, tuned, patch):
        return self.work("create", base, tuned, patch)

    def decode(self, base, patch, out):
        return self.work("decode", base, patch, out)

    def work(self, *arguments):
        found = measure.run(sys.executable, Path(__file__).with_name("worker.py"), self.key, *arguments)
        return replace(found, seconds=json.loads(found.output)["seconds"])


class Z4ai(PythonPeer):
    name = "z4ai model_delta"
    key = "z4ai"

    def version(self):
        return "z4ai " + distribution("z4ai")


class Xor(PythonPeer):
    name = "XOR, byte planes, zstd -3"
    key = "xor"

    def version(self):
        return f"numpy {distribution('numpy')}, zstandard {distribution('zstandard')}"


class Vpatch(Tool):
    name = "vpatch"
    key = "vpatch"

    def __init__(self, binary):
        self.binary = Path(binary).absolute()
        if not os.access(self.binary, os.X_OK):
            raise BenchError(f"{binary}: no such program; build it (swift build -c release) or give --vpatch PATH")

    def version(self):
        return "vpatch " + first_line(self.binary, "--version").removeprefix("vpatch ")

    def create(self, base, tuned, patch, env=None):
        return measure.run(self.binary, "create", base, tuned, "-o", patch, "--quiet", "--no-store", env=env)

    def decode(self, base, patch, out, env=None):
        return measure.run(self.binary, "apply", base, patch, "-o", out, "--quiet", env=env)

    def revert(self, model, patch, out, env=None):
        return measure.run(self.binary, "revert", model, patch, "-o", out, "--quiet", env=env)

    def switch(self, model, stack, env=None):
        return measure.run(self.binary, "switch", model, stack, "--quiet", env=env)

    def revert_in_place(self, model, patch, env=None):
        return measure.run(self.binary, "revert", model, patch, "--quiet", env=env)

    def verify(self, base, patch, env=None):
        """Rebuilds every touched tensor in memory and checks base and result; writes nothing."""
        return measure.run(self.binary, "verify", patch, "--base", base, env=env)

    def open(self, patch, env=None):
        """What `verify` does before it rebuilds: the process starts, the whole patch is verified."""
        return measure.run(self.binary, "verify", patch, env=env)

    def train(self, model, data, patch, *options, env=None):
        return measure.run(self.binary, "train", model, "--data", data, "-o", patch, *options, "--json", "--no-store",
                           env=env)

    def generate(self, model, prompt, *options):
        return measure.run(self.binary, "generate", model, "--raw", "--json", *options, "--", prompt)

    def score(self, model, *options):
        return measure.run(self.binary, "score", model, *options, "--json")


PEERS = [Zstd, Xdelta3, Z4ai, Xor]


def peers(without=()):
    """The peers to measure, each asked for its version: one that is missing is an error and not a shorter table."""
    found = [peer() for peer in PEERS if peer.key not in without]
    for peer in found:
        peer.version()
    return found


def need(program):
    if shutil.which(program) is None:
        raise BenchError(f"{program} is missing: run bench/setup.sh (apt-get install {program}), "
                         f"or leave it out with --without {program}")
    return program


def distribution(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise BenchError(f"the Python package {name} is missing: run the bench with the python that bench/setup.sh "
                         "prints, or leave the peer out with --without") from None


def first_line(*command):
    # xdelta3 prints its version on stderr.
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.strip().partition("\n")[0]


def synced(out, *command):
    return measure.run("sh", "-c", 'out=$0; "$@" && sync -- "$out"', out, *command)
