"""What computes float32 products: the kernels of vpatch, OpenBLAS, and portable loops.

    $(bench/setup.sh) bench/models.py --only blas
"""
from collections import defaultdict
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

import model_speed
from measure import Run
from report import Bar, Column, Row, Section, Table, fixed

if TYPE_CHECKING:
    from models import Context

# Name, options of `vpatch train`, environment.
SIDES: dict[str, tuple[list[object], dict[str, str]]] = {
    "vpatch": (["--blas", "vpatch"], {}), "OpenBLAS": (["--blas", "openblas"], {}),
    "portable": (["--blas", "vpatch"], {"VPATCH_ISA": "baseline"})}
SLOWER, APART = 1.3, 1e-5


def section(context: "Context") -> Section:
    rows = model_speed.write_rows(context.scratch / "rows.jsonl")
    runs: defaultdict[tuple[str, str], list[tuple[model_speed.Trained, Run]]] = defaultdict(list)
    for number in range(context.rounds):
        for recipe in model_speed.RECIPES:
            for side, (options, environment) in SIDES.items():
                context.say(f"blas: round {number + 1} of {context.rounds}, {recipe}, {side}")
                work = partial(model_speed.train, context, rows, recipe, "f32", *options, env=environment)
                runs[recipe, side].append(context.undisturbed(work))

    found: list[Row] = []
    for recipe in model_speed.RECIPES:
        own = median(median(model_speed.speeds(trained)) for trained, _ in runs[recipe, "vpatch"])
        losses = runs[recipe, "vpatch"][0][0]["losses"]
        for side in SIDES:
            trained = [trained for trained, _ in runs[recipe, side]]
            speed = median(median(model_speed.speeds(one)) for one in trained)
            apart = max(abs(a - b) for a, b in zip(losses, trained[0]["losses"], strict=True))
            found.append({"recipe": recipe, "side": side, "kernels": trained[0]["kernels"], "speed": speed,
                          "time": own / speed, "apart": apart})
    table = Table(f"Float32 products: SmolLM2-135M, batch {model_speed.BATCH} × {model_speed.LENGTH}, "
                  f"{context.threads} threads", [
                      Column("recipe", "recipe", right=False), Column("side", "products by", right=False),
                      Column("kernels", "log and record say", right=False), Column("speed", "tokens/s", fixed(0)),
                      Column("time", "× the time", fixed(2)),
                      Column("apart", "largest difference of a loss", "{:.1e}".format)],
                  found, f"Median of {context.rounds} alternating rounds.")
    bars = []
    for row in found:
        if row["side"] == "OpenBLAS":
            bars += [Bar(f"OpenBLAS, {row['recipe']}, time", f"{row['time']:.2f} × ours", f"≤ {SLOWER} × ours",
                         row["time"] <= SLOWER),
                     Bar(f"OpenBLAS, {row['recipe']}, losses", f"{row['apart']:.1e} apart", f"≤ {APART:.0e} apart",
                         row["apart"] <= APART)]
    return Section("OpenBLAS", [table], bars)
