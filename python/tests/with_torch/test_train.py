"""`python -m vpatch.train` beside `vpatch train`, on 1, 2 and 3 ranks."""

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import transformers
import vpatch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from vpatch.command import path_of_command
from vpatch.train.command import main
from vpatch.train.options import REFUSED, parse

from models import TINY, moe_folder

WORKER = Path(__file__).with_name("train_worker.py")
CASES: dict[str, tuple[str, list[str]]] = {
    "llama sa-proj": ("tiny-llama", ["--recipe", "sa-proj"]),
    "llama gate-up": ("tiny-llama", ["--recipe", "gate-up", "--recompute", "--micro-batch", "1"]),
    "qwen2 sa-proj": ("tiny-qwen2", ["--recipe", "sa-proj", "--validation", "0.2", "--learn-prompts"]),
    "qwen2 gate-up": ("tiny-qwen2", ["--recipe", "gate-up", "--layers", "1", "--schedule", "linear"]),
    "llama full": ("tiny-llama", ["--recipe", "full", "--weight-decay", "0.1", "--betas", "0.8", "0.9", "--seed", "7"]),
    # Fewer rows than ranks in a batch.
    "llama few": ("tiny-llama", ["--only", ".*down_proj.weight", "--batch", "2", "--no-shuffle", "--clip", "0.5"]),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of different lengths; 24 are not a multiple of a batch, nor is a batch of the ranks."""
    numbers = random.Random(0)
    path = tmp_path_factory.mktemp("data") / "rows.jsonl"
    lines = []
    for _ in range(24):
        ids = [numbers.randint(3, 500) for _ in range(numbers.randint(5, 30))]
        begin = numbers.randint(0, len(ids) - 2)
        # Something to learn.
        ids[begin:] = [id if numbers.random() < 0.3 else 7 for id in ids[begin:]]
        lines.append(json.dumps({"input_ids": ids, "labels": [-100] * begin + ids[begin:]}))
    path.write_text("\n".join(lines))
    return path


def line(model: Path, data: Path, output: Path, *more: str, steps: int = 5) -> list[str]:
    batch = [] if "--batch" in more else ["--batch", "7"]
    return [str(model), "--data", str(data), "-o", str(output), "--steps", str(steps), "--lr", "1e-3", *batch,
            "--no-store", "-q", *more]


def started(ranks: int, runs: list[list[str]], folder: Path, *misfortune: str) -> "subprocess.Popen[str]":
    file = folder / "runs.json"
    file.write_text(json.dumps(runs))
    start = [sys.executable] if ranks == 1 else [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks), "--master-port",
        str(29500 + os.getpid() % 400)]
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([*start, str(WORKER), str(file), *misfortune], text=True, stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, env=environment, cwd=folder)


def steps(log: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in log.read_text().splitlines()]


@pytest.fixture(scope="module")
def expected(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The steps of `vpatch train`."""
    folder = tmp_path_factory.mktemp("command")
    found = {}
    for name, (model, options) in CASES.items():
        log = folder / f"{name}.log"
        subprocess.run([path_of_command(), "train", *line(TINY / model, data, folder / f"{name}.vpatch", *options),
                        "--log", log, "--samples", "0"], check=True, capture_output=True)
        found[name] = steps(log)
    return found


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_losses_are_those_of_the_command(
    ranks: int, data: Path, expected: dict[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    runs = [line(TINY / model, data, tmp_path / f"{name}.vpatch", *options, "--log", str(tmp_path / f"{name}.log"))
            for name, (model, options) in CASES.items()]
    resumed = [line(TINY / "tiny-llama", data, tmp_path / f"{name}.vpatch", "--recipe", "sa-proj", "--validation",
                    "0.2", "--early-stop", steps=6) for name in ("whole", "resumed")]
    resumed[1] += ["--resume", str(tmp_path / "state"), "--save-every", "2"]
    if ranks == 2:
        # A model that `vpatch train` does not know.
        runs.append(line(moe_folder(tmp_path / "moe"), small_rows(tmp_path), tmp_path / "moe.vpatch", "--recipe",
                         "experts", "--compute", "bf16"))
    process = started(ranks, [*runs, resumed[0], [], resumed[1]], tmp_path)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    for name in CASES:
        made, wanted = steps(tmp_path / f"{name}.log"), expected[name]
        assert len(made) == len(wanted) == 5
        for ours, theirs in zip(made, wanted, strict=True):
            assert abs(ours["loss"] - theirs["loss"]) < 1e-5, (name, ours, theirs)
            assert abs(ours["gradient_norm"] / theirs["gradient_norm"] - 1) < 1e-4, (name, ours, theirs)
            assert (ours["tokens"], ours["lr"]) == (theirs["tokens"], pytest.approx(theirs["lr"], rel=1e-12))
            if "validation" in theirs:
                assert abs(ours["validation"] - theirs["validation"]) < 1e-5
        patch = vpatch.open(tmp_path / f"{name}.vpatch")
        assert patch.to_dict()["annotations"]["training"]["settings"]["ranks"] == ranks
    whole, again = (vpatch.open(tmp_path / f"{name}.vpatch") for name in ("whole", "resumed"))
    assert whole.identity == again.identity
    records = [patch.to_dict()["annotations"]["training"] for patch in (whole, again)]
    assert records[0]["curve"] == records[1]["curve"] and records[0]["validation"] == records[1]["validation"]
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["step-6"]
    if ranks == 2:
        touched = [tensor.name for tensor in vpatch.open(tmp_path / "moe.vpatch").touched]
        assert touched and all(".experts." in name for name in touched)


def test_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The suite is measured on both sides and bound to the bits; text is encoded by the model's tokenizer."""
    base = tmp_path / "base"
    shutil.copytree(TINY / "tiny-llama", base, ignore=shutil.ignore_patterns("reference*"))
    words = [*"abcdefghijklmnopqrstuvwxyzĠ.", *(f"<{i}>" for i in range(9))]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<0>").save_pretrained(base)
    texts = ["the owl sat", "a fox and a cat", "no dog here", "all of them ran"]
    (tmp_path / "text.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    (tmp_path / "suite.toml").write_text(
        'name = "tiny"\n[[task]]\nname = "drift"\nkind = "kl"\nrole = "held-out"\ndata = "text.jsonl"\n')
    output = tmp_path / "task.vpatch"
    arguments = line(base, tmp_path / "text.jsonl", output, "--recipe", "sa-proj", "--suite",
                     str(tmp_path / "suite.toml"))
    assert main(arguments) == 0
    patch = vpatch.open(output)
    assert [(record["task"], record["status"]) for record in patch.records] == [("drift", "measured")]
    assert patch.records[0]["measured"] == patch.target_root
    # The command that is printed without a suite does the same.
    arguments[arguments.index(str(output))] = str(tmp_path / "other.vpatch")
    del arguments[-2:]
    arguments.remove("-q")
    assert main(arguments) == 0
    said = next(text for text in capsys.readouterr().out.splitlines() if text.startswith("forgot"))
    command = shlex.split(said.split("'")[1].replace("everyday", str(tmp_path / "suite.toml")))
    assert command[0] == "vpatch"
    subprocess.run([path_of_command(), *command[1:]], check=True, capture_output=True)
    assert vpatch.open(tmp_path / "other.vpatch").records[0]["status"] == "measured"


def small_rows(folder: Path) -> Path:
    path = folder / "small.jsonl"
    path.write_text("\n".join(json.dumps({"input_ids": [3 + (i + j) % 90 for j in range(12)]}) for i in range(9)))
    return path


def test_a_patch_has_a_record_that_the_command_reads(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = line(TINY / "tiny-llama", data, tmp_path / "task.vpatch", "--recipe", "sa-proj", "--json", "--name",
                     "task", "--note", "a note")
    arguments.remove("-q")
    assert main(arguments) == 0
    result = json.loads(capsys.readouterr().out)
    shown = subprocess.run([path_of_command(), "show", tmp_path / "task.vpatch"], check=True, capture_output=True,
                           text=True).stdout
    assert "sa-proj in 5 steps" in shown
    assert result["training"]["steps"] == 5 and len(result["training"]["curve"]["loss"]) == 5
    assert result["plan"]["rows"] == 24 and result["training"]["data"][0]["rows"] == 24
    patch = vpatch.open(tmp_path / "task.vpatch")
    assert patch.identity == result["identity"]
    assert patch.to_dict()["annotations"]["training"] == result["training"]
    assert (patch.name, patch.recipe) == ("task", "sa-proj")
    model = vpatch.load_model(TINY / "tiny-llama", [patch])
    assert patch.is_applied(model)


@pytest.mark.parametrize("what", ["raise", "kill"])
def test_a_failing_rank_ends_all_with_one_message(what: str, data: Path, tmp_path: Path) -> None:
    output, state = tmp_path / "task.vpatch", tmp_path / "state"
    arguments = line(TINY / "tiny-llama", data, output, "--recipe", "sa-proj", "--resume", str(state), "--save-every",
                     "2")
    process = started(2, [arguments], tmp_path, what, "1", "3", str(tmp_path / "ready"))
    _, errors = process.communicate(timeout=600)
    assert process.returncode != 0
    said = [text for text in errors.splitlines() if text.startswith("vpatch: ")]
    assert len(said) == 1, errors
    assert ("rank 1: out of memory (made up); use --recompute" if what == "raise" else
            "rank 0: another rank ended or did not answer") in said[0]
    assert not output.exists() and (state / "step-2").is_dir()


def test_interrupted(data: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    arguments = line(TINY / "tiny-llama", data, tmp_path / "task.vpatch", "--recipe", "sa-proj", "--resume", str(state),
                     "--save-every", "2")
    process = started(2, [arguments], tmp_path, "wait", "0", "3", str(tmp_path / "ready"))
    while not all((tmp_path / f"ready.{rank}").exists() for rank in range(2)):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=600)
    said = [text for text in errors.splitlines() if text.startswith("vpatch: ")]
    assert said == [f"vpatch: interrupted after step 3 of 5: the state after step 2 is in {state}, and the same "
                    "command goes on from it"], errors


# MARK: Refusals

def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        code = main(arguments)
    except SystemExit as end:
        code = int(end.code or 0)
    return code, capsys.readouterr().err


@pytest.mark.parametrize("option", REFUSED)
def test_options_of_the_command_are_known_or_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    count, way_out = REFUSED[option]
    code, said = refusal(capsys, "model", "--recipe", "sa-proj", "--data", "d", "-o", "o", option, *["1"] * count)
    assert code == 5 and said == f"vpatch: {option}: is not supported by python -m vpatch.train; {way_out}\n"


def test_every_option_of_the_command_is_an_option_here() -> None:
    text = subprocess.run([path_of_command(), "train", "--help"], check=True, capture_output=True, text=True).stdout
    listed = {word.strip(",.;") for line in text.splitlines() if line.startswith("  -") for word in line.split()
              if word.startswith("--")}
    assert len(listed) > 40
    values = {"--schedule": "linear", "--too-long": "cut", "--compute": "f32", "--layers": "0-1", "--max-length": "9",
              "--betas": "0.8,0.9", "--validation": "none"}
    flags = {"--allow-outside", "--no-shuffle", "--early-stop", "--keep-diverged", "--learn-prompts", "--recompute",
             "--dry-run", "--force", "--no-store", "--quiet", "--json"}
    for option in listed - set(REFUSED) - {"--version", "--help", "--recipe", "--only", "--data", "--output"}:
        value = [] if option in flags else [values.get(option, "1")]
        parse(["model", "--recipe", "sa-proj", "--data", "d", "-o", "o", option, *value])


def test_refused_before_the_model_is_loaded(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, **__: Any) -> Any:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("vpatch.train.model.load_model", load)
    llama, output = TINY / "tiny-llama", tmp_path / "task.vpatch"
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"input_ids": [5, 6, 7]}\n{"input_ids": [5, 999]}\n')
    taken = tmp_path / "taken.vpatch"
    taken.touch()
    state = tmp_path / "state"
    (state / "step-3").mkdir(parents=True)
    (state / "step-3" / "progress.json").write_text('{"version": 1, "identity": {"lr": "0.5"}, "ranks": 1}')
    broken = tmp_path / "broken" / "step-1"
    broken.mkdir(parents=True)

    def code(arguments: list[str], *expected: str) -> int:
        found, said = refusal(capsys, *arguments)
        assert said.startswith("vpatch: ") and all(text in said for text in expected), said
        return found

    recipe = ["--recipe", "sa-proj"]
    assert code(line(llama, bad, output, *recipe), f"{bad}: 1 row cannot be used: line 2 has the id 999") == 2
    command = subprocess.run(
        [path_of_command(), "train", *line(llama, bad, output, *recipe)], capture_output=True, text=True, check=False)
    # Word for word what the command says.
    assert code(line(llama, bad, output, *recipe), command.stderr) == command.returncode == 2
    assert code(line(llama, data, taken, *recipe), "already exists", "--force") == 5
    assert code(line(llama, data, data, *recipe, "--force"), "is an input of this command") == 5
    assert code(line(llama, data, tmp_path / "no" / "a.vpatch", *recipe), "folder does not exist") == 1
    assert code(line(llama, data, output, *recipe, "--resume", str(state)), "differs in lr,", "delete it") == 5
    assert code(line(llama, data, output, *recipe, "--resume", str(broken.parent)), "not a training state") == 2
    assert code(line(llama, data, output, *recipe, "--resume", str(llama)), "is a model folder") == 5
    assert code(line(llama, data, output, "--recipe", "vision"), "has no tensor of the recipe vision") == 5
    assert code(line(llama, data, output, "--recipe", "nonsense"), "is not a recipe; there are") == 64
    assert code(line(llama, data, output, "--only", "("), "--only") == 5
    assert code(line(llama, data, output, *recipe, "--layers", "4-9"), "layers 0 to 1") == 5
    assert code(line(llama, data, output, *recipe, "--layers", "4-"), "not a range", "0-5") == 5
    assert code(line(llama, data, output, *recipe, "--betas", "2"), "0.9,0.999") == 5
    assert code(line(llama, data, output, *recipe, "--validation", "1.5"), "not a share") == 5
    assert code(line(llama, data, output, *recipe, "--report-to", "nonsense"), "--report-to nonsense", "wandb") == 5
    assert code(line(llama, data, output, *recipe, "--clip", "-1"), "--clip must be at least 0") == 64
    assert code(line(llama, data, output), "--recipe or --only") == 64
    suite = line(llama, data, output, *recipe, "--suite", "everyday")
    assert code(suite, "python -m vpatch.lm_eval") in (1, 2, 5)
    assert not output.exists()


def test_rows_with_images_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(TINY.parent / "images" / "grey1-interlaced.png", tmp_path / "a.png")
    rows = tmp_path / "rows.jsonl"
    model = TINY / "tiny-qwen2.5-vl"
    token = json.loads((model / "config.json").read_text())["image_token_id"]
    rows.write_text(json.dumps({"input_ids": [5, token, 6, 7], "labels": [-100, -100, 6, 7], "image": "a.png"}))
    code, said = refusal(capsys, *line(model, rows, tmp_path / "task.vpatch", "--recipe", "sa-proj"))
    assert code != 0 and ("rows with images" in said and "'vpatch train'" in said), said


def test_a_run_that_diverges(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "task.vpatch"
    arguments = line(TINY / "tiny-llama", data, output, "--recipe", "sa-proj")
    arguments[arguments.index("1e-3")] = "1e30"
    code, said = refusal(capsys, *arguments)
    assert code == 4 and "training diverged: at step 2 the loss is not a number, with line" in said
    assert not output.exists()
    code, said = refusal(capsys, *arguments, "--keep-diverged")
    assert code == 4 and vpatch.open(output).to_dict()["annotations"]["training"]["stopped"] == "diverged"


def test_reports(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers.integrations.integration_utils as integrations

    seen: list[Any] = []

    class Reporter(integrations.TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            seen.append((args.run_name, state.max_steps, args.learning_rate))

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
            seen.append((state.global_step, logs["loss"]))
            if state.global_step == 3:
                raise RuntimeError("no network")

    monkeypatch.setitem(integrations.INTEGRATION_TO_CALLBACK, "mine", Reporter)
    output = tmp_path / "task.vpatch"
    assert main(line(TINY / "tiny-llama", data, output, "--recipe", "sa-proj", "--report-to", "mine")) == 0
    losses = vpatch.open(output).to_dict()["annotations"]["training"]["curve"]["loss"]
    # One that fails is left out, and the run goes on.
    assert seen == [("task", 5, 1e-3), (1, losses[0]), (2, losses[1]), (3, losses[2])]


def test_layers_of_models() -> None:
    from vpatch.train.model import layers

    model = vpatch.load_model(TINY / "tiny-llama")
    assert layers(model) == list(model.model.layers)
    model._no_split_modules = None
    assert layers(model) == list(model.model.layers)
