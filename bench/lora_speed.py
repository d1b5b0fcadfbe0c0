"""Speed and memory of LoRA, compared with PEFT in the same run.

    $(bench/setup.sh) bench/models.py --only lora
"""
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import model_speed
from measure import Run
from report import Bar, Column, Row, Section, Table, fixed, megabytes

if TYPE_CHECKING:
    from models import Context

RANK, RATE = 16, 2e-4
CASES = [(recipe, compute) for recipe in model_speed.RECIPES for compute in model_speed.PRECISIONS]
# Than PEFT in float32, which is how it runs on most processors.
FASTER, MEMORY = 2.0, 0.5


def section(context: "Context") -> Section:
    rows = model_speed.write_rows(context.scratch / "rows.jsonl")
    sides: dict[str, Callable[[str, str], tuple[dict[str, Any], Run]]] = {
        "vpatch": lambda recipe, compute: model_speed.train(
            context, rows, recipe, compute, "--lora", RANK, rate=RATE),
        "peft": lambda recipe, compute: model_speed.train_torch(
            context, rows, recipe, compute, rate=RATE, lora=RANK)}
    runs: defaultdict[tuple[str, tuple[str, str]], list[tuple[float, Run]]] = defaultdict(list)
    for number in range(context.rounds):
        for case in CASES:
            for side, work in sides.items():
                context.say(f"lora: round {number + 1} of {context.rounds}, {' '.join(case)}, {side}")
                found, run = context.undisturbed(partial(work, *case))
                runs[side, case].append((median(model_speed.speeds(found)), run))

    def row(case: tuple[str, str]) -> Row:
        found: Row = {"recipe": case[0], "compute": case[1]}
        for side in sides:
            found |= {side: median(speed for speed, _ in runs[side, case]),
                      f"{side}_peak": median(run.peak for _, run in runs[side, case])}
        plain = "peft", (case[0], "f32")
        return found | {
            "ratio": found["vpatch"] / found["peft"],
            "plain": found["vpatch"] / median(speed for speed, _ in runs[plain]),
            "memory": found["vpatch_peak"] / median(run.peak for _, run in runs[plain])}

    table = Table(
        f"LoRA of rank {RANK}: SmolLM2-135M, batch {model_speed.BATCH} × {model_speed.LENGTH}, "
        f"{context.threads} threads", [
            Column("recipe", "recipe", right=False), Column("compute", "compute", right=False),
            Column("vpatch", "vpatch, tokens/s", fixed(0)), Column("peft", "PEFT, tokens/s", fixed(0)),
            Column("ratio", "speedup", fixed(2)), Column("plain", "× PEFT f32", fixed(2)),
            Column("vpatch_peak", "vpatch, MB", megabytes), Column("peft_peak", "PEFT, MB", megabytes),
            Column("memory", "× PEFT f32", fixed(2))],
        [row(case) for case in CASES], f"Median of {context.rounds} alternating rounds.")
    bars = []
    for found in table.rows:
        if found["compute"] == "f32":
            bars.append(Bar(f"LoRA, {found['recipe']}, f32", f"{found['ratio']:.2f} × PEFT", f"≥ {FASTER:g} × PEFT f32",
                            found["ratio"] >= FASTER))
        bars.append(Bar(f"peak memory, {found['recipe']}, {found['compute']}", f"{found['memory']:.2f} × PEFT f32",
                        f"≤ {MEMORY} × PEFT f32", found["memory"] <= MEMORY))
    return Section("LoRA", [table], bars)
