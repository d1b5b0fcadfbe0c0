"""An operation in its own folder, which is restored before each try, and what must hold afterwards."""
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

#: One thing that a store holds, described as a user sees it.
Fact = tuple[str, ...]
STORE = "store"


class Scene:
    """`reference` is a run of the operation without a fault."""

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
        # Reading a store may leave SQLite's files beside it.
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

    # What exists

    def _identity(self, name: str) -> str | None:
        """For a patch that contains a time: its identity and its number of records."""
        path = self.folder / name
        if not path.exists():
            return None
        run = self.vpatch.run(("show", path, "--json"), self.folder)
        if run.code:
            return None
        shown = json.loads(run.output)
        return json.dumps([shown["identity"], len(shown["annotations"].get("forgetting", []))])

    def facts(self) -> frozenset[Fact]:
        """Everything that the store holds. Raises ValueError if it cannot be read."""
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
        """Whether it failed to write one of the other files that it leaves, and names it."""
        return any(run.last_line.startswith(f"vpatch: {name}: ") for name in self.operation.besides)

    def leftovers(self, now: Tree) -> list[str]:
        """Names that exist neither before nor after the operation."""
        return [name for name in now if name not in self.before and name not in self.after
                and not self._is_besides(name)]

    def _is_state(self, now: Tree, state: Tree, is_new: bool) -> bool:
        """Whether the results are those of a state; other files are ignored."""
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

    # What must hold

    def judge(self, run: Run, may_leave: bool, killed: bool) -> tuple[str, ...]:
        """What fails to hold after a run with a fault or signal. The folder is as the run left it.

        Args:
            may_leave: temporary files may stay until a later command.
            killed: the process was killed, so its messages are not checked.
        """
        found: list[str] = []
        operation = self.operation
        if run.hung:
            return ("it hangs",)
        if run.code < 0 and not killed:
            found.append(f"it is ended by signal {-run.code}")
        if 0 < run.code < 128 and not run.errors.strip() and not killed:
            found.append("it fails without a message")
        now = tree.read(self.folder)
        if operation.prints and run.code == 0 and run.output != self.reference.output:
            found.append("exit 0, but the output differs")
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
        # A file and its provenance get their names by a journal, which a kill may leave.
        unfinished = next((name for name in operation.results
                           if (self.folder / f"{name}.vpatch-journal").exists()), None)
        model = operation.model if operation.model and (self.folder / operation.model).exists() else unfinished
        if model:
            recovery = self.vpatch.run(("recover", model), self.folder)
            if recovery.code:
                found.append(f"recover fails: exit {recovery.code}: {self._plain(recovery.last_line)}")
            now = tree.read(self.folder)
            # recover may remove a name, but nothing else.
        is_old, is_new = self._is_state(now, self.before, False), self._is_state(now, self.after, True)
        if operation.results:
            if run.code == 0 and not is_new:
                found.append("exit 0, but it is not done" if is_old else "exit 0, but neither old nor new")
            elif not is_old and not is_new:
                found.append("neither old nor new")
            elif run.code != 0 and not killed and not run.announces and not is_old and is_new and \
                    not _says_it_is_there(run) and not self._is_about_besides(run):
                found.append("it fails, but it is done" if run.code < 128 else "interrupted, but it is done")
        for name, entry in self.before.items():
            is_result = any(name == result or name.startswith(result + "/") for result in operation.results)
            if not is_result and not self._is_besides(name) and now.get(name) != entry:
                found.append("an input was changed")
                break
        found += self._judge_store(run)
        # If the state is already wrong, what follows from it is not another failure.
        return tuple(found or self._judge_again(is_new and not is_old))

    def _judge_store(self, run: Run) -> list[str]:
        """fsck repairs the store without loss, and it holds what was there and what was confirmed."""
        if not (self.folder / STORE).exists():
            return ["the store is missing"] if self.facts_before else []
        if not (self.folder / STORE / "catalogue.sqlite").exists():
            return ["the catalogue is missing"] if self.facts_before or (run.code == 0 and self.facts_after) else []
        repair = self.vpatch.run(("fsck", "--repair", "-q"), self.folder)
        check = self.vpatch.run(("fsck", "-q"), self.folder)
        found = []
        if check.code:
            found.append(f"fsck --repair does not repair it: exit {repair.code}: {self._plain(check.last_line)}")
        try:
            facts = self.facts()
        except ValueError as error:
            return [*found, f"the store cannot be read: {self._plain(str(error))}"]
        if lost := (self.facts_before & self.facts_after) - facts:
            found.append(f"lost: {_kinds(lost)}")
        gone, come = self.facts_before - self.facts_after, self.facts_after - self.facts_before
        if run.code == 0 and not self.operation.prints:
            if missing := come - facts:
                found.append(f"confirmed, but missing: {_kinds(missing)}")
            if still := gone & facts:
                found.append(f"confirmed as removed, but still there: {_kinds(still)}")
        # fsck treats a composite file without a row as a patch of the user.
        strange = {fact for fact in facts - self.facts_before - self.facts_after
                   if fact[0] not in ("composite", "undo") and not (fact[0] == "patch" and self.operation.model)}
        if strange:
            found.append(f"unexpected: {_kinds(strange)}")
        return found

    def _judge_again(self, is_done: bool) -> list[str]:
        """The same command without a fault succeeds, and removes what was left."""
        operation = self.operation
        found: list[str] = []
        command = operation.command
        if is_done and operation.results:
            # The second time there is nothing to do, or the output is in the way.
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
            return [f"run again, it fails: exit {run.code}: {self._plain(run.last_line)}"]
        now = tree.read(self.folder)
        if operation.results and not self._is_state(now, self.after, True):
            found.append("run again, its result differs")
        if self.leftovers(now):
            found.append("run again, it does not remove what was left")
        if operation.prints and run.output != self.reference.output:
            found.append("run again, its output differs")
        if self.facts_after - self.facts():
            found.append("run again, it does not do it")
        return found

    def _plain(self, text: str) -> str:
        """A text without the parts that differ from run to run."""
        text = tree.plain(text.replace(str(self.folder), ""))
        return re.sub(r"\b[0-9a-f]{8,64}\b", "#", text)[:160]


def _says_it_is_there(run: Run) -> bool:
    """Whether a command failed after its last step and reports that the work is done."""
    return any(words in run.errors for words in ("is written", "was written", "is in place", "is done"))


def _kinds(facts: frozenset[Fact] | set[Fact]) -> str:
    return ", ".join(sorted({fact[0] if fact[0] in ("record", "signature") else " ".join(fact[:2])[:40]
                             for fact in facts}))
