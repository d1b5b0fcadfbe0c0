#!/usr/bin/env python3
"""Stands in for vpatch in the study's tests: takes the same arguments and writes files of the same forms.

Nothing is computed. The scores are drawn by the names of the files, so that arms and stages differ.
"""
import hashlib
import json
import random
import sys
import tomllib
from pathlib import Path
from typing import Any


def options(arguments: list[str]) -> tuple[list[str], dict[str, Any]]:
    """(those without a name, {name: last value})"""
    free: list[str] = []
    named: dict[str, Any] = {}
    at = 0
    flags = {"--quiet", "--force", "--json", "--no-store"}
    while at < len(arguments):
        word = arguments[at]
        if not word.startswith("-"):
            free.append(word)
        elif word in flags:
            named[word] = True
        elif "=" in word:
            name, _, value = word.partition("=")
            named[name] = value
        else:
            at += 1
            named[word] = arguments[at]
        at += 1
    return free, named


def train(model: str, named: dict[str, Any]) -> None:
    assert Path(model).exists(), model
    rows = [json.loads(line) for line in Path(named["--data"]).read_text().splitlines()]
    for row in rows:
        for message in row["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else []:
                if part["type"] == "image":
                    assert (Path(named["--data"]).parent / part["image"]).exists(), part
    Path(named["-o"]).write_text(" ".join(sys.argv[1:]))
    step = {"step": 1, "loss": 1.0, "tokens": 800, "seconds": 1.0}
    Path(named["--log"]).write_text((json.dumps(step) + "\n") * 20)


def evaluate(named: dict[str, Any]) -> None:
    suite = Path(named["--suite"])
    tasks = tomllib.loads(suite.read_text())["task"]
    draw = random.Random(hashlib.sha256(named["--results"].encode()).digest())
    results, records = [], []
    base = named.get("--base-results")
    before = {entry["task"]: entry["scores"] for entry in json.loads(Path(base).read_text())["tasks"]} if base else {}
    for task in tasks:
        file = suite.parent / task["data"]
        rows = file.read_text().splitlines() if file.suffix == ".jsonl" else ["text"] * 18
        count = min(task.get("limit", len(rows)), len(rows)) - task.get("few_shot", 0)
        scored = task["kind"] in ("exact-match", "multiple-choice", "clock")
        scores = [draw.choice([0, 1]) if scored else draw.random() for _ in range(count)]
        results.append({"task": task["name"], "scores": scores, "items": [{"answer": "4"}] * count})
        if base:
            was = before[task["name"]]
            a, b = sum(was) / count, sum(scores) / count
            records.append({
                "task": task["name"], "before": a, "after": b, "change": b - a, "p": 0.5,
                "interval": {"low": b - a - 0.1, "high": b - a + 0.1},
                "flips": {"lost": sum(x > y for x, y in zip(was, scores, strict=True)),
                          "won": sum(x < y for x, y in zip(was, scores, strict=True))}})
    Path(named["--results"]).write_text(json.dumps({"tasks": results}))
    print(json.dumps({"forgetting": {"records": records}}))


def main() -> None:
    command, *arguments = sys.argv[1:]
    free, named = options(arguments)
    if command == "train":
        train(free[0], named)
    elif command == "eval":
        evaluate(named)
    elif command == "apply":
        Path(named["-o"]).mkdir()


main()
