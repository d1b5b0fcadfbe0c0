"""What ranks do in the tests of ZeRO-3 (test_zero3.py)."""

import os
from pathlib import Path
from typing import Any

import deepspeed
import torch
import torch.distributed as dist
import vpatch
from sharded import Rows, _after, _break, _die, step_ids, warm_up  # noqa: F401
from vpatch import saving

from models import TINY

SETTINGS: dict[str, Any] = {
    "train_micro_batch_size_per_gpu": 2, "bf16": {"enabled": True}, "zero_allow_untested_optimizer": True,
    "zero_force_ds_cpu_optimizer": False,
    "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0, "overlap_comm": False,
                          "stage3_gather_16bit_weights_on_model_save": True}}


def engine(base: str, threshold: int = 0) -> Any:
    """tiny-qwen2 after one step under ZeRO-3. `threshold`: parameters below it stay whole."""
    deepspeed.init_distributed(dist_backend="gloo", verbose=False)
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    settings = {**SETTINGS, "zero_optimization": {
        **SETTINGS["zero_optimization"], "stage3_param_persistence_threshold": threshold}}
    made, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=settings)
    ids = step_ids()
    made.backward(made(input_ids=ids, labels=ids, use_cache=False).loss)
    made.step()
    return made


def saved_whole(made: Any, base: str, output: Path) -> str:
    state = made._zero3_consolidated_16bit_state_dict()
    return vpatch.create(base, state, output).identity if dist.get_rank() == 0 else ""


def save(base: str, folder: str) -> dict[str, Any]:
    """The engine and its model, with small parameters in parts or whole."""
    found: dict[str, Any] = {}
    for threshold in (0, 100_000):
        made = engine(base, threshold)
        patch = vpatch.save_patch(made, base, Path(folder) / f"{threshold}.vpatch", recipe="sa-proj")
        again = vpatch.save_patch(made.module, base, Path(folder) / f"again-{threshold}.vpatch")
        found[str(threshold)] = {
            "identity": patch.identity, "again": again.identity, "touched": len(patch.touched),
            "whole": saved_whole(made, base, Path(folder) / f"whole-{threshold}.vpatch"),
            "left": sum(p.numel() for p in made.module.parameters() if p.requires_grad)}
    return found


def failing(base: str, folder: str, rank: int, how: str) -> str:
    """A rank fails or is killed between two tensors; rank 0 while it has one whole."""
    made = engine(base)
    if dist.get_rank() == rank:
        owner: Any = saving._Save
        owner._write = _after(3, owner._write, _die if how == "killed" else _break)
    try:
        vpatch.save_patch(made, base, Path(folder) / "task.vpatch")
    finally:
        if how != "killed":
            # What was gathered is in parts again, and training goes on.
            assert not any(p.numel() for p in made.module.parameters())
    return "saved"


def callbacks(base: str, folder: str) -> dict[str, Any]:
    """PatchCallback in the Trainer under ZeRO-3, and a resumption."""
    import transformers

    where = Path(folder)
    # The Trainer starts the process group itself.
    dist.destroy_process_group()
    found: dict[str, Any] = {}

    def trainer(callback: Any, run: str) -> Any:
        settings = {**SETTINGS, "gradient_accumulation_steps": 1,
                    "zero_optimization": {**SETTINGS["zero_optimization"], "stage": 3}}
        settings.pop("zero_allow_untested_optimizer")
        arguments = transformers.TrainingArguments(
            output_dir=str(where / run), max_steps=4, per_device_train_batch_size=2, learning_rate=1e-2, save_steps=2,
            logging_steps=1, use_cpu=True, report_to=[], disable_tqdm=True, seed=1, bf16=True, ddp_backend="gloo",
            optim="adamw_torch", deepspeed={**settings, "zero_allow_untested_optimizer": True})
        model = vpatch.load_model(base)
        vpatch.freeze(model, "sa-proj")
        return transformers.Trainer(model=model, args=arguments, train_dataset=Rows(), callbacks=[callback])

    callback = vpatch.PatchCallback(base=base, output=where / "task.vpatch", recipe="sa-proj", every=3)
    whole = trainer(callback, "run")
    whole.train()
    found["identity"] = callback.patches[-1].identity
    found["whole"] = saved_whole(whole.model_wrapped, base, where / "whole.vpatch")
    found["patches"] = [os.path.relpath(patch.path, where) for patch in callback.patches]
    again = vpatch.PatchCallback(base=base, output=where / "again.vpatch", recipe="sa-proj")
    trainer(again, "resumed").train(resume_from_checkpoint=str(where / "run" / "checkpoint-2"))
    found["resumed"] = again.patches[-1].identity
    try:
        trainer(vpatch.PatchCallback(base=base, output=where / "late.vpatch", replaces_save=True), "late").train()
    except vpatch.Refused as error:
        found["refused"] = str(error)
    return found


__all__ = ["TINY", "callbacks", "failing", "save", "warm_up"]
