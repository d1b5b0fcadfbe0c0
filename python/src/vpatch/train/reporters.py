"""Weights & Biases, TensorBoard and others, through the callbacks of transformers."""

import contextlib
from pathlib import Path
from typing import Any

import transformers
from transformers.integrations import get_reporting_integration_callbacks

from vpatch.errors import Refused
from vpatch.train.plan import Plan
from vpatch.train.run import Step


class Reporters:
    """Tells reporters of transformers about a run (on the first rank). One that fails does not end the run."""

    def __init__(self, names: list[str]) -> None:
        """Makes the callbacks.

        Raises:
            Refused: for an unknown reporter, or one whose package is missing.
        """
        self._callbacks: list[Any] = []
        for name in names:
            try:
                self._callbacks += [kind() for kind in get_reporting_integration_callbacks([name])]
            except (ValueError, RuntimeError, ImportError) as error:
                raise Refused(f"--report-to {name}: {error}") from error
        self._state = transformers.TrainerState(is_world_process_zero=True, is_local_process_zero=True)
        self._control = transformers.TrainerControl()
        self._arguments: Any = None
        self.troubles: list[str] = []

    def begin(self, plan: Plan, model: Any) -> None:
        """Says what is trained."""
        if not self._callbacks:
            return
        options = plan.options
        self._arguments = transformers.TrainingArguments(
            output_dir=str(Path(options.output).absolute().parent), run_name=options.name or Path(options.output).stem,
            report_to=[], learning_rate=plan.lr, lr_scheduler_type=options.schedule,
            warmup_steps=options.warmup if options.warmup < 1 else plan.steps, max_steps=plan.steps,
            per_device_train_batch_size=plan.batch, weight_decay=options.weight_decay, adam_beta1=options.betas[0],
            adam_beta2=options.betas[1], adam_epsilon=options.eps, max_grad_norm=options.clip,
            seed=min(options.seed, 2**32 - 1), disable_tqdm=True,
            use_cpu=model.device.type == "cpu")
        self._state.max_steps = plan.steps
        self._tell("on_train_begin", model=model)

    def step(self, step: Step) -> None:
        """Reports a step."""
        logs = {"loss": step.loss, "learning_rate": step.rate, "grad_norm": step.norm,
                "tokens_per_second": step.tokens / max(step.seconds, 1e-9)}
        if step.validation is not None:
            logs["eval_loss"] = step.validation
        self._state.global_step = step.number
        self._tell("on_log", logs=logs)

    def end(self, model: Any) -> None:
        """Closes the reporters."""
        self._tell("on_train_end", model=model)

    def _tell(self, event: str, **values: Any) -> None:
        for callback in list(self._callbacks):
            try:
                getattr(callback, event)(self._arguments, self._state, self._control, **values)
            except Exception as error:
                self._callbacks.remove(callback)
                self.troubles.append(f"{type(callback).__name__} failed and gets no more reports: {error}")
                with contextlib.suppress(Exception):
                    callback.on_train_end(self._arguments, self._state, self._control)
