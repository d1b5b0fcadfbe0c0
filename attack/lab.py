"""The material of attacks: small models and patches, made once in a temporary folder."""
import json
import random
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import checkpoint
from checkpoint import Tensor, Tensors
from command import Run, Vpatch

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures"
WORDS = ["cat", "dog", "owl", "fox", "lamp", "cup", "shoe", "hat", "pen", "key"]
SIDE = {"config.json": b'{"a": 1}', "tokenizer.json": b'{"t": 1}', "README.md": b"hello", "sub/x.txt": b"sub"}

SUITE = """name = "small"
[[task]]
name = "count"
kind = "exact-match"
role = "target"
data = "rows.jsonl"
limit = 4
format = "raw"
max_tokens = 3
[[task]]
name = "drift"
kind = "kl"
role = "held-out"
data = "neutral.txt"
"""


@dataclass
class Lab:
    folder: Path
    vpatch: Vpatch
    jobs: int
    seed: int
    #: Number of patches of one base that `patches` has made so far.
    _numbered: int = field(default=0)

    @property
    def sources(self) -> Path:
        return self.folder / "sources"

    def place(self, name: str) -> Path:
        """An empty folder."""
        path = self.folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def do(self, *arguments: str | Path, folder: Path | None = None, store: Path | None = None,
           timeout: float = 300) -> Run:
        """Runs a command that must succeed."""
        more = {"VPATCH_STORE": str(store)} if store else None
        run = self.vpatch.run(arguments, folder or self.sources, more, timeout)
        if run.code:
            raise RuntimeError(f"vpatch {' '.join(map(str, arguments))}: exit {run.code}: {run.errors}")
        return run

    # The sources: files base, tuned-a, tuned-b, chained (on tuned-a), other (another base); folders fb, ft, fg;
    # patches a, b, c (chained), f and g (of folders), trained, measured; tl, a model that can be trained; its rows,
    # suite and results.

    def furnish(self, training: bool = True) -> None:
        """Makes the sources."""
        self.sources.mkdir(parents=True)
        names = [f"model.layers.{i}.{part}.weight" for i in range(2)
                 for part in ("self_attn.q_proj", "self_attn.v_proj", "mlp.up_proj", "input_layernorm")]
        base = checkpoint.weights(names, 16, 16, seed=1)
        a, b = checkpoint.tuned(base, "self_attn", 2), checkpoint.tuned(base, "mlp", 3)
        files = {"base": base, "tuned-a": a, "tuned-b": b, "chained": checkpoint.tuned(a, "up_proj", 4),
                 "other": checkpoint.tuned(base, "layernorm", 5)}
        for name, tensors in files.items():
            (self.sources / f"{name}.safetensors").write_bytes(checkpoint.pack(tensors))
        side = {**SIDE, "config.json": b'{"a": 2}', "new.txt": b"new"}
        del side["README.md"]
        for name, tensors, beside in (("fb", base, SIDE), ("ft", a, side), ("fg", b, SIDE)):
            checkpoint.write_folder(self.sources / name, tensors, beside)
        for patch, old, new in (("a", "base.safetensors", "tuned-a.safetensors"),
                                ("b", "base.safetensors", "tuned-b.safetensors"),
                                ("c", "tuned-a.safetensors", "chained.safetensors"), ("f", "fb", "ft"),
                                ("g", "fb", "fg")):
            self.do("create", old, new, "-o", f"{patch}.vpatch", "--name", patch, "--no-store", "-q")
        for name in ("key.pem", "pub.pem"):
            shutil.copy(FIXTURES / "signing" / name, self.sources / name)
        if training:
            self._furnish_training()

    def _furnish_training(self) -> None:
        make_model(self.sources / "tl")
        rng = random.Random(3)
        rows = []
        for _ in range(12):
            drawn = [rng.choice(WORDS) for _ in range(5)]
            rows.append(json.dumps({"prompt": f"How often is {drawn[0]} in {', '.join(drawn)}?",
                                    "completion": f" {drawn.count(drawn[0])}"}))
        suite = self.sources / "suite"
        suite.mkdir()
        for folder in (self.sources, suite):
            (folder / "rows.jsonl").write_text("\n".join(rows) + "\n")
        (suite / "neutral.txt").write_text(documents(4, 30, 3))
        (suite / "suite.toml").write_text(SUITE)
        train = ("train", "tl", "--recipe", "sa-proj", "--data", "rows.jsonl", "--no-store", "-q", "--steps", "4",
                 "--batch", "2", "--lr", "1e-3", "-o", "trained.vpatch", "--name", "trained")
        self.do(*train)
        shutil.copy(self.sources / "trained.vpatch", self.sources / "measured.vpatch")
        self.do("eval", "tl", "--patch", "measured.vpatch", "--suite", "suite/suite.toml", "--record", "--results",
                "tuned.json", "--base-results", "base.json", "-q")

    def patches(self, count: int) -> Path:
        """A folder with `base.safetensors` and p0.vpatch, p1.vpatch …, patches of it, each with its own name."""
        folder = self.folder / "patches"
        folder.mkdir(exist_ok=True)
        base = checkpoint.weights([f"model.layers.{i}.self_attn.{part}_proj.weight" for i in range(2)
                                   for part in "qkvo"], 16, 16, seed=11)
        (folder / "base.safetensors").write_bytes(checkpoint.pack(base))
        for number in range(self._numbered, count):
            part = ("q_proj", "k_proj", "v_proj", "self_attn")[number % 4]
            (folder / "tuned.safetensors").write_bytes(checkpoint.pack(checkpoint.tuned(base, part, 100 + number)))
            self.do("create", "base.safetensors", "tuned.safetensors", "-o", f"p{number}.vpatch", "--name",
                    f"p{number}", "--no-store", "-q", folder=folder)
        self._numbered = max(self._numbered, count)
        return folder


def documents(count: int, words: int, seed: int) -> str:
    """Texts for a suite, of words in the tokenizer's vocabulary."""
    rng = random.Random(seed)
    return "\n%\n".join(" ".join(rng.choice(WORDS) for _ in range(words)) for _ in range(count))


def make_model(folder: Path) -> None:
    """The tiny Llama of the fixtures with a real tokenizer; the model's vocabulary is enlarged to fit."""
    source = FIXTURES / "tiny-models" / "tiny-llama"
    tokens = 712
    config = json.loads((source / "config.json").read_text())
    grown: Tensors = {}
    for name, tensor in checkpoint.unpack((source / "model.safetensors").read_bytes()).items():
        if tensor.shape[0] == config["vocab_size"]:
            row = len(tensor.data) // tensor.shape[0]
            data = (tensor.data * 2)[:tokens * row]
            tensor = Tensor(tensor.dtype, (tokens, *tensor.shape[1:]), data)
        grown[name] = tensor
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(checkpoint.pack(grown))
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": tokens}))
    shutil.copy(source / "generation_config.json", folder)
    shutil.copy(FIXTURES / "tokenizers" / "smollm2" / "tokenizer.json", folder)
