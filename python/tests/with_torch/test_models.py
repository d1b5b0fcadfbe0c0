"""Patches in models of transformers: bits as the command's, in place, all or nothing."""

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import vpatch
from torch.utils.data import DataLoader, Dataset
from vpatch.command import path_of_command

from models import bits, trained

FAMILIES = ["llama", "qwen2.5-vl", "qwen3-moe"]


def run(*arguments: object) -> None:
    subprocess.run([path_of_command(), *map(str, arguments)], check=True, capture_output=True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("recipe", ["sa-proj", "gate-up"])
def test_bits_of_the_command(folders: dict[str, Path], tmp_path: Path, family: str, recipe: str) -> None:
    base = folders[family]
    tuned = trained(base, recipe)
    patch = vpatch.save_patch(tuned, base, tmp_path / "a.vpatch", recipe=recipe)
    # The same patch as from the whole saved model.
    tuned.save_pretrained(tmp_path / "tuned")
    run("create", base, tmp_path / "tuned", "-o", tmp_path / "b.vpatch", "--recipe", recipe, "--no-store")
    assert patch.identity == vpatch.open(tmp_path / "b.vpatch").identity
    # The same model as the command's.
    model = vpatch.load_model(base, [patch])
    run("apply", base, tmp_path / "a.vpatch", "-o", tmp_path / "applied")
    assert bits(model) == bits(vpatch.load_model(tmp_path / "applied")) == bits(tuned)
    patch.revert_(model)
    assert bits(model) == bits(vpatch.load_model(base))


@pytest.mark.parametrize("family", FAMILIES)
def test_wrapped_models(folders: dict[str, Path], tmp_path: Path, family: str) -> None:
    patch = vpatch.save_patch(trained(folders[family], "gate-up"), folders[family], tmp_path / "a.vpatch")
    expected = bits(vpatch.load_model(folders[family], [patch]))
    model = vpatch.load_model(folders[family])
    for wrapped in (torch.compile(model), torch.nn.DataParallel(model)):
        with patch.applied(wrapped):
            assert bits(model) == expected


def test_whole_module_as_tuned_side(folders: dict[str, Path], tmp_path: Path) -> None:
    for family in FAMILIES:
        tuned = trained(folders[family], "sa-proj")
        whole = vpatch.create(folders[family], tuned, tmp_path / f"{family}.vpatch", recipe="sa-proj")
        part = vpatch.save_patch(tuned, folders[family], tmp_path / f"{family}-part.vpatch")
        assert whole.identity == part.identity


def test_freeze(folders: dict[str, Path]) -> None:
    for family in FAMILIES:
        model = vpatch.load_model(folders[family])
        for recipe in ("sa-proj", "gate-up"):
            names = vpatch.freeze(model, recipe)
            assert names == [name for name, value in model.named_parameters() if value.requires_grad]
            assert names and not any("visual" in name or "embed" in name or "lm_head" in name for name in names)
            words = ("self_attn",) if recipe == "sa-proj" else ("gate", "up_proj")
            assert all(any(word in name for word in words) for name in names)
    with pytest.raises(vpatch.Misuse, match="is not a recipe"):
        vpatch.freeze(model, "heads")
    with pytest.raises(vpatch.Refused, match="has no tensor of the recipe vision"):
        vpatch.freeze(vpatch.load_model(folders["llama"]), "vision")


def test_float32_masters(folders: dict[str, Path], tmp_path: Path) -> None:
    base = tmp_path / "base"
    vpatch.load_model(folders["llama"]).to(torch.bfloat16).save_pretrained(base)
    model = vpatch.load_model(base, dtype=torch.float32)
    vpatch.freeze(model, "sa-proj")
    with torch.no_grad():
        for value in model.parameters():
            if value.requires_grad:
                value.add_(torch.randn(value.shape) * 1e-3)
    patch = vpatch.save_patch(model, base, tmp_path / "a.vpatch", recipe="sa-proj")
    assert patch.to_dict()["annotations"]["made"]["cast"]
    rounded = vpatch.load_model(base, [patch])
    for (name, a), b in zip(model.state_dict().items(), rounded.state_dict().values(), strict=True):
        assert torch.equal(a.to(torch.bfloat16), b), name


@pytest.fixture
def bf16(folders: dict[str, Path], tmp_path: Path) -> tuple[Path, vpatch.Patch]:
    """A bf16 base and a patch of it."""
    base = tmp_path / "bf16"
    vpatch.load_model(folders["llama"]).to(torch.bfloat16).save_pretrained(base)
    return base, vpatch.save_patch(trained(base, "sa-proj"), base, tmp_path / "bf16.vpatch")


def refused(model: Any, patch: vpatch.Patch, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        patch.apply_(model)


def test_models_that_cannot_be_changed(bf16: tuple[Path, vpatch.Patch]) -> None:
    base, patch = bf16
    refused(vpatch.load_model(base, dtype=torch.float32), patch, vpatch.Refused,
            r"is F32 in the model and BF16 .*dtype=torch.bfloat16")
    with torch.device("meta"):
        empty = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(base))
    refused(empty, patch, vpatch.Refused, "is on the meta device")
    other = vpatch.load_model(base)
    name = patch.touched[3].name
    with torch.no_grad():
        dict(other.named_parameters())[name].view(-1)[5] += 1
    before = bits(other)
    refused(other, patch, vpatch.WrongBase, "other bits in")
    assert bits(other) == before
    model = vpatch.load_model(base)
    quantised = torch.ao.quantization.quantize_dynamic(
        vpatch.load_model(base, dtype=torch.float32), {torch.nn.Linear}, dtype=torch.qint8)
    refused(quantised, patch, vpatch.Refused, "")
    del model.model.layers[0].self_attn.q_proj
    refused(model, patch, vpatch.Refused, "is not in the model")


def test_tied_tensors_once(folders: dict[str, Path], tmp_path: Path) -> None:
    """A base that stores head and embedding, which are one parameter in memory."""
    config = transformers.AutoConfig.from_pretrained(folders["llama"])
    config.tie_word_embeddings = True
    model = transformers.AutoModelForCausalLM.from_config(config)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    state["lm_head.weight"] = state["model.embed_tokens.weight"].clone()
    moved = {name: value + 0.5 if name in ("lm_head.weight", "model.embed_tokens.weight") else value
             for name, value in state.items()}
    patch = vpatch.create(state, moved, tmp_path / "a.vpatch", recipe="embeddings")
    assert len(patch.touched) == 2
    before = bits(model)
    with patch.applied(model):
        assert torch.equal(model.lm_head.weight, moved["lm_head.weight"])
    assert bits(model) == before
    moved["lm_head.weight"] = moved["lm_head.weight"] + 1
    apart = vpatch.create(state, moved, tmp_path / "b.vpatch", recipe="embeddings")
    refused(model, apart, vpatch.Refused, "they are tied")
    assert bits(model) == before


def test_added_tensors(folders: dict[str, Path], tmp_path: Path) -> None:
    state = vpatch.load_model(folders["llama"]).state_dict()
    grown = {**state, "model.embed_tokens.weight": torch.cat([state["model.embed_tokens.weight"]] * 2)}
    patch = vpatch.create(state, grown, tmp_path / "a.vpatch")
    refused(vpatch.load_model(folders["llama"]), patch, vpatch.Refused,
            "gets another shape or dtype by the patch, .*write the model with 'vpatch apply'")


def test_nothing_to_save(folders: dict[str, Path], tmp_path: Path) -> None:
    model = vpatch.load_model(folders["llama"])
    for value in model.parameters():
        value.requires_grad_(False)
    with pytest.raises(vpatch.Refused, match="no parameter of the model is trainable"):
        vpatch.save_patch(model, folders["llama"], tmp_path / "a.vpatch")
    vpatch.freeze(model, "sa-proj")
    with pytest.raises(vpatch.Refused, match="same tensors as the base"):
        vpatch.save_patch(model, folders["llama"], tmp_path / "a.vpatch")
    # The whole language model was trained, and only attention is allowed.
    with pytest.raises(vpatch.Refused, match="outside the recipe sa-proj"):
        vpatch.save_patch(trained(folders["llama"], "mlp"), folders["llama"], tmp_path / "a.vpatch", recipe="sa-proj")


def test_stack_in_a_model(folders: dict[str, Path], tmp_path: Path) -> None:
    base = folders["llama"]
    one = vpatch.save_patch(trained(base, "sa-proj"), base, tmp_path / "a.vpatch")
    two = vpatch.save_patch(trained(base, "gate-up"), base, tmp_path / "b.vpatch")
    run("apply", base, tmp_path / "a.vpatch", f"{tmp_path / 'b.vpatch'}@0.5", "-o", tmp_path / "both", "--undo",
        tmp_path / "undo.vpatch")
    model = vpatch.load_model(base, [(two, 0.5), one])
    assert bits(model) == bits(vpatch.load_model(tmp_path / "both"))
    # A chain is applied in its order.
    tuned = vpatch.load_model(base, [one])
    tuned.save_pretrained(tmp_path / "tuned")
    later = vpatch.save_patch(trained(tmp_path / "tuned", "gate-up"), tmp_path / "tuned", tmp_path / "c.vpatch")
    chained = vpatch.load_model(base, [one, later])
    later.revert_(chained)
    one.revert_(chained)
    assert bits(chained) == bits(vpatch.load_model(base))
    with pytest.raises(vpatch.Refused, match="neither a chain"):
        vpatch.load_model(base, [later, one])


class Identities(Dataset[bool]):  # type: ignore[misc]
    """Each worker opens the patch, and puts it into a model and out again."""

    def __init__(self, path: Path, base: Path) -> None:
        self.path, self.base, self.identity = path, base, vpatch.open(path).identity

    def __len__(self) -> int:
        return 4

    def __getitem__(self, i: int) -> bool:
        patch = vpatch.open(self.path, threads=2)
        model = vpatch.load_model(self.base, [patch])
        patch.revert_(model)
        return patch.identity == self.identity


def test_data_loader_workers(folders: dict[str, Path], tmp_path: Path) -> None:
    vpatch.save_patch(trained(folders["llama"], "sa-proj"), folders["llama"], tmp_path / "a.vpatch")
    # OpenMP is in use in this process before it forks.
    assert float((torch.ones(256, 256) @ torch.ones(256, 256)).sum()) == 256**3
    data = Identities(tmp_path / "a.vpatch", folders["llama"])
    for context in ("fork", "spawn"):
        loader = DataLoader(data, batch_size=2, num_workers=2, multiprocessing_context=context)
        assert all(bool(batch.all()) for batch in loader)


def test_two_models_at_once(folders: dict[str, Path], tmp_path: Path) -> None:
    patch = vpatch.save_patch(trained(folders["llama"], "sa-proj"), folders["llama"], tmp_path / "a.vpatch")
    models = [vpatch.load_model(folders["llama"]) for _ in range(4)]
    before = bits(models[0])
    errors: list[BaseException] = []

    def swap(model: Any) -> None:
        try:
            for _ in range(10):
                with patch.applied(model):
                    pass
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=swap, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and all(bits(model) == before for model in models)
