"""A callback for the Trainer of transformers, and those built on it (TRL): training emits patches."""

import hashlib
import json
import os
import platform
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from transformers import TrainerCallback
from transformers import __version__ as transformers_version

from vpatch import _library, _shards
from vpatch._ranks import Ranks, distributed
from vpatch.errors import Refused
from vpatch.patch import Patch
from vpatch.recipes import select
from vpatch.saving import save_patch, trainable


class PatchCallback(TrainerCallback):  # type: ignore[misc]
    """Writes a patch of the trained parameters at every save and at the end, without a full checkpoint.

    With FSDP2, ZeRO-3 and DDP all ranks take part, rank 0 writes, and every rank gets the patches.

    Attributes:
        patches: what was written, in order.
    """

    def __init__(
        self, *, base: str | os.PathLike[str], output: str | os.PathLike[str], recipe: str | None = None,
        every: int | None = None, replaces_save: bool = False, name: str | None = None, note: str | None = None,
        data_files: Iterable[str | os.PathLike[str]] | None = None, replace: bool = False,
    ) -> None:
        """Makes the callback.

        Args:
            base: the file or folder that the model was loaded from.
            output: the patch of the end, `.vpatch`.
            recipe: what may change. The parameters must be frozen accordingly: vpatch.freeze(model, recipe).
            every: also write a patch every so many steps, beside `output`: "task-step200.vpatch".
            replaces_save: let the Trainer's checkpoints hold the patch and the trainable parameters alone. Training
                resumes from them as from others. `trainer.save_model()` after training is not affected.
            name: the patch's name.
            note: a note to keep in it.
            data_files: the training data's files, for the record; None: the Trainer's dataset is hashed.
            replace: replace an existing output.
        """
        self._base, self._output, self._recipe, self._every = os.fspath(base), Path(output), recipe, every
        self._replaces_save, self._replace = replaces_save, replace
        self._name, self._note = name, note
        self._data_files = None if data_files is None else [Path(file) for file in data_files]
        self._data: list[dict[str, Any]] = []
        self._begin = time.monotonic()
        self.patches: list[Patch] = []

    # MARK: Events

    def on_init_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lets the Trainer count tokens, for the record."""
        if args.include_num_input_tokens_seen in ("no", False, None):
            args.include_num_input_tokens_seen = "non_padding"

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Checks before the training what would fail after it."""
        model = kwargs["model"]
        trainable(model)
        self._require_recipe(model)
        if self._replaces_save:
            self._require_whole_model(args, model)
        self._begin = time.monotonic()
        ranks = _ranks()
        if ranks is not None:
            self._data = ranks.first(lambda: self._prepare(kwargs.get("train_dataloader")))
        elif state.is_world_process_zero:
            self._data = self._prepare(kwargs.get("train_dataloader"))
        if self._replaces_save:
            _SmallSaves(model).begin()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Writes a patch every so many steps."""
        if self._every and state.global_step % self._every == 0:
            path = self._output.with_name(f"{self._output.stem}-step{state.global_step}{self._output.suffix}")
            self._write(path, args, state, kwargs["model"])

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Writes a patch into the checkpoint that the Trainer wrote."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self._write(folder / self._output.name, args, state, kwargs["model"])

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Writes the patch of the end."""
        _SmallSaves.end(kwargs["model"])
        self._write(self._output, args, state, kwargs["model"])

    # MARK: Patches

    def _prepare(self, loader: Any) -> list[dict[str, Any]]:
        """Requires that the output is free, and describes the data."""
        if self._output.exists() and not self._replace:
            raise Refused(f"{self._output} exists; give another output, or PatchCallback(replace=True)")
        self._output.absolute().parent.mkdir(parents=True, exist_ok=True)
        return self._data_sets(loader)

    @staticmethod
    def _require_whole_model(args: Any, model: Any) -> None:
        if getattr(args, "deepspeed", None) or getattr(args, "fsdp", None) or _shards.is_sharded(model):
            raise Refused(
                "replaces_save=True needs the whole model on every rank, but with FSDP and DeepSpeed the checkpoints "
                "of the Trainer hold what each rank has; leave replaces_save out: each checkpoint gets its patch also "
                "then")

    def _require_recipe(self, model: Any) -> None:
        if self._recipe is None:
            return
        parameters = dict(model.named_parameters())
        allowed = set(select(self._recipe, parameters))
        others = sorted(name for name, value in parameters.items() if value.requires_grad and name not in allowed)
        if others:
            raise Refused(
                f'"{others[0]}" and {len(others) - 1} more parameters are trainable and not of the recipe '
                f'{self._recipe}; call vpatch.freeze(model, "{self._recipe}") before the Trainer is made')

    def _write(self, path: Path, args: Any, state: Any, model: Any) -> None:
        ranks = _ranks()
        if ranks is None and not state.is_world_process_zero:
            return
        self.patches.append(save_patch(
            model, self._base, path, recipe=self._recipe, name=self._name, note=self._note,
            training=self._record(args, state, model), replace=True, group=None if ranks is None else ranks.group))

    # MARK: The training record (section 7.3 of the format)

    def _record(self, args: Any, state: Any, model: Any) -> dict[str, Any]:
        import torch  # noqa: PLC0415

        seconds = time.monotonic() - self._begin
        tokens = int(state.num_input_tokens_seen or 0)
        trained: dict[str, Any] = {"recipe": self._recipe} if self._recipe else {"only": ".*"}
        return {
            **trained,
            "data": self._data,
            "settings": {
                "lr": args.learning_rate,
                "schedule": str(getattr(args.lr_scheduler_type, "value", args.lr_scheduler_type)),
                "batch": args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size,
                "epochs": args.num_train_epochs, "weight_decay": args.weight_decay, "warmup": args.warmup_steps,
                "seed": args.seed, "optimizer": str(getattr(args.optim, "value", args.optim)),
                "dtype": str(next(p for p in model.parameters() if p.requires_grad).dtype).removeprefix("torch."),
                "torch": torch.__version__, "transformers": transformers_version, "vpatch": _library.version(),
                "python": platform.python_version(),
            },
            "kernels": f"PyTorch {torch.__version__} on {args.device}",
            "steps": max(1, int(state.global_step)), "tokens": tokens, "seconds": seconds,
            "tokens_per_second": tokens / seconds if seconds > 0 else 0.0,
            "stopped": None if state.global_step >= state.max_steps else "stopped early",
            "curve": _curve(state.log_history),
        }

    def _data_sets(self, loader: Any) -> list[dict[str, Any]]:
        if self._data_files is not None:
            return [_file(path) for path in self._data_files]
        dataset = getattr(loader, "dataset", None)
        return [] if dataset is None or not hasattr(dataset, "__len__") else [_rows(dataset)]


def _ranks() -> Ranks | None:
    """All ranks, if there are several: the Trainer calls its callbacks on each."""
    dist = distributed()
    return Ranks(dist.group.WORLD) if dist is not None and dist.get_world_size() > 1 else None


def _curve(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Loss, rate and gradient norm by step, from the Trainer's log."""
    # A resumed run may have logged a step twice: the last one counts.
    by_step = {int(entry["step"]): entry for entry in history if "loss" in entry and entry.get("step", 0) > 0}
    steps = sorted(by_step)
    entries = [by_step[step] for step in steps]
    curve: dict[str, Any] = {
        "step": steps, "loss": [float(entry["loss"]) for entry in entries],
        "lr": [float(entry.get("learning_rate", 0)) for entry in entries],
    }
    if entries and all(entry.get("grad_norm") is not None for entry in entries):
        curve["gradient_norm"] = [float(entry["grad_norm"]) for entry in entries]
    return curve


def _file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256") if hasattr(hashlib, "file_digest") else hashlib.sha256(file.read())
    with path.open("rb") as file:
        rows = sum(1 for line in file if line.strip())
    return {"name": path.name, "sha256": digest.hexdigest(), "rows": rows, "tokens": 0, "answer_tokens": 0, "cut": 0}


def _rows(dataset: Any) -> dict[str, Any]:
    """A dataset in memory: SHA-256 over its rows, each as one line of JSON with sorted keys."""
    digest = hashlib.sha256()
    tokens = answers = 0
    for i in range(len(dataset)):
        row = _plain(dataset[i])
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        if isinstance(row, dict) and isinstance(row.get("input_ids"), list):
            tokens += len(row["input_ids"])
            labels = row.get("labels")
            answers += len(row["input_ids"]) if labels is None else sum(label != -100 for label in labels)
    return {"name": type(dataset).__name__, "sha256": digest.hexdigest(), "rows": len(dataset), "tokens": tokens,
            "answer_tokens": answers, "cut": 0}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    # An image, for example: its pixels.
    data = getattr(value, "tobytes", None)
    return hashlib.sha256(data()).hexdigest() if callable(data) else str(value)


class _SmallSaves:
    """Makes `model.save_pretrained` write the trainable parameters alone while the Trainer runs.

    The Trainer loads a checkpoint's weights without requiring all of them, so it resumes from such a one.
    """

    def __init__(self, model: Any) -> None:
        self._model = model

    def begin(self) -> None:
        self._model.save_pretrained = self._save

    @staticmethod
    def end(model: Any) -> None:
        if isinstance(getattr(vars(model).get("save_pretrained"), "__self__", None), _SmallSaves):
            del model.save_pretrained

    def _save(self, folder: str | os.PathLike[str], *, is_main_process: bool = True, **_: Any) -> None:
        if not is_main_process:
            return
        from safetensors.torch import save_file  # noqa: PLC0415

        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        self._model.config.save_pretrained(path)
        trained = {name: value.detach().cpu().contiguous() for name, value in self._model.named_parameters()
                   if value.requires_grad}
        save_file(trained, path / "model.safetensors", metadata={"format": "pt"})
