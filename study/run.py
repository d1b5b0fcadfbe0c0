"""The study: trains five tasks in sequence with several recipes, and evaluates after every stage.

    study/run.py [--model DIR] [--work DIR] [--seeds N] [--jobs N] [--arms A,B] [--vpatch PATH]
    study/run.py --eyes […]                      the same with images, on a vision-language model

It can be stopped at any time: the next run continues with the first unfinished stage. study/report.py makes the tables
and plots of docs/study.md from the results in the work folder. study/README.md describes the study.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import data
import eyes.data
import eyes.plan
import grid

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import cache
import smollm2

ROOT = Path(__file__).resolve().parent.parent
Facts = dict[str, float]


class Study:
    def __init__(self, plan: grid.Plan, make: Callable[[Path, int], object], vpatch: str, work: Path,
                 jobs: int) -> None:
        """`make(folder, seed)` writes the data of a seed."""
        self.plan, self.make, self.vpatch, self.work = plan, make, vpatch, work
        self.model: Path  # set by who knows it
        self.threads = max(1, (os.cpu_count() or 1) // jobs)
        self.environment = {**os.environ, "VPATCH_STORE": str(work / "store")}

    @property
    def measuring(self) -> list[str]:
        return [f"--{key}={value}" for key, value in self.plan.measuring.items()]

    def call(self, *arguments: object, stdout: int | IO[str] = subprocess.DEVNULL, alone: bool = False) -> None:
        """Runs vpatch; `alone` with all processors, since nothing runs beside it."""
        threads = os.cpu_count() or 1 if alone else self.threads
        subprocess.run([self.vpatch, *map(str, arguments), f"--threads={threads}", "--quiet"], check=True,
                       env=self.environment, stdout=stdout)

    def prepare(self, seed: int) -> None:
        """The seed's data; refused where the folder holds a study of other settings."""
        folder = self.work / f"seed-{seed}"
        self.make(folder / "data", seed)
        wanted: dict[str, Any] = {
            "model": str(self.model.resolve()), "training": self.plan.training,
            **({"measuring": self.plan.measuring} if self.plan.measuring else {}),
            "arms": {arm.name: asdict(arm) for arm in self.plan.arms}, "data": data.digests(folder / "data")}
        path = folder / "settings.json"
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else wanted
        wanted["arms"] = {**found["arms"], **wanted["arms"]}  # one more arm does not touch the others
        found["arms"] = {**wanted["arms"], **found["arms"]}
        if found != wanted:
            sys.exit(f"study: {folder} has runs with other settings; remove it, or give another --work")
        path.write_text(json.dumps(wanted, indent=2) + "\n")
        if not (folder / "base.results.json").exists():
            self.call("eval", self.model, *self.measuring, "--suite", folder / "data" / "suite.toml", "--results",
                      folder / "base.results.json", alone=True)

    def train(self, stage: grid.Stage) -> None:
        options = [f"--{key}={value}" for key, value in self.plan.training.items()]
        chain = [f"--patch={patch}" for patch in stage.chain]
        # What an interrupted run left.
        for ending in (".vpatch", ".log.jsonl"):
            stage.file(ending).unlink(missing_ok=True)
        self.call("train", self.model, *chain, "--recipe", stage.arm.recipe, "--lr", stage.arm.rate, *options,
                  "--seed", stage.seed, "--data", stage.data / f"{stage.task}-train.jsonl",
                  "--log", stage.file(".log.jsonl"), "-o", stage.file(".vpatch"), "--no-store")

    def measure(self, stage: grid.Stage) -> None:
        chain = [f"--patch={patch}" for patch in [*stage.chain, stage.file(".vpatch")]]
        part = stage.file(".json.part")
        with open(part, "w") as out:
            self.call("eval", self.model, *chain, *self.measuring, "--suite", stage.data / f"suite-{stage.task}.toml",
                      "--base-results", stage.data.parent / "base.results.json",
                      "--results", stage.file(".results.json"), "--force", "--json", stdout=out)
        part.rename(stage.file(".json"))

    def run(self, stage: grid.Stage) -> Facts:
        stage.file("").parent.mkdir(parents=True, exist_ok=True)
        times = [time.monotonic()]
        for step in (self.train, self.measure):
            step(stage)
            times.append(time.monotonic())
        facts: Facts = {"train_seconds": times[1] - times[0], "eval_seconds": times[2] - times[1],
                        "patch_bytes": stage.file(".vpatch").stat().st_size}
        stage.file(".run.json").write_text(json.dumps(facts) + "\n")
        return facts


def follow(study: Study, stages: list[grid.Stage], turn: threading.Semaphore) -> None:
    """The stages of one arm, each on top of the one before, whenever it is their turn."""
    for stage in stages:
        if not stage.is_done:
            with turn:
                facts = study.run(stage)
            print(f"seed {stage.seed} {stage.arm.name:8} {stage.number + 1} {stage.task:9} "
                  f"trained in {facts['train_seconds']:.0f} s, evaluated in {facts['eval_seconds']:.0f} s", flush=True)


def chosen(plan: grid.Plan, names: str | None) -> list[grid.Arm]:
    """The arms of these names, in the plan's order; all if none are given."""
    if not names:
        return plan.arms
    unknown = set(names.split(",")) - {arm.name for arm in plan.arms}
    if unknown:
        sys.exit(f"study: no arm {', '.join(sorted(unknown))}; there are {', '.join(arm.name for arm in plan.arms)}")
    return [arm for arm in plan.arms if arm.name in names.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyes", action="store_true", help="tasks with images, on a vision-language model")
    parser.add_argument("--model", type=Path, help="Hugging Face folder (default: SmolLM2-135M-Instruct, downloaded; "
                        "with --eyes, a vision-language model made from it)")
    parser.add_argument("--work", type=Path, help="folder for the results (default: in the cache folder)")
    parser.add_argument("--seeds", type=int, default=1, help="number of random seeds (default: %(default)s)")
    parser.add_argument("--arms", help="arms to run, separated by commas (default: all)")
    parser.add_argument("--prepare", action="store_true",
                        help="make the model and the data, print where they are, and stop")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1,
                        help="arms that run in parallel, sharing the CPUs (default: number of CPUs)")
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"),
                        help="vpatch binary (default: %(default)s)")
    arguments = parser.parse_args()
    plan, make = (eyes.plan.PLAN, eyes.data.make) if arguments.eyes else (grid.TEXT, data.make)
    study = Study(plan, make, arguments.vpatch, arguments.work or cache.folder(plan.name), arguments.jobs)
    study.model = arguments.model or (eyes.plan.base(study) if arguments.eyes else smollm2.directory())
    arms = chosen(plan, arguments.arms)
    turn = threading.Semaphore(arguments.jobs)
    for seed in range(1, arguments.seeds + 1):
        study.prepare(seed)
        if arguments.prepare:
            print(study.model, study.work / f"seed-{seed}" / "data", sep="\n")
            continue
        with ThreadPoolExecutor(len(arms)) as pool:
            runs = [pool.submit(follow, study, grid.stages(plan, study.work, seed, arm), turn) for arm in arms]
        for run in runs:
            run.result()


if __name__ == "__main__":
    main()
