"""The plan of a study: recipes, learning rates, stages, and the paths of their files."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tasks


@dataclass(frozen=True)
class Arm:
    """One way to tune, followed through all stages."""
    name: str
    recipe: str
    rate: float


@dataclass(frozen=True)
class Plan:
    """One study: what is trained, in which order and in which ways, and what is held out meanwhile."""
    name: str                       # of its folder in the cache
    stages: list[str]               # the tasks in the order in which they are trained
    arms: list[Arm]
    training: dict[str, Any]        # options of `vpatch train`
    measuring: dict[str, Any]       # and of `vpatch eval`
    held_out: dict[str, list[str]]  # group -> sets of questions

    @property
    def all_held_out(self) -> list[str]:
        return [task for group in self.held_out.values() for task in group]


RATE, LOW_RATE = 1e-4, 2e-5
TEXT = Plan(
    "study", list(tasks.TASKS),
    [Arm("sa-proj", "sa-proj", RATE), Arm("gate-up", "gate-up", RATE), Arm("mlp", "mlp", RATE), Arm("llm", "llm", RATE),
     *(Arm(f"{recipe}-low", recipe, LOW_RATE) for recipe in ("llm", "sa-proj", "gate-up"))],
    {"steps": 60, "batch": 6, "schedule": "cosine", "warmup": 0.03, "max-length": 160, "compute": "bf16"}, {},
    {"short answers": ["short answers"], "multiple choice": ["OpenBookQA", "PIQA", "CommonsenseQA"]})


@dataclass(frozen=True)
class Stage:
    """One task trained on top of the ones before it."""
    plan: Plan
    work: Path
    seed: int
    arm: Arm
    number: int  # from 0 on

    @property
    def task(self) -> str:
        return self.plan.stages[self.number]

    def file(self, ending: str) -> Path:
        return self.work / f"seed-{self.seed}" / self.arm.name / f"{self.number + 1}-{self.task}{ending}"

    @property
    def data(self) -> Path:
        return self.work / f"seed-{self.seed}" / "data"

    @property
    def chain(self) -> list[Path]:
        """The patches of the stages before this one."""
        return [stage.file(".vpatch") for stage in stages(self.plan, self.work, self.seed, self.arm)[:self.number]]

    @property
    def is_done(self) -> bool:
        return all(self.file(ending).exists() for ending in (".vpatch", ".results.json", ".json", ".run.json"))


def stages(plan: Plan, work: Path, seed: int, arm: Arm) -> list[Stage]:
    """Of one arm, in the order of training."""
    return [Stage(plan, work, seed, arm, number) for number in range(len(plan.stages))]
