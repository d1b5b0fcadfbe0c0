"""The steps: losses, gradients and AdamW, as `vpatch train` computes them, on any number of ranks."""

import contextlib
import inspect
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from vpatch.errors import Mismatch
from vpatch.train.model import local
from vpatch.train.order import split
from vpatch.train.plan import Plan
from vpatch.train.ranks import Ranks
from vpatch.train.rows import Example
from vpatch.train.state import Progress, StateFolder

_TOKENS = 2048
"""Per forward pass of a rank, if the number of rows is not given."""
_PATIENCE = 3


@dataclass
class Step:
    """A step that was done.

    Attributes:
        number: from 1.
        loss: mean over the answer tokens of the batch of all ranks, before the update, in nats.
        norm: L2 norm of all gradients, before clipping.
        tokens: all tokens of the batch, prompts included.
        validation: the loss on the validation rows after the update; None if it was not measured.
    """

    number: int
    loss: float
    rate: float
    norm: float
    tokens: int
    seconds: float
    validation: float | None = None


class Diverged(Mismatch):
    """The run went astray."""


class Run:
    """Trains the parameters of a plan. Every rank holds one, and all do the same calls."""

    def __init__(self, plan: Plan, model: Any, ranks: Ranks, folder: StateFolder | None) -> None:
        """Makes the optimizer."""
        self.plan, self.model, self.ranks, self.folder = plan, model, ranks, folder
        self.progress = Progress()
        self.troubles: list[str] = []
        self._parameters = {
            name: parameter for name, parameter in model.named_parameters() if name in plan.tuned.dtypes}
        options = plan.options
        self._optimizer = torch.optim.AdamW(
            self._parameters.values(), lr=plan.lr, betas=options.betas, eps=options.eps,
            weight_decay=options.weight_decay)
        for parameter in self._parameters.values():
            self._optimizer.state[parameter] = {
                "step": torch.tensor(0.0), "exp_avg": torch.zeros_like(parameter.detach()),
                "exp_avg_sq": torch.zeros_like(parameter.detach())}
        # The masters that the run ends with if it stops early.
        self._inside: dict[str, torch.Tensor] = {}
        self._keeps_logits = "logits_to_keep" in inspect.signature(model.forward).parameters

    def run(self, observe: Callable[[Step], None], say: Callable[[str], None]) -> None:
        """Trains to the end.

        Args:
            observe: called after every step.
            say: called with what a user should know meanwhile.

        Raises:
            Diverged: if a loss or a gradient is not finite. The weights are those of the step before.
        """
        self._resume(say)
        progress, plan = self.progress, self.plan
        if plan.validation and not progress.validation:
            self._note(self.validate())
        while progress.step < plan.steps and progress.stopped is None:
            step = self._advance()
            if plan.validation and (progress.step % plan.measure_every == 0 or progress.step == plan.steps):
                step.validation = self.validate()
                if not math.isfinite(step.validation):
                    raise self._diverged(f"after step {progress.step} the validation loss", step.validation)
                self._note(step.validation)
            observe(step)
            if progress.step % plan.options.save_every == 0 or progress.step == plan.steps:
                self._save(say)
        if plan.options.early_stop and progress.inside is not None and progress.inside < progress.step:
            progress.stopped = "early-stop"
        if self._inside and progress.stopped is not None:
            self._restore(self._inside)

    @property
    def end(self) -> int:
        """The step whose weights the model has."""
        is_inside = self.progress.stopped is not None and self.progress.inside is not None
        return self.progress.inside or 0 if is_inside else self.progress.step

    def keep_diverged(self) -> None:
        """Notes that the run diverged: its weights are those after its last step."""
        self.progress.stopped, self.progress.inside, self._inside = "diverged", None, {}

    # MARK: A step

    def _advance(self) -> Step:
        begin, progress, plan = time.monotonic(), self.progress, self.plan
        rows = plan.order.rows_of(progress.step)
        batch = [plan.examples[row] for row in rows]
        targets = sum(example.answer_tokens for example in batch)
        total = 0.0
        for examples in self._passes(batch):
            loss = self._loss(examples)
            # FSDP takes the mean of the ranks' gradients, and the loss is the mean over all tokens of all ranks.
            (loss * (self.ranks.size / targets)).backward()
            total += float(loss.detach()) if examples else 0.0
        gradients = [local(p.grad) for p in self._parameters.values() if p.grad is not None]
        total, squares = self.ranks.sum(
            total, sum(float(torch.linalg.vector_norm(g, dtype=torch.float64)) ** 2 for g in gradients))
        loss_mean, norm = total / targets, math.sqrt(squares)
        for value, what in ((loss_mean, "loss"), (norm, "gradients' norm")):
            if not math.isfinite(value):
                self._optimizer.zero_grad()
                raise self._diverged(f"at step {progress.step + 1} the {what}", value, rows)
        if 0 < plan.options.clip < norm:
            for gradient in gradients:
                gradient.mul_(plan.options.clip / (norm + 1e-6))
        rate = plan.rate(progress.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        step = Step(progress.step + 1, loss_mean, rate, norm, sum(len(example.ids) for example in batch),
                    time.monotonic() - begin)
        progress.step = step.number
        progress.tokens += step.tokens
        progress.seconds += step.seconds
        progress.losses.append(step.loss)
        progress.rates.append(step.rate)
        progress.norms.append(step.norm)
        return step

    def _passes(self, batch: list[Example]) -> Iterator[list[Example]]:
        """This rank's rows of a batch, pass by pass. All ranks have the same number of passes: FSDP's collective
        operations must match, so a rank that has no rows any more goes on with empty passes."""
        rows = self.plan.options.micro_batch
        shares = [batch[rank::self.ranks.size] for rank in range(self.ranks.size)]
        parts = [split([1 if rows else len(example.ids) for example in share], rows or _TOKENS) for share in shares]
        own = shares[self.ranks.rank]
        for i in range(max(len(part) for part in parts)):
            mine = parts[self.ranks.rank]
            yield [own[j] for j in mine[i]] if i < len(mine) else []

    def _loss(self, examples: list[Example]) -> torch.Tensor:
        """The sum of the losses of the answers' tokens, in float32; a zero that depends on the model for no rows."""
        device = self.ranks.device
        length = max((len(example.ids) for example in examples), default=1)
        ids = torch.zeros((max(1, len(examples)), length), dtype=torch.long)
        learned = torch.zeros(ids.shape, dtype=torch.bool)
        is_text = torch.zeros(ids.shape, dtype=torch.long)
        for i, example in enumerate(examples):
            count = len(example.ids)
            ids[i, :count] = torch.from_numpy(example.ids)
            learned[i, :count] = torch.from_numpy(example.learned)
            is_text[i, :count] = 1
        inputs: dict[str, Any] = {"input_ids": ids.to(device), "use_cache": False}
        # Padding is on the right, where no token sees it.
        if examples and not bool(is_text.all()):
            inputs["attention_mask"] = is_text.to(device)
        if examples and self._keeps_logits:
            inputs["logits_to_keep"] = length - int(learned.any(0).nonzero()[0]) + 1
        with self._precision():
            logits = self.model(**inputs).logits
        if not examples:
            zero: torch.Tensor = logits.float().sum() * 0.0
            return zero
        start = length - logits.shape[1] + 1
        chosen = learned[:, start:].to(device)
        result: torch.Tensor = F.cross_entropy(
            logits[:, :-1][chosen].float(), ids[:, start:].to(device)[chosen], reduction="sum")
        return result

    def _precision(self) -> Any:
        if self.plan.options.compute == "f32":
            return contextlib.nullcontext()
        return torch.autocast(self.ranks.device.type, torch.bfloat16)

    def _diverged(self, what: str, value: float, rows: list[int] | None = None) -> Diverged:
        """The error. A state that was saved earlier is kept, since finite losses followed it."""
        said = "is not a number" if math.isnan(value) else "is infinite"
        rows = self.plan.order.rows_of(self.progress.step - 1) if rows is None else rows
        names = ", ".join(self.plan.row_names[row] for row in rows[:8]) + (", …" if len(rows) > 8 else "")
        saved = self.folder.saved() if self.folder is not None and self.ranks.is_first else None
        kept = f"; the state after {saved.name.replace('-', ' ')} is in {saved}" if saved else ""
        return Diverged(
            f"training diverged: {what} {said}, with {names}{kept}; start again with a lower --lr, a longer --warmup "
            "or a smaller --clip, or check those rows; --keep-diverged writes the patch of the steps before")

    # MARK: Validation

    def validate(self) -> float:
        """The loss on the validation rows, with the weights rounded as the patch stores them."""
        exact, rows = self._snapshot(), self.plan.validation
        total = 0.0
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                part = local(parameter)
                part.copy_(part.to(self.plan.tuned.dtypes[name]))
            for examples in self._passes(rows):
                loss = self._loss(examples)
                total += float(loss) if examples else 0.0
        self._restore(exact)
        total, = self.ranks.sum(total)
        return total / max(1, sum(example.answer_tokens for example in rows))

    def _note(self, loss: float) -> None:
        """Notes the loss on the validation rows, and decides whether to stop."""
        progress = self.progress
        lowest = min(progress.validation, key=lambda point: point[1], default=None)
        progress.validation.append((progress.step, loss))
        if not self.plan.options.early_stop or progress.stopped is not None:
            return
        if lowest is None or loss < lowest[1]:
            self._inside, progress.inside = self._snapshot(), progress.step
        elif sum(step > lowest[0] for step, _ in progress.validation) >= _PATIENCE:
            progress.stopped = "early-stop"

    def _snapshot(self) -> dict[str, torch.Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self._parameters.items()}

    def _restore(self, values: dict[str, torch.Tensor]) -> None:
        with torch.no_grad():
            for name, value in values.items():
                local(self._parameters[name]).copy_(local(value))

    # MARK: State

    def _tensors(self, has_inside: bool) -> dict[str, Any]:
        """What a state holds: masters, both moments, and the masters to end with."""
        states = {name: self._optimizer.state[parameter] for name, parameter in self._parameters.items()}
        if has_inside and not self._inside:
            self._inside = self._snapshot()
        return {
            "master": {name: parameter.detach() for name, parameter in self._parameters.items()},
            "first_moment": {name: state["exp_avg"] for name, state in states.items()},
            "second_moment": {name: state["exp_avg_sq"] for name, state in states.items()},
            **({"inside": self._inside} if has_inside else {})}

    def _resume(self, say: Callable[[str], None]) -> None:
        if self.folder is None or (found := self.folder.load(self._tensors)) is None:
            return
        self.progress, ranks = found
        for state in self._optimizer.state.values():
            state["step"].fill_(float(self.progress.step))
        say(f"resuming after step {self.progress.step:,} of {self.plan.steps:,}")
        if ranks != self.ranks.size:
            say(f"the state was saved by {ranks} ranks, and there are {self.ranks.size} now: sums are rounded in "
                "another order, so the weights will not be those of an uninterrupted run bit for bit")

    def _save(self, say: Callable[[str], None]) -> None:
        """Saves the state. A state that cannot be saved does not end the run, whose weights exist only in memory."""
        if self.folder is None:
            return
        try:
            self.folder.save(self.progress, self._tensors(bool(self._inside)))
        except Exception as error:
            trouble = f"the state after step {self.progress.step:,} could not be saved: {error}; training continues"
            self.troubles.append(trouble)
            say(trouble)
