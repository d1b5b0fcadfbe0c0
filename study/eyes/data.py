"""Makes the data of the study with images: JSON Lines files, images, and the suites.

    python3 -m eyes.data DIR [--seed N]      in study/

Questions about drawn shapes are from the package `easy-vqa`: its training part trains the base, its test part is held
out. Downloads are in the user's cache folder and never in the repository.
"""
import argparse
import json
import random
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import data as texts
from eyes import pictures

sys.path.append(str(texts.ROOT / "bench"))
import wheels

Question = tuple[str, str]  # with its answer
Message = dict[str, Any]
HERE = Path(__file__).resolve().parent
TRAIN, TEST = 800, 200  # of woven cloth there is no more
SHAPES, CAPTIONS, CHOICE = 200, 40, 15
TURNS = 4  # questions about one picture in a row that makes the base
FORMS = ["circle", "rectangle", "triangle"]
COLOURS = ["black", "blue", "brown", "gray", "green", "red", "teal", "yellow"]
DESCRIBE = "Describe this picture."
SHAPE_FILES = "easy_vqa/data/{part}/{file}"


def asked(image: str, question: str) -> Message:
    return {"role": "user", "content": [{"type": "image", "image": image}, {"type": "text", "text": question}]}


def shape_questions(wheel: zipfile.ZipFile, part: str) -> dict[int, list[Question]]:
    """{picture: [(question, answer), …]} of easy-vqa."""
    found: dict[int, list[Question]] = {}
    for question, answer, number in json.loads(wheel.read(SHAPE_FILES.format(part=part, file="questions.json"))):
        found.setdefault(number, []).append((question, answer))
    return found


def is_open(question: Question) -> bool:
    """Asks what, and not whether: yes and no are three quarters of easy-vqa's answers."""
    return question[1] not in ("yes", "no")


def take_picture(wheel: zipfile.ZipFile, part: str, number: int, folder: Path) -> str:
    name = f"images/shapes-{part}-{number}.png"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(wheel.read(SHAPE_FILES.format(part=part, file=f"images/{number}.png")))
    return name


def caption(questions: Sequence[Question]) -> str | None:
    """What is to be seen, of the answers to what asks for it; None where they do not say all."""
    answers = {answer for question, answer in questions if is_open((question, answer))}
    form, colour = answers & set(FORMS), answers & set(COLOURS)
    return f"The picture shows a {colour.pop()} {form.pop()}." if len(form) == len(colour) == 1 else None


def conversations(questions: list[Question], draw: random.Random, turns: int = TURNS) -> list[list[Question]]:
    """Of one picture: all that asks what, as many that ask whether, and now and then what it shows, in any order and in
    rows of some turns."""
    openly = [question for question in questions if is_open(question)]
    closed = [question for question in questions if not is_open(question)]
    taken = openly + draw.sample(closed, min(len(closed), len(openly)))
    described = caption(questions)
    if described and draw.random() < 0.5:
        taken.append((DESCRIBE, described))
    draw.shuffle(taken)
    return [taken[start:start + turns] for start in range(0, len(taken), turns)]


def make_base(folder: Path, count: int, seed: int = 0) -> None:
    """`train.jsonl` with so many rows at least, on which the projector learns to be a projector."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    rows: list[texts.Row] = []
    with wheels.wheel(wheels.EASY_VQA) as wheel:
        questions = shape_questions(wheel, "train")
        for number in draw.sample(sorted(questions), len(questions)):
            if len(rows) >= count:
                break
            name = take_picture(wheel, "train", number, folder)
            for turns in conversations(questions[number], draw):
                (first, answer), *others = turns
                messages = [asked(name, first), {"role": "assistant", "content": answer}]
                for question, answer in others:
                    messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
                rows.append({"messages": messages})
    draw.shuffle(rows)
    texts.write(folder / "train.jsonl", rows)


def make(folder: Path, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    for task in pictures.TASKS:
        for part, items in zip(("train", "test"), pictures.rows(task, TRAIN, TEST, seed), strict=True):
            rows = []
            for number, (picture, question, answer) in enumerate(items):
                name = f"images/{task}-{part}-{number}.png"
                picture.save(folder / name)
                prompt = asked(name, question)
                rows.append({"messages": [prompt], "answer": answer} if part == "test" else
                            {"messages": [prompt, {"role": "assistant", "content": answer}]})
            texts.write(folder / f"{task}-{part}.jsonl", rows)
    held_out(folder, seed)
    texts.make_choices(folder, CHOICE)
    for path in [texts.HERE / "short-answers.jsonl", *(texts.ROOT / "suites" / "neutral").glob("*.*")]:
        if path.name != "suite.toml":
            shutil.copyfile(path, folder / path.name)
    suite = (HERE / "suite.toml").read_text()
    (folder / "suite.toml").write_text(suite)
    for task, text in texts.suites(suite, pictures.TASKS):
        (folder / f"suite-{task}.toml").write_text(text)


def held_out(folder: Path, seed: int) -> None:
    """Of easy-vqa's test part: as many questions that ask what as that ask whether, and pictures to describe."""
    draw = random.Random(seed)
    with wheels.wheel(wheels.EASY_VQA) as wheel:
        everything = [(number, question) for number, questions in shape_questions(wheel, "test").items()
                      for question in questions]
        for name, wanted in (("shapes-open", True), ("shapes-closed", False)):
            items = draw.sample([item for item in everything if is_open(item[1]) == wanted], SHAPES)
            texts.write(folder / f"{name}.jsonl", [
                {"messages": [asked(take_picture(wheel, "test", number, folder), question)], "answer": answer}
                for number, (question, answer) in items])
        # The same open questions by what is likeliest, whatever the model would say: a form among three, a colour of
        # eight.
        rows = [json.loads(line) for line in (folder / "shapes-open.jsonl").read_text().splitlines()]
        texts.write(folder / "shapes-choices.jsonl", [
            row | {"choices": choices, "answer": choices.index(row["answer"])} for row in rows
            for choices in [FORMS if row["answer"] in FORMS else COLOURS]])
        numbers = draw.sample(sorted({number for number, _ in everything}), CAPTIONS)
        texts.write(folder / "captions.jsonl", [
            {"messages": [asked(take_picture(wheel, "test", number, folder), DESCRIBE)]}
            for number in numbers])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="output folder")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default: %(default)s)")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.seed)
