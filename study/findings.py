"""What the study's files say: records of one stage, changes between two, means with intervals."""
import json
import re
from copy import copy
from dataclasses import dataclass
from math import comb, sqrt

import grid


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
    def p(self):
        count, least = self.lost + self.won, min(self.lost, self.won)
        return min(1.0, 2 * sum(comb(count, k) for k in range(least + 1)) / 2 ** count)


def flips(before, after):
    pairs = list(zip(before, after, strict=True))
    return Flips(sum(b > a for b, a in pairs), sum(b < a for b, a in pairs))


def mean_change(records):
    """The mean of the tasks' changes; the distances to the ends of their intervals are added up as variances are, each
    side for itself (Zou, Donner 2008), as vpatch's own summaries do it."""
    count = len(records)
    value = sum(record["change"] for record in records) / count
    down = sqrt(sum((record["change"] - record["interval"]["low"]) ** 2 for record in records)) / count
    up = sqrt(sum((record["interval"]["high"] - record["change"]) ** 2 for record in records)) / count
    return Change(value, value - down, value + up)


class Measured:
    """A stage as it was measured, against the base."""

    def __init__(self, stage):
        self.stage = stage
        report = json.loads(stage.file(".json").read_text())["forgetting"]
        # Of a task with several metrics the first is the one that counts.
        self.records = {record["task"]: record for record in reversed(report["records"])}
        self.results = scores(stage.file(".results.json"))
        self.borrowed = borrowed(stage, self.results)
        self.facts = json.loads(stage.file(".run.json").read_text())
        self.losses = [json.loads(line) for line in stage.file(".log.jsonl").read_text().splitlines()]

    def change(self, tasks):
        return mean_change([self.records[task] for task in tasks])

    def value(self, task):
        return self.records[task]["after"]


def words(text):
    """In lower case; of numbers only that they are some."""
    return set(re.sub(r"[0-9]+", "0", text.lower()).replace(",", " ").replace(".", " ").split())


def answers(path, task="short answers"):
    """What a model answered, item by item."""
    found = next(entry for entry in json.loads(path.read_text())["tasks"] if entry["task"] == task)
    return [item["answer"] for item in found["items"]]


def borrowed(stage, results):
    """How many of the short answers are wrong and hold a word of the answers that the stage trained."""
    trained = [json.loads(line)["messages"][-1]["content"]
               for line in (stage.data / f"{stage.task}-train.jsonl").read_text().splitlines()]
    vocabulary = set().union(*map(words, trained))
    return sum(score == 0 and not vocabulary.isdisjoint(words(answer))
               for answer, score in zip(answers(stage.file(".results.json")), results["short answers"], strict=True))


def scores(path):
    """The score of every item, by task; of several metrics by the first."""
    return {task["task"]: task["scores"] for task in reversed(json.loads(path.read_text())["tasks"])}


class Arm:
    """One way to tune, stage by stage as far as it has run."""

    def __init__(self, plan, work, seed, arm):
        self.arm, self.seed = arm, seed
        stages = grid.stages(plan, work, seed, arm)
        done = [stage.is_done for stage in stages]
        self.stages = [Measured(stage) for stage in stages[:done.index(False) if False in done else len(done)]]

    def until(self, depth):
        """The arm as it was after so many stages."""
        arm = copy(self)
        arm.stages = self.stages[:depth]
        return arm

    @property
    def last(self):
        return self.stages[-1]

    @property
    def learned(self):
        """The mean change of the target tasks, each measured right after it was trained."""
        return mean_change([stage.records[stage.stage.task] for stage in self.stages])

    @property
    def patch_bytes(self):
        return sum(stage.facts["patch_bytes"] for stage in self.stages)


def arms(plan, work, seed):
    """Those of which something has run."""
    return [arm for arm in (Arm(plan, work, seed, arm) for arm in plan.arms) if arm.stages]


@dataclass(frozen=True)
class Recovery:
    """What a stage did to the items of the held-out sets that the base has right."""
    wrong_before: int  # that the stage before had wrong
    back: int          # of those, right after this stage
    newly_lost: int    # right after the stage before, wrong after this one
    flips: Flips       # between the two stages, over all items


def recovery(base, before, after, tasks):
    rows = [row for task in tasks for row in zip(base[task], before[task], after[task], strict=True)]
    known = [(b, a) for base_score, b, a in rows if base_score == 1]
    return Recovery(
        wrong_before=sum(b == 0 for b, a in known), back=sum(b == 0 and a == 1 for b, a in known),
        newly_lost=sum(b == 1 and a == 0 for b, a in known),
        flips=flips([row[1] for row in rows], [row[2] for row in rows]))


def ranks(values):
    """From 1 on; equal ones share the mean of theirs."""
    ordered = sorted(values)
    return [ordered.index(value) + (ordered.count(value) + 1) / 2 for value in values]


def rank_correlation(first, second):
    """Spearman's: Pearson's of the ranks."""
    pairs = list(zip(ranks(first), ranks(second), strict=True))
    mean = (len(pairs) + 1) / 2
    spread = sqrt(sum((a - mean) ** 2 for a, _ in pairs) * sum((b - mean) ** 2 for _, b in pairs))
    return sum((a - mean) * (b - mean) for a, b in pairs) / spread if spread else 0.0
