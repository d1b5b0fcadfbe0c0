"""Tests of models.py's parts, with stand-ins for vpatch and PyTorch. They need no package.

    python3 -m unittest discover bench/tests -p test_models.py
"""
import json
import random
import sys
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[1]))
import measure
import model_determinism
import model_parity
import model_speed
import models
import tools


def after(options: tuple[object, ...], name: str) -> Any:
    """The value of the option."""
    return options[options.index(name) + 1]


class Vpatch(tools.Vpatch):
    """Takes a second for a step, 10 MB, and answers with the ids 0, 1, 2."""
    answer = [0, 1, 2]

    def __init__(self) -> None:
        pass

    def train(self, model: Path, data: Path, patch: Path, *options: object,
              env: Mapping[str, str] | None = None) -> measure.Run:
        log, steps = after(options, "--log"), after(options, "--steps")
        step = {"loss": 1.5, "seconds": 1.0, "tokens": 1000, "kernels": "f32 products"}
        Path(log).write_text((json.dumps(step) + "\n") * steps)
        return measure.Run(9.0, 10_000_000, "{}")

    def generate(self, model: Path, prompt: str, *options: object) -> measure.Run:
        return measure.Run(9.0, 0, json.dumps({"ids": self.answer, "seconds": 0.5}))


class Torch(models.Torch):
    """Half as fast; 20 MB in float32, 12 MB in bf16; its answer is 0, 1, 3, and 3 is better than 2 by `margin`."""
    margin = 1e-5
    cases: list[dict[str, Any]]

    def __init__(self) -> None:
        pass

    def run(self, task: str, **job: Any) -> tuple[dict[str, Any], measure.Run]:
        if task == "train":
            rest = job["steps"] - 1
            found = {"losses": [1.5] * (rest + 1), "seconds": [9.0] + [2.0] * rest, "tokens": [1000] * (rest + 1)}
        elif task == "generate":
            found = {"answers": [{"prompt": [7], "ids": [0, 1, 3], "seconds": 1.0} for _ in job["prompts"]]}
        else:
            self.cases = job["cases"]
            found = {"margins": [self.margin]}
        return found, measure.Run(9.0, 20_000_000 if job.get("compute") == "f32" else 12_000_000, "")


class Context(models.Context):
    def say(self, words: str) -> None:
        pass


class Case(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.vpatch, self.torch = Vpatch(), Torch()
        self.context = Context(
            self.vpatch, self.torch, Path("model"), Path(scratch.name), rounds=2, threads=2, quiet=0.3, tries=3, seed=0)


class Speed(Case):
    def test_training(self) -> None:
        section = model_speed.training(self.context)
        self.assertEqual([(row["vpatch"], row["torch"], row["ratio"]) for row in section.tables[0].rows],
                         [(1000, 500, 2)] * 4)
        self.assertEqual({row["memory"] for row in section.tables[0].rows}, {0.5})  # of float32's, always
        self.assertTrue(all(bar.met for bar in section.bars))
        faster = {"losses": [], "seconds": [1.0] * 6, "tokens": [600] * 6}, measure.Run(1.0, 19_000_000, "")
        with mock.patch.object(self.torch, "run", return_value=faster):
            missed = [bar.what for bar in model_speed.training(self.context).bars if not bar.met]
        self.assertEqual(missed, ["training, sa-proj, f32", "peak memory, sa-proj, f32", "peak memory, sa-proj, bf16",
                                  "training, gate-up, f32"])

    def test_generation_and_where_it_parts(self) -> None:
        section = model_speed.generation(self.context)
        self.assertEqual({row["ratio"] for row in section.tables[0].rows}, {2})
        self.assertIn("differ after 2 tokens", section.tables[0].rows[0]["agree"])
        self.assertEqual(self.torch.cases, [{"ids": [7, 0, 1], "first": 3, "second": 2}])
        self.assertTrue(all(bar.met for bar in section.bars))
        self.torch.margin = 0.5
        self.assertFalse(model_speed.generation(self.context).bars[-1].met)
        self.vpatch.answer = [0, 1]
        self.assertFalse(model_speed.generation(self.context).bars[-1].met)
        self.vpatch.answer = [0, 1, 3]
        section = model_speed.generation(self.context)
        self.assertEqual((section.tables[0].rows[0]["agree"], section.bars[-1].met), ("the same", True))

    def test_what_is_disturbed_is_measured_again(self) -> None:
        found = iter([0.9, 0.5, 0.7, 0.1, 0.8])

        def work() -> tuple[None, measure.Run]:
            return None, measure.Run(1.0, 0, "", next(found))
        self.assertEqual(self.context.undisturbed(work)[1].others, 0.5)  # the best of three
        self.assertEqual(self.context.undisturbed(work)[1].others, 0.1)  # quiet at once


class Parity(Case):
    def test_it_finds_what_differs(self) -> None:
        reference = json.loads(model_parity.REFERENCE.read_text())
        known = {row["text"]: (row["ids"], row["logprob_of_next"]) for row in reference["rows"]}

        def score(model: Path, *options: object) -> measure.Run:
            ids, next = known.get(options[1], ([1, 2], [])) if options[0] == "--text" else ([1, 2], [])
            return measure.Run(1.0, 0, json.dumps({"ids": ids, "logprobs": next}))
        self.enterContext(mock.patch.object(self.vpatch, "score", score))
        self.assertTrue(all(bar.met for bar in model_parity.section(self.context).bars))
        text = reference["rows"][0]["text"]
        known[text] = (known[text][0][:-1] + [5], [value + 0.01 for value in known[text][1]])
        with mock.patch.object(self.torch, "run", return_value=({"losses": [1.5, 1.5, 1.6]}, None)):
            self.assertEqual([bar.met for bar in model_parity.section(self.context).bars], [False] * 3)


class Determinism(Case):
    def test_the_saved_step(self) -> None:
        folder = self.context.scratch
        self.assertEqual(model_determinism.saved_step(folder), 0)
        header = json.dumps({"__metadata__": {"vpatch.training": json.dumps({"step": 14})}}).encode()
        (folder / "training.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"rest")
        self.assertEqual(model_determinism.saved_step(folder), 14)

    def test_killing_stops_where_the_training_ended_first(self) -> None:
        alive = iter([True, True, False])
        job = mock.Mock(kill=lambda seconds, *options: next(alive), run=lambda *options: ("identity", 1.0))
        found = model_determinism.killed(job, self.context.scratch, 1.0, random.Random(0))
        self.assertEqual(found, ("identity", [0, 0]))


if __name__ == "__main__":
    unittest.main()
