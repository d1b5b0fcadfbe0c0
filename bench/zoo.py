"""Checks recipes on tiny models of 39 families, as transformers saves them.

    zoo.py check FOLDER --vpatch VPATCH [--seed N]   one row a family; makes FOLDER with `make` if it does not exist
    zoo.py make FOLDER                               FOLDER/FAMILY/{base,sa-proj,gate-up}: random weights, and two
                                                     fine-tunes of them
    zoo.py names FOLDER > fixtures/keys/zoo.tsv      the tensors of each family, and which of them each fine-tune moved

`make` needs torch 2.13 and transformers 5.24 (bench/setup.sh torch). It finds what to move by the structure of the
running model, not by names in files: the linear layers of attention modules, and the linear layers of MLP and expert
modules that read the hidden state. `check` needs only numpy. Beside the folder it reads fixtures/keys/zoo.tsv for what
belongs to gate-up, and makes that fine-tune itself, so it also runs on a folder with only `base` and `tuned`.

For each family and recipe, `check` tests that `create --recipe` succeeds, that `apply` and `revert` give the same files
byte for byte, and that a random tensor outside the recipe, if it moved too, is refused by its name.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import checkpoint

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "keys" / "zoo.tsv"
RECIPES = ["sa-proj", "gate-up"]

TEXT = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip
EXPERTS = {
    "num_experts": 4, "num_local_experts": 4, "n_routed_experts": 4, "num_experts_per_tok": 2,
    "moe_intermediate_size": 32, "shared_expert_intermediate_size": 32, "n_shared_experts": 1, "n_group": 1,
    "topk_group": 1, "first_k_dense_replace": 1, "decoder_sparse_step": 1,
}  # fmt: skip
LATENT = {
    "q_lora_rank": 24, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8,
    "qk_head_dim": 16, "head_dim": 8,
}  # fmt: skip
LINEAR = {
    "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4,
    "linear_conv_kernel_dim": 4,
}  # fmt: skip
IMAGE = {
    "depth": 2, "hidden_size": 32, "num_heads": 2, "num_attention_heads": 2, "num_hidden_layers": 2,
    "intermediate_size": 48, "patch_size": 8, "image_size": 32, "out_hidden_size": 64, "spatial_merge_size": 2,
    "temporal_patch_size": 2, "in_channels": 3, "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
}  # fmt: skip
TOKENS = {
    "image_token_id": 5, "video_token_id": 6, "vision_start_token_id": 7, "vision_end_token_id": 8,
    "image_token_index": 5,
}  # fmt: skip

# Family -> settings of its language model beside TEXT.
LANGUAGE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ["qwen3", "gemma3_text", "gemma4_text", "phi3", "olmo2", "olmo3", "smollm3", "granite", "cohere2",
         "starcoder2", "gpt2", "mistral", "glm4", "ministral3", "seed_oss", "exaone4", "hunyuan_v1_dense"], {}),
    **dict.fromkeys(["qwen3_moe", "gpt_oss", "glm4_moe", "mixtral"], EXPERTS),
    "qwen3_next": EXPERTS | LINEAR,
    "qwen3_5_text": LINEAR,
    "deepseek_v3": EXPERTS | LATENT,
    "llama4_text": EXPERTS | {"intermediate_size_mlp": 96},
    "lfm2": {"full_attn_idxs": [1, 3], "block_auto_adjust_ff_dim": False},
}  # fmt: skip
VISION_LANGUAGE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(
        ["qwen3_vl", "gemma3", "mistral3", "internvl", "smolvlm", "paligemma", "llava_onevision", "qwen2_vl",
         "aya_vision", "glm4v"], {}),
    "qwen3_vl_moe": EXPERTS,
    "qwen3_5": LINEAR,
    "llama4": LANGUAGE["llama4_text"],
}  # fmt: skip


# --- make ---


def config(family: str) -> Any:
    from transformers import CONFIG_MAPPING

    kind = CONFIG_MAPPING[family]
    if family in LANGUAGE:
        return kind(**TEXT | LANGUAGE[family])
    default = kind()
    text = TEXT | VISION_LANGUAGE[family] | {"model_type": default.text_config.model_type}
    rope = getattr(default.text_config, "rope_parameters", None) or {}
    if "mrope_section" in rope:
        text["rope_parameters"] = rope | {"mrope_section": [2, 3, 3]}
    image = IMAGE | {"model_type": default.vision_config.model_type}
    return kind(text_config=text, vision_config=image, **TOKENS)


def roles(model: Any, hidden: int) -> dict[str, list[Any]]:
    """The parameters of each recipe, found by the structure of the language model."""
    import torch
    from transformers.pytorch_utils import Conv1D

    whole = model.base_model
    decoder = getattr(whole, "language_model", getattr(whole, "text_model", whole))
    found: dict[str, list[Any]] = {recipe: [] for recipe in RECIPES}
    for module in decoder.modules():
        kind = type(module).__name__
        linear = [child for child in module.children() if isinstance(child, (torch.nn.Linear, Conv1D))]
        if kind.endswith(("Attention", "GatedDeltaNet")):
            found["sa-proj"] += [p for child in linear for p in child.parameters()]
        elif kind.endswith("MLP"):
            # The weights of a Linear are [out, in], those of GPT-2's Conv1D [in, out].
            inputs = [c for c in linear if c.weight.shape[0 if isinstance(c, Conv1D) else 1] == hidden]
            found["gate-up"] += [p for child in inputs for p in child.parameters()]
        elif kind.endswith("Experts"):
            found["gate-up"] += [p for name, p in module.named_parameters() if name.startswith("gate_up")]
    return found


def make(folder: Path) -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    for family in sorted(LANGUAGE | VISION_LANGUAGE):
        torch.manual_seed(0)
        auto = AutoModelForCausalLM if family in LANGUAGE else AutoModelForImageTextToText
        model = auto.from_config(config(family)).to(torch.bfloat16)
        for parameter in model.parameters():
            if parameter.dim() < 2:
                parameter.data.add_(torch.randn_like(parameter) * 0.05)
        model.save_pretrained(folder / family / "base")
        for recipe, parameters in roles(model, TEXT["hidden_size"]).items():
            before = [p.data.clone() for p in parameters]
            for p in parameters:
                p.data.add_((torch.randn(p.shape) * 0.01).to(p.dtype))
            model.save_pretrained(folder / family / recipe)
            for p, data in zip(parameters, before, strict=True):
                p.data.copy_(data)
        print("made", family, file=sys.stderr)


# --- names ---


def weights(folder: Path) -> dict[str, checkpoint.Tensor]:
    return {tensor.name: tensor for tensor in checkpoint.read_header(folder / "model.safetensors")[0]}


def changed(base: Path, tuned: Path) -> set[str]:
    files = [folder / "model.safetensors" for folder in (base, tuned)]
    both = [weights(base), weights(tuned)]
    bits = [{name: checkpoint.read_bits(file, tensor) for name, tensor in tensors.items()}
            for file, tensors in zip(files, both, strict=True)]
    return {name for name in bits[0] if not np.array_equal(bits[0][name], bits[1][name])}


def names(folder: Path) -> None:
    """One line a tensor: family, name, dtype, shape, and the recipes whose fine-tune moved it."""
    for family in sorted(path.name for path in folder.iterdir()):
        moved = {recipe: changed(folder / family / "base", folder / family / recipe) for recipe in RECIPES}
        for name, tensor in sorted(weights(folder / family / "base").items()):
            held = [recipe for recipe in RECIPES if name in moved[recipe]]
            print(family, name, tensor.dtype, "x".join(map(str, tensor.shape)), " ".join(held) or "-", sep="\t")


def fixture() -> dict[str, dict[str, list[str]]]:
    """Family -> tensor -> recipes."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in FIXTURE.read_text().splitlines():
        family, name, _, _, held = line.split("\t")
        found.setdefault(family, {})[name] = [] if held == "-" else held.split(" ")
    return found


# --- check ---


class Family:
    def __init__(self, folder: Path, tensors: dict[str, list[str]], vpatch: Path, work: Path, seed: int) -> None:
        self.base = folder / "base"
        self.tensors = tensors
        self.vpatch = vpatch
        self.work = work
        self.random = random.Random(f"{folder.name} {seed}")
        # The fine-tune of attention is called `tuned` where another tool made the folder.
        self.tuned = {"sa-proj": next(p for p in (folder / "sa-proj", folder / "tuned") if p.exists())}

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run([self.vpatch, *map(str, arguments)], capture_output=True, text=True, check=False)

    def move(self, source: Path, to: str, chosen: set[str]) -> Path:
        """The model with the lowest bit of each weight of some tensors flipped."""
        target = self.work / to
        target.mkdir()
        file = source / "model.safetensors"
        metadata = {"format": "pt"}
        checkpoint.write_file(target / "model.safetensors", [
            (t.name, t.dtype, t.shape, [checkpoint.read_bits(file, t) ^ (1 if t.name in chosen else 0)])
            for t in weights(source).values()], metadata)  # fmt: skip
        (target / "config.json").write_bytes((source / "config.json").read_bytes())
        return target

    def check(self, recipe: str) -> list[str]:
        """What is wrong; nothing if all is well."""
        inside = {name for name, held in self.tensors.items() if recipe in held}
        tuned = self.tuned.get(recipe) or self.move(self.base, recipe, inside)
        problems = []
        if set(weights(self.base)) != set(self.tensors):
            problems.append("other tensors than in the fixture")
        if changed(self.base, tuned) != inside:
            problems.append("the fine-tune moved other tensors than in the fixture")
        patch = self.work / f"{recipe}.vpatch"
        made = self.run("create", self.base, tuned, "-o", patch, "--no-store", "--recipe", recipe)
        if made.returncode != 0:
            return [*problems, made.stderr.strip()]
        ends = {"apply": (self.base, tuned), "revert": (tuned, self.base)}
        for command, (start, end) in ends.items():
            result = self.work / f"{recipe}-{command}"
            done = self.run(command, start, patch, "-o", result, "--full")
            files = [folder / "model.safetensors" for folder in (result, end)]
            if done.returncode != 0 or files[0].read_bytes() != files[1].read_bytes():
                problems.append(f"{command}: {done.stderr.strip() or 'other bytes'}")
        other = self.random.choice(sorted(set(self.tensors) - inside))
        outside = self.move(tuned, f"{recipe}-outside", {other})
        refused = self.run("create", self.base, outside, "-o", self.work / "no.vpatch", "--no-store",
                           "--recipe", recipe)
        if refused.returncode != 5 or f'"{other}"' not in refused.stderr:
            problems.append(f"{other} was not refused: {refused.stderr.strip()}")
        return problems


def check(folder: Path, vpatch: Path, seed: int) -> int:
    if not folder.exists():
        make(folder)
    expected = fixture()
    failures = 0
    print(f"{'family':<18}{'tensors':>8}" + "".join(f"{recipe:>10}" for recipe in RECIPES))
    for family, tensors in expected.items():
        row = f"{family:<18}{len(tensors):>8}"
        problems = []
        for recipe in RECIPES:
            with tempfile.TemporaryDirectory() as work:
                found = Family(folder / family, tensors, vpatch, Path(work), seed).check(recipe)
            problems += [f"  {recipe}: {problem}" for problem in found]
            count = sum(recipe in held for held in tensors.values())
            row += f"{'failed' if found else f'{count} ok':>10}"
        print("\n".join([row, *problems]), flush=True)
        failures += bool(problems)
    print(f"{len(expected) - failures} of {len(expected)} families: proved, applied, reverted, refused")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("action", choices=["check", "make", "names"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--vpatch", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.action == "make":
        make(options.folder)
    elif options.action == "names":
        names(options.folder)
    elif options.vpatch is None:
        parser.error("check requires --vpatch")
    else:
        return check(options.folder, options.vpatch.resolve(), options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
