"""An operation in a folder of its own, which is laid out again and again, and what must be true afterwards."""
import json
import re
import shutil
from pathlib import Path
from typing import Any

import tree
from command import Run
from lab import Lab
from operations import Operation
from tree import Tree

#: One thing that a store holds, by what a person goes by.
Fact = tuple[str, ...]
STORE = "store"


class Scene:
    """The reference is the operation, run once without a fault."""

    def __init__(self, lab: Lab, operation: Operation, folder: Path) -> None:
        self.operation = operation
        self.folder = folder
        self._lab = lab
        self.vpatch = lab.vpatch.with_environment(
            {"VPATCH_STORE": str(folder / STORE), **operation.environment})
        self._judged: dict[tuple[str, bool, bool], tuple[str, ...]] = {}
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, source in operation.files.items():
            path = lab.sources / source
            if path.is_dir():
                shutil.copytree(path, folder / name)
            else:
                shutil.copyfile(path, folder / name)
        for command in operation.setup:
            self._must(self.vpatch.run(command, folder), command)
        # Looking at a store may leave SQLite's files beside it.
        self.facts_before = self.facts()
        self.before = tree.read(folder)
        log = folder.parent / "log"
        self.reference = self.vpatch.run(
            operation.command, folder, {**self.vpatch.fault_environment(folder, log=log),
                                        "FAULT_CALLS": "changes,looks"})
        self._must(self.reference, operation.command)
        self.calls = [line.replace(f"{folder}/", "") for line in log.read_text(errors="replace").splitlines()]
        self.after = tree.read(folder)
        self.identities = {name: self._identity(name) for name in operation.loose}
        self.facts_after = self.facts()

    def _must(self, run: Run, command: tuple[str, ...]) -> None:
        if run.code:
            raise RuntimeError(f"{self.operation.name}: vpatch {' '.join(command)}: exit {run.code}: {run.errors}")

    def lay(self) -> None:
        tree.lay(self.before, self.folder)

    # What is there

    def _identity(self, name: str) -> str | None:
        """What a patch is that has a time in it: its identity, and how many records it has."""
        path = self.folder / name
        if not path.exists():
            return None
        run = self.vpatch.run(("show", path, "--json"), self.folder)
        if run.code:
            return None
        shown = json.loads(run.output)
        return json.dumps([shown["identity"], len(shown["annotations"].get("forgetting", []))])

    def facts(self) -> frozenset[Fact]:
        """All that the store holds. Raises ValueError where it cannot be read."""
        if not (self.folder / STORE / "catalogue.sqlite").exists():
            return frozenset()
        facts: set[Fact] = set()
        patches = self._json("list", "--json")["patches"]
        for patch in patches:
            identity = patch["identity"]
            facts.add((patch["kind"], identity))
            facts |= {("alias", name, identity) for name in patch["aliases"]}
            facts |= {("tag", name, identity) for name in patch["tags"]}
        for stack in self._json("stack", "list", "--json"):
            facts.add(("stack", stack["name"], stack["identity"]))
        for name in self.operation.shows:
            run = self.vpatch.run(("show", name, "--json"), self.folder)
            if run.code == 0:
                shown = json.loads(run.output)
                for record in shown.get("annotations", {}).get("forgetting", []):
                    facts.add(("record", name, json.dumps([record.get("task"), record.get("before"),
                                                           record.get("after")])))
                for signature in shown.get("signatures", []):
                    facts.add(("signature", name, json.dumps(signature.get("key"))))
        return frozenset(facts)

    def _json(self, *command: str) -> Any:
        run = self.vpatch.run(command, self.folder)
        if run.code:
            raise ValueError(f"{' '.join(command)}: exit {run.code}: {run.last_line}")
        return json.loads(run.output)

    def _is_besides(self, name: str) -> bool:
        return any(name == besides or name.startswith(besides + "/") for besides in (*self.operation.besides, STORE))

    def _is_about_besides(self, run: Run) -> bool:
        """A failure to write what it leaves besides its result, which it names."""
        return any(run.last_line.startswith(f"vpatch: {name}: ") for name in self.operation.besides)

    def leftovers(self, now: Tree) -> list[str]:
        """Names that are there neither before nor after the operation."""
        return [name for name in now if name not in self.before and name not in self.after
                and not self._is_besides(name)]

    def _is_state(self, now: Tree, state: Tree, is_new: bool) -> bool:
        """Whether the results are those of a state, and whatever else there is too."""
        for name in self.operation.results:
            if is_new and name in self.operation.loose:
                if self._identity(name) != self.identities[name]:
                    return False
                continue
            mine = {path: entry for path, entry in tree.below(now, name).items() if self._is_known(path)}
            if mine != tree.below(state, name):
                return False
        return True

    def _is_known(self, name: str) -> bool:
        return name in self.before or name in self.after

    # What must be true

    def judge(self, run: Run, may_leave: bool, killed: bool) -> tuple[str, ...]:
        """What does not hold after a run that something happened to. The folder is what it left.

        Args:
            may_leave: temporary files may stay, until a later command.
            killed: it was ended by force: nothing is expected of what it said.
        """
        found: list[str] = []
        operation = self.operation
        if run.hung:
            return ("it hangs",)
        if run.code < 0 and not killed:
            found.append(f"it ends by signal {-run.code}")
        if 0 < run.code < 128 and not run.errors.strip() and not killed:
            found.append("it fails and says nothing")
        now = tree.read(self.folder)
        if operation.prints and run.code == 0 and run.output != self.reference.output:
            found.append("exit 0, and other output")
        left = self.leftovers(now)
        if left and not may_leave and not run.announces:
            found.append("it leaves temporary files")
        key = (tree.digest(now), run.code == 0, run.announces or killed)
        if key not in self._judged:
            self._judged[key] = self._judge_files(now, run, killed)
        return tuple(found) + self._judged[key]

    def _judge_files(self, now: Tree, run: Run, killed: bool) -> tuple[str, ...]:
        found: list[str] = []
        operation = self.operation
        # A file and its provenance get their names by a journal: a kill may leave that.
        unfinished = next((name for name in operation.results
                           if (self.folder / f"{name}.vpatch-journal").exists()), None)
        model = operation.model if operation.model and (self.folder / operation.model).exists() else unfinished
        if model:
            recovery = self.vpatch.run(("recover", model), self.folder)
            if recovery.code:
                found.append(f"recover fails: exit {recovery.code}: {self._plain(recovery.last_line)}")
            now = tree.read(self.folder)
            # A name may be taken away by recover; nothing else.
        is_old, is_new = self._is_state(now, self.before, False), self._is_state(now, self.after, True)
        if operation.results:
            if run.code == 0 and not is_new:
                found.append("exit 0, and it is not done" if is_old else "exit 0, and neither old nor new")
            elif not is_old and not is_new:
                found.append("neither old nor new")
            elif run.code != 0 and not killed and not run.announces and not is_old and is_new and \
                    not _says_it_is_there(run) and not self._is_about_besides(run):
                found.append("it fails, and it is done" if run.code < 128 else "interrupted, and it is done")
        for name, entry in self.before.items():
            is_result = any(name == result or name.startswith(result + "/") for result in operation.results)
            if not is_result and not self._is_besides(name) and now.get(name) != entry:
                found.append("an input is changed")
                break
        found += self._judge_store(run)
        # What comes of a state that is wrong already is no other fault.
        return tuple(found or self._judge_again(is_new and not is_old))

    def _judge_store(self, run: Run) -> list[str]:
        """fsck mends it without loss, and it holds what was there and what was confirmed."""
        if not (self.folder / STORE).exists():
            return ["the store is gone"] if self.facts_before else []
        if not (self.folder / STORE / "catalogue.sqlite").exists():
            return ["the catalogue is gone"] if self.facts_before or (run.code == 0 and self.facts_after) else []
        repair = self.vpatch.run(("fsck", "--repair", "-q"), self.folder)
        check = self.vpatch.run(("fsck", "-q"), self.folder)
        found = []
        if check.code:
            found.append(f"fsck --repair does not mend it: exit {repair.code}: {self._plain(check.last_line)}")
        try:
            facts = self.facts()
        except ValueError as error:
            return [*found, f"the store cannot be read: {self._plain(str(error))}"]
        if lost := (self.facts_before & self.facts_after) - facts:
            found.append(f"lost: {_kinds(lost)}")
        gone, come = self.facts_before - self.facts_after, self.facts_after - self.facts_before
        if run.code == 0 and not self.operation.prints:
            if missing := come - facts:
                found.append(f"confirmed and not there: {_kinds(missing)}")
            if still := gone & facts:
                found.append(f"confirmed as gone and still there: {_kinds(still)}")
        # fsck takes a composite that is there and not known yet for a patch of the user's.
        strange = {fact for fact in facts - self.facts_before - self.facts_after
                   if fact[0] not in ("composite", "undo") and not (fact[0] == "patch" and self.operation.model)}
        if strange:
            found.append(f"nobody asked for: {_kinds(strange)}")
        return found

    def _judge_again(self, is_done: bool) -> list[str]:
        """The same command without a fault does it, and clears what was left."""
        operation = self.operation
        found: list[str] = []
        command = operation.command
        if is_done and operation.results:
            # A second time there is nothing to do, or it is in the way.
            if operation.model or "--force" in command or command[0] not in ("create", "apply", "compose", "rebase"):
                return found
            command += ("--force",) if not (self.folder / operation.results[0]).is_dir() else ()
            if command == operation.command:
                return found
        already = not operation.results and not operation.prints and self.facts_after <= self.facts() and \
            not (self.facts_before - self.facts_after) & self.facts()
        if already:
            return found
        run = self.vpatch.run(command, self.folder)
        if run.code:
            return [f"the same again fails: exit {run.code}: {self._plain(run.last_line)}"]
        now = tree.read(self.folder)
        if operation.results and not self._is_state(now, self.after, True):
            found.append("the same again makes something else")
        if self.leftovers(now):
            found.append("the same again does not clear what was left")
        if operation.prints and run.output != self.reference.output:
            found.append("the same again prints something else")
        if self.facts_after - self.facts():
            found.append("the same again does not do it")
        return found

    def _plain(self, text: str) -> str:
        """Without what differs from run to run."""
        text = tree.plain(text.replace(str(self.folder), ""))
        return re.sub(r"\b[0-9a-f]{8,64}\b", "#", text)[:160]


def _says_it_is_there(run: Run) -> bool:
    """A failure after the last step that says what was done all the same."""
    return any(words in run.errors for words in ("is written", "was written", "is in place", "is done"))


def _kinds(facts: frozenset[Fact] | set[Fact]) -> str:
    return ", ".join(sorted({fact[0] if fact[0] in ("record", "signature") else " ".join(fact[:2])[:40]
                             for fact in facts}))
