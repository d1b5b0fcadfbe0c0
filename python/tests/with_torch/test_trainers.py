"""The Trainer's callback, TRL, and resuming."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
import vpatch
from vpatch.command import path_of_command

from models import bits, trained

STEPS = 6


def rows(count: int = 24) -> list[dict[str, Any]]:
    random = torch.Generator().manual_seed(0)
    made = [torch.randint(3, 90, (12,), generator=random).tolist() for _ in range(count)]
    return [{"input_ids": ids, "labels": [-100] * 4 + ids[4:]} for ids in made]


class Rows(torch.utils.data.Dataset[dict[str, Any]]):  # type: ignore[misc]
    def __init__(self) -> None:
        self.rows = rows()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return self.rows[i]


@pytest.fixture
def base(folders: dict[str, Path], tmp_path: Path) -> Path:
    """A bf16 base."""
    vpatch.load_model(folders["llama"]).to(torch.bfloat16).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def trainer(base: Path, output: Path, *callbacks: Any, **arguments: Any) -> transformers.Trainer:
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    settings = {
        "output_dir": str(output), "max_steps": STEPS, "per_device_train_batch_size": 2, "learning_rate": 1e-2,
        "logging_steps": 1, "save_steps": 2, "use_cpu": True, "report_to": [], "disable_tqdm": True, **arguments}
    return transformers.Trainer(
        model=model, args=transformers.TrainingArguments(**settings), train_dataset=Rows(), callbacks=list(callbacks))


def identity_from_files(base: Path, tuned: Path, output: Path) -> str:
    subprocess.run([path_of_command(), "create", base, tuned, "-o", output, "--recipe", "sa-proj", "--no-store"],
                   check=True, capture_output=True)
    return vpatch.open(output).identity


def test_callback(base: Path, tmp_path: Path) -> None:
    callback = vpatch.PatchCallback(
        base=base, output=tmp_path / "task.vpatch", recipe="sa-proj", every=3, name="counting")
    run = trainer(base, tmp_path / "run", callback)
    run.train()
    run.save_model(str(tmp_path / "full"))
    patch = vpatch.open(tmp_path / "task.vpatch")
    # The same identity as `create` on the full save: at the end, and at every save.
    assert patch.identity == identity_from_files(base, tmp_path / "full", tmp_path / "f.vpatch")
    for step in (2, 4, 6):
        folder = tmp_path / "run" / f"checkpoint-{step}"
        saved = vpatch.open(folder / "task.vpatch").identity
        assert saved == identity_from_files(base, folder, tmp_path / f"{step}.vpatch")
    assert (tmp_path / "task-step3.vpatch").exists() and (tmp_path / "task-step6.vpatch").exists()
    assert patch.recipe == "sa-proj" and patch.name == "counting"
    record = patch.to_dict()["annotations"]["training"]
    assert record["steps"] == STEPS and record["curve"]["step"] == list(range(1, STEPS + 1))
    assert record["data"][0]["rows"] == 24 and record["data"][0]["answer_tokens"] == 24 * 8
    assert record["settings"]["torch"] == torch.__version__ and record["tokens"] > 0
    shown = subprocess.run([path_of_command(), "show", tmp_path / "task.vpatch"], check=True, capture_output=True,
                           text=True).stdout
    assert "sa-proj" in shown and "invalid" not in shown
    with pytest.raises(vpatch.Refused, match="exists; give another output"):
        trainer(base, tmp_path / "again", vpatch.PatchCallback(base=base, output=tmp_path / "task.vpatch")).train()


@pytest.mark.parametrize("small", [False, True])
def test_resume(base: Path, tmp_path: Path, small: bool) -> None:
    def callback(name: str) -> Any:
        return vpatch.PatchCallback(
            base=base, output=tmp_path / name, recipe="sa-proj", replaces_save=small, replace=True)

    whole = trainer(base, tmp_path / "whole", callback("whole.vpatch"))
    whole.train()
    checkpoint = tmp_path / "whole" / "checkpoint-4"
    size = (checkpoint / "model.safetensors").stat().st_size
    assert (size < (base / "model.safetensors").stat().st_size / 2) == small
    resumed = trainer(base, tmp_path / "resumed", callback("resumed.vpatch"))
    resumed.train(resume_from_checkpoint=str(checkpoint))
    assert bits(resumed.model) == bits(whole.model)
    assert vpatch.open(tmp_path / "resumed.vpatch").identity == vpatch.open(tmp_path / "whole.vpatch").identity
    record = vpatch.open(tmp_path / "resumed.vpatch").to_dict()["annotations"]["training"]
    assert record["curve"]["step"] == list(range(1, STEPS + 1))
    # After training, a save is whole again.
    resumed.save_model(str(tmp_path / "full"))
    assert (tmp_path / "full" / "model.safetensors").stat().st_size > size or not small


def test_recipe_is_checked_first(base: Path, tmp_path: Path) -> None:
    callback = vpatch.PatchCallback(base=base, output=tmp_path / "a.vpatch", recipe="gate-up")
    with pytest.raises(vpatch.Refused, match=r'call vpatch.freeze\(model, "gate-up"\)'):
        trainer(base, tmp_path / "run", callback).train()


def test_float32_training(base: Path, tmp_path: Path) -> None:
    callback = vpatch.PatchCallback(base=base, output=tmp_path / "a.vpatch", recipe="sa-proj")
    run = trainer(base, tmp_path / "run", callback)
    run.model.to(torch.float32)
    run.train()
    made = callback.patches[-1].to_dict()["annotations"]
    assert made["made"]["cast"] and made["training"]["settings"]["dtype"] == "float32"


def test_trl(base: Path, tmp_path: Path) -> None:
    trl = pytest.importorskip("trl")
    import datasets
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"<unk>": 0, "<s>": 1, "</s>": 2, **{chr(97 + i): 3 + i for i in range(26)}}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>")
    data = datasets.Dataset.from_list([{"prompt": "a b c", "completion": " d e"}] * 16)
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    callback = vpatch.PatchCallback(base=base, output=tmp_path / "trl.vpatch", recipe="sa-proj")
    run = trl.SFTTrainer(
        model=model, train_dataset=data, processing_class=tokenizer, callbacks=[callback],
        args=trl.SFTConfig(output_dir=str(tmp_path / "run"), max_steps=3, per_device_train_batch_size=2, use_cpu=True,
                           bf16=False, report_to=[], learning_rate=1e-2, save_strategy="no", max_length=16,
                           gradient_checkpointing=False, logging_steps=1, disable_tqdm=True))
    run.train()
    run.save_model(str(tmp_path / "full"))
    assert callback.patches[-1].identity == identity_from_files(base, tmp_path / "full", tmp_path / "f.vpatch")


def test_lm_eval(base: Path, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    from vpatch.lm_eval import VPatchLM


    patch = vpatch.save_patch(trained(base, "sa-proj"), base, tmp_path / "a.vpatch", recipe="sa-proj")
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=_words(), eos_token="</s>", unk_token="<unk>")
    tuned = VPatchLM(str(base), patches=str(tmp_path / "a.vpatch"), tokenizer=tokenizer)
    plain = VPatchLM(str(base), tokenizer=tokenizer)
    assert tuned.get_model_info()["vpatch_root"] == patch.target_root
    assert plain.get_model_info()["vpatch_root"] == patch.base_root
    with pytest.raises(vpatch.WrongBase, match="other bits in the model"):
        VPatchLM(str(base), dtype="float32", tokenizer=tokenizer)
    # What the harness writes, as `annotate` reads it.
    files = {}
    for name, lm, value in (("tuned", tuned, 0.5), ("base", plain, 0.25)):
        info = {key: str(value) for key, value in lm.get_model_info().items()}
        files[name] = tmp_path / f"{name}.json"
        files[name].write_text(json.dumps({
            "results": {"toy": {"alias": "toy", "acc,none": value, "acc_stderr,none": 0.05, "sample_len": 100}},
            "n-samples": {"toy": {"original": 100, "effective": 100}}, "versions": {"toy": 1}, "n-shot": {"toy": 0},
            "higher_is_better": {"toy": {"acc": True}}, "config": {"model": "vpatch", **info},
            "lm_eval_version": "0.4.13", "configs": {"toy": {}}, "group_subtasks": {}}))

    def annotate(results: Path, base_results: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [path_of_command(), "annotate", patch.path, "--results", results, "--base-results", base_results,
             "--target", "toy"], capture_output=True, text=True, check=False)

    done = annotate(files["tuned"], files["base"])
    assert done.returncode == 0, done.stderr
    assert vpatch.open(patch.path).status == "measured"
    assert vpatch.open(patch.path).records[0]["task"] == "toy"
    wrong = annotate(files["base"], files["tuned"])
    assert wrong.returncode == 3 and "was measured on weights with the root" in wrong.stderr


def test_the_harness_itself(base: Path, tmp_path: Path) -> None:
    """`python -m vpatch.lm_eval` on a task of its own, with and without the patch; then `annotate`."""
    pytest.importorskip("lm_eval")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=_words(), eos_token="</s>", unk_token="<unk>").save_pretrained(base)
    patch = vpatch.save_patch(trained(base, "sa-proj"), base, tmp_path / "a.vpatch", recipe="sa-proj")
    rows = [{"question": f"w{i} w{i + 1}", "choices": [f" w{i + 2}", f" w{i + 7}"], "label": 0} for i in range(12)]
    (tmp_path / "toy.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "toy.yaml").write_text(json.dumps({
        "task": "toy", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(tmp_path / "toy.jsonl")}},
        "test_split": "test", "output_type": "multiple_choice", "doc_to_text": "{{question}}",
        "doc_to_choice": "{{choices}}", "doc_to_target": "label",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
        "metadata": {"version": 1.0}}))
    results = []
    for name, patches in (("tuned", f",patches={patch.path}"), ("base", "")):
        done = subprocess.run(
            [sys.executable, "-m", "vpatch.lm_eval", "run", "--model", "vpatch",
             "--model_args", f"base={base}{patches}",
             "--tasks", "toy", "--include_path", str(tmp_path), "--output_path", str(tmp_path / name)],
            capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        results.append(next((tmp_path / name).rglob("results*.json")))
    subprocess.run([path_of_command(), "annotate", patch.path, "--results", results[0], "--base-results", results[1],
                    "--target", "toy"], check=True, capture_output=True)
    record = vpatch.open(patch.path).records[0]
    assert vpatch.open(patch.path).status == "measured" and record["task"] == "toy"


def _words() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = {"<unk>": 0, "</s>": 2, **{f"w{i}": 3 + i for i in range(30)}}
    raw = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    return raw
