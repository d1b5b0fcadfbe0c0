"""Tests of the study with eyes; they need Pillow and NumPy, and no package that is fetched.

    $(bench/setup.sh) -m unittest discover study/tests
"""
import random
import re
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import data as texts
import grid
import run
import small_lmm
from eyes import data, pictures, plan, report

HERE = Path(__file__).resolve().parent.parent
FAKE = Path(__file__).with_name("fake_vpatch.py")


def stand_in(count: int, test_count: int, source: random.Random) -> pictures.Parts:
    """Pictures of a package's task, without the package."""
    return pictures.drawn("signs", count, test_count, source)


class Pictures(unittest.TestCase):
    def test_the_same_seed_draws_the_same_pictures_and_another_others(self) -> None:
        def drawn(task: str, seed: int) -> list[object]:
            return [(picture.tobytes(), *words) for part in pictures.rows(task, 6, 3, seed) for picture, *words in part]

        for task in pictures.DRAWN:
            self.assertEqual(drawn(task, 1), drawn(task, 1))
            self.assertNotEqual(drawn(task, 1), drawn(task, 2))

    def test_pictures_are_of_the_size_that_the_model_takes_and_apart(self) -> None:
        for task in pictures.DRAWN:
            train, test = pictures.rows(task, 60, 20, 1)
            self.assertEqual((len(train), len(test)), (60, 20))
            seen = {picture.tobytes() for picture, _, _ in train}
            self.assertFalse(seen & {picture.tobytes() for picture, _, _ in test})
            for picture, _, _ in train + test:
                self.assertEqual((picture.size, picture.mode), ((pictures.SIDE, pictures.SIDE), "RGB"))

    def test_answers_are_right(self) -> None:
        for picture, question, answer in pictures.rows("counting", 20, 5, 3)[0]:
            if "circles" in question:
                self.assertEqual(spots(picture), int(answer))
        for _, _, answer in pictures.rows("clocks", 50, 5, 3)[0]:
            found = re.fullmatch(r"(\d+):(\d\d)", answer)
            assert found, answer
            hour, minute = map(int, found.groups())
            self.assertTrue(1 <= hour <= 12 and minute % 5 == 0 and minute < 60)


def spots(picture: Image.Image) -> int:
    """How many connected parts differ from the ground."""
    side, pixels, ground = picture.width, picture.load(), picture.getpixel((0, 0))
    left = {(x, y) for x in range(side) for y in range(side)
            if sum(abs(a - b) for a, b in zip(pixels[x, y], ground, strict=True)) > 60}
    count = 0
    while left:
        count, edge = count + 1, [left.pop()]
        while edge:
            x, y = edge.pop()
            near = {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} & left
            left -= near
            edge += near
    return count


class Data(unittest.TestCase):
    def test_a_row_of_the_base_asks_several_things_of_one_picture(self) -> None:
        questions = [(f"what {n}?", "red") for n in range(3)] + [(f"is {n}?", "yes") for n in range(9)]
        rows = data.conversations(questions, random.Random(0))
        self.assertEqual([len(row) for row in rows], [4, 2])  # nothing says which form it is: no caption
        self.assertEqual(sum(data.is_open(question) for row in rows for question in row), 3)
        self.assertLessEqual({question for row in rows for question in row}, set(questions))

    def test_what_a_picture_shows_follows_from_its_answers(self) -> None:
        colour, form = ("what color is the shape?", "gray"), ("what shape is there?", "circle")
        closed = ("is there a red shape?", "no")
        self.assertEqual(data.caption([closed, form, colour]), "The picture shows a gray circle.")
        self.assertIsNone(data.caption([closed, colour]))
        described = [turn for seed in range(40)
                     for row in data.conversations([colour, form, closed], random.Random(seed))
                     for turn in row if turn[0] == data.DESCRIBE]
        self.assertEqual(set(described), {(data.DESCRIBE, "The picture shows a gray circle.")})
        self.assertTrue(10 < len(described) < 30)

    def test_a_stage_is_asked_what_was_trained_so_far(self) -> None:
        for number, (task, text) in enumerate(texts.suites((HERE / "eyes" / "suite.toml").read_text(), pictures.TASKS)):
            names = [entry["name"] for entry in tomllib.loads(text)["task"]]
            self.assertEqual([name for name in names if name in pictures.TASKS], pictures.TASKS[:number + 1])
            self.assertEqual([name for name in names if name.endswith(" prompts")], [f"{task} prompts"])
            self.assertEqual([name for name in names if name in plan.PLAN.all_held_out], plan.PLAN.all_held_out)


class Run(unittest.TestCase):
    """All of it in small, with a stand-in for vpatch."""

    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        row = {"messages": [{"role": "user", "content": "What?"}], "answer": "4"}

        def held_out(folder: Path, seed: int) -> None:
            for name in ("shapes-open", "shapes-closed", "shapes-choices", "captions"):
                texts.write(folder / f"{name}.jsonl", [row] * 5)

        def make_choices(folder: Path, count: int) -> None:
            for name in ("openbookqa", "piqa", "commonsenseqa"):
                texts.write(folder / f"{name}.jsonl", [row] * 5)

        def make_base(folder: Path, count: int) -> None:
            folder.mkdir(parents=True)
            texts.write(folder / "train.jsonl", [row])

        changes: list[tuple[Any, str, object]] = [
            (data, "TRAIN", 8), (data, "TEST", 4), (pictures, "TAKEN", dict.fromkeys(pictures.TAKEN, stand_in)),
            (data, "held_out", held_out), (texts, "make_choices", make_choices), (data, "make_base", make_base),
            (small_lmm, "directory", lambda: self.folder)]
        for target, name, value in changes:
            change = mock.patch.object(target, name, value)
            change.start()
            self.addCleanup(change.stop)
        quiet = mock.patch.object(sys, "stdout", mock.Mock())
        quiet.start()
        self.addCleanup(quiet.stop)

    def study(self) -> run.Study:
        study = run.Study(plan.PLAN, data.make, str(FAKE), self.folder / "work", 1)
        study.model = plan.base(study)
        study.prepare(1)
        return study

    def test_the_base_is_trained_and_applied_and_stages_are_a_chain(self) -> None:
        study = self.study()
        words = (study.work / "base" / "projector.vpatch").read_text().split()
        self.assertEqual(words[:2], ["train", str(self.folder)])
        self.assertIn("--recipe=projector", words)
        self.assertEqual(plan.base(study), study.work / "base" / "model")  # made once
        arm = plan.PLAN.arms[0]
        stages = grid.stages(plan.PLAN, study.work, 1, arm)
        run.follow(study, stages, mock.MagicMock())
        self.assertTrue(all(stage.is_done for stage in stages))
        words = stages[2].file(".vpatch").read_text().split()
        self.assertEqual([word for word in words if word.startswith("--patch=")],
                         [f"--patch={stage.file('.vpatch')}" for stage in stages[:2]])

    def test_the_page_is_written_of_what_is_there(self) -> None:
        study = self.study()
        for arm in run.chosen(plan.PLAN, "llm,vision"):
            run.follow(study, grid.stages(plan.PLAN, study.work, 1, arm), mock.MagicMock())
        study.prepare(2)
        run.follow(study, grid.stages(plan.PLAN, study.work, 2, arm), mock.MagicMock())
        page = self.folder / "page.md"
        page.write_text((HERE.parent / "docs" / "study-eyes.md").read_text())
        with mock.patch.multiple(report.EyesPage, page=page, images=self.folder / "images"):
            report.EyesPage(study.work, 1).write()
        text = page.read_text()
        self.assertNotRegex(text, r"<!-- ([\w-]+) -->\n<!-- /\1 -->")
        for name in ("llm", "vision"):
            self.assertEqual(text.count(f"| {name} | 5 clocks |"), 4)
        for seed in (1, 2):  # of vision alone, which both have run
            self.assertEqual(text.count(f"| vision | {seed} |"), 1)
        self.assertNotIn("| llm | 1 |", text)
        for name in ("stages", "learning-forgetting"):
            self.assertIn("vision", (self.folder / "images" / f"{name}.svg").read_text())

    def test_an_arm_that_is_not_there_is_named(self) -> None:
        with self.assertRaisesRegex(SystemExit, "no arm mlpp; there are sa-proj"):
            run.chosen(plan.PLAN, "mlpp,llm")


if __name__ == "__main__":
    unittest.main()
