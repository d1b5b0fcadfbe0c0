"""What the study runs: recipes, learning rates, stages, and where each one's files lie."""
from dataclasses import dataclass
from pathlib import Path

import tasks

RATE, LOW_RATE = 1e-4, 2e-5
TRAINING = {"steps": 60, "batch": 6, "schedule": "cosine", "warmup": 0.03, "max-length": 160, "compute": "bf16"}


@dataclass(frozen=True)
class Arm:
    """One way to tune, followed through all stages."""
    name: str
    recipe: str
    rate: float


ARMS = [Arm("sa-proj", "sa-proj", RATE), Arm("gate-up", "gate-up", RATE), Arm("mlp", "mlp", RATE),
        Arm("llm", "llm", RATE), Arm("llm-low", "llm", LOW_RATE)]
STAGES = list(tasks.TASKS)


@dataclass(frozen=True)
class Stage:
    """One task trained on top of the ones before it."""
    work: Path
    seed: int
    arm: Arm
    number: int  # from 0 on

    @property
    def task(self):
        return STAGES[self.number]

    def file(self, ending):
        return self.work / f"seed-{self.seed}" / self.arm.name / f"{self.number + 1}-{self.task}{ending}"

    @property
    def chain(self):
        """The patches of the stages before this one."""
        return [Stage(self.work, self.seed, self.arm, number).file(".vpatch") for number in range(self.number)]

    @property
    def is_done(self):
        return all(self.file(ending).exists() for ending in (".vpatch", ".results.json", ".json", ".run.json"))


def stages(work, seed, arm):
    """Of one arm, in the order of training."""
    return [Stage(work, seed, arm, number) for number in range(len(STAGES))]
