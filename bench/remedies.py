"""Tests the Python advice in errors: for a PEFT adapter, a torch.distributed checkpoint, and a PyTorch file.

    remedies.py VPATCH          with torch, transformers, peft and safetensors; bench/requirements-torch.txt

Each input is made from a tiny model. `vpatch create` must refuse it as the tuned model. The expression that the error
prints is then run unchanged, and `create` must accept its result.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

VPATCH = Path(sys.argv[1]).resolve()


def create(folder: Path, tuned: Path) -> tuple[int, str]:
    done = subprocess.run(
        [VPATCH, "create", folder / "base", tuned, "-o", folder / "p.vpatch", "--no-store", "--force"],
        capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def refused(folder: Path, tuned: Path, words: str) -> str:
    code, errors = create(folder, tuned)
    assert code in (2, 5) and words in errors, errors
    return errors


def expect_taken(folder: Path, tuned: Path) -> None:
    code, errors = create(folder, tuned)
    assert code == 0, errors


def moved(model: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight += 0.01
    return model


def adapter(folder: Path) -> None:
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder / "base"),
        LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    model.save_pretrained(folder / "adapter")
    error = refused(folder, folder / "adapter" / "adapter_model.safetensors", "adapter")
    assert "give the adapter's folder" in error, error
    expect_taken(folder, folder / "adapter")
    # One that is not a product of two factors.
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder / "base"),
        LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False, use_dora=True))
    model.save_pretrained(folder / "dora")
    error = refused(folder, folder / "dora", "DoRA")
    advice = re.search(r"in Python, (PeftModel.+save_pretrained\(folder\))", error)
    assert advice, error
    eval(advice[1], {  # what our own error says
        "PeftModel": PeftModel, "model": AutoModelForCausalLM.from_pretrained(folder / "base"),
        "adapter": folder / "dora", "folder": folder / "merged"})
    expect_taken(folder, folder / "merged")


def distributed(folder: Path) -> None:
    model = moved(AutoModelForCausalLM.from_pretrained(folder / "base"))
    dcp.save(model.state_dict(), checkpoint_id=folder / "dcp", no_dist=True)
    error = refused(folder, folder / "dcp", "torch.distributed (DCP")
    advice = re.search(r"(torch\.distributed\.checkpoint\.format_utils)\.(\w+)", error)
    assert advice, error
    __import__(advice[1])
    getattr(sys.modules[advice[1]], advice[2])(folder / "dcp", folder / "gathered.pt")
    pickle(folder, folder / "gathered.pt")


def pickle(folder: Path, path: Path) -> None:
    error = refused(folder, path, "a pickle")
    advice = re.search(r"convert it: (python3 -c .+)", error)
    assert advice, error
    python = Path(sys.executable).parent
    subprocess.run(["sh", "-c", advice[1]], check=True, env={**os.environ, "PATH": f"{python}:{os.environ['PATH']}"})
    expect_taken(folder, path.with_suffix(".safetensors"))


with tempfile.TemporaryDirectory() as name:
    work = Path(name)
    config = LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=64,
        dtype="bfloat16")
    base = LlamaForCausalLM(config).to(torch.bfloat16)
    base.save_pretrained(work / "base")
    adapter(work)
    distributed(work)
    (work / "bin").mkdir()
    torch.save(moved(base).state_dict(), work / "bin" / "pytorch_model.bin")
    refused(work, work / "bin", "not in safetensors form: pytorch_model.bin")
    pickle(work, work / "bin" / "pytorch_model.bin")
    print("the Python advice in errors works: adapter, torch.distributed, pickle")
