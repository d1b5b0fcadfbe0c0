"""Speed and memory of training and generation, compared with PyTorch and transformers in the same run."""
import json
import random
from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from measure import Run
from report import Bar, Column, Row, Section, Table, fixed, megabytes

if TYPE_CHECKING:
    from models import Context

Trained = dict[str, Any]  # "losses", "seconds", "tokens": of each step; "kernels"
Answer = dict[str, Any]   # "ids", "seconds"; of PyTorch "prompt", its ids

RECIPES = ("sa-proj", "gate-up")
PRECISIONS = ("f32", "bf16")
BATCH, LENGTH, STEPS, RATE = 4, 256, 6, 1e-5
FASTER = {"f32": 2.0, "bf16": 1.0}            # than PyTorch at the same precision, tokens per second
PEAK = {"sa-proj": 0.5, "gate-up": 0.6}       # of PyTorch's in float32


# MARK: Training

def write_rows(path: Path) -> Path:
    """Random ids: what they say is of no matter for time and memory."""
    source = random.Random(0)
    rows = [[source.randrange(10, 40000) for _ in range(LENGTH)] for _ in range(BATCH)]
    path.write_text("".join(json.dumps({"input_ids": row}) + "\n" for row in rows))
    return path


def train(context: "Context", rows: Path, recipe: str, compute: str, *more: object, steps: int = STEPS,
          rate: float = RATE, batch: int = BATCH, env: Mapping[str, str] | None = None) -> tuple[Trained, Run]:
    """Steps of vpatch, `more` options added: {"losses", "seconds", "tokens", "kernels"}, and the Run."""
    patch, log = context.scratch / "trained.vpatch", context.scratch / "log.jsonl"
    for path in (patch, log):
        path.unlink(missing_ok=True)
    run = context.vpatch.train(
        context.model, rows, patch, "--recipe", recipe, "--compute", compute, "--steps", steps, "--batch", batch,
        "--lr", rate, "--schedule", "constant", "--warmup", 0, "--clip", 0, "--no-shuffle",
        "--threads", context.threads, "--log", log, *more, env=env)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return {"losses": [line["loss"] for line in lines], "seconds": [line["seconds"] for line in lines],
            "tokens": [line["tokens"] for line in lines], "kernels": lines[0]["kernels"]}, run


def train_torch(context: "Context", rows: Path, recipe: str, compute: str, steps: int = STEPS, rate: float = RATE,
                batch: int = BATCH, lora: int = 0) -> tuple[Trained, Run]:
    """The same of PyTorch; with PEFT where `lora` is a rank."""
    return context.torch.run("train", model=str(context.model), rows=str(rows), recipe=recipe, compute=compute,
                             steps=steps, rate=rate, batch=batch, threads=context.threads, lora=lora)


def speeds(found: Trained) -> list[float]:
    """Tokens per second of all steps but the first, in which caches and files are still cold."""
    return [tokens / seconds for tokens, seconds in list(zip(found["tokens"], found["seconds"], strict=True))[1:]]


def training(context: "Context", of: str = "SmolLM2-135M", faster: Mapping[str, float] = FASTER,
             peak: Mapping[str, float] = PEAK) -> Section:
    """`of`: what the context's model is. `faster`, `peak`: the bars of each precision and each recipe."""
    rows = write_rows(context.scratch / "rows.jsonl")
    runs: defaultdict[tuple[str, tuple[str, str]], list[tuple[float, Run]]] = defaultdict(list)
    kernels: set[str] = set()
    cases = [(recipe, compute) for recipe in RECIPES for compute in PRECISIONS]
    for number in range(context.rounds):
        for case in cases:
            for side, work in (("vpatch", train), ("torch", train_torch)):
                context.say(f"training: round {number + 1} of {context.rounds}, {' '.join(case)}, {side}")
                found, run = context.undisturbed(partial(work, context, rows, *case))
                runs[side, case].append((median(speeds(found)), run))
                kernels.add(found.get("kernels", ""))

    def row(case: tuple[str, str]) -> Row:
        found: Row = {"recipe": case[0], "compute": case[1]}
        for side in ("vpatch", "torch"):
            tokens = [speed for speed, _ in runs[side, case]]
            found |= {side: median(tokens), f"{side}_range": (min(tokens), max(tokens)),
                      f"{side}_peak": median(run.peak for _, run in runs[side, case])}
        found["others"] = max(run.others for side in ("vpatch", "torch") for _, run in runs[side, case])
        found["ratio"] = found["vpatch"] / found["torch"]
        found["memory"] = found["vpatch_peak"] / median(run.peak for _, run in runs["torch", (case[0], "f32")])
        return found

    def between(pair: tuple[float, float]) -> str:
        return f"{pair[0]:.0f}–{pair[1]:.0f}"

    table = Table(f"Training: {of}, batch {BATCH} × {LENGTH}, {context.threads} threads", [
        Column("recipe", "recipe", right=False), Column("compute", "compute", right=False),
        Column("vpatch", "vpatch, tokens/s", fixed(0)), Column("vpatch_range", "rounds", between),
        Column("torch", "PyTorch, tokens/s", fixed(0)), Column("torch_range", "rounds", between),
        Column("ratio", "speedup", fixed(2)),
        Column("vpatch_peak", "vpatch, MB", megabytes), Column("torch_peak", "PyTorch, MB", megabytes),
        Column("memory", "× PyTorch f32", fixed(2)), Column("others", "other load, CPUs", fixed(2)),
    ], [row(case) for case in cases],
        f"Median of {context.rounds} alternating rounds; the speed of a round is the median of its {STEPS - 1} steps "
        f"after the first. Kernels: {', '.join(sorted(kernels - {''}))}. *Other load*: CPUs that other processes kept "
        "busy during the run, in the worst round that counts.")
    bars = []
    for found in table.rows:
        name, least, most = f"{found['recipe']}, {found['compute']}", faster[found["compute"]], peak[found["recipe"]]
        bars += [Bar(f"training, {name}", f"{found['ratio']:.2f} × PyTorch",
                     f"≥ {least:g} × PyTorch {found['compute']}", found["ratio"] >= least),
                 Bar(f"peak memory, {name}", f"{found['memory']:.2f} × PyTorch f32", f"≤ {most} × PyTorch f32",
                     found["memory"] <= most)]
    return Section("Training", [table], bars)


# MARK: Generation

TOKENS = 128
TIE = 1e-3  # of logits: below the noise of float32
STORY = ("In the autumn the river rose and the people of the valley carried their grain to the mill on the hill. "
         "The miller weighed each sack, wrote the weight into a book, and gave back a wooden token. ")
PROMPTS = {"a few words": "Once upon a time",
           "a question": "<|im_start|>user\nExplain to a child why the sky is blue.<|im_end|>\n<|im_start|>assistant\n",
           "a page": STORY * 8 + "One evening"}


def parting(a: list[int], b: list[int]) -> int | None:
    """The first place at which two lists of ids differ; None if they do not."""
    for place, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return place
    return None if len(a) == len(b) else min(len(a), len(b))


def write(context: "Context") -> tuple[list[Answer], Run]:
    """Answers of vpatch to all prompts, and the most disturbed of the runs."""
    answers, runs = [], []
    for prompt in PROMPTS.values():
        run = context.vpatch.generate(context.model, prompt, "--max-tokens", TOKENS, "--threads", context.threads)
        answers.append(json.loads(run.output))
        runs.append(run)
    return answers, max(runs, key=lambda run: run.others)


def write_torch(context: "Context") -> tuple[list[Answer], Run]:
    found, run = context.torch.run("generate", model=str(context.model), prompts=list(PROMPTS.values()), limit=TOKENS,
                                   threads=context.threads)
    return found["answers"], run


def agreement(context: "Context", ours: list[Answer], theirs: list[Answer]) -> list[tuple[str, bool]]:
    """For each prompt what to say of the ids, and whether they are right: the same, or parted at a tie.

    How near two tokens were is PyTorch's word: its logits of both, after what is common.
    """
    found = []
    for a, b in zip(ours, theirs, strict=True):
        place = parting(a["ids"], b["ids"])
        if place is None:
            found.append(("the same", True))
        elif place == min(len(a["ids"]), len(b["ids"])):
            found.append((f"one ends after {place} tokens", False))
        else:
            case = {"ids": b["prompt"] + b["ids"][:place], "first": b["ids"][place], "second": a["ids"][place]}
            margin = context.torch.run("margins", model=str(context.model), threads=context.threads,
                                       cases=[case])[0]["margins"][0]
            found.append((f"differ after {place} tokens, where two logits differ by {margin:.1e}", abs(margin) < TIE))
    return found


def generation(context: "Context") -> Section:
    runs: defaultdict[str, list[tuple[list[Answer], Run]]] = defaultdict(list)
    for number in range(context.rounds):
        for side, work in (("vpatch", write), ("torch", write_torch)):
            context.say(f"generation: round {number + 1} of {context.rounds}, {side}")
            runs[side].append(context.undisturbed(partial(work, context)))
    texts = agreement(context, runs["vpatch"][0][0], runs["torch"][0][0])

    def speed(side: str, index: int) -> float:
        return median(float(len(answers[index]["ids"]) / answers[index]["seconds"]) for answers, _ in runs[side])

    rows: list[Row] = []
    for index, name in enumerate(PROMPTS):
        found: Row = {"name": name, "prompt": len(runs["torch"][0][0][index]["prompt"]), "agree": texts[index][0],
                      "tokens": len(runs["vpatch"][0][0][index]["ids"]),
                      "vpatch": speed("vpatch", index), "torch": speed("torch", index)}
        rows.append(dict(found, ratio=found["vpatch"] / found["torch"]))
    others = max(run.others for found in runs.values() for _, run in found)
    table = Table(f"Generation: greedy, float32, {context.threads} threads", [
        Column("name", "prompt", right=False), Column("prompt", "prompt tokens"), Column("tokens", "new tokens"),
        Column("vpatch", "vpatch, tokens/s", fixed(1)), Column("torch", "transformers, tokens/s", fixed(1)),
        Column("ratio", "speedup", fixed(2)), Column("agree", "ids", right=False),
    ], rows, f"Median of {context.rounds} alternating rounds, from the prompt's ids to the last new token, prefill "
             "included; transformers is warmed up, vpatch is a new process. Other processes kept at most "
             f"{others:.2f} CPUs busy.")
    wrong = sum(not right for _, right in texts)
    return Section("Generation", [table], [
        *(Bar(f"generation after {row['name']}", f"{row['ratio']:.2f} × transformers", "≥ 1 × transformers",
              row["ratio"] >= 1) for row in rows),
        Bar("answers with different ids, ties excepted", str(wrong), "0", wrong == 0)])
