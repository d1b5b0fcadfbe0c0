"""save_patch and PatchCallback under ZeRO-3. DeepSpeed has an environment of its own: scripts/test-zero3.sh."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import vpatch
from ranks import Launcher
from test_sharded import require_one_identity, values

from models import TINY

pytest.importorskip("deepspeed")
BASE = TINY / "tiny-qwen2"


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher("zero3")
    yield launcher
    launcher.close()


@pytest.mark.parametrize("ranks", [2, 3])
def test_identity(launcher: Launcher, tmp_path: Path, ranks: int) -> None:
    found = values(launcher.run("save", ranks, timeout=300, base=BASE, folder=tmp_path))
    for threshold in ("0", "100000"):
        sides = [side[threshold] for side in found]
        require_one_identity(sides)
        assert all(side["again"] == side["identity"] and side["touched"] == 14 for side in sides)
    assert all(side["0"]["left"] == 0 for side in found)


@pytest.mark.parametrize(("rank", "how"), [(0, "fails"), (1, "fails"), (0, "killed"), (1, "killed")])
def test_a_rank_that_fails(launcher: Launcher, tmp_path: Path, rank: int, how: str) -> None:
    results = launcher.run("failing", 2, timeout=60, base=BASE, folder=tmp_path, rank=rank, how=how)
    assert results[1 - rank]["error"] == "RankFailed", results
    assert results[rank] == {"killed": -9} if how == "killed" else results[rank]["error"] == "MemoryError", results
    assert not (tmp_path / "task.vpatch").exists()


def test_trainer(launcher: Launcher, tmp_path: Path) -> None:
    found = values(launcher.run("callbacks", 2, timeout=300, base=BASE, folder=tmp_path))
    require_one_identity(found)
    for side in found:
        assert side["patches"] == ["run/checkpoint-2/task.vpatch", "task-step3.vpatch", "run/checkpoint-4/task.vpatch",
                                   "task.vpatch"]
        assert side["resumed"] == side["identity"]
        assert "leave replaces_save out" in side["refused"]
    assert vpatch.open(tmp_path / "task.vpatch").recipe == "sa-proj"
