"""Commands that read a model while it is switched again and again: with exit code 0, their output is of one state."""
import functools
import json
import random
import re
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import checkpoint
import tree
from lab import Lab, documents
from outcome import Outcome
from races import together


@dataclass(frozen=True)
class Reader:
    name: str
    command: tuple[str, ...]
    #: Its result, from its own folder and what it printed.
    result: Callable[[Path, bytes], bytes]


def _printed(folder: Path, output: bytes) -> bytes:
    return output


def _status(folder: Path, output: bytes) -> bytes:
    """The output without the number of earlier states."""
    return re.sub(rb'"earlier_states": \d+', b"", output)


def _made(folder: Path, output: bytes) -> bytes:
    """The weights that it wrote."""
    made = tree.read(folder / "out")
    return b"".join(name.encode() + entry.data for name, entry in sorted(made.items())
                    if name.endswith((".safetensors", ".json")) and name != "vpatch.json")


def _patch(folder: Path, output: bytes) -> bytes:
    return (folder / "out.vpatch").read_bytes()


READERS = [
    Reader("apply", ("apply", "../m", "../g.vpatch", "-o", "out", "-q"), _made),
    Reader("apply --full", ("apply", "../m", "../g.vpatch", "-o", "out", "-q", "--full"), _made),
    Reader("create", ("create", "../m", "../g", "-o", "out.vpatch", "-q", "--no-store"), _patch),
    Reader("create of it", ("create", "../g", "../m", "-o", "out.vpatch", "-q", "--no-store"), _patch),
    Reader("revert -o", ("revert", "../m", "../f.vpatch", "-o", "out", "-q", "--full"), _made),
    Reader("diff", ("diff", "../m", "../g", "--json"), _printed),
    Reader("verify", ("verify", "../g.vpatch", "--base", "../m", "--full"), _printed),
    Reader("status --full", ("status", "../m", "--full", "--json"), _status),
    Reader("score", ("score", "../m", "--data", "../rows.jsonl", "--json"), _printed),
    Reader("generate", ("generate", "../m", "cat", "--raw", "--max-tokens", "4"), _printed),
    Reader("eval --record", ("eval", "../m", "--patch", "p.vpatch", "--suite", "../suite/suite.toml", "--record", "-q"),
           _patch),
]


class Readers:
    def __init__(self, lab: Lab, outcome: Outcome, switches: int) -> None:
        self.lab, self.outcome, self.switches = lab, outcome, switches
        self.folder = lab.place("readers")
        self.vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(self.folder / "store")})
        self.over = threading.Event()
        self._furnish()
        #: By reader, its results for each state, with no switch running.
        self.expected: dict[str, set[bytes]] = {reader.name: set() for reader in READERS}
        self._learn()

    def _furnish(self) -> None:
        """Makes m, a model of some 1.4 MB, and f and g, patches of it that change different tensors."""
        for name in ("rows.jsonl", "trained.vpatch"):
            shutil.copy(self.lab.sources / name, self.folder)
        shutil.copytree(self.lab.sources / "suite", self.folder / "suite")
        (self.folder / "suite" / "neutral.txt").write_text(documents(12, 60, 5))
        shutil.copytree(self.lab.sources / "tl", self.folder / "m")
        base = checkpoint.unpack((self.folder / "m" / "model.safetensors").read_bytes())
        for name, part in (("f", "mlp"), ("g", "self_attn")):
            shutil.copytree(self.folder / "m", self.folder / name)
            file = self.folder / name / "model.safetensors"
            file.write_bytes(checkpoint.pack(checkpoint.tuned(base, part, 9, share=0.6)))
            self.lab.do("create", "m", name, "-o", f"{name}.vpatch", "-q", "--no-store", folder=self.folder)

    def _switch(self, *more: str) -> int:
        command = ("switch", "m", "f.vpatch", "-q") if self.is_base else ("revert", "m", "-q")
        run = self.vpatch.run((*command, *more), self.folder)
        self.is_base ^= run.code == 0
        return run.code

    is_base = True

    def _read(self, reader: Reader, place: Path) -> tuple[int, str, bytes]:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        shutil.copy(self.folder / "trained.vpatch", place / "p.vpatch")
        run = self.vpatch.run(reader.command, place)
        if run.code:
            return run.code, run.last_line, b""
        if reader.name == "eval --record":
            return 0, "", self._record(place)
        return 0, "", reader.result(place, run.output)

    def _record(self, place: Path) -> bytes:
        """The records, with the roots that they are about."""
        shown = json.loads(self.vpatch.run(("show", "p.vpatch", "--json"), place).output)
        return json.dumps([[record.get(key) for key in ("task", "before", "after", "n", "reference", "measured")]
                           for record in shown["annotations"].get("forgetting", [])]).encode()

    def _learn(self) -> None:
        """Reads the base, the switched model, and the reverted model, which has a provenance."""
        for _ in range(3):
            for reader in READERS:
                code, _, result = self._read(reader, self.folder / "rest")
                if code == 0:
                    self.expected[reader.name].add(result)
            if self._switch():
                raise RuntimeError("the model cannot be switched without readers")

    def _write(self) -> None:
        rng = random.Random(self.lab.seed)
        try:
            for _ in range(self.switches):
                code = self._switch(*(["--by-rename"] if rng.random() < 0.3 else []))
                if code == 5:
                    # Readers held the model longer than a switch in place waits. Do what its error advises.
                    self.outcome.notes["switches that gave way to readers"] += 1
                    code = self._switch("--by-rename")
                self.outcome.count([f"a switch fails: exit {code}"] if code else [])
        finally:
            self.over.set()

    def _reading(self, number: int) -> None:
        rng = random.Random(f"{self.lab.seed} {number}")
        while not self.over.is_set():
            reader = rng.choice(READERS)
            code, line, result = self._read(reader, self.folder / f"r{number}")
            self.outcome.notes["reads refused" if code else "reads"] += 1
            if code == 0 and result not in self.expected[reader.name]:
                self.outcome.complain(f"{reader.name}: exit 0, but the output mixes two states")
            elif code and not line:
                self.outcome.complain(f"{reader.name}: exit {code} without a message")

    def run(self) -> None:
        together([self._write, *(functools.partial(self._reading, number) for number in range(2))])


def attack(lab: Lab, switches: int) -> Outcome:
    outcome = Outcome("readers", "switches")
    Readers(lab, outcome, switches).run()
    return outcome.end()
