"""PEFT fine-tunes of SmolLM2-135M for bench/adapters.py: trained once, kept in the cache folder.

A run is a few AdamW steps on a text of the repository, in float32 over the bf16 weights, with a seed. The learning rate
sets the strength: the share of the merged weights that differ from the base's.
"""
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

import cache
import checkpoint

TEXT = Path(__file__).resolve().parents[1] / "suites" / "neutral" / "text.txt"
STEPS, TOKENS, SEED = 6, 64, 20261130
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
TARGETS = {"attention": ATTENTION, "all-linear": [*ATTENTION, "gate_proj", "up_proj", "down_proj"],
           "attention+saved": ATTENTION}
SAVED = ["model.norm", "layers.29.mlp"]  # trained whole, with "attention+saved"


# Learning rate times the root of the rank, by the share of the merged weights that it changes, in percent.
LEVELS = {23: 1.15e-3, 60: 4.6e-3, 90: 2.4e-2}


@dataclass(frozen=True)
class Recipe:
    rank: int
    modules: str   # a key of TARGETS
    strength: int  # a key of LEVELS

    @property
    def name(self) -> str:
        return f"r{self.rank}-{self.modules}-{self.strength}"

    @property
    def rate(self) -> float:
        return LEVELS[self.strength] / math.sqrt(self.rank)


RECIPES = [
    Recipe(4, "attention", 23), Recipe(4, "all-linear", 60), Recipe(4, "attention+saved", 90),
    Recipe(16, "attention", 23), Recipe(16, "attention", 60), Recipe(16, "attention", 90),
    Recipe(16, "all-linear", 23), Recipe(16, "attention+saved", 60),
    Recipe(64, "attention+saved", 23), Recipe(64, "attention", 60), Recipe(64, "all-linear", 60),
    Recipe(64, "all-linear", 90),
]


def quiet() -> None:
    """One thread count for all runs, so that they are repeatable; no messages that are not the bench's."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    torch.set_num_threads(2)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def load(base: Path, dtype: Any) -> Any:
    return AutoModelForCausalLM.from_pretrained(base, dtype=dtype)


def windows(base: Path) -> Iterator[Any]:
    """The text's tokens, STEPS windows of TOKENS each."""
    ids = Tokenizer.from_file(str(base / "tokenizer.json")).encode(TEXT.read_text(encoding="utf-8")).ids
    for step in range(STEPS):
        yield torch.tensor([ids[step * TOKENS:(step + 1) * TOKENS]])


def trained(base: Path, recipe: Recipe) -> Any:
    torch.manual_seed(SEED)
    config = LoraConfig(
        r=recipe.rank, lora_alpha=2 * recipe.rank, target_modules=TARGETS[recipe.modules], task_type="CAUSAL_LM",
        modules_to_save=SAVED if recipe.modules == "attention+saved" else None)
    model = get_peft_model(load(base, torch.float32), config)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=recipe.rate, weight_decay=0)
    for ids in windows(base):
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    return model


def save(model: Any, folder: Path) -> None:
    """As PEFT saves it over a bf16 base: factors in float32, modules that are trained whole in bf16."""
    for key, module in model.named_modules():
        if key.endswith(".modules_to_save"):
            module.to(torch.bfloat16)
    config = model.peft_config["default"]
    config.base_model_name_or_path = "SmolLM2-135M-Instruct"
    config.target_modules = sorted(config.target_modules)  # a set, whose order differs from process to process
    model.save_pretrained(folder, save_embedding_layers=False)  # "auto" would ask the hub


def adapter(base: Path, recipe: Recipe) -> Path:
    """The run's folder, trained if it is not there yet or was trained with other settings."""
    folder = cache.folder("adapters") / recipe.name
    stamp = folder.with_name(recipe.name + ".json")
    settings = {**asdict(recipe), "rate": recipe.rate, "steps": STEPS, "tokens": TOKENS, "seed": SEED,
                "text": checkpoint.sha256(TEXT), "base": checkpoint.sha256(base / "model.safetensors")}
    if stamp.exists() and json.loads(stamp.read_text()) == settings and folder.exists():
        return folder
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        save(trained(base, recipe), Path(scratch, "adapter"))
        Path(scratch, "adapter").rename(folder)
    stamp.write_text(json.dumps(settings, indent=2) + "\n")
    return folder


@contextmanager
def merged(base: Path, folder: Path, scratch: Path) -> Iterator[Path]:
    """PEFT's own merged model, as it merges by default and saves it."""
    with tempfile.TemporaryDirectory(dir=scratch) as out:
        model = PeftModel.from_pretrained(load(base, torch.bfloat16), folder).merge_and_unload()
        model.save_pretrained(out)
        del model
        yield Path(out)


def left_wrong(base: Path, folder: Path) -> int:
    """How many weights differ from the base's after PEFT's own merge and unmerge."""
    model = PeftModel.from_pretrained(load(base, torch.bfloat16), folder)
    layers = [module for module in model.modules() if hasattr(module, "base_layer") and hasattr(module, "lora_A")]
    before = [layer.base_layer.weight.detach().clone() for layer in layers]
    model.merge_adapter()
    model.unmerge_adapter()
    return sum(int((layer.base_layer.weight.view(torch.int16) != old.view(torch.int16)).sum())
               for layer, old in zip(layers, before, strict=True))
