"""One training step of SA Proj at Qwen2.5-VL-3B's real shapes: its peak memory, and what the 7B would need.

    $(bench/setup.sh) bench/vision.py --only size

The weights are random bf16 (uniform, standard deviation 0.02; norms 1), in shards of about 2 GB with an index, with the
names and shapes of fixtures/keys; their values affect neither time nor memory. The row has 512 tokens; 256 of them are
one image of 448 × 448 pixels. All files are in one temporary folder, which is always removed.
"""
import json
import math
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

import checkpoint
import memory
from report import Bar, Column, Row, Section, Table, count, seconds

if TYPE_CHECKING:
    from models import Context

KEYS = Path(__file__).parents[1] / "fixtures" / "keys"
MEASURED, PLANNED = "Qwen2.5-VL-3B-Instruct", "Qwen2.5-VL-7B-Instruct"
PEAK = 16e9
TOKENS, SIDE, PICTURE_TOKENS = 512, 448, 256
SPREAD = 0.02 * math.sqrt(3)  # of an even distribution with the standard deviation 0.02
TUNED_BYTES = 16              # of a tuned weight: float32 weight, gradient, two moments
VISION_START, VISION_END, IMAGE = 151652, 151653, 151655
NORMS = ("norm.weight", "layernorm.weight", "norm1.weight", "norm2.weight", "ln_q.weight")
SA_PROJ = tuple(f"self_attn.{letter}_proj" for letter in "qkvo")

CONFIG = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", "torch_dtype": "bfloat16",
    "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "vision_start_token_id": VISION_START,
    "vision_end_token_id": VISION_END, "vision_token_id": 151654, "image_token_id": IMAGE, "video_token_id": 151656,
    "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02, "intermediate_size": 11008,
    "max_position_embeddings": 128000, "max_window_layers": 70, "num_attention_heads": 16, "num_hidden_layers": 36,
    "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768,
    "tie_word_embeddings": True, "use_cache": True, "use_sliding_window": False, "vocab_size": 151936,
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vision_config": {
        "depth": 32, "hidden_act": "silu", "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16,
        "in_chans": 3, "out_hidden_size": 2048, "patch_size": 14, "spatial_merge_size": 2, "spatial_patch_size": 14,
        "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31], "tokens_per_second": 2,
        "temporal_patch_size": 2}}
PREPROCESSOR = {
    "image_processor_type": "Qwen2VLImageProcessor", "processor_class": "Qwen2_5_VLProcessor", "min_pixels": 3136,
    "max_pixels": 12845056, "patch_size": 14, "temporal_patch_size": 2, "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}


def tensors(model: str) -> list[memory.Named]:
    """(name, shape) of a full-size model, as the hub has them."""
    lines = (line.split("\t") for line in (KEYS / f"{model}.tsv").read_text().splitlines())
    return [(name, tuple(map(int, shape.split("x")))) for name, shape in lines]


def drawn(name: str, shape: memory.Dimensions, seed: memory.Seed) -> Iterable[np.ndarray]:
    if name.endswith(NORMS):
        return [np.full(shape, 0x3F80, np.uint16)]  # 1 in bf16
    return memory.random_weights(seed, math.prod(shape), SPREAD)


def write(folder: Path, limit: int = memory.SHARD) -> None:
    folder.mkdir()
    memory.write_weights(folder, tensors(MEASURED), limit, drawn)
    for name, content in {"config.json": CONFIG, "preprocessor_config.json": PREPROCESSOR}.items():
        (folder / name).write_text(json.dumps(content, indent=2) + "\n")


def write_row(folder: Path) -> Path:
    """A data file with one row, and its picture."""
    across = np.arange(SIDE, dtype=np.uint16)
    pixels = np.stack(np.broadcast_arrays(across[:, None] // 2, across // 2, (across[:, None] ^ across) & 255), axis=-1)
    Image.fromarray(pixels.astype(np.uint8)).save(folder / "picture.png")
    words = [1000 + 7 * number for number in range(TOKENS - PICTURE_TOKENS - 2)]
    half = len(words) // 2
    ids = words[:half] + [VISION_START] + [IMAGE] * PICTURE_TOKENS + [VISION_END] + words[half:]
    labels = [-100] * (half + PICTURE_TOKENS + 2) + words[half:]
    path = folder / "row.jsonl"
    path.write_text(json.dumps({"input_ids": ids, "labels": labels, "images": ["picture.png"]}) + "\n")
    return path


def weights_of(model: str) -> Counter[str]:
    """{"tuned": of SA Proj, "language": of the decoder layers, "all"}: how many."""
    found: Counter[str] = Counter()
    for name, shape in tensors(model):
        number = math.prod(shape)
        found["all"] += number
        if name.startswith("model.layers."):
            found["language"] += number
            if any(part in name for part in SA_PROJ):
                found["tuned"] += number
    return found


def section(context: "Context") -> Section:
    size = memory.size_of(tensors(MEASURED))
    memory.check_room(context.scratch, 1.5 * size)
    with tempfile.TemporaryDirectory(prefix="size-", dir=context.scratch) as name:
        folder = Path(name)
        model = folder / "model"
        context.say(f"size: writing {size / 1e9:.1f} GB")
        write(model)
        context.say("size: one step")
        runs = {}
        for compute in ("f32", "bf16"):
            patch, log = folder / f"{compute}.vpatch", folder / f"{compute}.jsonl"
            # The rate is high, so that one step moves weights beyond bf16's rounding.
            run = context.vpatch.train(
                model, write_row(folder), patch, "--recipe", "sa-proj", "--compute", compute, "--steps", 1,
                "--batch", 1, "--lr", 1e-3, "--schedule", "constant", "--warmup", 0, "--threads", context.threads,
                "--log", log)
            step = json.loads(log.read_text().splitlines()[-1])
            runs[compute] = {"run": run, "step": step, "plan": json.loads(run.output)["plan"]["memory"]}
        return Section("Size", *tables(runs, len(checkpoint.weight_files(model)), size))


def tables(runs: dict[str, Row], files: int, size: int) -> tuple[list[Table], list[Bar]]:
    """([tables], bars) of {compute: {"run", "step", "plan"}}, each one step of the 3B."""
    mine, planned = weights_of(MEASURED), weights_of(PLANNED)

    def gigabytes(number: float) -> str:
        return f"{number / 1e9:.2f}"

    rows = [dict(compute=compute, peak=found["run"].peak, step=found["step"]["seconds"], seconds=found["run"].seconds,
                 **found["plan"]) for compute, found in runs.items()]
    parts = ("tuned", "activations", "scratch", "mapped")
    columns = [Column("compute", "", right=False), Column("peak", "peak, GB", gigabytes),
               *(Column(part, f"planned: {part}, GB", gigabytes) for part in parts),
               Column("step", "step, s", seconds),
               Column("seconds", "whole run, s", seconds)]
    measured = Table(
        f"{MEASURED}: one step of SA Proj on {TOKENS} tokens, {PICTURE_TOKENS} of them image tokens", columns, rows,
        f"{count(mine['all'])} weights, {size / 1e9:.2f} GB in {files} shards; {count(mine['tuned'])} of them tuned. "
        "The peak is ru_maxrss; it includes mapped pages of the model's files, which the system can reclaim.")
    # On paper: what follows from numbers of weights follows them; activations follow a token's share of the layers.
    larger: list[Row] = []
    for row in rows:
        scale = width(PLANNED) * layers(PLANNED) / (width(MEASURED) * layers(MEASURED))
        sizes = {"tuned": TUNED_BYTES * planned["tuned"], "activations": row["activations"] * scale,
                 "scratch": row["scratch"] * max(1.0, scale), "mapped": 2 * planned["all"]}
        own = sum(sizes.values()) - sizes["mapped"]
        # What the plan of the 3B has left out, or has too much, in proportion.
        found = row["peak"] / sum(row[part] for part in parts)
        larger.append({"compute": row["compute"], **sizes, "own": own, "peak": found * sum(sizes.values())})
    plan = Table(
        f"{PLANNED}: the same step, estimated", [
            columns[0], *(Column(part, f"{part}, GB", gigabytes) for part in parts),
            Column("own", "without mapped files, GB", gigabytes), Column("peak", "expected peak, GB", gigabytes),
        ], larger,
        f"{count(planned['tuned'])} tuned weights at {TUNED_BYTES} bytes, {count(planned['all'])} in files of bf16; "
        "activations and scratch grow with width and number of layers. The expected peak is the sum of all parts times "
        "the ratio of the measured to the planned peak of the 3B model. If the mapped files do not fit into memory, a "
        "step reads them from disk.")
    return [measured, plan], [
        Bar(f"peak memory, {MEASURED}, one step, {row['compute']}", f"{row['peak'] / 1e9:.2f} GB",
            f"≤ {PEAK / 1e9:.0f} GB", row["peak"] <= PEAK) for row in rows]


def width(model: str) -> int:
    return dict(tensors(model))["model.norm.weight"][0]


def layers(model: str) -> int:
    return len({name.split(".")[2] for name, _ in tensors(model) if name.startswith("model.layers.")})
