"""Training speed of vision-language models, compared with PyTorch and transformers on the same rows with images.

The section on SmolLM2 measures the language model alone; this one adds image tokens, image encoders and projectors.
Image encoders are frozen. PyTorch runs its encoder in every step, without gradients. vpatch runs it once per image and
caches the features; it is also timed without the cache. PyTorch's time does not include image preprocessing.
"""
import json
import random
import shutil
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

import checkpoint
import model_speed
from measure import BenchError, Run
from report import Bar, Column, Row, Section, Table, fixed, megabytes

if TYPE_CHECKING:
    from models import Context

Way = tuple[str, str]  # of vpatch: precision, and whether features are cached
Runs = dict[tuple[str, str, Way | None], list[tuple[float, Run]]]

TINY = Path(__file__).parents[1] / "fixtures" / "tiny-models"
FAMILIES = ("tiny-llava-onevision", "tiny-llava-next", "tiny-qwen2.5-vl")
RECIPES = ("sa-proj", "gate-up", "projector")
OURS = (("f32", "cached"), ("f32", "each step"), ("bf16", "cached"))  # precision, and when the image encoder runs
BATCH, LENGTH, TINY_BATCH = 4, 256, 16
FASTER = 2.0  # than PyTorch in float32, at either precision


@dataclass(frozen=True)
class Case:
    name: str
    model: Path
    rows: Path
    batch: int


def drawn(path: Path, seed: int, side: int = 224) -> None:
    """An image of rectangles."""
    source, picture = random.Random(seed), Image.new("RGB", (side, side), "white")
    for _ in range(6):
        x, y = source.randrange(side), source.randrange(side)
        picture.paste(tuple(source.randrange(256) for _ in "rgb"), (x, y, x + 60, y + 60))
    picture.save(path)


def real(folder: Path, model: Path) -> Case:
    """Rows of one image, then random ids."""
    config, source = json.loads((model / "config.json").read_text()), random.Random(0)
    image = [config["image_token_index"]] * config["image_seq_length"]
    rows = []
    for number in range(BATCH):
        drawn(folder / f"{number}.png", number)
        text = [source.randrange(100, 40000) for _ in range(LENGTH - len(image))]
        rows.append({"input_ids": image + text, "images": [f"{number}.png"]})
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Case("DINOv2-small + SmolLM2-135M", model, folder / "rows.jsonl", BATCH)


def tiny(folder: Path, name: str) -> Case:
    """The row that its reference was made of, in a batch of its own."""
    model = TINY / name
    if not (model / "reference.safetensors").exists():
        raise BenchError(f"{model}: has no tiny model with a reference")
    shutil.copyfile(model / "image-0.png", folder / f"{name}.png")
    file = model / "reference.safetensors"
    found = {tensor.name: tensor for tensor in checkpoint.read_header(file)[0]
             if tensor.name in ("input_ids", "labels")}
    row = {key: np.fromfile(file, "<i8", found[key].size // 8, offset=found[key].begin).tolist() for key in found}
    rows = folder / f"{name}.jsonl"
    rows.write_text((json.dumps(row | {"images": [f"{name}.png"]}) + "\n") * TINY_BATCH)
    return Case(name, model, rows, TINY_BATCH)


def section(context: "Context") -> Section:
    folder = context.scratch / "pictures"
    folder.mkdir()
    cases = [real(folder, context.model), *(tiny(folder, name) for name in FAMILIES)]
    runs: Runs = defaultdict(list)
    kernels: set[str] = set()
    for number in range(context.rounds):
        for case in cases:
            own = replace(context, model=case.model)
            for recipe in RECIPES:
                for way in (None, *OURS):
                    context.say(f"speed: round {number + 1} of {context.rounds}, {case.name}, {recipe}, "
                                + ("torch" if way is None else f"vpatch {way[0]}, features {way[1]}"))
                    found, run = context.undisturbed(partial(train, own, case, recipe, way))
                    runs[case.name, recipe, way].append((median(model_speed.speeds(found)), run))
                    kernels.add(found.get("kernels", ""))
    return Section("Training of vision-language models", *tables(context, runs, [case.name for case in cases], kernels))


def train(context: "Context", case: Case, recipe: str, way: Way | None) -> tuple[dict[str, Any], Run]:
    """Steps of vpatch, or of PyTorch in float32 where `way` is None."""
    if way is None:
        return model_speed.train_torch(context, case.rows, recipe, "f32", batch=case.batch)
    compute, tower = way
    features = context.scratch / "features" if tower == "cached" else "none"
    return model_speed.train(context, case.rows, recipe, compute, "--features", features, batch=case.batch)


def tables(context: "Context", runs: Runs, names: list[str], kernels: set[str]) -> tuple[list[Table], list[Bar]]:
    """([table], bars) of {(model, recipe, way or None for PyTorch): [(tokens per second, Run), …]}"""
    rows: list[Row] = []
    for name in names:
        for recipe in RECIPES:
            peer = runs[name, recipe, None]
            for way in OURS:
                mine = runs[name, recipe, way]
                rows.append({
                    "model": name, "recipe": recipe, "compute": way[0], "tower": way[1],
                    "vpatch": median(speed for speed, _ in mine),
                    "torch": median(speed for speed, _ in peer),
                    "ratio": median(a / b for (a, _), (b, _) in zip(mine, peer, strict=True)),
                    "vpatch_peak": median(run.peak for _, run in mine),
                    "torch_peak": median(run.peak for _, run in peer),
                    "others": max(run.others for _, run in [*mine, *peer])})
    table = Table(f"Training with images, {context.threads} threads", [
        Column("model", "model", right=False), Column("recipe", "recipe", right=False),
        Column("compute", "compute", right=False), Column("tower", "image features", right=False),
        Column("vpatch", "vpatch, tokens/s", fixed(0)),
        Column("torch", "PyTorch f32, tokens/s", fixed(0)), Column("ratio", "speedup", fixed(2)),
        Column("vpatch_peak", "vpatch, MB", megabytes), Column("torch_peak", "PyTorch, MB", megabytes),
        Column("others", "other load, CPUs", fixed(2))], rows,
        f"Median of {context.rounds} alternating rounds and of their ratios; the speed of a round is the median of its "
        f"{model_speed.STEPS - 1} steps after the first. {names[0]}: batch {BATCH} × {LENGTH}, an image in each row; "
        f"tiny models: {TINY_BATCH} × the row of their reference. Kernels: {', '.join(sorted(kernels - {''}))}.")
    return [table], [
        Bar(f"{row['model']}, {row['recipe']}, {row['compute']}, features {row['tower']}",
            f"{row['ratio']:.2f} × PyTorch f32",
            f"≥ {FASTER:.0f} × PyTorch f32", row["ratio"] >= FASTER) for row in rows]
