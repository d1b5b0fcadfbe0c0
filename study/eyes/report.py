"""The page of the study with images: docs/study-eyes.md and docs/study-eyes/."""
import json
from collections import Counter
from pathlib import Path

import findings
import plots
from eyes.plan import PLAN
from findings import Measured
from page import DOCS, Page, chance, change, clean, mass, measure, number, percent, recorded, share, table

OPEN, CLOSED, CHOSEN = "shapes: what", "shapes: whether", "shapes: choices"
CAPTIONS = "number mass: captions"
COMMON = 4  # answers that the page names


def majority(path: Path, count: int | None = None) -> float:
    """The share of the commonest answer among the first `count`: what it brings to say nothing else."""
    answers = [json.loads(line)["answer"] for line in path.read_text().splitlines()][:count]
    return max(answers.count(answer) for answer in answers) / len(answers)


class EyesPage(Page):
    plan, page, images = PLAN, DOCS / "study-eyes.md", DOCS / "study-eyes"
    tables = ["settings", "base_model", "summary", "pairs", "text_pairs", "seeds", "shift", "held_out", "said",
              "recovery", "targets", "matrix", "drift"]
    counted, asked = ["neutral text", CAPTIONS, "number mass"], OPEN

    @property
    def files(self) -> Path:
        """Where the rows of all tasks lie."""
        return self.work / f"seed-{self.seed}" / "data"

    def base_model(self) -> str:
        """What the trained projector brought, before all stages."""
        folder = self.work / "base"
        steps = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        rows = [(task, len(self.base[task]), share(majority(self.files / f"{file}.jsonl", len(self.base[task]))),
                 share(self.mean(task)))
                for task, file in ((OPEN, "shapes-open"), (CLOSED, "shapes-closed"))]
        rows.insert(1, (CHOSEN, len(self.base[CHOSEN]), "–", share(self.mean(CHOSEN))))
        ends = [sum(step["loss"] for step in part) / len(part) for part in (steps[:10], steps[-10:])]
        return table(["easy-vqa, test part", "items", "most common answer", "accuracy"], rows) + (
            f"\n\nThe loss of the projector's training fell from {ends[0]:.2f} to {ends[1]:.2f} nats per token (means "
            f"of ten steps) in {len(steps)} steps, {sum(step['tokens'] for step in steps):,} tokens, "
            f"{sum(step['seconds'] for step in steps) / 60:.0f} minutes.")

    def text_pairs(self) -> str:
        return self.pairs("short answers")

    def shift(self) -> str:
        return table(
            ["arm", "perplexity", "KL, neutral text", "mass on numbers, captions",
             "mass on numbers, neutral questions"],
            [("base", number(self.mean("neutral text")), "0", share(self.mean(CAPTIONS)),
              share(self.mean("number mass")))] +
            [(arm.arm.name, *self.shifted(arm.last)) for arm in self.whole])

    def shifted(self, stage: Measured) -> tuple[str, str, str, str]:
        return (measure(stage.records["neutral text"]), measure(stage.records["drift"]), mass(stage.records[CAPTIONS]),
                mass(stage.records["number mass"]))

    def held_out(self) -> str:
        rows = []
        for arm in self.arms:
            for place, stage in enumerate(arm.stages):
                cells = []
                for task in (OPEN, CHOSEN, CLOSED, "short answers"):
                    record = stage.records[task]
                    flips = findings.flips(self.base[task], stage.results[task])
                    cells += [f"{share(record['after'])} ({recorded(record)})",
                              f"{flips.lost}/{flips.won}, p {chance(flips.p)}"]
                rows.append((arm.arm.name, f"{place + 1} {stage.stage.task}", *cells,
                             change(stage.change(self.choices))))
        return table(["arm", "after stage", OPEN, "lost/won", CHOSEN, "lost/won", CLOSED, "lost/won", "short answers",
                      "lost/won", "multiple choice, change"], rows, 2)

    def said(self) -> str:
        """The commonest answers to questions of two held-out sets, whatever was asked."""
        def row(path: Path) -> list[str]:
            return ["; ".join(f"{answer} ({count})" for answer, count in
                              Counter(map(clean, findings.answers(path, task))).most_common(COMMON))
                    for task in (OPEN, "short answers")]

        base = self.work / f"seed-{self.seed}" / "base.results.json"
        rows = [("base", "", *row(base))] + [
            (arm.arm.name, f"{place + 1} {stage.stage.task}", *row(stage.stage.file(".results.json")))
            for arm in self.arms for place, stage in enumerate(arm.stages)]
        return table(["arm", "after stage", f"{OPEN}, {len(self.base[OPEN])} questions",
                      f"short answers, {len(self.base['short answers'])} questions"], rows, 4)

    def targets(self) -> str:
        always = ", ".join(f"{task} {share(majority(self.files / f'{task}-test.jsonl', len(self.base[task])))}"
                           for task in self.plan.stages)
        return f"{super().targets()}\n\nAccuracy of always giving the most common answer of the test: {always}."

    def drift(self) -> str:
        rows = []
        for arm in self.arms:
            for place, stage in enumerate(arm.stages):
                task = stage.stage.task
                rows.append((arm.arm.name, f"{place + 1} {task}", *self.shifted(stage),
                             measure(stage.records[f"{task} prompts"])))
        return table(["arm", "after stage", "perplexity", "KL, neutral text", "mass on numbers, captions",
                      "mass on numbers, neutral questions", "KL, first token, the task's prompts"], rows, 2)

    def stages_plot(self) -> str:
        stages, counting = self.stage_axis, self.lines([CAPTIONS])
        learned = self.series(lambda stage: self.right(stage, stage.stage.task))
        top = max(point.high for line in counting.values() for point in line)
        step = next(step for step in (0.02, 0.05, 0.1, 0.2) if top < 6 * step)
        panels = [
            plots.Panel("The stage's task, accuracy right after it", stages, plots.linear(0, 1, 0.2, percent), learned),
            plots.Panel("Held out: shapes (what), accuracy", stages, plots.linear(0, 1, 0.2, percent),
                        self.lines([OPEN]), self.mean(OPEN)),
            plots.Panel("Held out: shapes (what), by choice, accuracy", stages, plots.linear(0, 1, 0.2, percent),
                        self.lines([CHOSEN]), self.mean(CHOSEN)),
            plots.Panel("Held out: short answers, accuracy", stages, plots.linear(0, 1, 0.2, percent),
                        self.lines(["short answers"]), self.mean("short answers")),
            plots.Panel("Held out: multiple choice, accuracy (mean of three sets)", stages,
                        plots.linear(0.2, 0.8, 0.1, percent), self.lines(self.choices), self.base_mean(self.choices)),
            plots.Panel("Mass on number tokens, captions", stages, plots.linear(0, min(1, 6 * step), step, percent),
                        counting, self.mean(CAPTIONS))]
        return plots.grid(panels, [arm.arm.name for arm in self.arms],
                          "Target and held-out results after every stage, by what is tuned")

    @staticmethod
    def right(stage: Measured, task: str) -> tuple[float, float, float]:
        record = stage.records[task]
        return (record["after"], *(record["before"] + record["interval"][end] for end in ("low", "high")))
