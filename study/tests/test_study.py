"""The study's own tests: python3 -m unittest discover study/tests"""
import sys
import tomllib
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import data
import findings
import grid
import tasks

HERE = Path(__file__).resolve().parent.parent

class Tasks(unittest.TestCase):
    def test_the_same_seed_draws_the_same_rows_and_another_others(self) -> None:
        for task in tasks.TASKS:
            self.assertEqual(tasks.rows(task, 20, 5, 1), tasks.rows(task, 20, 5, 1))
            self.assertNotEqual(tasks.rows(task, 20, 5, 1), tasks.rows(task, 20, 5, 2))

    def test_nothing_of_the_test_is_trained(self) -> None:
        for task in tasks.TASKS:
            train, test = tasks.rows(task, data.TRAIN, data.TEST, 1)
            self.assertEqual((len(train), len(test)), (data.TRAIN, data.TEST))
            self.assertFalse({row["prompt"] for row in train} & {row["prompt"] for row in test})

    def test_answers_are_right(self) -> None:
        for row in tasks.rows("counting", 200, 50, 3)[0]:
            asked, listed = row["prompt"].removeprefix("How many times is ").split(" in this list? ")
            self.assertEqual(listed.split(", ").count(asked), int(row["answer"]))
        for row in tasks.rows("cells", 200, 50, 3)[0]:
            marks = sum(mark in row["prompt"] for mark in ("round cells", "pale nuclei", "smooth edges"))
            self.assertEqual(row["answer"], "yes" if marks >= 2 else "no")
        for row in tasks.rows("signs", 200, 50, 3)[0]:
            self.assertIn(row["answer"].lower(), row["prompt"].lower())


class Suites(unittest.TestCase):
    def test_a_stage_is_asked_what_was_trained_so_far(self) -> None:
        found = {task: [entry["name"] for entry in tomllib.loads(text)["task"]]
                 for task, text in data.suites((HERE / "suite.toml").read_text(), grid.TEXT.stages)}
        self.assertEqual(list(found), list(tasks.TASKS))
        for number, names in enumerate(found.values()):
            task = grid.TEXT.stages[number]
            self.assertEqual([name for name in names if name in grid.TEXT.stages], grid.TEXT.stages[:number + 1])
            self.assertEqual([name for name in names if name.endswith(" prompts")], [f"{task} prompts"])
            self.assertEqual([name for name in names if name in grid.TEXT.all_held_out], grid.TEXT.all_held_out)


class Findings(unittest.TestCase):
    def test_mcnemar(self) -> None:
        self.assertEqual(findings.Flips(0, 0).p, 1)
        self.assertAlmostEqual(findings.Flips(13, 2).p, 2 * (1 + 15 + 105) / 2 ** 15)
        self.assertEqual(findings.Flips(3, 3).p, 1)

    def test_a_mean_of_changes(self) -> None:
        records = [{"change": 0.2, "interval": {"low": 0.1, "high": 0.3}},
                   {"change": 0.0, "interval": {"low": -0.1, "high": 0.2}}]
        found = findings.mean_change(records)
        self.assertAlmostEqual(found.value, 0.1)
        self.assertAlmostEqual(found.low, 0.1 - 0.02 ** 0.5 / 2)
        self.assertAlmostEqual(found.high, 0.1 + 0.05 ** 0.5 / 2)

    def test_recovery(self) -> None:
        found = findings.recovery({"a": [1, 1, 1, 0]}, {"a": [0, 0, 1, 0]}, {"a": [1, 0, 0, 1]}, ["a"])
        self.assertEqual((found.wrong_before, found.back, found.newly_lost), (2, 1, 1))
        self.assertEqual(found.flips, findings.Flips(lost=1, won=2))

    def test_rank_correlation(self) -> None:
        self.assertAlmostEqual(findings.rank_correlation([1, 5, 3], [10, 30, 20]), 1)
        self.assertAlmostEqual(findings.rank_correlation([1, 5, 3], [3, 1, 2]), -1)
        self.assertEqual(findings.ranks([2, 1, 2]), [2.5, 1, 2.5])

    def test_words_of_answers(self) -> None:
        self.assertEqual(findings.words("It is 12:37."), {"it", "is", "0:0"})


if __name__ == "__main__":
    unittest.main()
