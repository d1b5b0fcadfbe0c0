"""save_patch of models that are sharded over ranks: identities, failures, and ranks that are killed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vpatch
from ranks import Launcher

from models import TINY

BASE = TINY / "tiny-qwen2"
# Of the process group, in seconds. gloo notices a dead rank at once; the rest is for a machine with much to do.
TIMEOUT = 30


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    launcher = Launcher("sharded")
    yield launcher
    launcher.close()


def values(results: list[dict[str, Any]]) -> list[Any]:
    assert all("value" in result for result in results), results
    return [result["value"] for result in results]


def require_one_identity(found: list[dict[str, Any]]) -> None:
    assert found[0]["identity"] == found[0]["whole"]
    assert {side["identity"] for side in found} == {found[0]["identity"]}


@pytest.mark.parametrize(("ranks", "recipe"), [(1, "gate-up"), (2, "gate-up"), (3, "sa-proj")])
def test_fsdp2(launcher: Launcher, tmp_path: Path, ranks: int, recipe: str) -> None:
    found = values(launcher.run("fsdp2", ranks, base=BASE, folder=tmp_path, recipe=recipe))
    require_one_identity(found)
    assert all(side["same"] and side["touched"] and side["recipe"] == recipe for side in found)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.vpatch", "task.vpatch", "whole.vpatch"]
    # The file is the one that a single process makes of the same tensors.
    assert (tmp_path / "task.vpatch").read_bytes() == (tmp_path / "one.vpatch").read_bytes()


def test_masters_and_wrappers(launcher: Launcher, tmp_path: Path) -> None:
    found = values(launcher.run("masters", 2, base=BASE, folder=tmp_path))
    require_one_identity(found)
    assert len(found[1]["cast"]) == found[1]["touched"] > 20


def test_placements(launcher: Launcher, tmp_path: Path) -> None:
    from sharded import PLACEMENTS, odd_base

    odd_base(tmp_path / "base.safetensors")
    found = values(launcher.run("placements", 4, base=tmp_path / "base.safetensors", folder=tmp_path))
    require_one_identity(found)
    assert found[0]["touched"] == len(PLACEMENTS) + 4
    # What PyTorch cannot describe as boxes is gathered whole.
    assert set(found[0]["in parts"]) == PLACEMENTS.keys() - {"apart"} | {"views"}


def test_meshes(launcher: Launcher, tmp_path: Path) -> None:
    for found in zip(*values(launcher.run("meshes", 4, base=BASE, folder=tmp_path)), strict=True):
        require_one_identity(list(found))


def test_ddp(launcher: Launcher, tmp_path: Path) -> None:
    require_one_identity(values(launcher.run("ddp", 2, base=BASE, folder=tmp_path)))


def test_trainer(launcher: Launcher, tmp_path: Path) -> None:
    found = values(launcher.run("callbacks", 2, base=BASE, folder=tmp_path))
    require_one_identity(found)
    for side in found:
        assert side["patches"] == ["run/checkpoint-2/task.vpatch", "task-step3.vpatch", "run/checkpoint-4/task.vpatch",
                                   "task.vpatch"]
        assert side["resumed"] == side["identity"]
        exists, replaces, frozen = side["refused"]
        assert "exists; give another output" in exists
        assert "replaces_save=True needs the whole model on every rank" in replaces
        assert "call vpatch.freeze" in frozen
        assert side["record"]["steps"] == 4 and side["record"]["settings"]["batch"] == 2
        assert side["record"]["data"][0]["rows"] == 16
    patch = vpatch.open(tmp_path / "task.vpatch")
    assert patch.recipe == "sa-proj" and patch.name == "counting"
    # What replaces_save would do without: whole checkpoints, each with its patch.
    assert vpatch.open(tmp_path / "run" / "checkpoint-4" / "task.vpatch").identity == patch.identity


@pytest.mark.parametrize(("kind", "ranks", "words"), [
    ("FSDP1", 2, "wrapped by FSDP1"), ("mesh", 3, "sharded over 2 of the 3 ranks; give group="),
    ("names", 2, "is trainable on rank 0 and not on rank 1"), ("values", 2, "has other values on rank 1")])
def test_refused(launcher: Launcher, tmp_path: Path, kind: str, ranks: int, words: str) -> None:
    results = launcher.run("refused", ranks, base=BASE, folder=tmp_path, kind=kind)
    assert {result["error"] for result in results} == {"Refused"}, results
    assert all(words in result["message"] for result in results[:2])
    # Where the message names a way out on these ranks, it was taken.
    assert (tmp_path / "task.vpatch").exists() == (kind in ("FSDP1", "mesh"))


def test_errors_of_the_first_rank(launcher: Launcher, tmp_path: Path) -> None:
    first, second = values(launcher.run("errors", 2, base=BASE, folder=tmp_path, other=TINY / "tiny-llama"))
    assert first == second
    kinds = [text.split(":")[0] for text in first]
    assert kinds == ["Refused", "IOFailure", "Refused", "Misuse", "IOFailure", "saved", "Refused", "saved"], first
    assert "gathering" not in "".join(first)
    assert vpatch.open(tmp_path / "task.vpatch").name == "three"


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("phase", ["before", "tensor", "after", "finish", "named"])
def test_a_rank_that_is_killed(launcher: Launcher, tmp_path: Path, phase: str, rank: int) -> None:
    if phase == "named" and rank == 1:
        pytest.skip("the first rank alone gives the name")
    results = launcher.run(
        "failing", 2, timeout=TIMEOUT, base=BASE, folder=tmp_path, phase=phase, rank=rank, how="killed")
    assert results[rank] == {"killed": -9}, results
    other = results[1 - rank]
    assert other["error"] == "RankFailed" and other["seconds"] < TIMEOUT, results
    assert "another rank ended or did not answer" in other["message"]
    assert not (tmp_path / "task.vpatch").exists()
    if rank == 0:
        # What it left is gone after the next.
        values(launcher.run("fsdp2", 2, base=BASE, folder=tmp_path, recipe="sa-proj"))
    assert not [path.name for path in tmp_path.iterdir() if "gathering" in path.name]


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("phase", ["before", "tensor"])
def test_a_rank_that_fails(launcher: Launcher, tmp_path: Path, phase: str, rank: int) -> None:
    results = launcher.run("failing", 2, base=BASE, folder=tmp_path, phase=phase, rank=rank, how="fails")
    assert results[rank]["error"] == "MemoryError" and results[1 - rank]["error"] == "RankFailed", results
    assert f"rank {rank} failed, so nothing was written: MemoryError: no memory" in results[1 - rank]["message"]
    assert not list(tmp_path.iterdir())


def test_a_patch_that_was_known_before(tmp_path: Path) -> None:
    """What another rank got: it opens the file when it needs it, and only the same one."""
    import torch
    from vpatch.patch import Patch

    from models import trained

    one, two = trained(BASE, "sa-proj"), trained(BASE, "gate-up")
    path = tmp_path / "task.vpatch"
    facts = vpatch.save_patch(one, BASE, path)._facts
    known = Patch._known(path, facts)
    assert known.identity == vpatch.open(path).identity and known.is_applied(one)
    other = Patch._known(path, facts)
    vpatch.save_patch(two, BASE, path, replace=True)
    with pytest.raises(vpatch.InvalidFile, match="is another patch by now"):
        other.revert_(one)
    assert other.is_applied(one)
    path.unlink()
    with pytest.raises(vpatch.IOFailure, match="cannot be opened"):
        Patch._known(path, facts).revert_(one)
    # A tensor whose memory FSDP freed is refused, and not read.
    freed = torch.ones(4)
    freed.untyped_storage().resize_(0)
    with pytest.raises(vpatch.Refused, match="has no memory any more"):
        vpatch.fingerprint(freed)
    # The bytes of a tensor are read without making its storage one that cannot be freed.
    whole = torch.ones(4)
    vpatch.fingerprint(whole)
    whole.untyped_storage().resize_(0)
