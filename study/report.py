"""Tables and plots of the study, from what study/run.py left: into docs/study.md between its markers, and docs/study/.

    study/report.py [--work DIR] [--seed N]

What compares arms at the end does so after the last stage that all of them have run.
"""
import argparse
import json
import re
import sys
from pathlib import Path

import findings
import grid
import plots

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))
import cache  # noqa: E402

PLAN = grid.TEXT
CHOICES, HELD_OUT = PLAN.held_out["multiple choice"], PLAN.all_held_out
EXAMPLES = (0, 12, 24, 46)  # short answers that the page shows
PAGE, IMAGES = ROOT / "docs" / "study.md", ROOT / "docs" / "study"


def points(value):
    """A share's change in percentage points: "+12.3", with a real minus."""
    text = f"{100 * value:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def change(found):
    return f"{points(found.value)} [{points(found.low)}, {points(found.high)}]"


def recorded(record):
    return change(findings.Change(record["change"], record["interval"]["low"], record["interval"]["high"]))


def share(value):
    return f"{100 * value:.1f} %"


def chance(p):
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def number(value):
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def measure(record):
    """A value with the interval of its change from the base, moved to where the value is."""
    low, high = (record["before"] + record["interval"][end] for end in ("low", "high"))
    return f"{number(record['after'])} [{number(max(0, low))}, {number(max(0, high))}]"


def mass(record):
    low, high = (record["before"] + record["interval"][end] for end in ("low", "high"))
    return f"{100 * record['after']:.1f} % [{100 * max(0, low):.1f}, {100 * max(0, high):.1f}]"


def table(titles, rows, left=1):
    """`left` columns of words, the others of numbers."""
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * left + "---:|" * (len(titles) - left)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def clean(answer):
    """For a cell of a table: the first line of it."""
    return next((line.strip() for line in answer.splitlines() if line.strip()), "").replace("|", "\\|")


class Report:
    def __init__(self, work, seed):
        self.work, self.seed = work, seed
        self.base = findings.scores(work / f"seed-{seed}" / "base.results.json")
        self.arms = [arm for arm in (findings.Arm(PLAN, work, seed, arm) for arm in PLAN.arms) if arm.stages]
        if not self.arms:
            sys.exit(f"study: nothing of seed {seed} has run yet; study/run.py runs it")
        # Arms are compared after the last stage that all have run.
        self.depth = min(len(arm.stages) for arm in self.arms)
        self.whole = [arm.until(self.depth) for arm in self.arms]

    # Tables

    def summary(self):
        return table(
            ["arm", "lr", "learned, each right after its stage", "at the end", "held-out, at the end",
             "short answers", "multiple choice", "patches, MB"],
            [(arm.arm.name, f"{arm.arm.rate:g}", change(arm.learned),
              *(change(arm.last.change(tasks)) for tasks in (
                  PLAN.stages[:self.depth], HELD_OUT, ["short answers"])),
              change(arm.last.change(CHOICES)), f"{arm.patch_bytes / 1e6:.0f}") for arm in self.whole])

    def pairs(self):
        """Every two arms at the end, on the short answers."""
        def right(arm):
            return arm.last.results["short answers"]

        return table(
            ["", *(arm.arm.name for arm in self.whole)],
            [(f"{row.arm.name} ({share(sum(right(row)) / len(right(row)))})",
              *("" if row is other else "{0.lost}/{0.won}, p {1}".format(flips, chance(flips.p))
                for other in self.whole for flips in [findings.flips(right(other), right(row))]))
             for row in self.whole])

    def shift(self):
        return table(
            ["arm", "perplexity", "KL, neutral text", "KL, first token of an answer", "mass on numbers"],
            [("base", number(self.mean("neutral text")), "0", "0", share(self.mean("number mass")))] +
            [(arm.arm.name, measure(arm.last.records["neutral text"]), measure(arm.last.records["drift"]),
              measure(arm.last.records["first token"]), mass(arm.last.records["number mass"])) for arm in self.whole])

    def mean(self, task):
        """The base's value."""
        return self.arms[0].last.records[task]["before"]

    def targets(self):
        rows = []
        for arm in self.whole:
            for stage in arm.stages:
                task = stage.stage.task
                then, now = stage.records[task], arm.last.records[task]
                flips = findings.flips(stage.results[task], arm.last.results[task])
                rows.append((arm.arm.name, task, share(then["before"]), share(then["after"]), recorded(then),
                             share(now["after"]), f"{flips.lost}/{flips.won}", chance(flips.p)))
        return table(
            ["arm", "task", "base", "after its stage", "learned", "at the end", "lost/won since", "p"], rows, 2)

    def matrix(self):
        rows = []
        for arm in self.arms:
            for number_, stage in enumerate(arm.stages):
                values = [share(stage.value(task)) for task in PLAN.stages[:number_ + 1]]
                values += [""] * (len(PLAN.stages) - len(values))
                values[number_] = f"**{values[number_]}**"
                rows.append((arm.arm.name, f"{number_ + 1} {stage.stage.task}", *values))
        return table(["arm", "after stage", *PLAN.stages], rows, 2)

    def held_out(self):
        rows = []
        for arm in self.arms:
            for number_, stage in enumerate(arm.stages):
                record = stage.records["short answers"]
                choices = [findings.flips(self.base[task], stage.results[task]) for task in CHOICES]
                both = findings.Flips(sum(f.lost for f in choices), sum(f.won for f in choices))
                rows.append((arm.arm.name, f"{number_ + 1} {stage.stage.task}", share(record["after"]),
                             recorded(record), f"{record['flips']['lost']}/{record['flips']['won']}", chance(record["p"]),
                             f"{stage.borrowed} of {stage.results['short answers'].count(0)}",
                             change(stage.change(CHOICES)), f"{both.lost}/{both.won}", chance(both.p)))
        return table(["arm", "after stage", "short answers", "change", "lost/won", "p",
                      "wrong ones in the task's words", "multiple choice, change", "lost/won", "p"], rows, 2)

    def examples(self):
        """What some of the short questions are answered with, stage by stage."""
        folder = self.work / f"seed-{self.seed}"
        rows = (folder / "data" / "short-answers.jsonl").read_text().splitlines()
        prompts = [json.loads(row)["prompt"] for row in rows][-len(self.base["short answers"]):]
        base = findings.answers(folder / "base.results.json")
        return table(
            ["arm", "question", "base", *(f"after {task}" for task in PLAN.stages)],
            [(arm.arm.name, prompts[item], clean(base[item]),
              *(clean(findings.answers(stage.stage.file(".results.json"))[item]) for stage in arm.stages))
             for arm in self.arms if arm.arm.name in ("gate-up", "llm") for item in EXAMPLES], 3 + len(PLAN.stages))

    def recovery(self):
        rows = []
        for arm in self.arms:
            for before, stage in zip(arm.stages, arm.stages[1:]):
                found = findings.recovery(self.base, before.results, stage.results, HELD_OUT)
                short = findings.flips(before.results["short answers"], stage.results["short answers"])
                rows.append((arm.arm.name, f"{before.stage.task} → {stage.stage.task}", found.wrong_before, found.back,
                             found.newly_lost, f"{found.flips.lost}/{found.flips.won}", chance(found.flips.p),
                             f"{short.lost}/{short.won}", chance(short.p)))
        return table(["arm", "from stage to stage", "base right, wrong before", "of these back", "newly lost",
                      "all held-out, lost/won", "p", "short answers, lost/won", "p"], rows, 2)

    def returns(self):
        """Where an earlier task is answered better than a stage before, though nothing of it was trained again."""
        compared = [(arm, before, stage, task, findings.flips(before.results[task], stage.results[task]))
                    for arm in self.arms for number_, (before, stage) in enumerate(zip(arm.stages, arm.stages[1:]))
                    for task in PLAN.stages[:number_ + 1]]
        clear = [row for row in compared if row[-1].p < 0.05]
        rises = [row for row in clear if row[-1].won > row[-1].lost]
        rows = [(arm.arm.name, task, f"{before.stage.task} → {stage.stage.task}", share(before.value(task)),
                 share(stage.value(task)), f"{flips.lost}/{flips.won}", chance(flips.p))
                for arm, before, stage, task, flips in rises]
        return table(["arm", "task", "from stage to stage", "before", "after", "lost/won", "p"], rows, 3) + (
            f"\n\nThese are all the rises with p < 0.05 among {len(compared)} comparisons of an earlier task from one "
            f"stage to the next; {len(clear) - len(rises)} are falls with p < 0.05.")

    def drift(self):
        rows = []
        for arm in self.arms:
            for number_, stage in enumerate(arm.stages):
                task = stage.stage.task
                rows.append((arm.arm.name, f"{number_ + 1} {task}", measure(stage.records["neutral text"]),
                             measure(stage.records["drift"]), measure(stage.records["first token"]),
                             measure(stage.records[f"{task} prompts"]), mass(stage.records["number mass"])))
        return table(["arm", "after stage", "perplexity", "KL, neutral text", "KL, first token, neutral questions",
                      "KL, first token, the task's prompts", "mass on numbers"], rows, 2)

    def predictors(self):
        stages = [stage for arm in self.arms for stage in arm.stages]
        lost = {"short answers": [-stage.change(["short answers"]).value for stage in stages],
                "multiple choice": [-stage.change(CHOICES).value for stage in stages]}
        predictors = {
            "KL, neutral text": [stage.value("drift") for stage in stages],
            "KL, first token, neutral questions": [stage.value("first token") for stage in stages],
            "KL, first token, the task's prompts": [stage.value(f"{stage.stage.task} prompts") for stage in stages],
            "perplexity, neutral text": [stage.value("neutral text") for stage in stages],
            "mass on numbers": [stage.value("number mass") for stage in stages]}
        return table(["predictor", *(f"loss of {name}" for name in lost)],
                     [(name, *(f"{findings.rank_correlation(values, losses):+.2f}".replace("-", "−")
                               for losses in lost.values())) for name, values in predictors.items()])

    def settings(self):
        training = PLAN.training
        seconds = [sum(stage.facts[key] for arm in self.arms for stage in arm.stages)
                   for key in ("train_seconds", "eval_seconds")]
        counts = {task: len(scores) for task, scores in self.base.items()}
        return "\n".join([
            f"- training: {training['steps']} steps of {training['batch']} rows, AdamW, {training['schedule']} "
            f"schedule with {training['warmup']:g} warm-up, {training['compute']} products; seed {self.seed}",
            "- learning rates: " + ", ".join(f"{arm.name} {arm.rate:g}" for arm in PLAN.arms),
            f"- a stage learns {sum(line['tokens'] for line in self.arms[0].stages[0].losses):,} tokens (birds)",
            "- items: " + ", ".join(f"{task} {counts[task]}" for task in
                                    [*PLAN.stages, *HELD_OUT, "neutral text", "number mass"]),
            "- the base has right: " + ", ".join(f"{task} {share(self.mean(task))}" for task in HELD_OUT),
            f"- stages that have run: {sum(len(arm.stages) for arm in self.arms)} of "
            f"{len(PLAN.arms) * len(PLAN.stages)}; \"the end\" is stage {self.depth}; "
            f"{seconds[0] / 60:.0f} minutes of training and {seconds[1] / 60:.0f} of measuring, added up over runs side by side"])

    # Plots

    def series(self, value):
        """Every arm's line over its stages. `value`: a stage -> (value, low, high)"""
        return {arm.arm.name: [plots.Point(number_ + 1, *value(stage)) for number_, stage in enumerate(arm.stages)]
                for arm in self.arms}

    def stages_plot(self):
        stages = plots.Axis(0.6, len(PLAN.stages) + 0.4, list(range(1, len(PLAN.stages) + 1)),
                            lambda number_: f"{number_} {PLAN.stages[number_ - 1]}")
        percent = lambda value: f"{100 * value:.0f} %"  # noqa: E731

        def record(task):
            def of(stage):
                found = stage.records[task]
                return found["after"], found["before"] + found["interval"]["low"], \
                    found["before"] + found["interval"]["high"]
            return of

        def choices(stage):
            found = stage.change(CHOICES)
            base = sum(self.mean(task) for task in CHOICES) / len(CHOICES)
            return base + found.value, base + found.low, base + found.high

        def logarithmic(title, task):
            lines = self.series(record(task))
            values = [point.y for line in lines.values() for point in line]
            return plots.Panel(title, stages, plots.decades(min(values), max(values)), lines)

        base_choices = sum(self.mean(task) for task in CHOICES) / len(CHOICES)
        masses = self.series(record("number mass"))
        top = max(point.high for line in masses.values() for point in line)
        panels = [
            plots.Panel("Short answers, right", stages, plots.linear(0, 0.8, 0.2, percent),
                        self.series(record("short answers")), self.mean("short answers")),
            plots.Panel("Multiple choice, right (mean of three sets)", stages, plots.linear(0.2, 0.7, 0.1, percent),
                        self.series(choices), base_choices),
            logarithmic("KL(base ‖ model) a token, neutral text (nats)", "drift"),
            plots.Panel("Mass on number tokens, neutral questions", stages,
                        plots.linear(0, max(0.1, round(top + 0.05, 1)), 0.1 if top > 0.15 else 0.02, percent), masses,
                        self.mean("number mass"))]
        return plots.grid(panels, [arm.arm.name for arm in self.arms],
                          "What is kept after every stage, by what is tuned")

    def scatter_plot(self):
        spots = {arm.arm.name: (arm.learned, arm.last.change(HELD_OUT)) for arm in self.whole}
        low = min(kept.low for _, kept in spots.values())
        bottom = -0.1 * (int(-10 * low) + 1)
        left, right = min(found.low for found, _ in spots.values()), max(found.high for found, _ in spots.values())
        left, right = 0.1 * (int(10 * left // 1)), 0.1 * -int(-10 * right // 1)
        whole = lambda value: points(value).removesuffix(".0")  # noqa: E731
        return plots.scatter(spots, plots.linear(left, right, 0.1, whole), plots.linear(bottom, 0.1, 0.1, whole),
                             "learned: mean change of the five tasks, each right after its stage (points)",
                             "Held-out sets at the end of the chain: mean change (points)",
                             "Learning against forgetting, by what is tuned")


def fill(text, name, content):
    """The text with the content between the markers of that name."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"study: {PAGE} has no markers <!-- {name} -->, <!-- /{name} -->")
    return pattern.sub(lambda match: match[1] + content + "\n" + match[2], text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, help="default: study in the cache folder")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    report = Report(arguments.work or cache.folder(PLAN.name), arguments.seed)
    IMAGES.mkdir(exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    for name in ("settings", "summary", "pairs", "shift", "held_out", "examples", "recovery", "targets", "matrix",
                 "returns", "drift", "predictors"):
        text = fill(text, name.replace("_", "-"), getattr(report, name)())
    (IMAGES / "stages.svg").write_text(report.stages_plot(), encoding="utf-8")
    (IMAGES / "learning-forgetting.svg").write_text(report.scatter_plot(), encoding="utf-8")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
