"""`python -m vpatch.train`: from the command line to the patch."""

import json
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vpatch.errors import RankFailed, Refused, VPatchError
from vpatch.train import model as models
from vpatch.train import outputs, plan, record
from vpatch.train.options import Options, parse
from vpatch.train.plan import Plan
from vpatch.train.ranks import Ranks, exit_code
from vpatch.train.run import Diverged, Run, Step
from vpatch.train.state import StateFolder


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, and returns the exit code. One rank alone says why a run failed."""
    options = parse(arguments)
    ranks = Ranks()
    session = Session(options, ranks)
    try:
        return session.run()
    except BaseException as error:
        code = _report(error, session, ranks)
    if ranks.size > 1:
        # The others may be in the midst of a collective operation, which an orderly end would wait for.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _report(error: BaseException, session: "Session", ranks: Ranks) -> int:
    """Says what happened, on one rank, and gives the exit code."""
    # torchrun ends the other ranks as soon as one has ended: this one speaks first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        # Ctrl-C reaches all ranks, and may end another one before this one hears of it.
        if ranks.size > 1 and (isinstance(error, RankFailed) or not isinstance(error, VPatchError)):
            time.sleep(0.3)
    except KeyboardInterrupt as interrupt:
        error = interrupt
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if not isinstance(error, KeyboardInterrupt):
        if ranks.speaks_of_failure():
            print(f"vpatch: {_words(error, ranks)}", file=sys.stderr)
    elif ranks.is_first:
        # So that no other rank takes the end of this one for a failure.
        ranks.speaks_of_failure()
        print(f"vpatch: {session.farewell()}", file=sys.stderr)
    else:
        # Until the first has spoken.
        time.sleep(1)
    return exit_code(error)


def _words(error: BaseException, ranks: Ranks) -> str:
    """What a user reads about an error."""
    if isinstance(error, (VPatchError, OSError)):
        return str(error)
    where = f"rank {ranks.rank}: " if ranks.size > 1 else ""
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return (f"{where}out of memory ({first_line}); use --recompute, a smaller --micro-batch, a shorter "
                "--max-length, --compute bf16, or more ranks")
    if isinstance(error, torch.distributed.DistError) or "gloo" in first_line or "closed by peer" in first_line:
        reason = re.sub(r"^\[[^\]]*\] *", "", first_line).partition(". ")[0]
        return (f"{where}another rank ended or did not answer ({reason}); nothing was written. With --resume, the "
                "same command goes on from the last saved state")
    return f"{where}{''.join(traceback.format_exception(error))}this is a fault in vpatch or in what it uses"


@dataclass
class _Result:
    """What is printed at the end."""

    patch: Any
    training: dict[str, Any]
    notes: list[str]
    stored: str = ""
    forgetting: Any = None


class Session:
    """One run of the command."""

    def __init__(self, options: Options, ranks: Ranks) -> None:
        self._options, self._ranks = options, ranks
        self._speaks = ranks.is_first and not options.quiet
        self._steps = 0
        self._run: Run | None = None
        self._suite: outputs.SuiteRun | None = None
        self._reporters: Any = None
        if options.threads is not None:
            torch.set_num_threads(options.threads)

    def run(self) -> int:
        """Does everything.

        Returns:
            The exit code.

        Raises:
            VPatchError: what is wrong.
        """
        try:
            return self._train_and_save()
        finally:
            if self._suite is not None:
                self._suite.close()

    def _train_and_save(self) -> int:
        options, ranks = self._options, self._ranks
        made = ranks.first(self._prepare)
        if options.dry_run:
            if ranks.is_first:
                print(json.dumps(made.to_dict()) if options.json else made.text())
            ranks.leave()
            return 0
        if self._speaks:
            for note in made.notes:
                self._note(note)
            if not options.json:
                print(f"{made.text()}\ncomputes  {record.kernels(options.compute, ranks)}\n", file=sys.stderr)
        model = models.prepare(made, ranks)
        folder = None if options.resume is None else StateFolder(options.resume, made.identity, ranks)
        self._run = run = Run(made, model, ranks, folder)
        log = outputs.Log(options.log if ranks.is_first else None, record.kernels(options.compute, ranks))
        if self._reporters is not None:
            self._reporters.begin(made, model)

        def observe(step: Step) -> None:
            log.write(step)
            if self._reporters is not None:
                self._reporters.step(step)
            self._show(made, step)

        begin = time.monotonic()
        divergence = self._train(run, observe)
        if self._reporters is not None:
            self._reporters.end(model)
        training = record.record(run, time.monotonic() - begin)
        patch = outputs.write(model, made, training, ranks)
        ranks.first(lambda: outputs.require_same_base(made, patch))
        ranks.leave()
        if not ranks.is_first:
            return 4 if divergence else 0
        troubles = log.troubles + (self._reporters.troubles if self._reporters else [])
        result = _Result(patch, training, record.notes(run) + troubles)
        result.stored = outputs.add_to_store(options)
        failure: VPatchError | None = divergence
        if self._suite is not None:
            try:
                result.forgetting = self._suite.measure_patch()
            except VPatchError as error:
                failure = failure or error
        self._print(made, result)
        if failure is not None:
            raise failure
        return 0

    def _prepare(self) -> Plan:
        """Everything that is checked before the model is loaded."""
        options = self._options
        if not options.dry_run:
            outputs.check(options)
            if options.report_to:
                # Takes seconds to import.
                from vpatch.train.reporters import Reporters  # noqa: PLC0415

                self._reporters = Reporters(options.report_to)
        made = plan.make(options)
        if options.dry_run:
            return made
        if options.resume is not None:
            StateFolder(options.resume, made.identity, self._ranks).check()
        outputs.check_room(made)
        if options.suite is not None:
            self._suite = outputs.SuiteRun(options)
            self._suite.measure_base()
        return made

    def _train(self, run: Run, observe: Any) -> Diverged | None:
        """Trains.

        Returns:
            The error of a run that diverged and is kept nevertheless.
        """
        options = self._options
        try:
            run.run(observe, lambda text: self._note(text) if self._speaks else None)
            divergence = record.divergence(run)
        except Diverged as error:
            if run.progress.step == 0:
                raise
            divergence = error
        if divergence is not None:
            if not options.keep_diverged:
                raise divergence
            run.keep_diverged()
        elif run.progress.stopped == "early-stop" and run.progress.inside == 0:
            raise Refused(
                f"the validation loss never fell below the base's, {run.progress.validation[0][1]:.3f}, so there is "
                "nothing to keep; use a lower --lr, more rows, or no --early-stop")
        return divergence

    # MARK: Words

    def _note(self, text: str) -> None:
        print(f"note: {text}", file=sys.stderr)

    def _show(self, made: Plan, step: Step) -> None:
        """A line after each tenth of the steps."""
        tenth, before = step.number * 10 // made.steps, (step.number - 1) * 10 // made.steps
        if not self._speaks or self._options.json or tenth == before:
            return
        parts = [f"step {step.number:,}/{made.steps:,}", f"loss {step.loss:.3f}", f"lr {step.rate:.2e}",
                 f"norm {step.norm:.3g}", f"{step.tokens / max(step.seconds, 1e-9):,.0f} tokens/s"]
        if step.validation is not None:
            parts.insert(2, f"validation {step.validation:.3f}")
        print("  ".join(parts), file=sys.stderr)

    def farewell(self) -> str:
        """What a user reads after Ctrl-C."""
        if self._run is None:
            return "interrupted before the first step; nothing was written"
        saved = self._run.folder.saved() if self._run.folder else None
        if saved is not None:
            kept = (f"the state after {saved.name.replace('-', ' ')} is in {saved.parent}, and the same command goes "
                    "on from it")
        elif self._run.folder is not None:
            kept = f"no state was saved yet in {self._options.resume}, so the same command starts again"
        else:
            kept = "nothing is kept; with --resume DIR a run can go on"
        return f"interrupted after step {self._run.progress.step:,} of {self._run.plan.steps:,}: {kept}"

    def _print(self, made: Plan, result: _Result) -> None:
        options, patch = self._options, result.patch
        if options.json:
            print(json.dumps({
                "output": options.output, "identity": patch.identity, "base": patch.base_root,
                "target": patch.target_root, "training": result.training, "forgetting": result.forgetting,
                "plan": made.to_dict(), "remarks": result.notes}))
        elif not options.quiet:
            print("\n".join(self._lines(made, result)))
        if self._speaks:
            for note in result.notes:
                self._note(note)

    def _lines(self, made: Plan, result: _Result) -> list[str]:
        options, training, patch = self._options, result.training, result.patch
        losses = training["curve"]["loss"]
        lines = [
            f"learned   loss {losses[0]:.3f} → {losses[-1]:.3f} in {training['steps']:,} steps, "
            f"{training['seconds']:,.0f} s, {training['tokens_per_second']:,.0f} tokens/s",
            f"proved    nothing outside the {len(made.tuned.dtypes)} tuned parameters changed"]
        if points := training.get("validation"):
            lines.append(f"validated loss {points['loss'][0]:.3f} → {points['loss'][-1]:.3f} on {points['rows']:,} "
                         "rows that were not trained on")
        if training["stopped"] == "early-stop":
            lines.append(f"stopped   the weights are those of step {training['steps']}, with the lowest validation "
                         "loss")
        if training["stopped"] == "diverged":
            lines.append("diverged  the patch was written because of --keep-diverged")
        if result.forgetting is None:
            lines.append(f"forgot    not measured; '{outputs.SuiteRun.command(options)}' measures it")
        else:
            lines.append(f"forgot    measured by {options.suite}; 'vpatch show {options.output}' shows it")
        lines += [f"size      {os.path.getsize(options.output):,} bytes", f"identity  {patch.identity}",
                  f"wrote     {options.output}"]
        return lines + ([result.stored] if result.stored else [])
