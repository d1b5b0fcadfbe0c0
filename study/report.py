"""Writes tables and plots of a study from the results of study/run.py: into docs/study.md (between its markers) and
docs/study/; with --eyes into docs/study-eyes.md and docs/study-eyes/.

    study/report.py [--eyes] [--work DIR] [--seed N]

Comparisons of arms at the end are after the last stage that all arms have finished.
"""
import argparse
import json
from itertools import pairwise
from pathlib import Path

import eyes.report
import findings
import grid
import plots
from page import DOCS, Page, chance, change, clean, mass, measure, number, percent, recorded, share, table

EXAMPLES = (0, 12, 24, 46)  # short answers that the page shows


class TextPage(Page):
    plan, page, images = grid.TEXT, DOCS / "study.md", DOCS / "study"
    tables = ["settings", "summary", "pairs", "seeds", "shift", "held_out", "examples", "recovery", "targets",
              "matrix", "returns", "drift", "predictors"]
    counted, asked = ["neutral text", "number mass"], "short answers"

    def shift(self) -> str:
        return table(
            ["arm", "perplexity", "KL, neutral text", "KL, first token of an answer", "mass on numbers"],
            [("base", number(self.mean("neutral text")), "0", "0", share(self.mean("number mass")))] +
            [(arm.arm.name, measure(arm.last.records["neutral text"]), measure(arm.last.records["drift"]),
              measure(arm.last.records["first token"]), mass(arm.last.records["number mass"])) for arm in self.whole])

    def held_out(self) -> str:
        rows = []
        for arm in self.arms:
            for number_, stage in enumerate(arm.stages):
                record = stage.records["short answers"]
                choices = [findings.flips(self.base[task], stage.results[task]) for task in self.choices]
                both = findings.Flips(sum(f.lost for f in choices), sum(f.won for f in choices))
                rows.append((arm.arm.name, f"{number_ + 1} {stage.stage.task}", share(record["after"]),
                             recorded(record), f"{record['flips']['lost']}/{record['flips']['won']}",
                             chance(record["p"]), f"{stage.borrowed} of {stage.results['short answers'].count(0)}",
                             change(stage.change(self.choices)), f"{both.lost}/{both.won}", chance(both.p)))
        return table(["arm", "after stage", "short answers", "change", "lost/won", "p",
                      "wrong answers in the task's words", "multiple choice, change", "lost/won", "p"], rows, 2)

    def examples(self) -> str:
        """What some of the short questions are answered with, stage by stage."""
        folder = self.work / f"seed-{self.seed}"
        rows = (folder / "data" / "short-answers.jsonl").read_text().splitlines()
        prompts = [json.loads(row)["prompt"] for row in rows][-len(self.base["short answers"]):]
        base = findings.answers(folder / "base.results.json")
        return table(
            ["arm", "question", "base", *(f"after {task}" for task in self.plan.stages)],
            [(arm.arm.name, prompts[item], clean(base[item]),
              *(clean(findings.answers(stage.stage.file(".results.json"))[item]) for stage in arm.stages))
             for arm in self.arms if arm.arm.name in ("gate-up", "llm") for item in EXAMPLES],
            3 + len(self.plan.stages))

    def returns(self) -> str:
        """Where an earlier task is answered better than a stage before, though nothing of it was trained again."""
        compared = [(arm, before, stage, task, findings.flips(before.results[task], stage.results[task]))
                    for arm in self.arms for number_, (before, stage) in enumerate(pairwise(arm.stages))
                    for task in self.plan.stages[:number_ + 1]]
        clear = [row for row in compared if row[-1].p < 0.05]
        rises = [row for row in clear if row[-1].won > row[-1].lost]
        rows = [(arm.arm.name, task, f"{before.stage.task} → {stage.stage.task}", share(before.value(task)),
                 share(stage.value(task)), f"{flips.lost}/{flips.won}", chance(flips.p))
                for arm, before, stage, task, flips in rises]
        return table(["arm", "task", "stages", "before", "after", "lost/won", "p"], rows, 3) + (
            f"\n\nThese are all rises with p < 0.05 in {len(compared)} comparisons of an earlier task between adjacent "
            f"stages. There are {len(clear) - len(rises)} falls with p < 0.05.")

    def drift(self) -> str:
        rows = []
        for arm in self.arms:
            for number_, stage in enumerate(arm.stages):
                task = stage.stage.task
                rows.append((arm.arm.name, f"{number_ + 1} {task}", measure(stage.records["neutral text"]),
                             measure(stage.records["drift"]), measure(stage.records["first token"]),
                             measure(stage.records[f"{task} prompts"]), mass(stage.records["number mass"])))
        return table(["arm", "after stage", "perplexity", "KL, neutral text", "KL, first token, neutral questions",
                      "KL, first token, the task's prompts", "mass on numbers"], rows, 2)

    def predictors(self) -> str:
        stages = [stage for arm in self.arms for stage in arm.stages]
        lost = {"short answers": [-stage.change(["short answers"]).value for stage in stages],
                "multiple choice": [-stage.change(self.choices).value for stage in stages]}
        predictors = {
            "KL, neutral text": [stage.value("drift") for stage in stages],
            "KL, first token, neutral questions": [stage.value("first token") for stage in stages],
            "KL, first token, the task's prompts": [stage.value(f"{stage.stage.task} prompts") for stage in stages],
            "perplexity, neutral text": [stage.value("neutral text") for stage in stages],
            "mass on numbers": [stage.value("number mass") for stage in stages]}
        return table(["predictor", *(f"loss of {name}" for name in lost)],
                     [(name, *(f"{findings.rank_correlation(values, losses):+.2f}".replace("-", "−")
                               for losses in lost.values())) for name, values in predictors.items()])

    def stages_plot(self) -> str:
        stages = self.stage_axis

        def logarithmic(title: str, task: str) -> plots.Panel:
            lines = self.lines([task])
            values = [point.y for line in lines.values() for point in line]
            return plots.Panel(title, stages, plots.decades(min(values), max(values)), lines)

        masses = self.lines(["number mass"])
        top = max(point.high for line in masses.values() for point in line)
        panels = [
            plots.Panel("Short answers, accuracy", stages, plots.linear(0, 0.8, 0.2, percent),
                        self.lines(["short answers"]), self.mean("short answers")),
            plots.Panel("Multiple choice, accuracy (mean of three sets)", stages, plots.linear(0.2, 0.7, 0.1, percent),
                        self.lines(self.choices), self.base_mean(self.choices)),
            logarithmic("KL(base ‖ model), neutral text (nats per token)", "drift"),
            plots.Panel("Mass on number tokens, neutral questions", stages,
                        plots.linear(0, max(0.1, round(top + 0.05, 1)), 0.1 if top > 0.15 else 0.02, percent), masses,
                        self.mean("number mass"))]
        return plots.grid(panels, [arm.arm.name for arm in self.arms],
                          "Held-out results after every stage, by what is tuned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--eyes", action="store_true", help="the study with images")
    parser.add_argument("--work", type=Path, help="folder with the results (default: in the cache folder)")
    parser.add_argument("--seed", type=int, default=1, help="random seed of the runs (default: %(default)s)")
    arguments = parser.parse_args()
    kind = eyes.report.EyesPage if arguments.eyes else TextPage
    kind(arguments.work, arguments.seed).write()


if __name__ == "__main__":
    main()
