"""The second reader applies, reverts and exports what vpatch writes for LoRA adapters. Opt-in: it needs the command.

VPATCH=.build/debug/vpatch python3 -m unittest discover -s spec/reader/tests -p test_written_adapters.py
"""

import filecmp
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import support  # noqa: F401 (puts the reader on sys.path)

import craft
import numpy as np

from vpatch_reader import apply, export
from vpatch_reader.container import Patch
from vpatch_reader.floats import narrow
from vpatch_reader.safetensors import File

COMMAND = os.environ.get("VPATCH", "")
MODEL = support.FIXTURES / "tiny-models" / "tiny-llama"
CONFIG = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": "tiny-llama", "lora_alpha": 8,
          "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False, "inference_mode": True,
          "peft_version": "0.21.2", "use_dora": False, "modules_to_save": None}


def write_adapter(folder: Path, modules: list[str], rank: int, dtype: str, rslora: bool, spread: float) -> None:
    """Random factors for these modules of all layers."""
    with_shapes = File(MODEL / "model.safetensors")
    with_shapes.file.close()
    rng = np.random.default_rng(rank)
    tensors: dict[str, craft.Tensor] = {}
    for name, info in with_shapes.header.tensors.items():
        module = name.removesuffix(".weight")
        if module.rpartition(".")[2] in modules:
            for half, shape in (("A", (rank, info.shape[1])), ("B", (info.shape[0], rank))):
                values = rng.normal(0, spread, shape)
                tensors[f"base_model.model.{module}.lora_{half}.weight"] = craft.array(dtype, narrow(values, dtype))
    tensors = dict(sorted(tensors.items()))
    folder.mkdir()
    header = craft.header_text(tensors, metadata={"format": "pt"})
    (folder / "adapter_model.safetensors").write_bytes(craft.file_bytes(header, tensors))
    config = CONFIG | {"r": rank, "target_modules": modules, "use_rslora": rslora}
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2))


@unittest.skipUnless(COMMAND, "VPATCH is not set to the path of vpatch")
class WrittenAdapters(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name)
        self.base = self.path / "base"
        self.base.mkdir()
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(MODEL / name, self.base / name)

    def call(self, *arguments: str | Path) -> None:
        done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def assertSame(self, a: Path, b: Path, *names: str) -> None:
        for name in names:
            self.assertTrue(filecmp.cmp(a / name, b / name, shallow=False), name)

    def test_adapters(self) -> None:
        attention = ["q_proj", "k_proj", "v_proj", "o_proj"]
        cases: list[tuple[list[str], int, str, bool, float]] = [
            (attention, 4, "F32", False, 0.05), (attention, 16, "BF16", True, 0.05),
            ([*attention, "gate_proj", "up_proj", "down_proj"], 8, "F32", False, 0.2), (["o_proj"], 1, "F16", False, 1),
        ]
        for i, (modules, rank, dtype, rslora, spread) in enumerate(cases):
            with self.subTest(modules=modules, rank=rank, dtype=dtype, rslora=rslora, spread=spread):
                adapter, patch, made, own, back, out = (self.path / f"{n}{i}" for n in (
                    "adapter", "task.vpatch", "made", "own", "back", "exported"))
                write_adapter(adapter, modules, rank, dtype, rslora, spread)
                self.call("create", self.base, adapter, "-o", patch, "--no-store", "--keep-adapter")
                self.call("apply", self.base, patch, "-o", own)
                with Patch(patch) as p:
                    self.assertIsNotNone(p.annex.adapter)
                    stored = [p.chunk(t, c)[0] for t in p.tensors for c in t.chunks if t.low_rank]
                    self.assertIn(5, stored)
                self.assertEqual(apply.run(self.base, patch, made, backward=False), [])
                self.assertSame(own, made, "model.safetensors")
                self.assertEqual(apply.run(made, patch, back, backward=True), [])
                self.assertSame(self.base, back, "model.safetensors", "config.json")
                export.run(patch, out)
                self.assertSame(adapter, out, "adapter_model.safetensors", "adapter_config.json")


if __name__ == "__main__":
    unittest.main()
