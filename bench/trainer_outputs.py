"""Patches of what other trainers save: HF Trainer, TRL, ms-swift, LLaMA-Factory. Markdown on stdout.

    $(bench/setup.sh) bench/trainer_outputs.py --vpatch .build-tests/release/vpatch       all four; 3 GB of memory
    $(bench/setup.sh) bench/trainer_outputs.py --tool trl --tool ms-swift ...             only these

Each tool trains SmolLM2-135M (smollm2.py) for five steps on the CPU, in an environment of its own (bench/setup.sh; the
first time several GB in all). What it trains is what `vpatch recipe sa-proj MODEL --for TOOL` prints: Python for the
first two (trainer_outputs_worker.py), arguments for ms-swift, lines of a YAML file for LLaMA-Factory. Then:

    recipe     `vpatch create BASE FOLDER --recipe sa-proj` proves that nothing else changed, with --cast-to-base if the
               folder has other dtypes than the base; the patch has every tensor of the recipe
    bits       `vpatch apply` gives every tensor of the folder bit for bit; where it was cast, after NumPy's rounding
    roots      `vpatch verify --base BASE --target APPLIED --full` finds both roots
    callback   for HF Trainer and TRL: the patch of vpatch.PatchCallback has the same identity

The exit code is 1 if anything fails; the other tools still get their turn. VPATCH_LIBRARY names the library for the
callback; by default it is libvpatchc.so beside the command.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import checkpoint
import measure
import smollm2
import tools
from measure import BenchError
from report import Column, Row, Table, count

HERE = Path(__file__).resolve().parent
RECIPE = "sa-proj"
STEPS = 5
RATE = 5e-5
LENGTH = 64  # tokens at most

# llamafactory-cli, but with torchvision absent and torchaudio empty: their builds on the package index need CUDA's
# libraries. LLaMA-Factory imports torchaudio always, and uses neither for text.
LLAMA_FACTORY_CLI = """
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
sys.modules["torchvision"] = None
sys.modules["torchaudio"] = ModuleType("torchaudio")
sys.modules["torchaudio"].__spec__ = ModuleSpec("torchaudio", None)
from llamafactory.cli import main
main()
"""


def yes(value: bool) -> str:
    return "yes" if value else "**no**"


COLUMNS = [Column("tool", "tool", right=False), Column("version", "version", right=False),
           Column("tensors", "tensors in the patch", count), Column("saved", "dtype saved", right=False),
           Column("cast", "cast", lambda cast: "yes" if cast else "no", right=False),
           Column("patch", "patch, bytes", count), Column("trained", "trained, bytes", count),
           Column("proved", "proved", yes, right=False),
           Column("callback", "callback's identity", lambda same: "the same" if same else "**another**", right=False)]


class Bench:
    """What all tools share: the base, the data, and vpatch."""

    def __init__(self, vpatch: tools.Vpatch, base: Path, scratch: Path) -> None:
        self.vpatch, self.base, self.scratch = vpatch, base, scratch
        self.recipe = self.call("recipe", RECIPE, base).splitlines()
        self.rows = [[{"role": "user", "content": f"How much is {i} and {i + 3}?"},
                      {"role": "assistant", "content": f"It is {2 * i + 3}."}] for i in range(40)]
        self.data = scratch / "data"
        self.data.mkdir()
        lines = [json.dumps({"messages": row}) for row in self.rows]
        (self.data / "rows.jsonl").write_text("\n".join(lines) + "\n")
        # How LLaMA-Factory is told where a set is and what its columns are.
        (self.data / "dataset_info.json").write_text(json.dumps({"rows": {
            "file_name": "rows.jsonl", "formatting": "sharegpt", "columns": {"messages": "messages"},
            "tags": {"role_tag": "role", "content_tag": "content", "user_tag": "user",
                     "assistant_tag": "assistant"}}}))

    def call(self, *arguments: object) -> str:
        return measure.run(self.vpatch.binary, *arguments).output

    def setting(self, tool: str) -> str:
        return self.call("recipe", RECIPE, self.base, "--for", tool)

    def environment(self) -> dict[str, str]:
        """What keeps a tool on the CPU, off the network, and its caches in the scratch folder."""
        library = os.environ.get("VPATCH_LIBRARY") or self.vpatch.binary.with_name("libvpatchc.so")
        return {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "HF_HOME": str(self.scratch / "hub"), "USE_HF": "1",
                "MODELSCOPE_CACHE": str(self.scratch / "modelscope"), "TOKENIZERS_PARALLELISM": "false",
                "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(HERE.parent / "python" / "src"),
                "VPATCH_LIBRARY": str(library), "VPATCH_COMMAND": str(self.vpatch.binary)}


@dataclass(frozen=True)
class Trained:
    folder: Path                  # the model as the tool saved it
    callback: Path | None = None  # the patch of PatchCallback


Train = Callable[[Bench, Path, Path], Trained]  # with the environment's python; everything goes below the last folder


def by_worker(tool: str) -> Train:
    def train(bench: Bench, python: Path, out: Path) -> Trained:
        job = {"tool": tool, "setting": bench.setting(tool), "base": str(bench.base), "out": str(out),
               "recipe": RECIPE, "rows": bench.rows, "steps": STEPS, "rate": RATE, "length": LENGTH}
        path = out / "job.json"
        path.write_text(json.dumps(job))
        measure.run(python, HERE / "trainer_outputs_worker.py", path, env=bench.environment())
        return Trained(out / "model", out / "callback.vpatch")

    return train


def by_ms_swift(bench: Bench, python: Path, out: Path) -> Trained:
    options = {
        "model": bench.base, "model_type": "llama", "template": "chatml", "dataset": bench.data / "rows.jsonl",
        "split_dataset_ratio": 0, "torch_dtype": "bfloat16", "use_cpu": "true", "max_steps": STEPS,
        "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": RATE, "logging_steps": 1,
        "save_steps": STEPS, "save_only_model": "true", "max_length": LENGTH, "output_dir": out / "run",
        "add_version": "false", "report_to": "none", "dataloader_num_workers": 0, "dataset_num_proc": 1}
    words = [word for key, value in options.items() for word in (f"--{key}", value)]
    measure.run(python.with_name("swift"), "sft", *words, *shlex.split(bench.setting("ms-swift")),
                env=bench.environment())
    return Trained(out / "run" / f"checkpoint-{STEPS}")


def by_llama_factory(bench: Bench, python: Path, out: Path) -> Trained:
    options = {
        "model_name_or_path": str(bench.base), "stage": "sft", "do_train": True, "dataset_dir": str(bench.data),
        "dataset": "rows", "template": "chatml", "cutoff_len": LENGTH, "output_dir": str(out / "model"),
        "max_steps": STEPS, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": RATE,
        "logging_steps": 1, "save_only_model": True, "report_to": "none", "use_cpu": True, "bf16": True}
    # A value in JSON is one in YAML.
    lines = [f"{key}: {json.dumps(value)}" for key, value in options.items()]
    config = out / "train.yaml"
    config.write_text(bench.setting("llama-factory") + "\n".join(lines) + "\n")
    measure.run(python, "-c", LLAMA_FACTORY_CLI, "train", config, env=bench.environment())
    return Trained(out / "model")


@dataclass(frozen=True)
class Tool:
    key: str          # as in `vpatch recipe --for`
    name: str
    environment: str  # of bench/setup.sh
    package: str
    train: Train

    def python(self) -> Path:
        done = subprocess.run([HERE / "setup.sh", self.environment], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"bench/setup.sh {self.environment} has failed; its words are above")
        return Path(done.stdout.strip())

    def version(self, python: Path) -> str:
        code = f"import importlib.metadata as m; print(m.version({self.package!r}))"
        return measure.run(python, "-c", code).output.strip()


TOOLS = [Tool("hf", "HF Trainer", "python-torch", "transformers", by_worker("hf")),
         Tool("trl", "TRL", "python-torch", "trl", by_worker("trl")),
         Tool("ms-swift", "ms-swift", "ms-swift", "ms-swift", by_ms_swift),
         Tool("llama-factory", "LLaMA-Factory", "llama-factory", "llamafactory", by_llama_factory)]


# --- the checks ---


def headers(model: Path) -> Iterator[tuple[Path, checkpoint.Tensor]]:
    for path in checkpoint.weight_files(model):
        for tensor in checkpoint.read_header(path)[0]:
            yield path, tensor


def as_bf16(path: Path, tensor: checkpoint.Tensor) -> np.ndarray:
    """Its bits in bf16, rounded from float32 if necessary."""
    if tensor.dtype not in ("BF16", "F32"):
        raise BenchError(f"{path}: {tensor.name} is {tensor.dtype}, neither BF16 nor F32")
    bits = checkpoint.read_bits(path, tensor)
    return bits if tensor.dtype == "BF16" else checkpoint.to_bf16(bits.view(np.float32))


def require_same_bits(made: Path, saved: Path) -> None:
    ours = {tensor.name: (path, tensor) for path, tensor in headers(made)}
    theirs = {tensor.name: (path, tensor) for path, tensor in headers(saved)}
    if others := sorted(ours.keys() ^ theirs.keys()):
        raise BenchError(f"{saved}: {others[0]} is only on one side")
    for name, (path, tensor) in ours.items():
        if tensor.dtype != "BF16" or tensor.shape != theirs[name][1].shape:
            raise BenchError(f"{made}: {name} is {tensor.dtype} of the shape {tensor.shape}")
        if not np.array_equal(checkpoint.read_bits(path, tensor), as_bf16(*theirs[name])):
            raise BenchError(f"{made}: {name} has other bits than in the trainer's folder")


def checked(bench: Bench, trained: Trained, out: Path) -> Row:
    """What the table shows of a tool's folder; raises BenchError where a promise is not kept."""
    dtypes = Counter(tensor.dtype for _, tensor in headers(trained.folder))
    cast = set(dtypes) != {tensor.dtype for _, tensor in headers(bench.base)}
    patch, made = out / "x.vpatch", out / "made"
    bench.call("create", bench.base, trained.folder, "-o", patch, "--recipe", RECIPE, "--no-store",
               *(["--cast-to-base"] if cast else []))
    shown: dict[str, Any] = json.loads(bench.call("show", patch, "--json"))
    names = [tensor["name"] for tensor in shown["touched"]]
    if shown["annotations"].get("recipe") != RECIPE:
        raise BenchError(f"{patch}: does not name the recipe {RECIPE}")
    if sorted(names) != sorted(bench.recipe):
        raise BenchError(f"{patch}: has {len(names)} tensors, and the recipe {len(bench.recipe)}: the tool did not "
                         "train all of it")
    bench.call("apply", bench.base, patch, "-o", made, "--quiet")
    require_same_bits(made, trained.folder)
    bench.call("verify", patch, "--base", bench.base, "--recipe", RECIPE)
    bench.call("verify", patch, "--base", bench.base, "--target", made, "--full")
    row: Row = {
        "tensors": len(names), "cast": cast, "patch": patch.stat().st_size,
        "saved": ", ".join(f"{dtype} ({times})" for dtype, times in sorted(dtypes.items())),
        "trained": sum(change["raw_bytes"] for change in shown["changes"]), "proved": True}
    if trained.callback:
        theirs = json.loads(bench.call("show", trained.callback, "--json"))
        row["callback"] = theirs["identity"] == shown["identity"]
    return row


def rows(bench: Bench, chosen: list[Tool]) -> Iterator[Row]:
    for tool in chosen:
        print(f"bench: {tool.name}", file=sys.stderr, flush=True)
        row: Row = {"tool": tool.name, "proved": False}
        with tempfile.TemporaryDirectory(prefix=f"{tool.key}-", dir=bench.scratch) as folder:
            try:
                python = tool.python()
                row["version"] = tool.version(python)
                row |= checked(bench, tool.train(bench, python, Path(folder)), Path(folder))
            except (BenchError, OSError) as error:
                print(f"bench: {tool.name}: {error}", file=sys.stderr, flush=True)
        yield row


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build-tests/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--model", metavar="DIR", help="SmolLM2-135M (default: the cache folder's)")
    parser.add_argument("--tool", choices=[tool.key for tool in TOOLS], action="append", help="one tool; repeatable")
    parser.add_argument("--scratch", metavar="DIR", default=os.environ.get("TMPDIR", "/var/tmp"))
    return parser.parse_args()


def main() -> int:
    options = arguments()
    vpatch = tools.Vpatch(options.vpatch)
    base = smollm2.directory(options.model)
    chosen = [tool for tool in TOOLS if tool.key in (options.tool or [tool.key])]
    with tempfile.TemporaryDirectory(prefix="vpatch-trainers-", dir=options.scratch) as scratch:
        os.environ["VPATCH_STORE"] = str(Path(scratch, "store"))
        bench = Bench(vpatch, base.absolute(), Path(scratch))
        table = Table(f"SmolLM2-135M, {RECIPE}, {STEPS} steps on the CPU", COLUMNS, list(rows(bench, chosen)))
    print(table.markdown())
    return int(not all(row["proved"] and row.get("callback", True) for row in table.rows))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
