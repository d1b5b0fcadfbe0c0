"""The study: five tasks in sequence, five ways to tune, measured after every stage.

    study/run.py [--model DIR] [--work DIR] [--seeds N] [--jobs N] [--vpatch PATH]

Can be stopped at any time and started again: a stage whose files are there is not run again. study/report.py makes the
tables and the plots of docs/study.md of what it leaves in the work folder; study/README.md says what is done, and why.
"""
import argparse
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import data
import grid

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import cache  # noqa: E402
import smollm2  # noqa: E402


class Study:
    def __init__(self, vpatch, model, work, jobs):
        self.vpatch, self.model, self.work = vpatch, model, work
        self.threads = max(1, (os.cpu_count() or 1) // jobs)
        self.environment = {**os.environ, "VPATCH_STORE": str(work / "store")}

    def call(self, *arguments, stdout=subprocess.DEVNULL):
        subprocess.run([self.vpatch, *map(str, arguments), f"--threads={self.threads}", "--quiet"], check=True,
                       env=self.environment, stdout=stdout)

    def prepare(self, seed):
        """The seed's data; refused where the folder holds a study of other settings."""
        folder = self.work / f"seed-{seed}"
        data.make(folder / "data", seed)
        wanted = {"model": str(self.model.resolve()), "training": grid.TRAINING, "arms": [asdict(arm) for arm in grid.ARMS],
                  "data": data.digests(folder / "data")}
        path = folder / "settings.json"
        if path.exists() and json.loads(path.read_text()) != wanted:
            sys.exit(f"study: {folder} holds runs of other settings; remove it, or give another --work")
        path.write_text(json.dumps(wanted, indent=2) + "\n")
        if not (folder / "base.results.json").exists():
            self.call("eval", self.model, "--suite", folder / "data" / "suite.toml", "--results",
                      folder / "base.results.json")

    def train(self, stage):
        options = [f"--{key}={value}" for key, value in grid.TRAINING.items()]
        chain = [f"--patch={patch}" for patch in stage.chain]
        # What an interrupted run left.
        for ending in (".vpatch", ".log.jsonl"):
            stage.file(ending).unlink(missing_ok=True)
        self.call("train", self.model, *chain, "--recipe", stage.arm.recipe, "--lr", stage.arm.rate, *options,
                  "--seed", stage.seed, "--data", stage.work / f"seed-{stage.seed}" / "data" / f"{stage.task}-train.jsonl",
                  "--log", stage.file(".log.jsonl"), "-o", stage.file(".vpatch"), "--no-store")

    def measure(self, stage):
        folder = stage.work / f"seed-{stage.seed}"
        chain = [f"--patch={patch}" for patch in [*stage.chain, stage.file(".vpatch")]]
        part = stage.file(".json.part")
        with open(part, "w") as out:
            self.call("eval", self.model, *chain, "--suite", folder / "data" / f"suite-{stage.task}.toml", "--base-results",
                      folder / "base.results.json", "--results", stage.file(".results.json"), "--force", "--json", stdout=out)
        part.rename(stage.file(".json"))

    def run(self, stage):
        stage.file("").parent.mkdir(parents=True, exist_ok=True)
        times = [time.monotonic()]
        for step in (self.train, self.measure):
            step(stage)
            times.append(time.monotonic())
        facts = {"train_seconds": times[1] - times[0], "eval_seconds": times[2] - times[1],
                 "patch_bytes": stage.file(".vpatch").stat().st_size}
        stage.file(".run.json").write_text(json.dumps(facts) + "\n")
        return facts


def follow(study, stages, turn):
    """The stages of one arm, each on top of the one before, whenever it is their turn."""
    for stage in stages:
        if not stage.is_done:
            with turn:
                facts = study.run(stage)
            print(f"seed {stage.seed} {stage.arm.name:8} {stage.number + 1} {stage.task:9} "
                  f"trained in {facts['train_seconds']:.0f} s, measured in {facts['eval_seconds']:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a Hugging Face folder; default: SmolLM2-135M-Instruct, fetched")
    parser.add_argument("--work", type=Path, help="default: study in the cache folder")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="arms at once, which share the processors")
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"))
    arguments = parser.parse_args()
    model = arguments.model or smollm2.directory()
    study = Study(arguments.vpatch, model, arguments.work or cache.folder("study"), arguments.jobs)
    turn = threading.Semaphore(arguments.jobs)
    for seed in range(1, arguments.seeds + 1):
        study.prepare(seed)
        with ThreadPoolExecutor(len(grid.ARMS)) as pool:
            arms = [pool.submit(follow, study, grid.stages(study.work, seed, arm), turn) for arm in grid.ARMS]
        for arm in arms:
            arm.result()


if __name__ == "__main__":
    main()
