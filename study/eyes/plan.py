"""The plan of the study with images, and its base model."""
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import grid
from eyes import data, pictures

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
import small_lmm

if TYPE_CHECKING:
    from run import Study

RATE, LOW_RATE = 1e-4, 2e-5
PLAN = grid.Plan(
    "study-eyes", pictures.TASKS,
    [*(grid.Arm(recipe, recipe, RATE)
       for recipe in ("sa-proj", "gate-up", "mlp", "llm", "full", "projector", "vision")),
     *(grid.Arm(f"{recipe}-low", recipe, LOW_RATE) for recipe in ("llm", "sa-proj", "gate-up"))],
    {"steps": 80, "batch": 8, "schedule": "cosine", "warmup": 0.03, "max-length": 160, "compute": "bf16"},
    {"compute": "bf16"},  # half the time; the same for the base
    {"shapes": ["shapes: what", "shapes: whether"], "shapes by choice": ["shapes: choices"],
     "short answers": ["short answers"], "multiple choice": ["OpenBookQA", "PIQA", "CommonsenseQA"]})
# The projector's own training, before all stages: rows hold several questions about one picture.
BASE_ROWS = 3200
BASE = {"recipe": "projector", "lr": 1e-3, "epochs": 1, "batch": 8, "schedule": "cosine", "warmup": 0.03,
        "max-length": 256, "compute": "bf16"}


def base(study: "Study", rows: int = BASE_ROWS) -> Path:
    """The base model of all arms: assembled, and its projector trained with vpatch; made once."""
    folder = study.work / "base"
    model, patch = folder / "model", folder / "projector.vpatch"
    if model.exists():
        return model
    data.make_base(folder, rows)
    if not (folder / "state").exists():
        (folder / "log.jsonl").unlink(missing_ok=True)
    options = [f"--{key}={value}" for key, value in BASE.items()]
    blind = small_lmm.directory()
    # It can be stopped and goes on: it takes some ten minutes.
    study.call("train", blind, *options, "--data", folder / "train.jsonl", "--log", folder / "log.jsonl", "-o", patch,
               "--resume", folder / "state", "--save-every", 50, "--force", "--no-store", alone=True)
    study.call("apply", blind, patch, "-o", model, alone=True)
    return model
