"""Tests of vision.py's parts, with stand-ins for vpatch and PyTorch: with NumPy and Pillow, and no package fetched.

    $(bench/setup.sh) -m unittest discover bench/tests -p test_vision.py
"""
import json
import sys
import tempfile
import unittest
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import checkpoint
import dinov2
import measure
import memory
import models
import qwen_size
import small_lmm
import tools
import vision_speed


class Vpatch(tools.Vpatch):
    """Takes a second for a step on 1000 tokens, and 12 GB."""

    def __init__(self) -> None:
        pass

    def train(self, model: Path, data: Path, patch: Path, *options: object,
              env: Mapping[str, str] | None = None) -> measure.Run:
        log, steps = (cast(Any, options[options.index(name) + 1]) for name in ("--log", "--steps"))
        for line in Path(data).read_text().splitlines():
            for image in json.loads(line)["images"]:
                assert (Path(data).parent / image).exists()
        step = {"loss": 1.5, "seconds": 1.0, "tokens": 1000, "kernels": "f32 products"}
        Path(log).write_text((json.dumps(step) + "\n") * steps)
        plan = {"memory": {"needed": 6e9, "tuned": 5e9, "activations": 7e8, "scratch": 3e8, "mapped": 6e9}}
        return measure.Run(9.0, 12_000_000_000, json.dumps({"plan": plan}))


class Torch(models.Torch):
    seconds = 4.0

    def __init__(self) -> None:
        pass

    def run(self, task: str, **job: Any) -> tuple[dict[str, Any], measure.Run]:
        return {"losses": [], "seconds": [self.seconds] * job["steps"], "tokens": [1000] * job["steps"]}, \
            measure.Run(9.0, 20_000_000, "")


class Context(models.Context):
    def say(self, words: str) -> None:
        pass


class Case(unittest.TestCase):
    def setUp(self) -> None:
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)
        self.torch = Torch()
        self.context = Context(
            Vpatch(), self.torch, self.folder / "model", self.folder, rounds=2, threads=2, quiet=0.3, tries=3, seed=0)


class Speed(Case):
    def setUp(self) -> None:
        super().setUp()
        self.context.model.mkdir()
        (self.context.model / "config.json").write_text(json.dumps({"image_token_index": 16, "image_seq_length": 64}))

    def test_rows_have_a_picture_and_its_tokens(self) -> None:
        case = vision_speed.real(self.folder, self.context.model)
        rows = [json.loads(line) for line in case.rows.read_text().splitlines()]
        self.assertEqual([len(row["input_ids"]) for row in rows], [vision_speed.LENGTH] * vision_speed.BATCH)
        for row in rows:
            self.assertEqual(row["input_ids"].count(16), 64)
            self.assertTrue((self.folder / row["images"][0]).exists())
        self.assertEqual(len({(self.folder / row["images"][0]).read_bytes() for row in rows}), len(rows))

    def test_ratios_are_of_pairs_and_bars_are_of_float32(self) -> None:
        with mock.patch.object(vision_speed, "FAMILIES", ()):
            section = vision_speed.section(self.context)
            self.assertEqual({row["ratio"] for row in section.tables[0].rows}, {4})
            self.assertEqual(len(section.bars), len(vision_speed.RECIPES) * len(vision_speed.OURS))
            self.assertTrue(all(bar.met for bar in section.bars))
            self.torch.seconds = 1.5
            (self.folder / "pictures").rename(self.folder / "before")
            self.assertFalse(any(bar.met for bar in vision_speed.section(self.context).bars))


class Size(Case):
    def test_the_shapes_are_those_of_the_model(self) -> None:
        found = qwen_size.weights_of(qwen_size.MEASURED)
        layers, width, narrow = 36, 2048, 256
        self.assertEqual(found["tuned"], layers * (2 * width * width + width + 2 * narrow * (width + 1)))
        self.assertEqual(qwen_size.layers(qwen_size.MEASURED), qwen_size.CONFIG["num_hidden_layers"])
        self.assertEqual(qwen_size.width(qwen_size.MEASURED), qwen_size.CONFIG["hidden_size"])
        shards = memory.shards(qwen_size.tensors(qwen_size.MEASURED), memory.SHARD)
        self.assertEqual(len(shards), 4)
        self.assertTrue(all(memory.size_of(shard) <= memory.SHARD for shard in shards))

    def test_weights_are_small_and_norms_are_one(self) -> None:
        def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
            bits = np.concatenate([np.ravel(part) for part in qwen_size.drawn(name, shape, 1)])
            return (bits.astype(np.uint32) << 16).view(np.float32)

        self.assertEqual(set(values("model.layers.0.input_layernorm.weight", (64,))), {1})
        self.assertAlmostEqual(values("model.layers.0.mlp.up_proj.weight", (200, 500)).std(), 0.02, places=3)

    def test_the_row(self) -> None:
        path = qwen_size.write_row(self.folder)
        row = json.loads(path.read_text())
        self.assertEqual((len(row["input_ids"]), len(row["labels"])), (512, 512))
        start = row["input_ids"].index(qwen_size.VISION_START)
        self.assertEqual(row["input_ids"][start + 1:start + 258], [qwen_size.IMAGE] * 256 + [qwen_size.VISION_END])

    def test_a_step_is_measured_and_the_larger_one_follows(self) -> None:
        small = [("model.layers.0.self_attn.q_proj.weight", (8, 8)), ("model.norm.weight", (8,))]
        with mock.patch.object(qwen_size, "tensors", lambda model: small):
            section = qwen_size.section(self.context)
        self.assertEqual(list(self.folder.iterdir()), [])  # nothing is left
        self.assertEqual([(bar.found, bar.met) for bar in section.bars], [("12.00 GB", True)] * 2)
        larger = section.tables[1].rows[0]
        self.assertEqual(larger["tuned"], 16 * 64)
        self.assertAlmostEqual(larger["peak"],
                               sum(larger[part] for part in ("tuned", "activations", "scratch", "mapped")))


class Parts(unittest.TestCase):
    """What small_lmm.py puts together, of parts that are made up."""

    def test_the_projector_is_drawn_with_its_seed(self) -> None:
        first, again, other = (dict(small_lmm.projector(16, seed)) for seed in (0, 0, 1))
        self.assertEqual(first["multi_modal_projector.linear_1.weight"].shape, (16, dinov2.WIDTH))
        self.assertEqual(first["multi_modal_projector.linear_2.weight"].shape, (16, 16))
        self.assertAlmostEqual(first["multi_modal_projector.linear_1.weight"].std(), small_lmm.SPREAD, places=3)
        for name, values in first.items():
            self.assertTrue(np.array_equal(values, again[name]))
            self.assertEqual(np.array_equal(values, other[name]), name.endswith("bias"))

    def test_image_takes_an_unused_token(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "tokenizer.json").write_text(json.dumps({
                "added_tokens": [{"id": 0, "content": "<eos>"}, {"id": 2, "content": small_lmm.REPLACED}],
                "model": {"vocab": {"<eos>": 0, "a": 1, small_lmm.REPLACED: 2}}}))
            (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": "x", "eos_token": "<eos>"}))
            rules, settings, image = small_lmm.tokenizer(folder)
        self.assertEqual((image, rules["model"]["vocab"]), (2, {"<eos>": 0, "a": 1, "<image>": 2}))
        self.assertEqual([token["content"] for token in rules["added_tokens"]], ["<eos>", "<image>"])
        self.assertNotIn("chat_template", settings)

    def test_weights_are_read_back_with_their_names(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            tower, language = Path(folder, "tower"), Path(folder, "language")
            values = np.array([[1.0, 0.5]], np.float32)
            for part, dtype, bits in ((tower, "F32", values), (language, "BF16", checkpoint.to_bf16(values))):
                part.mkdir()
                checkpoint.write_file(part / "model.safetensors", [("a.weight", dtype, (1, 2), [bits.tobytes()])])
            found = {name: (dtype, shape, parts) for name, dtype, shape,
                     parts in small_lmm.weights(tower, language, 4, 0)}
        for name in ("vision_tower.a.weight", "language_model.a.weight"):
            self.assertEqual(found[name], ("BF16", (1, 2), [checkpoint.to_bf16(values).tobytes()]))
        self.assertEqual(len(found), 6)


if __name__ == "__main__":
    unittest.main()
