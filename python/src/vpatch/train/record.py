"""The training record (section 7.3 of the format), and what the losses say about a run."""

from typing import Any

import torch

from vpatch.train.ranks import Ranks
from vpatch.train.run import Diverged, Run

_MOST_POINTS = 300


def record(run: Run, seconds: float) -> dict[str, Any]:
    """The record of a run, as `vpatch train` writes it.

    Args:
        seconds: from the first step to the last, with measurements.
    """
    plan, progress = run.plan, run.progress
    tuned: dict[str, Any] = {"recipe": plan.options.recipe} if plan.options.recipe else {"only": plan.options.only}
    if plan.options.layers is not None:
        tuned["layers"] = f"{plan.options.layers[0]}-{plan.options.layers[1]}"
    made: dict[str, Any] = {
        **tuned, "data": plan.files, "settings": {**plan.settings, "ranks": run.ranks.size},
        "kernels": kernels(plan.options.compute, run.ranks), "steps": run.end, "tokens": progress.tokens,
        "seconds": seconds, "tokens_per_second": progress.tokens / max(progress.seconds, 1e-9),
        "stopped": progress.stopped, "curve": curve(progress.losses, progress.rates, progress.norms)}
    if progress.validation:
        made["validation"] = {
            "rows": len(plan.validation), "step": [step for step, _ in progress.validation],
            "loss": [loss for _, loss in progress.validation]}
    return made


def kernels(compute: str, ranks: Ranks) -> str:
    """What computed: "PyTorch 2.13.0, bf16 products, 8 ranks on cuda"."""
    count = "1 rank" if ranks.size == 1 else f"{ranks.size} ranks"
    return f"PyTorch {torch.__version__}, {compute} products, {count} on {ranks.device.type}"


def curve(losses: list[float], rates: list[float], norms: list[float]) -> dict[str, list[Any]]:
    """A point for every step, or means over neighbours where there are more than 300."""
    count = min(len(losses), _MOST_POINTS)
    ends = [len(losses) * point // count for point in range(1, count + 1)] if count else []

    def mean(values: list[float], i: int) -> float:
        begin = ends[i - 1] if i else 0
        return sum(values[begin:ends[i]]) / (ends[i] - begin)

    return {
        "step": ends, "loss": [mean(losses, i) for i in range(count)], "lr": [rates[end - 1] for end in ends],
        "gradient_norm": [mean(norms, i) for i in range(count)]}


def _ends(losses: list[float]) -> tuple[float, float] | None:
    """Means over the first and the last tenth of the steps; None for a run that is too short to judge."""
    count = len(losses) // 10
    return None if count == 0 else (sum(losses[:count]) / count, sum(losses[-count:]) / count)


def divergence(run: Run) -> Diverged | None:
    """The error for a run that ended far above where it began."""
    ends = _ends(run.progress.losses)
    if run.progress.stopped is not None or ends is None:
        return None
    # The first step's loss is the base's: a run can go astray within its first tenth.
    first, last = min(ends[0], run.progress.losses[0]), ends[1]
    if last <= first + 0.5 or last <= 1.5 * first:
        return None
    return Diverged(f"training diverged: the loss rose from {first:.3f} to {last:.3f}; start again with a lower --lr "
                    f"than {run.plan.lr:g}, or with a longer --warmup; --keep-diverged writes the patch nevertheless")


def notes(run: Run) -> list[str]:
    """What a user should know about the losses."""
    found = list(run.troubles)
    ends, points = _ends(run.progress.losses), run.progress.validation
    if ends is not None and ends[1] > ends[0]:
        found.append(f"the loss rose from {ends[0]:.3f} to {ends[1]:.3f}: a lower --lr may teach more")
    if points and not run.plan.options.early_stop:
        lowest = min(points, key=lambda point: point[1])
        if points[-1][1] > 1.05 * lowest[1]:
            found.append(f"the validation loss was lowest after step {lowest[0]:,} ({lowest[1]:.3f}) and is "
                         f"{points[-1][1]:.3f} now: --early-stop takes the weights of the lowest")
    return found
