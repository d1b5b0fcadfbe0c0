"""Two concurrent commands: one is stopped at one of its calls, the other runs to its end, then the first continues.

The stop is at a call and not at a time, so it hits a window of a microsecond every time. The fault library stops the
first (SIGSTOP). If the second waits for a lock that the first holds, the first continues after `PATIENCE` seconds.
"""
import json
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tree
from command import Fault, Run, Vpatch
from lab import Lab
from outcome import Outcome
from tree import Tree

#: Seconds that the second may wait for the first.
PATIENCE = 1.0


@dataclass
class Place:
    """A folder in which two commands run, with its own store."""
    lab: Lab
    folder: Path
    vpatch: Vpatch

    def run(self, *command: str) -> Run:
        return self.vpatch.run(command, self.folder)

    def json(self, *command: str) -> Any:
        run = self.run(*command)
        return json.loads(run.output) if run.code == 0 else None

    def data(self, name: str) -> bytes | None:
        path = self.folder / name
        return path.read_bytes() if path.exists() else None

    def source(self, name: str) -> bytes:
        return (self.lab.sources / name).read_bytes()


Judge = Callable[[Place, Run, Run], list[str]]


@dataclass(frozen=True)
class Meeting:
    name: str
    files: dict[str, str]
    setup: tuple[tuple[str, ...], ...]
    first: tuple[str, ...]
    second: tuple[str, ...]
    judge: Judge
    #: The first is stopped only at calls below this name.
    below: str = ""


def meet(place: Place, first: tuple[str, ...], second: tuple[str, ...], at: int) -> tuple[Run, Run]:
    """Runs the second while the first is stopped at a call."""
    found: list[Run] = []
    fault = Fault("stop", at)
    output, errors = place.folder.parent / "first.out", place.folder.parent / "first.err"
    with open(output, "wb") as out, open(errors, "wb") as err:
        began = time.monotonic()
        process = place.vpatch.start(first, place.folder, place.vpatch.fault_environment(place.folder, fault),
                                     out.fileno(), err.fileno())
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        other = threading.Thread(target=lambda: found.append(place.run(*second)))
        other.start()
        if os.WIFSTOPPED(status):
            other.join(PATIENCE)
            os.kill(process.pid, signal.SIGCONT)
            timer = threading.Timer(60, os.kill, [process.pid, signal.SIGKILL])
            timer.start()
            _, status = os.waitpid(process.pid, 0)
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        other.join()
    run = Run(process.returncode, output.read_bytes(), errors.read_text(errors="replace"), False, 0,
              time.monotonic() - began)
    return run, found[0]


# What must hold afterwards

def must_succeed(*runs: Run) -> list[str]:
    """The commands do not conflict, so any error is false."""
    return [f"a false error: exit {run.code}: {run.last_line}" for run in runs if run.code]


def one_wins(first: Run, second: Run) -> list[str]:
    codes = sorted((first.code, second.code))
    if codes[0] == 0 and codes[1] != 0:
        return []
    return ["both succeed" if codes == [0, 0] else f"neither succeeds: {first.last_line}; {second.last_line}"]


def undo_kept(place: Place, first: Run, second: Run) -> list[str]:
    """A model that was switched to a stack can be reverted, bit for bit."""
    found = must_succeed(first, second)
    if first.code == 0:
        run = place.run("revert", "m.st", "-q")
        if run.code or place.data("m.st") != place.source("base.safetensors"):
            found.append(f"the undo is lost: exit {run.code}: {run.last_line}")
    return found


def alias_holds(place: Place, first: Run, second: Run) -> list[str]:
    found = [f"a false error of gc: {run.last_line}" for run in (first,) if run.code]
    if second.code == 0 and place.run("show", "kept", "-q").code:
        found.append("the alias was confirmed, but its patch is missing")
    if second.code and "FOREIGN KEY" in second.errors:
        found.append("the user gets a raw database error")
    return found


def members_kept(place: Place, first: Run, second: Run) -> list[str]:
    found = must_succeed(first, second)
    stacks = place.json("stack", "list", "--json") or []
    members = [len(stack["members"]) for stack in stacks if stack["name"] == "s"]
    confirmed = 1 + [first.code, second.code].count(0)
    if members != [confirmed]:
        found.append(f"{confirmed} members were confirmed, but the stack has others")
    return found


def records_kept(subject: str) -> Judge:
    def judge(place: Place, first: Run, second: Run) -> list[str]:
        found = must_succeed(first, second)
        shown = place.json("show", subject, "--json")
        records = len(shown["annotations"].get("forgetting", [])) if shown else -1
        if records != [first.code, second.code].count(0):
            found.append("records are lost" if shown else "the patch cannot be read")
        return found
    return judge


def model_is_one(place: Place, first: Run, second: Run) -> list[str]:
    """Of two applies to one file, the model and its provenance are those of the one that succeeds."""
    found = one_wins(first, second)
    expected = {0: "tuned-a.safetensors", 1: "tuned-b.safetensors"}
    for number, run in enumerate((first, second)):
        if run.code == 0 and not found and place.data("out.st") != place.source(expected[number]):
            found.append("the model is that of the command that failed")
    if place.run("status", "out.st", "--full").code:
        found.append("the provenance is of another model")
    return found


def patch_is_one(place: Place, first: Run, second: Run) -> list[str]:
    found = one_wins(first, second)
    if not found:
        expected = ("a.vpatch", "b.vpatch")[0 if first.code == 0 else 1]
        mine, its = (place.json("show", str(path), "--json") for path in ("out.vpatch", place.lab.sources / expected))
        if mine is None or mine["identity"] != its["identity"]:
            found.append("the patch is that of the command that failed")
    return found


def store_agrees(place: Place, first: Run, second: Run) -> list[str]:
    """An added patch is in the store."""
    found = must_succeed(first, second)
    listed = place.json("list", "--json")
    names = {alias for patch in listed["patches"] for alias in patch["aliases"]} if listed else set()
    if first.code == 0 and "b" not in names:
        found.append("a patch was confirmed, but is missing")
    return found


def reads_one(on_old: tuple[str, ...], result: str | None = None) -> Judge:
    """With exit code 0, a reader's output is of the old model or of the new one; otherwise it prints an error."""
    def judge(place: Place, first: Run, second: Run) -> list[str]:
        found = []
        if second.code:
            found.append(f"the switch fails: {second.last_line}")
        if first.code:
            return found if first.errors.strip() else [*found, "it fails without a message"]
        states = place.folder.parent / "states"
        mine = place.data(result) if result else first.output
        if mine not in _expected(place, states, on_old, result):
            found.append("exit 0, but the output mixes two states")
        return found
    return judge


def _expected(place: Place, states: Path, command: tuple[str, ...], result: str | None) -> list[bytes | None]:
    """The command's outputs from the old and the new model, with no switch running, in a folder of the same name."""
    kept = states / "-".join(command).replace("/", "_")
    if not kept.exists():
        kept.mkdir(parents=True)
        laid = tree.read(place.folder)
        for state in ("old", "new"):
            tree.lay(_BEFORE[str(place.folder)], place.folder)
            if state == "new":
                place.lab.do("switch", "m", "f.vpatch", "-q", folder=place.folder, store=place.folder / "store")
            run = place.run(*command)
            made = place.data(result) if result else run.output
            if run.code == 0 and made is not None:
                (kept / state).write_bytes(made)
        tree.lay(laid, place.folder)
    return [path.read_bytes() for path in kept.iterdir()]


#: The initial content of a place, by its folder.
_BEFORE: dict[str, Tree] = {}


def meetings() -> list[Meeting]:
    file = {"m.st": "base.safetensors", "base.st": "base.safetensors", "a.vpatch": "a.vpatch", "b.vpatch": "b.vpatch",
            "c.vpatch": "c.vpatch"}
    added = ("add", "a.vpatch", "b.vpatch", "-q")
    stack = ("stack", "new", "s", "--base", "base.st", "a", "-q")
    annotated = {"p.vpatch": "trained.vpatch", "r1.json": "r1.json", "b1.json": "b1.json", "r2.json": "r2.json",
                 "b2.json": "b2.json"}
    pair = {"base.st": "base.safetensors", "ta.st": "tuned-a.safetensors", "tb.st": "tuned-b.safetensors"}
    tuned = ("--results", "r1.json", "--base-results", "b1.json", "-q")
    other = ("--results", "r2.json", "--base-results", "b2.json", "-q")
    live = {"m": "fb", "t": "ft", "f.vpatch": "f.vpatch", "g.vpatch": "g.vpatch"}
    switch = ("switch", "m", "f.vpatch", "-q")
    collect = ("gc", "--yes", "-q")

    def reads(name: str, *command: str, result: str | None = None) -> Meeting:
        return Meeting(f"{name} of a model that is switched", live, (), command, switch, reads_one(command, result))

    return [
        Meeting("switch to a stack, and gc", file, (("add", "c.vpatch", "-q"),),
                ("switch", "m.st", "a.vpatch@0.5", "-q"), collect, undo_kept),
        Meeting("switch to a stack of the store, and gc", file, (added,), ("switch", "m.st", "a@0.5", "-q"), collect,
                undo_kept),
        Meeting("gc, and an alias", file, (
            added, ("switch", "m.st", "a@0.5", "-q"), ("revert", "m.st", "-q")),
            ("gc", "--forget", "m.st", "--yes", "-q"), ("alias", "kept", "COMPOSITE", "-q"), alias_holds),
        Meeting("add, and gc", file, (("add", "a.vpatch", "-q"),), ("add", "b.vpatch", "-q"), collect, store_agrees),
        Meeting("stack add twice", file, (added, ("add", "c.vpatch", "-q"), stack), ("stack", "add", "s", "b", "-q"),
                ("stack", "add", "s", "d", "-q"), members_kept),
        Meeting("stack new of one name", file, (added,), stack, ("stack", "new", "s", "--base", "base.st", "b", "-q"),
                lambda place, first, second: one_wins(first, second)),
        Meeting("annotate a file twice", annotated, (), ("annotate", "p.vpatch", *tuned),
                ("annotate", "p.vpatch", *other), records_kept("p.vpatch")),
        Meeting("annotate in the store twice", annotated, (("add", "p.vpatch", "-q"),), ("annotate", "trained", *tuned),
                ("annotate", "trained", *other), records_kept("trained")),
        Meeting("apply to one file twice", file, (), ("apply", "base.st", "a.vpatch", "-o", "out.st", "-q"),
                ("apply", "base.st", "b.vpatch", "-o", "out.st", "-q"), model_is_one),
        Meeting("create one patch twice", pair, (), ("create", "base.st", "ta.st", "-o", "out.vpatch", "-q"),
                ("create", "base.st", "tb.st", "-o", "out.vpatch", "-q"), patch_is_one),
        reads("apply", "apply", "m", "g.vpatch", "-o", "out", "-q", result="out/model-00001-of-00002.safetensors"),
        reads("apply --full", "apply", "m", "g.vpatch", "-o", "out", "-q", "--full",
              result="out/model-00002-of-00002.safetensors"),
        reads("create", "create", "m", "t", "-o", "out.vpatch", "-q", "--no-store", result="out.vpatch"),
        reads("create of it", "create", "t", "m", "-o", "out.vpatch", "-q", "--no-store", result="out.vpatch"),
        reads("diff", "diff", "m", "t", "--json"),
        reads("verify", "verify", "g.vpatch", "--base", "m"),
        reads("revert -o", "revert", "m", "f.vpatch", "-o", "out", "-q", result="out/model-00001-of-00002.safetensors"),
        reads("status --full", "status", "m", "--full", "--json"),
    ]


def _results(task: str, better: bool) -> dict[str, Any]:
    return {"format": "vpatch.results.1", "evaluator": {"name": "probe", "version": "1"}, "model": "x", "tasks": [
        {"task": task, "metric": "exact_match", "unit": "share", "higher_is_better": True, "n": 4,
         "value": 0.75 if better else 0, "scores": [1, 0, 1, 1] if better else [0, 0, 0, 0], "settings": {}}]}


def write_results(lab: Lab, count: int) -> None:
    """Writes results of `count` tasks: r1.json and b1.json, r2.json …"""
    for number in range(1, count + 1):
        for letter, better in (("r", True), ("b", False)):
            (lab.sources / f"{letter}{number}.json").write_text(json.dumps(_results(f"task-{number}", better)))


def _lay_out(lab: Lab, meeting: Meeting, folder: Path) -> tuple[Place, Meeting]:
    shutil.rmtree(folder.parent, ignore_errors=True)
    folder.mkdir(parents=True)
    store = folder / "store"
    place = Place(lab, folder, lab.vpatch.with_environment({"VPATCH_STORE": str(store)}))
    for name, source in meeting.files.items():
        path = lab.sources / source
        (shutil.copytree if path.is_dir() else shutil.copyfile)(path, folder / name)
    if any(word == "d" for word in meeting.second):
        lab.do("create", "base.safetensors", "other.safetensors", "-o", folder / "d.vpatch", "--name", "d", "-q",
               "--force", store=store)
    second = meeting.second
    for command in meeting.setup:
        lab.do(*command, folder=folder, store=store)
        if "COMPOSITE" in second and command[0] == "switch":
            # The identity of the patch that the model was switched to.
            identity = json.loads((folder / "m.st.vpatch.json").read_text())["patches"][0]["identity"]
            second = tuple(identity if word == "COMPOSITE" else word for word in second)
    return place, Meeting(meeting.name, meeting.files, meeting.setup, meeting.first, second, meeting.judge)


def attack(lab: Lab, count: int, only: str | None = None) -> Outcome:
    """Tries `count` meetings, divided among the pairs; the calls are random."""
    outcome = Outcome("meetings", "meetings")
    write_results(lab, 2)
    chosen = [meeting for meeting in meetings() if not only or only in meeting.name]
    base = lab.place("meetings")
    each = -(-count // len(chosen))

    def try_meeting(given: Meeting) -> None:
        rng = random.Random(f"{lab.seed} {given.name}")
        place, meeting = _lay_out(lab, given, base / given.name.replace(" ", "-") / "d")
        before = tree.read(place.folder)
        _BEFORE[str(place.folder)] = before
        log = place.folder.parent / "log"
        place.vpatch.run(meeting.first, place.folder, {**place.vpatch.fault_environment(place.folder, log=log),
                                                       "FAULT_CALLS": "changes,looks"})
        calls = log.read_text(errors="replace").replace(f"{place.folder}/", "").splitlines()
        moments = list(range(1, len(calls) + 1))
        rng.shuffle(moments)
        while len(moments) < each:
            moments += moments
        for at in moments[:each]:
            tree.lay(before, place.folder)
            first, second = meet(place, meeting.first, meeting.second, at)
            complaints = meeting.judge(place, first, second)
            outcome.count([f"{meeting.name}: {tree.plain(complaint)}".replace(str(place.folder), "")
                           for complaint in complaints],
                          f"{' '.join(meeting.second)}, when {' '.join(meeting.first)} is at call {at}, "
                          f"{calls[at - 1]}: exit {first.code} and {second.code}")

    with ThreadPoolExecutor(lab.jobs) as pool:
        for _ in pool.map(try_meeting, chosen):
            pass
    return outcome.end()
