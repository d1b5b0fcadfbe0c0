"""The command line: names and meanings of `vpatch train`."""

import argparse
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from vpatch.errors import Refused

ONE_MACHINE = "'vpatch train' does it, on one machine"
_MEASURE_DRIFT = ("measure the patch afterwards: 'vpatch eval BASE --patch PATCH --suite neutral --record', or --suite "
                  "neutral here")
_PATCHED_BASE = "write the patched model first: 'vpatch apply BASE PATCH -o FOLDER', and train on that folder"
_NO_IMAGES = f"rows with images cannot be trained on here; {ONE_MACHINE}"

_LORA = ("'vpatch train --lora' trains an adapter; or train one with PEFT: 'vpatch create BASE ADAPTER' makes a patch "
         "of it")
REFUSED: dict[str, tuple[int, str]] = {
    "--vision-lr": (1, _NO_IMAGES),
    "--features": (1, _NO_IMAGES),
    "--features-limit": (1, _NO_IMAGES),
    "--drift": (0, _MEASURE_DRIFT),
    "--max-drift": (1, _MEASURE_DRIFT),
    "--neutral": (1, _MEASURE_DRIFT),
    "--drift-every": (1, _MEASURE_DRIFT),
    "--lwf": (1, ONE_MACHINE),
    "--samples": (1, "the patch gets no sample answers here; 'vpatch generate BASE --patch PATCH --both PROMPT' shows "
                     "them"),
    "--show-rows": (1, "'vpatch train … --dry-run --show-rows N' shows them, or vpatch.TextEncoder(BASE).encode(row)"),
    "--patch": (1, _PATCHED_BASE),
    "--stack": (1, _PATCHED_BASE),
    "--any-scale": (0, _PATCHED_BASE),
    "--wide": (0, "there are no tables here; leave it out"),
    "--blas": (1, "PyTorch chooses what computes products; leave it out"),
    "--lora": (1, _LORA),
    "--alpha": (1, _LORA),
    "--rslora": (0, _LORA),
    "--dropout": (1, _LORA),
    "--keep-adapter": (0, _LORA),
}
"""Options of `vpatch train` that are refused here: the number of values, and the way out."""


@dataclass(frozen=True)
class Options:
    """What was asked for. None: vpatch chooses."""

    base: str
    recipe: str | None
    only: str | None
    layers: tuple[int, int] | None
    data: list[str]
    allow_outside: bool
    steps: int | None
    epochs: float | None
    lr: float | None
    schedule: str
    warmup: float
    batch: int | None
    micro_batch: int | None
    max_length: int | None
    too_long: str
    clip: float
    weight_decay: float
    betas: tuple[float, float]
    eps: float
    seed: int
    no_shuffle: bool
    validation: str | None
    early_stop: bool
    keep_diverged: bool
    learn_prompts: bool
    recompute: bool
    suite: str | None
    resume: str | None
    save_every: int
    log: str | None
    report_to: list[str]
    dry_run: bool
    compute: str
    chat_template: str | None
    template_arg: list[str]
    template_date: str | None
    output: str
    name: str | None
    note: str | None
    force: bool
    no_store: bool
    store: str | None
    quiet: bool
    json: bool
    threads: int | None

    @property
    def tuned(self) -> str:
        """What is trained, for messages."""
        return f"the recipe {self.recipe}" if self.recipe else f"tensors that match {self.only}"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(64, f"vpatch: {message}\nSee 'python -m vpatch.train --help' for more information.\n")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        # Every rank reads the same command line; one speaks.
        if is_first_rank() and message:
            sys.stderr.write(message)
        sys.exit(status)

    def print_help(self, file: Any = None) -> None:
        if is_first_rank():
            super().print_help(file)


class _Refuse(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        if option == "--samples" and values == ["0"]:
            return
        parser.exit(5, f"vpatch: {option}: is not supported by python -m vpatch.train; {REFUSED[option or ''][1]}\n")


def is_first_rank() -> bool:
    """Whether this process speaks for all, before they are connected."""
    return os.environ.get("RANK", "0") == "0"


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Reads the command line. Ends the process with code 64 for a wrong one, and 5 for an option that is refused."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    try:
        given["betas"] = _pair(given["betas"])
        given["layers"] = _range(given["layers"])
        options = Options(**given)
        _check(options)
    except Refused as refusal:
        parser.exit(5, f"vpatch: {refusal}\n")
    except ValueError as error:
        parser.error(str(error))
    return options


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m vpatch.train", allow_abbrev=False, add_help=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Fine-tune only the tensors of a recipe on PyTorch, and write a patch.\n\n"
                    "Under torchrun, the model is sharded over all ranks (FSDP2). Options, data files and the patch\n"
                    "are those of 'vpatch train'. See docs/distributed.md and docs/training.md.",
        epilog="examples:\n"
               "  python -m vpatch.train model/ --recipe sa-proj --data train.jsonl -o task.vpatch\n"
               "  torchrun --nproc-per-node 8 -m vpatch.train model/ --recipe sa-proj \\\n"
               "      --data train.jsonl -o task.vpatch --compute bf16 --resume run/\n")
    add = parser.add_argument
    add("base", help="the model to fine-tune: a folder with config.json")
    add("--recipe", metavar="NAME", help="the recipe: which tensors to train")
    add("--only", metavar="REGEX", help="train the tensors whose whole name matches this regular expression")
    add("--layers", metavar="FIRST-LAST", help="train only these decoder layers; 0 is the first")
    add("--data", metavar="FILE", action="append", required=True,
        help="training data; repeatable; - reads standard input")
    add("--allow-outside", action="store_true", help="also read files outside their data file's folder")
    add("--steps", metavar="N", type=int, help="number of steps; overrides --epochs")
    add("--epochs", metavar="X", type=float, help="number of passes over the data")
    add("--lr", "--learning-rate", metavar="X", type=float, help="peak learning rate")
    add("--schedule", choices=("constant", "linear", "cosine"), default="cosine",
        help="learning rate schedule after the warmup")
    add("--warmup", metavar="SHARE", type=float, default=0.03, help="share of the steps used for warmup, 0 to 1")
    add("--batch", "--batch-size", metavar="N", type=int, help="batch size: rows per step, of all ranks together")
    add("--micro-batch", metavar="N", type=int,
        help="rows per forward and backward pass of a rank (gradient accumulation)")
    add("--max-length", metavar="N", type=int, help="maximum number of tokens per row")
    add("--too-long", choices=("cut", "refuse"), default="cut", help="what to do with longer rows")
    add("--clip", metavar="X", type=float, default=1.0, help="maximum gradient norm; 0 disables it")
    add("--weight-decay", metavar="X", type=float, default=0.0, help="AdamW weight decay")
    add("--betas", metavar="X,X", nargs="+", default=[], help="AdamW beta1,beta2")
    add("--eps", metavar="X", type=float, default=1e-8, help="AdamW epsilon")
    add("--seed", metavar="N", type=int, default=0, help="random seed for the order of the rows")
    add("--no-shuffle", action="store_true", help="keep the order of the file")
    add("--validation", metavar="SHARE-OR-FILE",
        help="rows to measure the loss on: a share of the rows, a file, or none")
    add("--early-stop", action="store_true",
        help="stop when the validation loss has not fallen three times in a row; take the weights of the lowest")
    add("--keep-diverged", action="store_true", help="write the patch of a run that diverged, too")
    add("--learn-prompts", action="store_true", help="compute the loss over prompts as well as answers")
    add("--recompute", action="store_true", help="recompute activations in the backward pass (gradient checkpointing)")
    add("--suite", metavar="NAME-OR-FILE",
        help="evaluate this suite before and after training with 'vpatch eval', and write the records into the patch")
    add("--resume", metavar="DIR", help="folder to save the state of training in, and to resume from")
    add("--save-every", metavar="N", type=int, default=100, help="steps between saved states")
    # torchrun, which reads the command line first, takes --log for an ambiguous option of its own.
    add("--log-file", "--log", metavar="FILE", dest="log",
        help="append one line of JSON per step to this file; under torchrun only the longer name works")
    add("--report-to", metavar="NAME", action="append", default=[],
        help="report losses through transformers: wandb, tensorboard, …; repeatable")
    add("--dry-run", action="store_true", help="show what would be trained, and exit")
    add("--compute", choices=("f32", "bf16"), default="f32", help="precision of matrix products")
    add("--chat-template", metavar="NAME-OR-FILE", help="chat template instead of the model's own")
    add("--template-arg", metavar="KEY=VALUE", action="append", default=[], help="variable of the chat template")
    add("--template-date", metavar="DATE", help="date and time for chat templates that use the current date")
    add("-o", "--output", metavar="FILE", required=True, help="output file for the patch")
    add("--name", help="name of the patch, and its alias in the store")
    add("--note", help="note to keep in the patch")
    add("--force", action="store_true", help="replace an existing file")
    add("--no-store", action="store_true", help="do not add the patch to the store")
    add("--store", metavar="DIR", help="store folder")
    add("-q", "--quiet", action="store_true", help="print only errors")
    add("--json", action="store_true", help="print the result as JSON")
    add("--threads", metavar="N", type=int, help="threads of each rank")
    add("-h", "--help", action="help", help="show this help")
    for option, (count, _) in REFUSED.items():
        add(option, action=_Refuse, nargs=count, help=argparse.SUPPRESS, dest=argparse.SUPPRESS)
    return parser


def _check(options: Options) -> None:
    def require(is_right: bool, text: str) -> None:
        if not is_right:
            raise ValueError(text)

    def at_least(least: float, value: float | None) -> bool:
        return value is None or value >= least

    require((options.recipe is None) != (options.only is None), "Give either --recipe or --only.")
    require(options.data.count("-") < 2, "Standard input can be read only once.")
    require(at_least(1, options.steps), "--steps must be at least 1.")
    require(options.epochs is None or 0 < options.epochs <= 1e6,
            "--epochs must be greater than 0 and at most 1,000,000.")
    require(options.lr is None or 0 < options.lr < math.inf, "--lr must be greater than 0.")
    require(0 <= options.warmup <= 1, "--warmup must be between 0 and 1.")
    require(at_least(1, options.batch), "--batch must be at least 1.")
    require(at_least(1, options.micro_batch), "--micro-batch must be at least 1.")
    require(at_least(2, options.max_length), "--max-length must be at least 2.")
    require(0 <= options.clip < math.inf, "--clip must be at least 0.")
    require(0 <= options.weight_decay < 1e6, "--weight-decay must be at least 0 and less than 1,000,000.")
    require(0 < options.eps < math.inf, "--eps must be greater than 0.")
    require(0 <= options.seed < 1 << 64, "--seed must be between 0 and 2⁶⁴ − 1.")
    require(options.save_every >= 1, "--save-every must be at least 1.")
    require(at_least(1, options.threads), "--threads must be at least 1.")


def _pair(words: list[str]) -> tuple[float, float]:
    if not words:
        return 0.9, 0.999
    try:
        first, second = (float(word) for word in ",".join(words).split(","))
    except ValueError:
        first = second = math.nan
    if not (0 <= first < 1 and 0 <= second < 1):
        raise Refused(f'--betas: "{" ".join(words)}" is not a valid pair of numbers; write 0.9,0.999')
    return first, second


def _range(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    ends = text.split("-")
    if len(ends) > 2 or not all(end.isdecimal() for end in ends) or int(ends[0]) > int(ends[-1]):
        raise Refused(f'--layers: "{text}" is not a range of layers; write 0-5, or 3 for one')
    return int(ends[0]), int(ends[-1])
