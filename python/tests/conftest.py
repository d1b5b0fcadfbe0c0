"""Fixtures of the package's tests. VPATCH_LIBRARY and VPATCH_COMMAND name what was built; else a wheel is tested."""

import shutil
from pathlib import Path

import pytest
import vpatch
from arrays import PAIR, Arrays, read


@pytest.fixture
def base() -> Arrays:
    return read(PAIR / "base.safetensors")


@pytest.fixture
def tuned() -> Arrays:
    return read(PAIR / "tuned-sa-proj.safetensors")


@pytest.fixture(scope="session")
def patches(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two patches of one base."""
    folder = tmp_path_factory.mktemp("patches")
    made = {}
    for name in ("sa-proj", "gate-up"):
        made[name] = folder / f"{name}.vpatch"
        vpatch.create(PAIR / "base.safetensors", PAIR / f"tuned-{name}.safetensors", made[name], recipe=name, name=name)
    return made


@pytest.fixture
def patch(patches: dict[str, Path]) -> vpatch.Patch:
    return vpatch.open(patches["sa-proj"])


@pytest.fixture
def damaged(patches: dict[str, Path], tmp_path: Path) -> Path:
    path = tmp_path / "damaged.vpatch"
    shutil.copy(patches["sa-proj"], path)
    return path


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Base folders of models by name, for the tests with PyTorch."""
    from models import TINY, moe_folder

    return {
        "llama": TINY / "tiny-llama", "qwen2.5-vl": TINY / "tiny-qwen2.5-vl",
        "qwen3-moe": moe_folder(tmp_path_factory.mktemp("moe")),
    }
