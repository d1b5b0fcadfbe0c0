"""The page of a study: tables between markers, and plots in separate files."""
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import findings
import grid
import plots
from findings import Arm, Change, Measured, Record, Scores

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import cache

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def points(value: float) -> str:
    """A share's change in percentage points: "+12.3", with a real minus."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def change(found: Change) -> str:
    return f"{points(found.value)} [{points(found.low)}, {points(found.high)}]"


def recorded(record: Record) -> str:
    return change(findings.Change(record["change"], record["interval"]["low"], record["interval"]["high"]))


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def chance(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def percent(value: float) -> str:
    return f"{100 * value:.0f} %"


def number(value: float) -> str:
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def measure(record: Record) -> str:
    """A value with the interval of its change from the base, moved to where the value is."""
    low, high = (record["before"] + record["interval"][end] for end in ("low", "high"))
    return f"{number(record['after'])} [{number(max(0, low))}, {number(max(0, high))}]"


def mass(record: Record) -> str:
    low, high = (record["before"] + record["interval"][end] for end in ("low", "high"))
    return f"{100 * record['after']:.1f} % [{100 * max(0, low):.1f}, {100 * max(0, high):.1f}]"


def clean(answer: str) -> str:
    """For a cell of a table: the first line of it."""
    return next((line.strip() for line in answer.splitlines() if line.strip()), "").replace("|", "\\|")


def table(titles: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """`left` columns of words, the others of numbers."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * left + "---:|" * (len(titles) - left)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


class Page:
    """The common part of a study's page. A study defines its `plan`, `page`, a folder of `images`, its `tables`, the
    further sets that are `counted` in the settings, the held-out set `asked` for details, and `stages_plot`."""
    plan: grid.Plan
    page: Path
    images: Path
    tables: list[str]
    counted: list[str]
    asked: str

    def stages_plot(self) -> str:
        raise NotImplementedError

    def __init__(self, work: Path | None, seed: int) -> None:
        self.work, self.seed = work or cache.folder(self.plan.name), seed
        work = self.work
        self.base = findings.scores(work / f"seed-{seed}" / "base.results.json")
        self.arms = findings.arms(self.plan, work, seed)
        if not self.arms:
            sys.exit(f"study: {work} has no finished stage of seed {seed}; run study/run.py")
        # Arms are compared after the last stage that all have run.
        self.depth = min(len(arm.stages) for arm in self.arms)
        self.whole = [arm.until(self.depth) for arm in self.arms]

    @property
    def choices(self) -> list[str]:
        return self.plan.held_out["multiple choice"]

    def summary(self) -> str:
        return table(["arm", "lr", *self.measures, "patches, MB"],
                     [(arm.arm.name, f"{arm.arm.rate:g}", *self.measured(arm), f"{arm.patch_bytes / 1e6:.0f}")
                      for arm in self.whole])

    @property
    def measures(self) -> list[str]:
        return ["learning, right after each stage", "learning, at the end", "held-out, at the end", *self.plan.held_out]

    def measured(self, arm: Arm) -> list[str]:
        """What `measures` name, of an arm."""
        return [change(arm.learned), *(change(arm.last.change(tasks)) for tasks in (
            self.plan.stages[:self.depth], self.plan.all_held_out, *self.plan.held_out.values()))]

    def seeds(self) -> str:
        """The arms that have run with another seed as well, each seed with its own rows, items and order."""
        others = self.other_seeds()
        again = {arm.arm.name for arms in others.values() for arm in arms}
        runs = {self.seed: [arm for arm in self.whole if arm.arm.name in again], **others}
        order = [arm.name for arm in self.plan.arms]
        rows = sorted(((seed, arm) for seed, arms in runs.items() for arm in arms),
                      key=lambda row: (order.index(row[1].arm.name), row[0]))
        return "\n\n".join([
            table(["arm", "seed", *self.measures], [(arm.arm.name, seed, *self.measured(arm)) for seed, arm in rows]),
            *(f"Pairwise comparison of the arms at the end, seed {seed}, {self.asked}:\n\n{self.pairs(arms=arms)}"
              for seed, arms in others.items())])

    def other_seeds(self) -> dict[int, list[Arm]]:
        """{seed: its arms that have come as far}"""
        found = sorted(int(folder.name.removeprefix("seed-")) for folder in self.work.glob("seed-*"))
        arms = {seed: [arm for arm in findings.arms(self.plan, self.work, seed) if len(arm.stages) == self.depth]
                for seed in found if seed != self.seed}
        return {seed: runs for seed, runs in arms.items() if runs}

    def mean(self, task: str) -> float:
        """The base's value."""
        return float(self.arms[0].last.records[task]["before"])

    def targets(self) -> str:
        rows = []
        for arm in self.whole:
            for stage in arm.stages:
                task = stage.stage.task
                then, now = stage.records[task], arm.last.records[task]
                flips = findings.flips(stage.results[task], arm.last.results[task])
                rows.append((arm.arm.name, task, share(then["before"]), share(then["after"]), recorded(then),
                             share(now["after"]), f"{flips.lost}/{flips.won}", chance(flips.p)))
        return table(
            ["arm", "task", "base", "after its stage", "learning", "at the end", "lost/won since", "p"], rows, 2)

    def pairs(self, task: str | None = None, arms: list[Arm] | None = None) -> str:
        """Every two arms at the end, on the same items of what is `asked`, or of another task."""
        arms = arms or self.whole

        def right(arm: Arm) -> Scores:
            return arm.last.results[task or self.asked]

        return table(
            ["", *(arm.arm.name for arm in arms)],
            [(f"{row.arm.name} ({share(sum(right(row)) / len(right(row)))})",
              *("" if row is other else f"{flips.lost}/{flips.won}, p {chance(flips.p)}"
                for other in arms for flips in [findings.flips(right(other), right(row))]))
             for row in arms])

    def recovery(self) -> str:
        """Items recovered and lost from one stage to the next."""
        rows = []
        for arm in self.arms:
            for before, stage in pairwise(arm.stages):
                found = findings.recovery(self.base, before.results, stage.results, self.plan.all_held_out)
                asked = findings.flips(before.results[self.asked], stage.results[self.asked])
                rows.append((arm.arm.name, f"{before.stage.task} → {stage.stage.task}", found.wrong_before, found.back,
                             found.newly_lost, f"{found.flips.lost}/{found.flips.won}", chance(found.flips.p),
                             f"{asked.lost}/{asked.won}", chance(asked.p)))
        return table(["arm", "stages", "right in the base, wrong before", "of these recovered", "newly lost",
                      "all held-out, lost/won", "p", f"{self.asked}, lost/won", "p"], rows, 2)

    def matrix(self) -> str:
        rows = []
        for arm in self.arms:
            for number_, stage in enumerate(arm.stages):
                values = [share(stage.value(task)) for task in self.plan.stages[:number_ + 1]]
                values += [""] * (len(self.plan.stages) - len(values))
                values[number_] = f"**{values[number_]}**"
                rows.append((arm.arm.name, f"{number_ + 1} {stage.stage.task}", *values))
        return table(["arm", "after stage", *self.plan.stages], rows, 2)

    def settings(self) -> str:
        training = self.plan.training
        seconds = [sum(stage.facts[key] for arm in self.arms for stage in arm.stages)
                   for key in ("train_seconds", "eval_seconds")]
        counts = {task: len(scores) for task, scores in self.base.items()}
        return "\n".join([
            f"- training: {training['steps']} steps of {training['batch']} rows, AdamW, {training['schedule']} "
            f"schedule, warm-up {training['warmup']:g} of the steps, {training['compute']} products; seed {self.seed}",
            "- learning rates: " + ", ".join(f"{arm.name} {arm.rate:g}" for arm in self.plan.arms),
            f"- training tokens per stage: {sum(line['tokens'] for line in self.arms[0].stages[0].losses):,} "
            f"({self.plan.stages[0]})",
            "- items: " + ", ".join(f"{task} {counts[task]}" for task in
                                    [*self.plan.stages, *self.plan.all_held_out, *self.counted]),
            "- accuracy of the base: " +
            ", ".join(f"{task} {share(self.mean(task))}" for task in self.plan.all_held_out),
            f"- finished stages: {sum(len(arm.stages) for arm in self.arms)} of "
            f"{len(self.plan.arms) * len(self.plan.stages)}; \"the end\" is stage {self.depth}; "
            f"{seconds[0] / 60:.0f} minutes of training and {seconds[1] / 60:.0f} minutes of evaluation, summed over "
            "parallel runs"])

    def series(self, value: Callable[[Measured], tuple[float, float, float]]) -> dict[str, list[plots.Point]]:
        """Every arm's line over its stages. `value`: a stage -> (value, low, high)"""
        return {arm.arm.name: [plots.Point(number_ + 1, *value(stage)) for number_, stage in enumerate(arm.stages)]
                for arm in self.arms}

    @property
    def stage_axis(self) -> plots.Axis:
        names = self.plan.stages
        return plots.Axis(0.6, len(names) + 0.4, list(range(1, len(names) + 1)),
                          lambda number_: f"{number_} {names[number_ - 1]}")

    def base_mean(self, tasks: Sequence[str]) -> float:
        return sum(self.mean(task) for task in tasks) / len(tasks)

    def lines(self, tasks: Sequence[str]) -> dict[str, list[plots.Point]]:
        """Every arm's mean of these tasks after each stage."""
        base = self.base_mean(tasks)

        def of(stage: Measured) -> tuple[float, float, float]:
            found = stage.change(tasks)
            return base + found.value, base + found.low, base + found.high
        return self.series(of)

    def scatter_plot(self) -> str:
        spots = {arm.arm.name: (arm.learned, arm.last.change(self.plan.all_held_out)) for arm in self.whole}
        low = min(kept.low for _, kept in spots.values())
        bottom = -0.1 * (int(-10 * low) + 1)
        left, right = min(found.low for found, _ in spots.values()), max(found.high for found, _ in spots.values())
        left, right = 0.1 * (int(10 * left // 1)), 0.1 * -int(-10 * right // 1)

        def whole(value: float) -> str:
            return points(value).removesuffix(".0")

        return plots.scatter(spots, plots.linear(left, right, 0.1, whole), plots.linear(bottom, 0.1, 0.1, whole),
                             "learning: mean change of the five tasks, right after each stage (points)",
                             "Held-out sets at the end of the chain: mean change (points)",
                             "Learning against forgetting, by what is tuned")

    def write(self) -> None:
        """The tables into the page between its markers, and the plots beside it."""
        self.images.mkdir(exist_ok=True)
        text = self.page.read_text(encoding="utf-8")
        for name in self.tables:
            text = fill(text, name.replace("_", "-"), getattr(self, name)())
        for name, plot in (("stages", self.stages_plot), ("learning-forgetting", self.scatter_plot)):
            (self.images / f"{name}.svg").write_text(plot(), encoding="utf-8")
        self.page.write_text(text, encoding="utf-8")


def fill(text: str, name: str, content: str) -> str:
    """The text with the content between the markers of that name."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"study: the page has no markers <!-- {name} -->, <!-- /{name} -->")
    return pattern.sub(lambda match: match[1] + content + "\n" + match[2], text)
