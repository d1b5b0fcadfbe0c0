"""Makes a small vision-language model: LLaVA with DINOv2-small as image encoder and SmolLM2-135M-Instruct.

    small_lmm.py [--out DIR] [--side PIXELS] [--seed N]     prints the directory; default: the cache folder

Both come from public packages (dinov2.py, smollm2.py). Between them is a projector of two layers with random weights,
so the model cannot use images yet; the study (study/eyes) trains the projector first. All tensors are bf16 and have
LLaVA's names on the Hugging Face hub. An image has 112 × 112 pixels, or 8 × 8 patches of 14: 64 tokens in the place of
`<image>`. That token replaces `<empty_output>`, which SmolLM2's vocabulary has for notebooks.
"""
import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import cache
import checkpoint
import dinov2
import smollm2

SIDE, SEED = 112, 0
SPREAD = 0.02  # standard deviation of the projector's weights, as transformers has it; biases are 0
IMAGE, REPLACED = "<image>", "<empty_output>"
# ChatML as LLaVA-NeXT's 34B has it, without SmolLM2's own system prompt: a row is 24 tokens shorter, a fifth of it.
TEMPLATE = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n'}}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}{{ content['text'] }}{% endfor %}"
    "{{'<|im_end|>\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")


def projector(width: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, float32 array) of its four tensors."""
    random = np.random.default_rng(seed)
    for layer, inputs in (("linear_1", dinov2.WIDTH), ("linear_2", width)):
        values = random.standard_normal((width, inputs), np.float32) * np.float32(SPREAD)
        yield f"multi_modal_projector.{layer}.weight", values
        yield f"multi_modal_projector.{layer}.bias", np.zeros(width, np.float32)


def weights(tower: Path, language: Path, width: int, seed: int) -> list[checkpoint.Written]:
    """(name, dtype, shape, parts) of all tensors, by name."""
    found: dict[str, np.ndarray] = {}
    file = tower / "model.safetensors"
    for tensor in checkpoint.read_header(file)[0]:
        values = checkpoint.read_bits(file, tensor).view(np.float32).reshape(tensor.shape)
        found[f"vision_tower.{tensor.name}"] = checkpoint.to_bf16(values)
    file = language / "model.safetensors"
    for tensor in checkpoint.read_header(file)[0]:
        found[f"language_model.{tensor.name}"] = checkpoint.read_bits(file, tensor).reshape(tensor.shape)
    found |= {name: checkpoint.to_bf16(values) for name, values in projector(width, seed)}
    return [(name, "BF16", found[name].shape, [np.ascontiguousarray(found[name]).tobytes()]) for name in sorted(found)]


def tokenizer(language: Path) -> tuple[dict[str, Any], dict[str, Any], int]:
    """tokenizer.json and tokenizer_config.json, with `<image>`; its id."""
    rules, settings = (json.loads((language / name).read_text(encoding="utf-8"))
                       for name in ("tokenizer.json", "tokenizer_config.json"))
    token = next(token for token in rules["added_tokens"] if token["content"] == REPLACED)
    token["content"] = IMAGE
    vocabulary = rules["model"]["vocab"]
    rules["model"]["vocab"] = {IMAGE if text == REPLACED else text: number for text, number in vocabulary.items()}
    # The class of language models would leave a rule of tokenizer.json out (each digit by itself); a LLaVA's has all.
    del settings["chat_template"]
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", "extra_special_tokens": {"image_token": IMAGE},
                 "processor_class": "LlavaProcessor"}
    return rules, settings, token["id"]


def side_files(tower: Path, language: Path, side: int) -> dict[str, Any]:
    rules, settings, image = tokenizer(language)
    text, vision = (json.loads((folder / "config.json").read_text()) for folder in (language, tower))
    for part in (text, vision):
        del part["architectures"], part["torch_dtype"]
    return {
        "config.json": {
            "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava", "torch_dtype": "bfloat16",
            "image_token_index": image, "image_seq_length": (side // dinov2.PATCH) ** 2,
            "multimodal_projector_bias": True, "projector_hidden_act": "gelu", "vision_feature_layer": -1,
            "vision_feature_select_strategy": "default", "tie_word_embeddings": True,
            "text_config": text, "vision_config": vision},
        "generation_config.json": json.loads((language / "generation_config.json").read_text()),
        "preprocessor_config.json": dinov2.preprocessor(side) | {"processor_class": "LlavaProcessor"},
        "processor_config.json": {
            "processor_class": "LlavaProcessor", "image_token": IMAGE, "patch_size": dinov2.PATCH,
            "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1},
        "special_tokens_map.json": json.loads((language / "special_tokens_map.json").read_text()),
        "tokenizer.json": rules, "tokenizer_config.json": settings}


def write(out: Path, side: int, seed: int) -> None:
    tower, language = dinov2.directory(), smollm2.directory()
    width = json.loads((language / "config.json").read_text())["hidden_size"]
    checkpoint.write_file(out / "model.safetensors", weights(tower, language, width, seed), {"format": "pt"})
    for name, content in side_files(tower, language, side).items():
        (out / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "chat_template.jinja").write_text(TEMPLATE)


def directory(out: str | Path | None = None, side: int = SIDE, seed: int = SEED) -> Path:
    """The model's directory, put together if it is not there yet."""
    return checkpoint.made(
        Path(out) if out else cache.folder() / f"small-lmm-{side}-{seed}", lambda made: write(made, side, seed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="output directory, empty or new")
    parser.add_argument("--side", type=int, default=SIDE, metavar="PIXELS",
                        help="image width and height in pixels, a multiple of 14 (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, metavar="N",
                        help="random seed of the projector (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.side < dinov2.PATCH or arguments.side % dinov2.PATCH:
        parser.error(f"--side {arguments.side} is not a multiple of {dinov2.PATCH}")
    print(directory(arguments.out, arguments.side, arguments.seed))
