"""What a run does, decided before the model is loaded: which parameters, rows, steps and settings."""

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

from vpatch import _library
from vpatch._places import locate
from vpatch.errors import IOFailure, Refused
from vpatch.patch import default_threads
from vpatch.recipes import freeze, select
from vpatch.train import rows
from vpatch.train.options import Options
from vpatch.train.order import BatchOrder, held_out
from vpatch.train.outline import outline

LEAST_STEPS = 100
"""Fewer steps seldom teach a skill (docs/study.md)."""

_LEAST_ROWS_TO_HOLD_OUT = 20
_FEW_ROWS = 320
_MOST_STEPS = 10**9
_DTYPES = {"F32": torch.float32, "BF16": torch.bfloat16, "F16": torch.float16, "F64": torch.float64}


@dataclass(frozen=True)
class Tuned:
    """The parameters to train.

    Attributes:
        dtypes: of the base's files, by parameter. The patch's weights are rounded to them.
        frozen_dtype: that frozen parameters are held in.
        weights: number of trained weights.
        model_weights: number of weights in the files.
        root: of the base.
    """

    dtypes: dict[str, torch.dtype]
    frozen_dtype: torch.dtype
    weights: int
    model_weights: int
    root: str


@dataclass(frozen=True)
class Plan:
    """A run, with the settings that vpatch chose."""

    options: Options
    tuned: Tuned
    files: list[dict[str, Any]]
    examples: list[rows.Example]
    row_names: list[str]
    validation: list[rows.Example]
    lr: float
    batch: int
    steps: int
    settings: dict[str, Any]
    identity: dict[str, str]
    notes: list[str] = field(default_factory=list)

    @property
    def order(self) -> BatchOrder:
        return BatchOrder(len(self.examples), self.batch, self.options.seed, not self.options.no_shuffle)

    @property
    def measure_every(self) -> int:
        """Steps between measurements of the validation loss: ten for a run."""
        return max(1, self.steps // 10)

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0: it rises in the warmup, then follows the schedule to zero."""
        rising = math.ceil(self.options.warmup * self.steps)
        if step < rising:
            return self.lr * (step + 1) / (rising + 1)
        progress = (step - rising) / max(1, self.steps - rising)
        if self.options.schedule == "linear":
            return self.lr * (1 - progress)
        if self.options.schedule == "cosine":
            return self.lr * 0.5 * (1 + math.cos(math.pi * progress))
        return self.lr

    def text(self) -> str:
        """The plan for people."""
        tuned, answers = self.tuned, sum(file["answer_tokens"] for file in self.files)
        lines = [
            f"tuned     {rows.counted(len(tuned.dtypes), 'tensor')} of {self.options.tuned}, {tuned.weights:,} weights",
            f"share     {tuned.weights / max(1, tuned.model_weights):.1%} of all {tuned.model_weights:,} weights",
            f"data      {rows.counted(sum(file['rows'] for file in self.files), 'row')}, "
            f"{rows.counted(sum(file['tokens'] for file in self.files), 'token')}, of which {answers:,} are answers",
            f"steps     {self.steps:,} of {rows.counted(self.batch, 'row')}",
            f"rate      {self.lr:g} at its peak",
        ]
        if self.validation:
            lines.append(f"held out  {rows.counted(len(self.validation), 'row')} to measure the loss on")
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The plan for programs."""
        return {
            "base": self.options.base, "tensors": list(self.tuned.dtypes), "weights": self.tuned.weights,
            "share": self.tuned.weights / max(1, self.tuned.model_weights), "steps": self.steps,
            "rows": sum(file["rows"] for file in self.files), "tokens": sum(file["tokens"] for file in self.files),
            "answer_tokens": sum(file["answer_tokens"] for file in self.files)}


def make(options: Options) -> Plan:
    """Reads and checks config and data.

    Raises:
        VPatchError: the first thing that is wrong.
    """
    config = _config(options.base)
    tuned = choose(options, config)
    text_config = config.get_text_config()
    vocabulary, limit = text_config.vocab_size, getattr(text_config, "max_position_embeddings", None)
    data = [rows.read(path, options, vocabulary, limit) for path in options.data]
    examples = [example for file in data for example in file.examples]
    names = [f"line {line}" if len(data) == 1 else f"{file.name}:{line}" for file in data for line in file.lines]
    validation, split = _validation(options, examples, vocabulary, limit)
    out = set(split)
    if options.early_stop and not (validation or out):
        raise Refused("--early-stop needs rows to measure the loss on; --validation 0.1 holds a tenth of the rows out, "
                      "or give a file")
    kept = [i for i in range(len(examples)) if i not in out]
    batch = options.batch or (8 if len(kept) < _FEW_ROWS else 16)
    epoch = math.ceil(len(kept) / batch)
    steps = options.steps
    if steps is None:
        # A batch cannot have more rows than there are.
        passes = math.ceil(len(kept) / min(batch, len(kept)))
        steps = max(LEAST_STEPS, epoch) if options.epochs is None else max(1, math.floor(options.epochs * passes + 0.5))
    if steps > _MOST_STEPS:
        raise Refused(f"a run cannot have {steps:,} steps; ask for 1 to {_MOST_STEPS:,}")
    validation = validation or [examples[i] for i in split]
    lr = options.lr or _rate(tuned.model_weights, options.recipe)
    settings = _settings(options, lr, batch, steps, data)
    identity = {
        **{key: str(value) for key, value in settings.items() if key not in ("ranks",)}, "base": tuned.root,
        "data": " ".join(file.facts["sha256"] for file in data), "tuned": options.tuned,
        "layers": str(options.layers), "validation": rows.digest(validation)}
    notes = [note for file in data for note in file.notes()]
    if options.steps is not None and options.epochs is not None:
        notes.append("--steps decides the length of the run: --epochs is ignored")
    if steps < LEAST_STEPS:
        notes.append(f"{rows.counted(steps, 'step')}: fewer than {LEAST_STEPS} seldom teach a skill")
    return Plan(
        options, tuned, [file.record() for file in data], [examples[i] for i in kept], [names[i] for i in kept],
        validation, lr, min(batch, len(kept)), steps, settings, identity, notes)


def _config(base: str) -> Any:
    if not (Path(base) / "config.json").is_file():
        raise IOFailure(f"{base}: has no config.json; give the folder of a model")
    try:
        return transformers.AutoConfig.from_pretrained(base)
    except (ValueError, KeyError, OSError) as error:
        reason = (str(error).strip().splitlines() or ["-"])[0]
        raise Refused(f"{base}: transformers {transformers.__version__} does not know the model of its config.json: "
                      f"{reason}") from error


def _validation(
    options: Options, examples: list[rows.Example], vocabulary: int, limit: int | None
) -> tuple[list[rows.Example], list[int]]:
    """The rows of a validation file, or the numbers of the rows that are held out."""
    given = options.validation
    if given == "none":
        return [], []
    if given is None:
        is_chosen = options.steps is None and options.epochs is None and len(examples) >= _LEAST_ROWS_TO_HOLD_OUT
        return [], held_out(0.1, len(examples), options.seed) if options.early_stop or is_chosen else []
    try:
        share = float(given)
    except ValueError:
        return rows.read(given, options, vocabulary, limit).examples, []
    if not 0 <= share < 1:
        raise Refused(f"--validation: {given} is not a share of the rows; give a number from 0 to less than 1, such as "
                      "0.1, or a file")
    return [], held_out(share, len(examples), options.seed) if share else []


def _rate(weights: int, recipe: str | None) -> float:
    """The rates of docs/study.md for small models, of arXiv 2510.08564 for large ones, and one between."""
    if weights < 10**9:
        return 2e-5 if recipe in ("llm", "full") else 1e-4
    return 2e-5 if weights < 4 * 10**9 else 5e-6


def _settings(options: Options, lr: float, batch: int, steps: int, data: list[rows.DataFile]) -> dict[str, Any]:
    """The settings as the training record has them: those of `vpatch train`, and what is PyTorch's."""
    known: dict[str, Any] = {
        "lr": lr, "schedule": options.schedule, "warmup": options.warmup, "batch": batch,
        "steps": steps if options.epochs is None or options.steps is not None else None,
        "epochs": options.epochs if options.steps is None else None, "micro_batch": options.micro_batch,
        "max_length": options.max_length, "too_long": "refuse" if options.too_long == "refuse" else None,
        "learn_prompts": options.learn_prompts or None, "clip": options.clip, "weight_decay": options.weight_decay,
        "betas": f"{options.betas[0]},{options.betas[1]}", "eps": options.eps, "seed": options.seed,
        "shuffle": False if options.no_shuffle else None, "compute": options.compute,
        "recompute": options.recompute or None, "early_stop": 3 if options.early_stop else None,
        "chat_template": options.chat_template, "validation": options.validation,
        "template_args": " ".join(options.template_arg) or None,
        "template_date": next((file.facts["date"] for file in data if file.facts["uses_date"]), None),
        "torch": torch.__version__, "transformers": transformers.__version__,
    }
    return {key: value for key, value in known.items() if value is not None}


# MARK: Parameters

def choose(options: Options, config: Any) -> Tuned:
    """The parameters that the options select, without loading the model.

    Raises:
        Refused: for a quantised base, or a selection without parameters.
    """
    if getattr(config, "quantization_config", None) is not None:
        raise Refused(f"{options.base}: is quantised; train on the model's unquantised weights")
    listed = _library.call_json(
        "vpatch_checkpoint", _library.path_bytes(options.base), 1, options.threads or default_threads())
    entries = [(name, dtype, tuple(shape)) for name, dtype, shape, _ in listed["tensors"]]
    model = outline(options.base, config)
    if options.recipe is not None:
        freeze(model, options.recipe)
        names = [name for name, value in model.named_parameters() if value.requires_grad]
    else:
        names = [name for name, _ in model.named_parameters()]
    owners: dict[str, list[tuple[str, str]]] = {}
    for place in locate(entries, model).values():
        for owner in place.owners:
            owners.setdefault(owner, []).append((place.name, place.dtype))
    if options.only is not None:
        names = _matching(options.only, names, owners)
    if not names:
        raise Refused(f"{options.base}: has no tensor of {options.tuned}")
    if options.layers is not None:
        names = _in_layers(options, names)
    if not select_language(names):
        raise Refused(f"{options.base}: {options.tuned} tunes only what images pass through, and rows with images are "
                      "not trained on here; 'vpatch train' does it, on one machine")
    dtypes = {}
    for name in names:
        stored = owners.get(name, [])
        unknown = next((dtype for _, dtype in stored if dtype not in _DTYPES), None)
        if unknown or not stored:
            raise Refused(f'{options.base}: "{name}" is stored as {unknown or "other tensors"}, which cannot be '
                          "trained; train on the model's unquantised weights")
        dtypes[name] = _DTYPES[stored[0][1]]
    floats = {_DTYPES[dtype] for _, dtype, _ in entries if dtype in _DTYPES}
    frozen = floats.pop() if options.compute == "bf16" and len(floats) == 1 else torch.float32
    shapes = {name: value.numel() for name, value in model.named_parameters()}
    return Tuned(dtypes, frozen, sum(shapes[name] for name in names),
                 sum(math.prod(shape) for _, _, shape in entries), listed["root"])


def select_language(names: list[str]) -> list[str]:
    """Those parameters that text passes through."""
    others = set(select("vision", names)) | set(select("projector", names))
    return [name for name in names if name not in others]


def _matching(pattern: str, names: list[str], owners: dict[str, list[tuple[str, str]]]) -> list[str]:
    """Parameters whose tensors in the files match a pattern."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise Refused(f"--only: {error}") from error
    found = []
    for name in names:
        stored = owners.get(name, [])
        matching = [tensor for tensor, _ in stored if expression.fullmatch(tensor)]
        if matching and len(matching) < len(stored):
            other = next(tensor for tensor, _ in stored if tensor not in matching)
            raise Refused(f'--only: "{matching[0]}" and "{other}" are one parameter of the running model, "{name}"; '
                          "match both or neither")
        if matching:
            found.append(name)
    return found


_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks|block)\.(\d+)\.")


def _in_layers(options: Options, names: list[str]) -> list[str]:
    first, last = options.layers or (0, 0)
    numbers = {name: int(match[1]) for name in select_language(names) if (match := _LAYER.search(name))}
    chosen = [name for name in names if first <= numbers.get(name, -1) <= last]
    if not chosen:
        where = f"; {options.tuned} is in layers {min(numbers.values())} to {max(numbers.values())}" if numbers else ""
        raise Refused(f"{options.base}: has no tensor to tune in layers {first} to {last}{where}")
    return chosen
