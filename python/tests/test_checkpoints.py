"""Patches of what PyTorch saved, without PyTorch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import vpatch
from arrays import ROOT

BASE = ROOT / "fixtures" / "tiny-models" / "tiny-llama"
SAVED = ROOT / "fixtures" / "torch-training"


def test_one_identity(tmp_path: Path) -> None:
    gathered = vpatch.create(BASE, SAVED / "trainable.safetensors", tmp_path / "a.vpatch", partial=True)
    made = vpatch.from_checkpoint(SAVED / "dcp-nested", BASE, tmp_path / "b.vpatch", recipe="sa-proj", name="run")
    assert made.identity == gathered.identity
    assert made.name == "run"


def test_without_pytorch(tmp_path: Path) -> None:
    code = (
        "import sys, vpatch; checkpoint, base, out = sys.argv[1:]; vpatch.from_checkpoint(checkpoint, base, out); "
        "sys.exit('torch' in sys.modules)")
    subprocess.run([sys.executable, "-c", code, SAVED / "dcp-nested", BASE, tmp_path / "a.vpatch"], check=True)


def test_the_trainers_folder(tmp_path: Path) -> None:
    made = vpatch.from_checkpoint(SAVED / "trainer", BASE, tmp_path / "a.vpatch", recipe="sa-proj")
    inner = vpatch.create(BASE, SAVED / "trainer" / "pytorch_model_fsdp_0", tmp_path / "b.vpatch", prefix="model.")
    assert made.identity == inner.identity


def test_refused(tmp_path: Path) -> None:
    out = tmp_path / "a.vpatch"
    with pytest.raises(vpatch.Refused, match='begin with "model."'):
        vpatch.from_checkpoint(SAVED / "dcp-nested", BASE, out, prefix="ema.")
    with pytest.raises(vpatch.Refused, match="outside the recipe gate-up"):
        vpatch.from_checkpoint(SAVED / "dcp-nested", BASE, out, recipe="gate-up")
    with pytest.raises(vpatch.InvalidFile, match=r"torch\.nn\.modules\.linear\.Linear"):
        vpatch.from_checkpoint(ROOT / "fixtures" / "torch" / "bin_module", BASE, out)
    folder = tmp_path / "cut"
    shutil.copytree(SAVED / "dcp-nested", folder)
    (folder / "__1_0.distcp").unlink()
    with pytest.raises(vpatch.IOFailure, match="copy the files of all ranks"):
        vpatch.from_checkpoint(folder, BASE, out)
    assert not out.exists()
