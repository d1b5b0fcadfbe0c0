"""Many processes at once on one store, and on one model; some are killed. All that was confirmed must be there."""
import functools
import json
import random
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tree
from command import Run
from lab import Lab
from meetings import write_results
from outcome import Outcome

#: The share of commands that are killed, and the longest time before, in seconds.
KILLED = 0.15
LONGEST = 0.1


def _plain(text: str) -> str:
    """A message without the parts that differ from run to run."""
    text = re.sub(r": \d+ of \d+ tensors differ.*", ": tensors differ …", text)
    text = re.sub(r"/[^ :;]*", "/…", tree.plain(text))
    return re.sub(r"\b[0-9a-f]{8,64}\b", "#", re.sub(r"\b[pts]\d+(-\d+)?\b", "N", text)).strip()[:160]


def together(workers: Sequence[Callable[[], None]]) -> None:
    """Runs them all at once; the first exception is raised at the end."""
    errors: list[BaseException] = []

    def guarded(worker: Callable[[], None]) -> None:
        try:
            worker()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@dataclass
class Worker:
    """One user of the store, and what was confirmed to it. No other worker changes its patches, stacks and tags."""
    number: int
    model: Path
    mine: list[int]
    #: Patches that must be there, and those whose state is unknown after a kill.
    have: set[int] = field(default_factory=set)
    open_patches: set[int] = field(default_factory=set)
    #: Members by stack, tags by patch, and the patch of the alias.
    stacks: dict[str, set[int]] = field(default_factory=dict)
    open_stacks: set[str] = field(default_factory=set)
    tags: set[tuple[int, str]] = field(default_factory=set)
    open_tags: set[tuple[int, str]] = field(default_factory=set)
    alias: int | None = None
    alias_is_open: bool = False


class StoreRace:
    def __init__(self, lab: Lab, outcome: Outcome, processes: int, seconds: float) -> None:
        self.lab, self.outcome, self.processes = lab, outcome, processes
        self.end = time.monotonic() + seconds
        self.folder = lab.place("race-store")
        self.store = self.folder / "store"
        self.vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(self.store)})
        self.patches = lab.patches(2 + 5 * processes)
        self.do("add", "p0.vpatch", "p1.vpatch", "-q")

    def do(self, *command: str | Path, allowed: tuple[int, ...] = (0,), kill_after: float | None = None) -> Run:
        run = self.vpatch.run(command, self.patches, kill_after=kill_after, timeout=120)
        killed = kill_after is not None and run.code == -9
        complaints = []
        if run.hung:
            complaints.append(f"store: {command[0]} hangs")
        elif run.code not in allowed and not killed:
            complaints.append(f"store: a false error of {command[0]}: exit {run.code}: {_plain(run.last_line)}")
        self.outcome.count(complaints, " ".join(map(str, command)), note="killed" if killed else "")
        return run

    def work(self, worker: Worker) -> None:
        rng = random.Random(f"{self.lab.seed} store {worker.number}")
        while time.monotonic() < self.end:
            kill_after = rng.random() * LONGEST if rng.random() < KILLED else None
            self.step(worker, rng, kill_after)

    def step(self, worker: Worker, rng: random.Random, kill_after: float | None) -> None:
        have = sorted(worker.have)
        what = rng.choices(
            ["add", "rm", "tag", "alias", "stack new", "stack add", "stack delete", "switch", "revert", "sign", "list",
             "status", "log", "show"], [20, 6, 6, 5, 8, 6, 3, 14, 8, 4, 6, 4, 3, 3])[0]

        def do(*command: str | Path, allowed: tuple[int, ...] = (0,)) -> int:
            return self.do(*command, allowed=allowed, kill_after=kill_after).code

        if what == "add":
            number = rng.choice(worker.mine)
            worker.have.discard(number)
            worker.open_patches.add(number)
            if do("add", f"p{number}.vpatch", "-q") == 0:
                worker.open_patches.discard(number)
                worker.have.add(number)
        elif what == "rm" and have:
            number = rng.choice(have)
            if any(number in members for members in worker.stacks.values()) or worker.alias == number:
                return
            worker.have.discard(number)
            worker.open_patches.add(number)
            worker.tags = {tag for tag in worker.tags if tag[0] != number}
            # Its own model may need it, or a stack whose command was killed.
            if do("rm", f"p{number}", "--force", "-q", allowed=(0, 5)) == 0:
                worker.open_patches.discard(number)
        elif what == "tag" and have:
            tag = (rng.choice(have), f"t{worker.number}-{rng.randrange(5)}")
            if do("tag", f"p{tag[0]}", tag[1], "-q") == 0:
                worker.tags.add(tag)
        elif what == "alias" and have:
            number = rng.choice(have)
            worker.alias_is_open = True
            if do("alias", f"al{worker.number}", f"p{number}", "-q") == 0:
                worker.alias, worker.alias_is_open = number, False
        elif what == "stack new" and len(have) > 1:
            a, b = rng.sample(have, 2)
            name = f"s{worker.number}-{rng.randrange(10 ** 12)}"
            if do("stack", "new", name, "--base", "base.safetensors", f"p{a}@0.5", f"p{b}", "-q") == 0:
                worker.stacks[name] = {a, b}
        elif what == "stack add" and worker.stacks:
            name = rng.choice(sorted(worker.stacks))
            others = [number for number in have if number not in worker.stacks[name]]
            if others:
                number = rng.choice(others)
                members = worker.stacks.pop(name)
                if do("stack", "add", name, f"p{number}", "-q") == 0:
                    worker.stacks[name] = members | {number}
                else:
                    worker.open_stacks.add(name)
        elif what == "stack delete" and worker.stacks:
            name = rng.choice(sorted(worker.stacks))
            del worker.stacks[name]
            if do("stack", "delete", name, "-q") != 0:
                worker.open_stacks.add(name)
        elif what == "switch" and (have or worker.stacks):
            names = [*sorted(worker.stacks), *(f"p{number}" for number in have), *(f"p{number}@0.5" for number in have)]
            by_rename = ("--by-rename",) if rng.random() < 0.3 else ()
            # If the last switch was killed, the model is recovered first; one that already is this stack exits with 5.
            self.do("recover", worker.model)
            do("switch", worker.model, rng.choice(names), "-q", *by_rename, allowed=(0, 5))
        elif what == "revert":
            self.do("recover", worker.model)
            do("revert", worker.model, "-q", allowed=(0, 5))
        elif what == "sign" and have:
            do("sign", f"p{rng.choice(have)}", "--key", self.lab.sources / "key.pem", "-q")
        elif what == "list":
            do("list", "--json")
        elif what == "status":
            self.do("recover", worker.model)
            do("status", worker.model, "--full")
        elif what == "log":
            do("log")
        elif what == "show" and have:
            do("show", f"p{rng.choice(have)}", "-q")

    def collect(self) -> None:
        """Runs gc again and again."""
        rng = random.Random(f"{self.lab.seed} gc")
        while time.monotonic() < self.end:
            kill_after = rng.random() * LONGEST if rng.random() < KILLED else None
            self.do("gc", "--yes", "-q", kill_after=kill_after)

    def run(self) -> None:
        models = self.folder / "models"
        models.mkdir()
        base = self.patches / "base.safetensors"
        workers = []
        for number in range(self.processes):
            model = models / f"m{number}.safetensors"
            shutil.copyfile(base, model)
            workers.append(Worker(number, model, [2 + 5 * number + at for at in range(5)]))
        together([functools.partial(self.work, worker) for worker in workers] + [self.collect])
        self.check(workers)

    def json(self, *command: str) -> Any:
        run = self.vpatch.run(command, self.patches)
        return json.loads(run.output) if run.code == 0 and run.output else None

    def check(self, workers: list[Worker]) -> None:
        """Checks that all that was confirmed is there, and nothing else, and that every model reverts to its base."""
        complain = self.outcome.complain
        self.vpatch.run(("fsck", "--repair", "-q"), self.patches)
        check = self.vpatch.run(("fsck",), self.patches)
        if check.code:
            said = check.errors or check.output.decode(errors="replace")
            complain("store: fsck finds something at the end", said[-300:])
        listed = self.json("list", "--json")
        stacks = self.json("stack", "list", "--json")
        if listed is None or stacks is None:
            complain("store: unreadable at the end")
            return
        named = {alias: patch["identity"] for patch in listed["patches"] for alias in patch["aliases"]}
        tags = {(alias, tag) for patch in listed["patches"] for alias in patch["aliases"] for tag in patch["tags"]}
        members = {stack["name"]: {member["identity"] for member in stack["members"]} for stack in stacks}
        for worker in workers:
            for number in worker.have:
                if f"p{number}" not in named:
                    complain("store: a patch is lost", f"p{number}")
            for number in set(worker.mine) - worker.have - worker.open_patches:
                if f"p{number}" in named:
                    complain("store: a removed patch is there", f"p{number}")
            for number, tag in worker.tags:
                if (f"p{number}", tag) not in tags and number in worker.have:
                    complain("store: a tag is lost", f"p{number} {tag}")
            if worker.alias is not None and not worker.alias_is_open and worker.alias in worker.have and \
                    named.get(f"al{worker.number}") != named.get(f"p{worker.alias}"):
                complain("store: an alias is lost", f"al{worker.number}")
            for name, numbers in worker.stacks.items():
                if name not in members:
                    complain("store: a stack is lost", name)
                elif members[name] != {named.get(f"p{number}") for number in numbers}:
                    complain("store: members are lost", name)
            self.vpatch.run(("recover", worker.model), self.patches)
            self.vpatch.run(("revert", worker.model, "-q"), self.patches)
            if worker.model.read_bytes() != (self.patches / "base.safetensors").read_bytes():
                complain("store: a model does not revert to its base", worker.model.name)


class ModelRace:
    """Several processes on one model: switch, revert, apply, status, recover; some are killed."""

    def __init__(self, lab: Lab, outcome: Outcome, processes: int, seconds: float) -> None:
        self.lab, self.outcome, self.processes = lab, outcome, processes
        self.seconds = seconds
        self.folder = lab.place("race-model")
        self.vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(self.folder / "store")})
        shutil.copytree(lab.sources / "fb", self.folder / "m")
        for name in ("f", "g"):
            shutil.copy(lab.sources / f"{name}.vpatch", self.folder)
        lab.do("add", "f.vpatch", "g.vpatch", "-q", folder=self.folder, store=self.folder / "store")
        lab.do("stack", "new", "s", "--base", "m", "f@0.5", "g", "-q", folder=self.folder, store=self.folder / "store")

    #: Errors that are right for a model that others change: busy, already done, never begun, unfinished, changed
    #: meanwhile.
    WORDS = ("is being switched", "has an unfinished switch", "there is nothing to do", "has no provenance beside it",
             "try again", "meanwhile", "changed while")

    def work(self, number: int) -> None:
        rng = random.Random(f"{self.lab.seed} model {number}")
        while time.monotonic() < self.end:
            what = rng.choices(
                ["switch", "revert", "last", "recover", "status", "apply"], [40, 15, 5, 15, 15, 10])[0]
            rename = ["--by-rename"] if rng.random() < 0.3 else []
            out = self.folder / f"out-{number}"
            shutil.rmtree(out, ignore_errors=True)
            command = {"switch": ["switch", "m", rng.choice(["f", "g", "s", "f@0.3"]), "-q", *rename],
                       "revert": ["revert", "m", "-q", *rename], "last": ["revert", "m", "--last", "-q"],
                       "recover": ["recover", "m"], "status": ["status", "m", "--full"],
                       "apply": ["apply", "m", "g", "-o", str(out), "-q", "--full"]}[what]
            kill_after = rng.random() * LONGEST if rng.random() < KILLED else None
            run = self.vpatch.run(command, self.folder, kill_after=kill_after, timeout=120)
            killed = kill_after is not None and run.code == -9
            complaints = []
            if run.hung:
                complaints.append(f"model: {command[0]} hangs")
            elif run.code and not killed and not any(words in run.errors for words in self.WORDS) and not (
                    what == "apply" and run.code == 3):
                complaints.append(f"model: a false error of {command[0]}: exit {run.code}: {_plain(run.last_line)}")
            self.outcome.count(complaints, " ".join(command), note="killed" if killed else "")
            if what == "apply" and run.code == 0 and self.vpatch.run(("status", out, "--full"), self.folder).code:
                self.outcome.complain("model: apply makes a copy that mixes two states", " ".join(command))

    def run(self) -> None:
        self.end = time.monotonic() + self.seconds
        together([functools.partial(self.work, number) for number in range(self.processes)])
        for command in (("recover", "m"), ("status", "m", "--full"), ("revert", "m", "-q")):
            run = self.vpatch.run(command, self.folder)
            if run.code and not (command[0] == "revert" and run.code == 5):
                self.outcome.complain(f"model: at the end {command[0]} fails: {_plain(run.last_line)}")
        now = {name: entry for name, entry in tree.read(self.folder / "m").items() if name != "vpatch.json"}
        was = tree.read(self.lab.sources / "fb")
        if found := tree.differences(now, was):
            self.outcome.complain("model: it does not revert to its base", " ".join(found))


def records(lab: Lab, processes: int, each: int) -> Outcome:
    """`processes` processes annotate one patch `each` times, as a file and in a store: no record is lost."""
    outcome = Outcome("records", "records")
    write_results(lab, processes * each)
    for where in ("file", "store"):
        folder = lab.place(f"records-{where}")
        vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(folder / "store")})
        shutil.copy(lab.sources / "trained.vpatch", folder / "p.vpatch")
        if where == "store":
            lab.do("add", "p.vpatch", "-q", folder=folder, store=folder / "store")
        subject = "p.vpatch" if where == "file" else "trained"
        confirmed: list[int] = []

        def work(first: int, vpatch: Any = vpatch, folder: Path = folder, subject: str = subject,
                 confirmed: list[int] = confirmed, where: str = where) -> None:
            for number in range(first * each + 1, (first + 1) * each + 1):
                run = vpatch.run(("annotate", subject, "--results", lab.sources / f"r{number}.json", "--base-results",
                                  lab.sources / f"b{number}.json", "-q"), folder, timeout=300)
                complaints = [f"{where}: a false error: exit {run.code}: {_plain(run.last_line)}"] if run.code else []
                outcome.count(complaints, note=where)
                if run.code == 0:
                    confirmed.append(number)

        together([functools.partial(work, first) for first in range(processes)])
        shown = json.loads(vpatch.run(("show", subject, "--json"), folder).output or b"{}")
        kept = {record["task"] for record in shown.get("annotations", {}).get("forgetting", [])}
        for number in confirmed:
            if f"task-{number}" not in kept:
                outcome.complain(f"{where}: a record is lost", f"task-{number}")
        if left := [name for name in tree.read(folder) if ".vpatch-" in name]:
            outcome.complain(f"{where}: files are left", " ".join(left))
    _evaluations(lab, outcome, processes)
    return outcome.end()


def _evaluations(lab: Lab, outcome: Outcome, processes: int) -> None:
    """eval --record of several suites at once, into one patch."""
    folder = lab.place("records-eval")
    shutil.copy(lab.sources / "trained.vpatch", folder / "p.vpatch")
    shutil.copy(lab.sources / "rows.jsonl", folder)
    started: list[subprocess.Popen[bytes]] = []
    for number in range(processes):
        (folder / f"s{number}.toml").write_text(
            f'name = "s"\n[[task]]\nname = "c{number}"\nkind = "exact-match"\nrole = "held-out"\ndata = "rows.jsonl"\n'
            f'limit = {number % 10 + 1}\nformat = "raw"\nmax_tokens = 2\n')
    for number in range(processes):
        command = ("eval", lab.sources / "tl", "--patch", "p.vpatch", "--suite", f"s{number}.toml", "--record", "-q")
        started.append(lab.vpatch.start(command, folder))
    codes = [process.wait() for process in started]
    shown = json.loads(lab.vpatch.run(("show", "p.vpatch", "--json"), folder).output or b"{}")
    kept = {record["task"] for record in shown.get("annotations", {}).get("forgetting", [])}
    for number, code in enumerate(codes):
        outcome.count([f"eval --record: a false error: exit {code}"] if code else [], note="eval --record")
        if code == 0 and f"c{number}" not in kept:
            outcome.complain("eval --record: a record is lost", f"c{number}")


def store(lab: Lab, seconds: float, processes: int = 20) -> Outcome:
    outcome = Outcome(f"races: {processes} processes on one store", "commands")
    StoreRace(lab, outcome, processes, seconds).run()
    return outcome.end()


def model(lab: Lab, seconds: float, processes: int = 8) -> Outcome:
    outcome = Outcome(f"races: {processes} processes on one model", "commands")
    ModelRace(lab, outcome, processes, seconds).run()
    return outcome.end()
