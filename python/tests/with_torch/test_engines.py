"""Patches in models that a server holds: fused parameters, all or nothing, chains, refusals."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import vpatch
from engines import Layer, served_form
from vpatch._engines import EngineModel
from vpatch._requests import raised
from vpatch._serving import Engine, Served
from vpatch.command import path_of_command

from models import bits, trained

Json = dict[str, Any]


class Bench:
    """A served model, and patches of it."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self._work = folder, work
        self.module = served_form(folder)
        self.base = bits(self.module)
        self.busy: Callable[[], str | None] = lambda: None
        self.served = Served(Engine("test", str(folder), self.module, lambda: None))

    def patch(self, recipe: str, name: str | None = None, base: Path | None = None) -> Path:
        path = self._work / f"{name or recipe}.vpatch"
        tuned = trained(base or self.folder, recipe)
        vpatch.save_patch(tuned, base or self.folder, path, recipe=recipe, name=name or recipe)
        return path

    def ask(self, action: str, **more: Any) -> Json:
        return self.served.handle({"action": action, **more}, self.busy)

    def tuned(self, *patches: Path) -> dict[str, bytes]:
        """The bits that a server would have of the files that `apply` writes."""
        out = self._work / f"tuned-{len(list(self._work.iterdir()))}"
        subprocess.run([path_of_command(), "apply", self.folder, *patches, "-o", out], check=True, capture_output=True)
        return bits(served_form(out))


@pytest.fixture
def bench(folders: dict[str, Path], tmp_path: Path) -> Bench:
    return Bench(folders["llama"], tmp_path)


@pytest.mark.parametrize("family", ["llama", "qwen3-moe"])
@pytest.mark.parametrize("recipe", ["sa-proj", "gate-up", "embeddings"])
def test_bits(folders: dict[str, Path], tmp_path: Path, family: str, recipe: str) -> None:
    bench = Bench(folders[family], tmp_path)
    patch = bench.patch(recipe)
    addresses = {name: value.data_ptr() for name, value in bench.module.named_parameters()}
    reply = raised(bench.ask("apply", patch=str(patch), full=True))
    opened = vpatch.open(patch)
    assert (reply["root"], reply["base"], reply["weight_version"]) == (
        opened.target_root, opened.base_root, opened.identity)
    assert bits(bench.module) == bench.tuned(patch)
    assert raised(bench.ask("status", verify="all"))["not_held"] == []
    reply = raised(bench.ask("revert"))
    assert (reply["root"], reply["applied"], reply["weight_version"]) == (opened.base_root, [], opened.base_root)
    assert bits(bench.module) == bench.base
    assert addresses == {name: value.data_ptr() for name, value in bench.module.named_parameters()}


def test_root_is_measured(bench: Bench) -> None:
    assert bench.ask("status")["root"] is None
    reply = raised(bench.ask("status", verify="all"))
    assert reply["root"] == vpatch.open(bench.patch("sa-proj")).base_root and reply["not_held"] == []


def test_siblings_and_replace(bench: Bench) -> None:
    first, second = bench.patch("sa-proj"), bench.patch("gate-up")
    raised(bench.ask("apply", patch=str(first)))
    reply = bench.ask("apply", patch=str(second))
    assert reply["error"]["kind"] == "refused" and "--revert" in reply["error"]["message"]
    assert reply["last_error"] == reply["error"] and len(reply["applied"]) == 1
    assert bench.ask("apply", patch=str(first))["error"]["message"].startswith("sa-proj is in the server already")
    # The remedy that the message names.
    assert raised(bench.ask("apply", patch=str(second), replace=True))["applied"][0]["name"] == "gate-up"
    assert bits(bench.module) == bench.tuned(second)
    assert bench.ask("status")["last_error"] is None
    # The same patch again, in place of itself.
    raised(bench.ask("apply", patch=str(second), replace=True, full=True))
    assert bits(bench.module) == bench.tuned(second)


def test_chain(bench: Bench, tmp_path: Path) -> None:
    first = bench.patch("sa-proj")
    middle = tmp_path / "middle"
    subprocess.run([path_of_command(), "apply", bench.folder, first, "-o", middle], check=True, capture_output=True)
    second = bench.patch("sa-proj", name="second", base=middle)
    wrong = bench.ask("apply", patch=str(second))
    assert wrong["error"]["kind"] == "wrong-base" and bits(bench.module) == bench.base
    raised(bench.ask("apply", patch=str(first)))
    reply = raised(bench.ask("apply", patch=str(second)))
    assert [patch["name"] for patch in reply["applied"]] == ["sa-proj", "second"]
    raised(bench.ask("status", verify="all"))
    assert [patch["name"] for patch in raised(bench.ask("revert"))["applied"]] == ["sa-proj"]
    assert bits(bench.module) == bench.tuned(first)
    raised(bench.ask("apply", patch=str(second)))
    assert raised(bench.ask("revert", all=True))["applied"] == [] and bits(bench.module) == bench.base
    assert bench.ask("revert")["error"]["kind"] == "refused"


def test_wrong_base_changes_nothing(bench: Bench) -> None:
    patch = bench.patch("sa-proj")
    qkv = bench.module.get_parameter("model.layers.1.self_attn.qkv_proj.weight")
    qkv.data[-1, 3] += 1
    before = bits(bench.module)
    for action in ({"action": "apply"}, {"action": "check", "of": "apply"}):
        reply = bench.served.handle({**action, "patch": str(patch)}, bench.busy)
        assert reply["error"]["kind"] == "wrong-base" and "model.layers.1.self_attn.v_proj" in reply["error"]["message"]
    assert bits(bench.module) == before


def test_full_finds_another_base(bench: Bench) -> None:
    patch = bench.patch("sa-proj")
    bench.module.get_parameter("model.embed_tokens.weight").data[0, 0] += 1
    reply = bench.ask("apply", patch=str(patch), full=True)
    assert reply["error"]["kind"] == "wrong-base" and "embed_tokens" in reply["error"]["message"]
    raised(bench.ask("apply", patch=str(patch)))


def test_changed_by_something_else(bench: Bench) -> None:
    raised(bench.ask("apply", patch=str(bench.patch("sa-proj"))))
    bench.module.get_parameter("model.layers.0.self_attn.qkv_proj.weight").data[0, 0] += 1
    assert bench.ask("status", verify="touched")["error"]["kind"] == "wrong-base"
    reply = bench.ask("revert")
    assert reply["error"]["kind"] == "wrong-base" and len(reply["applied"]) == 1


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("fails_at", [1, 5, 8])
def test_failure_is_undone(bench: Bench, monkeypatch: pytest.MonkeyPatch, fails_at: int, replace: bool) -> None:
    first, second = bench.patch("gate-up"), bench.patch("sa-proj")
    if replace:
        raised(bench.ask("apply", patch=str(first)))
    before = bits(bench.module)
    decode = vpatch.Patch._decode
    calls = 0

    def failing(self: vpatch.Patch, name: str, direction: int, *rest: Any) -> None:
        nonlocal calls
        if self.name == "sa-proj" and direction == 0:
            calls += 1
            if calls == fails_at:
                raise vpatch.Mismatch("made to fail")
        decode(self, name, direction, *rest)

    monkeypatch.setattr(vpatch.Patch, "_decode", failing)
    reply = bench.ask("apply", patch=str(second), replace=replace)
    assert reply["error"] == {"kind": "mismatch", "message": "made to fail"}
    assert bits(bench.module) == before and len(reply["applied"]) == int(replace)
    monkeypatch.setattr(vpatch.Patch, "_decode", decode)
    raised(bench.ask("apply", patch=str(second), replace=replace))


def test_mixed_model_ends(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    decode = vpatch.Patch._decode
    calls = 0

    def failing(self: vpatch.Patch, *rest: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise vpatch.Mismatch("made to fail")
        decode(self, *rest)

    patch = bench.patch("sa-proj")
    monkeypatch.setattr(vpatch.Patch, "_decode", failing)
    assert bench.ask("apply", patch=str(patch))["error"]["kind"] == "mixed-model"
    monkeypatch.setattr(vpatch.Patch, "_decode", decode)
    reply = bench.ask("apply", patch=str(patch))
    assert reply["error"]["kind"] == "refused" and not reply["ready"] and "load the model again" in reply["reason"]


def test_busy(bench: Bench) -> None:
    bench.busy = lambda: "2 requests are in flight"
    reply = bench.ask("apply", patch=str(bench.patch("sa-proj")))
    assert reply["busy"] and reply["error"] == {"kind": "refused", "message": "2 requests are in flight"}
    assert bits(bench.module) == bench.base


def test_files(bench: Bench, tmp_path: Path) -> None:
    patch = bench.patch("sa-proj")
    cut = tmp_path / "cut.vpatch"
    cut.write_bytes(patch.read_bytes()[:-100])
    assert bench.ask("apply", patch=str(cut))["error"]["kind"] == "invalid-file"
    assert bench.ask("apply", patch=str(tmp_path / "none.vpatch"))["error"]["kind"] == "io"
    # The open file is enough to take it out; so is the file, given again.
    raised(bench.ask("apply", patch=str(patch)))
    patch.rename(tmp_path / "elsewhere.vpatch")
    raised(bench.ask("revert"))
    raised(bench.ask("apply", patch=str(tmp_path / "elsewhere.vpatch")))
    raised(bench.ask("revert", patch=str(tmp_path / "elsewhere.vpatch")))
    assert bits(bench.module) == bench.base


@pytest.mark.parametrize("request_", [
    {}, {"action": "aply"}, {"action": "apply"}, {"action": "apply", "patch": 3},
    {"action": "apply", "patch": "p", "ful": 1},
    {"action": "apply", "patch": "p", "full": "yes"}, {"action": "check"}, {"action": "status", "verify": "some"},
    {"action": "revert", "replace": True},
])
def test_misuse(bench: Bench, request_: Json) -> None:
    reply = bench.served.handle(request_, bench.busy)
    assert reply["error"]["kind"] == "misuse" and not reply["ok"]


# Where a change would not be seen, or the form is unknown: refused by name.


def _refused(bench: Bench, recipe: str) -> str:
    reply = bench.ask("apply", patch=str(bench.patch(recipe)))
    assert reply["error"]["kind"] == "refused" and bits(bench.module) == bench.base
    return str(reply["error"]["message"])


def _with_copy(layer: Layer) -> None:
    copy = torch.zeros(1)
    layer.cpu_linear = lambda x: x + copy


def test_packed_copies(bench: Bench) -> None:
    layer = bench.module.get_submodule("model.layers.0.self_attn.qkv_proj")
    assert isinstance(layer, Layer)
    _with_copy(layer)
    assert EngineModel(bench.module).is_packed()
    assert "model.layers.0.self_attn.k_proj.weight" in (message := _refused(bench, "sa-proj"))
    assert "--worker-extension-cls vpatch.vllm.Extension" in message


def test_packed_weight_is_gone(bench: Bench) -> None:
    layer = bench.module.get_submodule("model.layers.0.mlp.gate_up_proj")
    layer.weight = torch.nn.Parameter(torch.empty(0, dtype=torch.bfloat16), requires_grad=False)
    bench.base = bits(bench.module)
    assert "is packed" in _refused(bench, "gate-up")


def test_head_with_a_copy(bench: Bench) -> None:
    head = bench.module.get_submodule("lm_head")
    assert isinstance(head, Layer)
    _with_copy(head)
    assert "lm_head.weight" in _refused(bench, "embeddings")


def test_unknown_arrangement(bench: Bench) -> None:
    layer = bench.module.get_submodule("model.layers.0.self_attn.qkv_proj")
    assert isinstance(layer, Layer)
    layer.output_sizes = layer.output_sizes[:2]
    assert "in an arrangement that vpatch does not know" in _refused(bench, "sa-proj")


def test_derived_matrices(bench: Bench) -> None:
    bench.module.get_submodule("model.layers.1.self_attn").w_vc = torch.zeros((2, 2))
    message = _refused(bench, "sa-proj")
    assert "w_vc" in message and "model.layers.1.self_attn" in message
    raised(bench.ask("apply", patch=str(bench.patch("gate-up"))))


def test_another_dtype(bench: Bench) -> None:
    bench.module.half()
    bench.base = bits(bench.module)
    assert "bfloat16" in _refused(bench, "sa-proj")


def test_stack_of_the_store(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPATCH_STORE", str(tmp_path / "store"))
    patches = [bench.patch("sa-proj"), bench.patch("gate-up")]

    def run(*arguments: object) -> None:
        subprocess.run([path_of_command(), *map(str, arguments)], check=True, capture_output=True)

    run("add", *patches)
    run("stack", "new", "both", "--base", bench.folder, "sa-proj", "gate-up")
    raised(bench.ask("apply", patch="sa-proj"))
    reply = raised(bench.ask("apply", patch="both", replace=True))
    assert bits(bench.module) == bench.tuned(*patches) and reply["applied"][0]["touched"] == 12
    assert bench.ask("apply", patch="nothing")["error"]["kind"] == "io"
