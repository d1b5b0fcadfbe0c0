"""Results from the study's files: records of a stage, changes between two stages, means with intervals."""
import json
import re
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from math import comb, sqrt
from pathlib import Path
from typing import Any

import grid

Record = Mapping[str, Any]  # of vpatch: "task", "before", "after", "change", "interval", …
Scores = Sequence[float]


@dataclass(frozen=True)
class Change:
    """A mean change against the base, with its 95 % interval."""
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Flips:
    """Items that went from right to wrong and from wrong to right, and McNemar's exact p."""
    lost: int
    won: int

    @property
    def p(self) -> float:
        count, least = self.lost + self.won, min(self.lost, self.won)
        return min(1.0, 2 * sum(comb(count, k) for k in range(least + 1)) / float(2 ** count))


def flips(before: Scores, after: Scores) -> Flips:
    pairs = list(zip(before, after, strict=True))
    return Flips(sum(b > a for b, a in pairs), sum(b < a for b, a in pairs))


def mean_change(records: Sequence[Record]) -> Change:
    """The mean of the tasks' changes; the distances to the ends of their intervals are added up as variances are, each
    side for itself (Zou, Donner 2008), as vpatch's own summaries do it."""
    count = len(records)
    value = sum(record["change"] for record in records) / count
    down = sqrt(sum((record["change"] - record["interval"]["low"]) ** 2 for record in records)) / count
    up = sqrt(sum((record["interval"]["high"] - record["change"]) ** 2 for record in records)) / count
    return Change(value, value - down, value + up)


class Measured:
    """A stage as it was measured, against the base."""

    def __init__(self, stage: grid.Stage) -> None:
        self.stage = stage
        report = json.loads(stage.file(".json").read_text())["forgetting"]
        # Of a task with several metrics the first is the one that counts.
        self.records: dict[str, Record] = {record["task"]: record for record in reversed(report["records"])}
        self.results = scores(stage.file(".results.json"))
        self.borrowed = borrowed(stage, self.results)
        self.facts: dict[str, float] = json.loads(stage.file(".run.json").read_text())
        self.losses: list[dict[str, Any]] = [json.loads(line)
                                             for line in stage.file(".log.jsonl").read_text().splitlines()]

    def change(self, tasks: Sequence[str]) -> Change:
        return mean_change([self.records[task] for task in tasks])

    def value(self, task: str) -> float:
        return float(self.records[task]["after"])


def words(text: str) -> set[str]:
    """In lower case; of numbers only that they are some."""
    return set(re.sub(r"[0-9]+", "0", text.lower()).replace(",", " ").replace(".", " ").split())


def answers(path: Path, task: str = "short answers") -> list[str]:
    """What a model answered, item by item."""
    found = next(entry for entry in json.loads(path.read_text())["tasks"] if entry["task"] == task)
    return [item["answer"] for item in found["items"]]


def borrowed(stage: grid.Stage, results: Mapping[str, Scores]) -> int:
    """How many of the short answers are wrong and hold a word of the answers that the stage trained."""
    trained = [json.loads(line)["messages"][-1]["content"]
               for line in (stage.data / f"{stage.task}-train.jsonl").read_text().splitlines()]
    vocabulary = set[str]().union(*map(words, trained))
    return sum(score == 0 and not vocabulary.isdisjoint(words(answer))
               for answer, score in zip(answers(stage.file(".results.json")), results["short answers"], strict=True))


def scores(path: Path) -> dict[str, Scores]:
    """The score of every item, by task; of several metrics by the first."""
    return {task["task"]: task["scores"] for task in reversed(json.loads(path.read_text())["tasks"])}


class Arm:
    """One way to tune, stage by stage as far as it has run."""

    def __init__(self, plan: grid.Plan, work: Path, seed: int, arm: grid.Arm) -> None:
        self.arm, self.seed = arm, seed
        stages = grid.stages(plan, work, seed, arm)
        done = [stage.is_done for stage in stages]
        self.stages = [Measured(stage) for stage in stages[:done.index(False) if False in done else len(done)]]

    def until(self, depth: int) -> "Arm":
        """The arm as it was after so many stages."""
        arm = copy(self)
        arm.stages = self.stages[:depth]
        return arm

    @property
    def last(self) -> Measured:
        return self.stages[-1]

    @property
    def learned(self) -> Change:
        """The mean change of the target tasks, each measured right after it was trained."""
        return mean_change([stage.records[stage.stage.task] for stage in self.stages])

    @property
    def patch_bytes(self) -> int:
        return int(sum(stage.facts["patch_bytes"] for stage in self.stages))


def arms(plan: grid.Plan, work: Path, seed: int) -> list[Arm]:
    """Those of which something has run."""
    return [arm for arm in (Arm(plan, work, seed, arm) for arm in plan.arms) if arm.stages]


@dataclass(frozen=True)
class Recovery:
    """What a stage did to the items of the held-out sets that the base has right."""
    wrong_before: int  # that the stage before had wrong
    back: int          # of those, right after this stage
    newly_lost: int    # right after the stage before, wrong after this one
    flips: Flips       # between the two stages, over all items


def recovery(base: Mapping[str, Scores], before: Mapping[str, Scores], after: Mapping[str, Scores],
             tasks: Sequence[str]) -> Recovery:
    rows = [row for task in tasks for row in zip(base[task], before[task], after[task], strict=True)]
    known = [(b, a) for base_score, b, a in rows if base_score == 1]
    return Recovery(
        wrong_before=sum(b == 0 for b, a in known), back=sum(b == 0 and a == 1 for b, a in known),
        newly_lost=sum(b == 1 and a == 0 for b, a in known),
        flips=flips([row[1] for row in rows], [row[2] for row in rows]))


def ranks(values: Scores) -> list[float]:
    """From 1 on; equal ones share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def rank_correlation(first: Scores, second: Scores) -> float:
    """Spearman's: Pearson's of the ranks."""
    pairs = list(zip(ranks(first), ranks(second), strict=True))
    mean = (len(pairs) + 1) / 2
    spread = sqrt(sum((a - mean) ** 2 for a, _ in pairs) * sum((b - mean) ** 2 for _, b in pairs))
    return sum((a - mean) * (b - mean) for a, b in pairs) / spread if spread else 0.0
