"""Training gives the same patch with any number of threads, with every vector instruction set, and after kills."""
import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import machine
import measure
from measure import BenchError
from report import Bar, Column, Section, Table

if TYPE_CHECKING:
    from models import Context

MODELS = Path(__file__).parents[1] / "fixtures" / "tiny-models"
NAMES = ("tiny-llama", "tiny-qwen2")
STEPS, SAVE_EVERY = 300, 7
RUNS, KILLS = 3, 5  # runs that are killed, and how often each


def write_rows(path: Path) -> Path:
    """Rows of many lengths."""
    source = random.Random(1)
    rows = [[source.randrange(512) for _ in range(source.randrange(2, 80))] for _ in range(24)]
    path.write_text("".join(json.dumps({"input_ids": row}) + "\n" for row in rows))
    return path


class Job:
    """One training of a tiny model, as often as wanted."""

    def __init__(self, context: "Context", model: str, rows: Path) -> None:
        self.patch = context.scratch / "tiny.vpatch"
        self.command: list[object] = [
            context.vpatch.binary, "train", MODELS / model, "--recipe", "gate-up", "--data", rows, "-o", self.patch,
            "--steps", STEPS, "--batch", 6, "--lr", 1e-3, "--seed", 5, "--json", "--no-store", "--force"]

    def run(self, *options: object, env: Mapping[str, str] | None = None) -> tuple[str, float]:
        """The patch's identity, and the seconds it took."""
        run = measure.run(*self.command, *options, env=env)
        return json.loads(run.output)["identity"], run.seconds

    def kill(self, seconds: float, *options: object) -> bool:
        """Starts it and kills it after so many seconds; whether it was still at work."""
        process = subprocess.Popen([str(part) for part in (*self.command, *options)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        return process.wait() == -signal.SIGKILL


def settings() -> Iterator[tuple[str, list[object], dict[str, str]]]:
    """Name, options, environment. The instruction set `baseline` rounds otherwise, and is left out."""
    for threads in (1, 2, 3):
        for isa in (None, *(name for name in machine.instruction_sets() if name != "baseline")):
            name = f"{threads} thread{'s' if threads > 1 else ''}, {isa or 'best instruction set'}"
            yield name, ["--threads", threads], {"VPATCH_ISA": isa} if isa else {}


def killed(job: Job, state: Path, whole: float, source: random.Random) -> tuple[str, list[int]]:
    """The identity of a run that was killed at random moments, again and again, and then let go to its end.

    With it the steps that were saved when it was killed.
    """
    options: list[object] = ["--resume", state, "--save-every", SAVE_EVERY]
    steps: list[int] = []
    while len(steps) < KILLS:
        if not job.kill(source.uniform(0.02, 1.5 / KILLS) * whole, *options):
            break
        steps.append(saved_step(state))
    return job.run(*options)[0], steps


def saved_step(state: Path) -> int:
    """The step of the state that lies in the folder; 0 if none does."""
    file = state / "training.safetensors"
    if not file.exists():
        return 0
    with open(file, "rb") as source:
        header = json.loads(source.read(int.from_bytes(source.read(8), "little")))
    return int(json.loads(header["__metadata__"]["vpatch.training"])["step"])


def section(context: "Context") -> Section:
    rows, source, table = write_rows(context.scratch / "tiny.jsonl"), random.Random(context.seed), Table(
        f"The same patch: {STEPS} steps in float32", [
            Column("model", "model", right=False), Column("setting", "setting", right=False),
            Column("identity", "identity of the patch", lambda digest: f"`{digest[:16]}…`", right=False),
            Column("same", "", lambda same: "same" if same else "**differs**", right=False)],
        note="Killed with SIGKILL at random times and resumed, then run to the end; a saved state every "
             f"{SAVE_EVERY} steps. Only instruction sets that this processor has.")
    kills = 0
    for model in NAMES:
        context.say(f"determinism: {model}")
        job = Job(context, model, rows)
        found: list[tuple[str, str]] = []
        seconds: list[float] = []
        for name, options, env in settings():
            identity, time_taken = job.run(*options, env=env)
            found.append((name, identity))
            seconds.append(time_taken)
        for number in range(RUNS):
            identity, steps = killed(job, context.scratch / f"{model}.{number}", median(seconds), source)
            if not steps:
                raise BenchError("determinism: the training ended before it could be killed")
            kills += len(steps)
            found.append((f"killed {len(steps)} times, at saved steps {', '.join(map(str, steps))}", identity))
        table.rows += [{"model": model, "setting": name, "identity": identity, "same": identity == found[0][1]}
                       for name, identity in found]
    different = sum(not row["same"] for row in table.rows)
    return Section("Determinism of training", [table], [
        Bar(f"patches that differ by threads, instruction sets or {kills} kills", str(different), "0", different == 0)])
