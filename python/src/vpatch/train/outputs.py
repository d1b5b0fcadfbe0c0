"""Where results go: checks before the training, the patch, the log, the store, the suite."""

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vpatch.command import path_of_command
from vpatch.errors import IOFailure, Mismatch, Refused, VPatchError
from vpatch.patch import Patch
from vpatch.saving import save_patch
from vpatch.store import error_of
from vpatch.train.options import Options
from vpatch.train.plan import Plan
from vpatch.train.ranks import Ranks
from vpatch.train.run import Step


def check(options: Options) -> None:
    """Checks before anything is read what would fail after the training.

    Raises:
        Refused: if an output exists, or is an input.
        IOFailure: if it cannot be written.
    """
    output = Path(options.output)
    others = [options.suite, options.validation, options.chat_template]
    inputs = [Path(path) for path in [*options.data, *others] if path and path != "-" and Path(path).exists()]
    if any(output.exists() and output.samefile(path) for path in inputs):
        raise Refused(f"{output}: is an input of this command; give another output")
    if output.is_dir():
        raise Refused(f"{output}: is a folder; give a file, such as {output / 'task.vpatch'}")
    if output.exists() and not options.force:
        raise Refused(f"{output}: already exists; give another output, or --force to replace it")
    _require_writable(output)
    if options.log is None:
        return
    log = Path(options.log)
    if log.absolute() == output.absolute():
        raise Refused(f"{log}: is also the output file of the patch; give another file for --log")
    if any(log.exists() and log.samefile(path) for path in inputs):
        raise Refused(f"{log}: is an input of this command; give another file for --log")
    _require_writable(log)


def _require_writable(path: Path) -> None:
    folder = path.absolute().parent
    if not folder.is_dir():
        raise IOFailure(f"{path}: its folder does not exist; make it first")
    if not os.access(folder, os.W_OK):
        raise IOFailure(f"{path}: its folder cannot be written; give another one")


def check_room(plan: Plan) -> None:
    """Checks that there is space for the patch and for two states: a new one replaces the one before.

    Raises:
        IOFailure: with the numbers.
    """
    needs = [(Path(plan.options.output).absolute().parent, 4 * plan.tuned.weights)]
    if plan.options.resume is not None:
        needs.append((Path(plan.options.resume), (32 if plan.options.early_stop else 24) * plan.tuned.weights))
    for folder, bytes_needed in needs:
        free = shutil.disk_usage(folder).free
        if free < bytes_needed:
            raise IOFailure(f"{folder}: needs {bytes_needed / 1e9:.1f} GB of space and has {free / 1e9:.1f}; make "
                            "room, or give another folder")


def write(model: Any, plan: Plan, training: Mapping[str, Any], ranks: Ranks) -> Patch:
    """Writes the patch; every rank calls it. A trained patch must not be lost because its file cannot be written: it is
    then kept in a temporary folder.

    Raises:
        VPatchError: why the file could not be written, and where the patch is.
    """
    options = plan.options

    def save(output: Path, replaces: bool) -> Patch:
        return save_patch(
            model, options.base, output, recipe=options.recipe, name=options.name, note=options.note, training=training,
            replace=replaces, threads=options.threads)

    output = Path(options.output)
    try:
        return save(output, options.force)
    except (IOFailure, Refused) as error:
        # Another place may work: the system refused this one, or a file of that name has appeared.
        if isinstance(error, Refused) and not ranks.first(output.exists):
            raise
        folder = ranks.first(lambda: Path(tempfile.mkdtemp(prefix="vpatch-")))
        save(folder / output.name, False)
        raise type(error)(f"{error}; the patch is saved as {folder / output.name}") from error


def require_same_base(plan: Plan, patch: Patch) -> None:
    """Checks that nobody wrote to the base meanwhile.

    Raises:
        Mismatch: if so. The patch is deleted: its weights were trained on others.
    """
    if patch.base_root != plan.tuned.root:
        os.unlink(patch.path)
        raise Mismatch(f"{plan.options.base}: was changed during training, so the patch was deleted; train again while "
                       "no other process writes to it")


class Log:
    """The file with a line of JSON per step. One that cannot be written does not end the run."""

    def __init__(self, path: str | None, kernels: str) -> None:
        """Opens the file for appending, line by line.

        Raises:
            IOFailure: if that fails.
        """
        self.troubles: list[str] = []
        self._kernels = kernels
        try:
            self._file = None if path is None else open(path, "a", buffering=1)  # noqa: SIM115
        except OSError as error:
            raise IOFailure(f"{path}: cannot be written: {error.strerror}") from error

    def write(self, step: Step) -> None:
        """Appends a step."""
        if self._file is None:
            return
        line = {"step": step.number, "loss": step.loss, "lr": step.rate,
                "tokens_per_second": step.tokens / max(step.seconds, 1e-9), "gradient_norm": step.norm,
                "tokens": step.tokens, "seconds": step.seconds,
                **({} if step.validation is None else {"validation": step.validation}), "kernels": self._kernels}
        try:
            self._file.write(json.dumps(line) + "\n")
        except OSError as error:
            self.troubles.append(f"the log {self._file.name} lacks steps from {step.number} on: {error.strerror}")
            self._file = None


# MARK: The command

def run_command(*arguments: str) -> str:
    """Runs `vpatch`, and gives what it printed.

    Raises:
        VPatchError: of the kind that its exit code says, with its message.
    """
    done = subprocess.run([path_of_command(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise error_of(done.returncode, done.stderr)
    return done.stdout


def add_to_store(options: Options) -> str:
    """Adds the patch to the store, and says what that gave."""
    if options.no_store:
        return ""
    place = ["--store", options.store] if options.store else []
    try:
        added = json.loads(run_command("add", options.output, "--json", *place))
    except (VPatchError, ValueError) as error:
        return f"stored    not: {error}"
    names = [str(patch.get("alias") or patch.get("name") or patch.get("identity", ""))
             for patch in added.get("patches", added.get("added", []))]
    return f"stored    as {', '.join(names)}" if names else "stored"


class SuiteRun:
    """A suite that `vpatch eval` measures: the base before the training, the patch after it."""

    def __init__(self, options: Options) -> None:
        """Prepares the calls."""
        self._options = options
        self._folder = Path(tempfile.mkdtemp(prefix="vpatch-suite-"))
        self._template = [word for pair in (
            *(("--template-arg", argument) for argument in options.template_arg),
            *([("--chat-template", options.chat_template)] if options.chat_template else []),
            *([("--template-date", options.template_date)] if options.template_date else []),
        ) for word in pair] + (["--allow-outside"] if options.allow_outside else [])

    @staticmethod
    def command(options: Options) -> str:
        """The command that measures the patch, to be typed."""
        return (f"vpatch eval {shlex.quote(options.base)} --patch {shlex.quote(options.output)} --suite "
                f"{shlex.quote(options.suite or 'everyday')} --record")

    def measure_base(self) -> None:
        """Evaluates the base. So a suite or a model that cannot be evaluated is an error before the training.

        Raises:
            VPatchError: the command's.
        """
        options = self._options
        try:
            run_command("eval", options.base, "--suite", options.suite or "", "--results", self._base_results,
                        "--quiet", *self._template)
        except VPatchError as error:
            raise type(error)(f"{error} (--suite {options.suite}). Without --suite, a model that 'vpatch eval' does "
                              "not know is measured by python -m vpatch.lm_eval (docs/python.md)") from error

    def measure_patch(self) -> Any:
        """Evaluates the patch, and writes the records into it.

        Raises:
            VPatchError: with the command that adds the records.
        """
        options = self._options
        try:
            return json.loads(run_command(
                "eval", options.base, "--patch", options.output, "--suite", options.suite or "", "--base-results",
                self._base_results, "--record", "--json", *self._template))
        except VPatchError as error:
            raise type(error)(f"{error}; the patch was written without the suite's records; "
                              f"'{self.command(options)}' adds them") from error

    def close(self) -> None:
        """Deletes the base's results."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _base_results(self) -> str:
        return str(self._folder / "base.json")
