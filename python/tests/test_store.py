"""The store, and rows of text."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import vpatch
from arrays import PAIR, ROOT, Arrays, same
from vpatch.command import path_of_command


@pytest.fixture
def store(tmp_path: Path, patches: dict[str, Path]) -> vpatch.Store:
    folder = tmp_path / "store"

    def run(*arguments: str) -> None:
        subprocess.run([path_of_command(), *arguments, "--store", str(folder), "--quiet"], check=True)

    run("add", *(str(path) for path in patches.values()), "--base", str(PAIR / "base.safetensors"))
    run("stack", "new", "both", "--base", str(PAIR / "base.safetensors"), "sa-proj", "gate-up@0.5")
    return vpatch.Store(folder)


def test_list(store: vpatch.Store) -> None:
    assert {patch["name"] for patch in store.list()} == {"sa-proj", "gate-up"}
    assert [patch["name"] for patch in store.list(recipe="sa-proj")] == ["sa-proj"]
    assert store.list("nothing") == [] and store.list(measured=True) == []
    with pytest.raises(vpatch.VPatchError):
        store.list(recipe="nothing")


def test_patch_of_the_store(store: vpatch.Store, patch: vpatch.Patch) -> None:
    assert store["sa-proj"].identity == patch.identity
    assert store[patch.identity[:10]].identity == patch.identity
    with pytest.raises(vpatch.IOFailure, match="is not an alias, tag or identity"):
        store["another"]


def test_stack_of_the_store(store: vpatch.Store, patches: dict[str, Path], base: Arrays) -> None:
    before = {name: array.copy() for name, array in base.items()}
    stack = store.stack("both")
    members: list[vpatch.stacks.Member] = [patches["sa-proj"], (patches["gate-up"], 0.5)]
    assert stack.identity == vpatch.merge(members, PAIR / "base.safetensors").identity
    with stack.applied(base):
        assert not same(base, before)
    assert same(base, before)
    with pytest.raises(vpatch.VPatchError):
        store.stack("none")


def test_names_of_the_store(
    store: vpatch.Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names in place of files, as the command takes them."""
    monkeypatch.setenv("VPATCH_STORE", str(store.path))
    by_name = vpatch.merge(["sa-proj", ("gate-up", 0.5)], PAIR / "base.safetensors")
    assert by_name.identity == store.stack("both").identity
    resolved = vpatch.stacks.resolve(["both"], PAIR / "base.safetensors")
    assert [patch.identity for patch in resolved] == [by_name.identity]
    third = vpatch.merge(["both"], PAIR / "base.safetensors", tmp_path / "both.vpatch", method="ties density=0.5")
    assert third.base_root == by_name.base_root
    assert store.is_stack("both") and not store.is_stack("sa-proj")
    with pytest.raises(vpatch.IOFailure, match="does not exist"):
        vpatch.stacks.resolve(["nothing"], PAIR / "base.safetensors")


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(vpatch.IOFailure, match="store"):
        vpatch.Store(tmp_path / "none").list()


def test_rows(tmp_path: Path) -> None:
    shutil.copy(ROOT / "fixtures" / "tokenizers" / "smollm2" / "tokenizer.json", tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|endoftext|>"}))
    text = vpatch.TextEncoder(tmp_path)
    (row,) = text.encode({"prompt": "one two", "completion": " three"})
    assert len(row.ids) == len(row.learned) and any(row.learned) and not all(row.learned)
    assert "one two three" in row.text
    (ids,) = text.encode({"input_ids": [1, 2, 3], "labels": [-100, 2, 3]})
    assert ids.ids == [1, 2, 3] and ids.learned == [False, True, True]
    with pytest.raises(vpatch.InvalidFile, match="has none of"):
        text.encode({"nothing": 1})
