"""Compares token ids and probabilities of conversations with images: transformers and `vpatch score`.

    python bench/image_ids.py [--vpatch PATH] [--conversations N] [--seed N]     needs transformers, torch, pillow

For each tiny vision-language model of the fixtures, this script trains a tokenizer with the model's image token and
adds the chat template of the family. Both programs read the same random conversations (no, one or several images of
many sizes, in any turn, before and after text). Exit code 1 if token ids differ, or if the log-probability of a token
differs by more than 1e-4.
"""
import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoImageProcessor, AutoModelForImageTextToText, PreTrainedTokenizerFast
from transformers.models.llava_next.processing_llava_next import LlavaNextProcessor
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor
from transformers.models.qwen2_5_vl.processing_qwen2_5_vl import Qwen2_5_VLProcessor
from transformers.processing_utils import ProcessorMixin

ROOT = Path(__file__).parent.parent
# the model, the text that stands for an image, its chat template
FAMILIES = [("llava-onevision", "<image>", "llava-onevision"), ("llava-next", "<image>", "llava-mistral"),
            ("qwen2.5-vl", "<|image_pad|>", "qwen2.5-vl")]
SIZES = [(30, 30), (64, 48), (90, 41), (41, 90), (200, 30), (28, 300), (333, 250)]
NEAR = 1e-4
TEXTS = ["How many?", " Which is  larger?\n", "See ", "\nand say.", "日本語 🙂", "it's \"quoted\""]


Message = dict[str, Any]


def tokenizer(mark: str) -> Tokenizer:
    """One whose sixth token is the mark: that of the tiny models."""
    result = Tokenizer(models.BPE())
    result.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    result.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", mark]
    lines = (ROOT / "docs" / "data.md").read_text().split("\n")
    result.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=500, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return result


def conversation(rng: random.Random, images: list[str]) -> list[Message]:
    def text() -> dict[str, str]:
        return {"type": "text", "text": rng.choice(TEXTS)}

    def image() -> dict[str, str]:
        return {"type": "image", "path": rng.choice(images)}

    messages = [{"role": "system", "content": [text()]}] if rng.random() < 0.3 else []
    for turn in range(rng.choice([1, 1, 3])):
        content = [text()] if turn % 2 else rng.choice(
            [[image(), text()], [image(), text()], [image(), image(), text()], [text(), image(), text()], [text()],
             [image()]])
        messages.append({"role": ["user", "assistant"][turn % 2], "content": content})
    return messages


def processor(name: str, folder: Path, mark: str, template: str) -> ProcessorMixin:
    config = json.loads((folder / "config.json").read_text())
    vision = config["vision_config"]
    parts = {
        "image_processor": AutoImageProcessor.from_pretrained(str(folder), backend="pil"),
        "tokenizer": PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_file(str(folder / "tokenizer.json")), eos_token="<|im_end|>",
            extra_special_tokens={"image_token": mark}), "chat_template": template}
    if name == "llava-next":
        return LlavaNextProcessor(
            patch_size=vision["patch_size"], num_additional_image_tokens=1,
            vision_feature_select_strategy=config["vision_feature_select_strategy"], **parts)
    # There are no videos here, and their processors need torchvision.
    ProcessorMixin.check_argument_for_proper_class = lambda self, argument, value: type(value)
    if name == "llava-onevision":
        return LlavaOnevisionProcessor(
            video_processor=None, num_image_tokens=(vision["image_size"] // vision["patch_size"]) ** 2,
            vision_feature_select_strategy=config["vision_feature_select_strategy"], **parts)
    return Qwen2_5_VLProcessor(video_processor=None, **parts)


def expected(processor: ProcessorMixin, model: Any, folder: Path,
             messages: list[Message]) -> tuple[list[int], list[float]]:
    """The ids, and the log-probability of each but the first."""
    text = processor.apply_chat_template(messages, tokenize=False)
    images = [Image.open(folder / part["path"]) for message in messages for part in message["content"]
              if part["type"] == "image"]
    inputs = processor(text=text, images=[images] if images else None, return_tensors="pt")
    with torch.inference_mode():
        logits = model(**{key: value for key, value in inputs.items() if key != "token_type_ids"}).logits[0]
    ids = inputs["input_ids"][0]
    return ids.tolist(), logits[:-1].log_softmax(-1).gather(1, ids[1:, None])[:, 0].tolist()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"))
    parser.add_argument("--conversations", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        for name, mark, family in FAMILIES:
            rng = random.Random(options.seed)
            folder = Path(temporary) / name
            model = folder / "model"
            shutil.copytree(ROOT / "fixtures" / "tiny-models" / f"tiny-{name}", model)
            template = next((ROOT / "fixtures" / "chat" / family).glob("chat_template.*"))
            shutil.copy(template, model)
            tokenizer(mark).save(str(model / "tokenizer.json"))
            (model / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
            images = []
            for i, size in enumerate(SIZES):
                Image.effect_noise(size, 60).convert("RGB").save(folder / f"{i}.png")
                images.append(f"{i}.png")
            text = template.read_text()
            reference = processor(name, model, mark,
                                  text if template.suffix == ".jinja" else json.loads(text)["chat_template"])
            rows = [conversation(rng, images) for _ in range(options.conversations)]
            data = folder / "rows.jsonl"
            data.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows))
            out = subprocess.run(
                [options.vpatch, "score", str(model), "--data", str(data), "--json", "--quiet", "--store",
                 f"{temporary}/store"],
                check=True, capture_output=True, text=True).stdout
            network = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32).eval()
            differing, largest, tokens = [], 0, 0
            for row, line in zip(rows, map(json.loads, out.splitlines()), strict=True):
                ids, values = expected(reference, network, folder, row)
                tokens += len(ids)
                if line["ids"] != ids:
                    differing.append(row)
                else:
                    largest = max([largest] + [abs(a - b) for a, b in zip(line["logprobs"], values, strict=True)])
            wrong += len(differing) + (largest > NEAR)
            print(f"{name}: {len(rows)} conversations, {tokens} ids; {len(differing)} differ; "
                  f"log-probabilities by at most {largest:.1e}")
            for row in differing[:3]:
                print("  ", json.dumps(row, ensure_ascii=False))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
