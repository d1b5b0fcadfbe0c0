"""Peak memory of create, apply, revert and verify on a sharded checkpoint of more than 8 GB.

The checkpoint has the tensors of Qwen2-7B with fewer layers, including two embeddings of 1.09 GB each, in shards of
about 2 GB with an index. Its weights are random (uniform, rounded to bf16). In the tuned copy, the SA Proj tensors are
changed (tune.py, two steps). All files are in one temporary folder, which is always removed.
"""
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import checkpoint
import tune
from measure import BenchError
from report import Bar, Column, Section, Table, count, megabytes, seconds

if TYPE_CHECKING:
    from run import Context

Dimensions = checkpoint.Dimensions
Named = tuple[str, Dimensions]
Seed = int | tuple[int, int]
Draw = Callable[[str, Dimensions, Seed], Iterable[np.ndarray]]

PEAK = 300e6
SHARD = 2_000_000_000
PIECE = 1 << 22  # weights drawn at a time


@dataclass(frozen=True)
class Shape:
    layers: int = 14
    hidden: int = 3584
    key_value: int = 512
    inner: int = 18944
    vocabulary: int = 152064

    def tensors(self) -> Iterator[Named]:
        """(name, shape) of all tensors, in the order in which they are written."""
        h, kv, inner = self.hidden, self.key_value, self.inner
        yield "model.embed_tokens.weight", (self.vocabulary, h)
        for layer in range(self.layers):
            parts: dict[str, Dimensions] = {
                "input_layernorm.weight": (h,), "mlp.down_proj.weight": (h, inner),
                "mlp.gate_proj.weight": (inner, h), "mlp.up_proj.weight": (inner, h),
                "post_attention_layernorm.weight": (h,),
                "self_attn.k_proj.bias": (kv,), "self_attn.k_proj.weight": (kv, h),
                "self_attn.o_proj.weight": (h, h),
                "self_attn.q_proj.bias": (h,), "self_attn.q_proj.weight": (h, h),
                "self_attn.v_proj.bias": (kv,), "self_attn.v_proj.weight": (kv, h)}
            for name, shape in parts.items():
                yield f"model.layers.{layer}.{name}", shape
        yield "model.norm.weight", (h,)
        yield "lm_head.weight", (self.vocabulary, h)

    def size(self) -> int:
        return size_of(self.tensors())


WHOLE = Shape()


def size_of(tensors: Iterable[Named]) -> int:
    """Bytes of (name, shape) in bf16."""
    return sum(2 * math.prod(shape) for _, shape in tensors)


def shards(tensors: Iterable[Named], limit: int) -> list[list[Named]]:
    """Lists of tensors, each list as long as fits the limit."""
    groups: list[list[Named]] = []
    room = 0
    for name, shape in tensors:
        size = 2 * math.prod(shape)
        if not groups or size > room:
            groups.append([])
            room = limit
        groups[-1].append((name, shape))
        room -= size
    return groups


def random_weights(seed: Seed, number: int, spread: float = 0.35) -> Iterator[np.ndarray]:
    """bf16 bits of `number` weights, evenly spread over ± `spread`, in pieces."""
    random = np.random.Generator(np.random.SFC64(seed))
    for start in range(0, number, PIECE):
        values = (random.random(min(PIECE, number - start), np.float32) - np.float32(0.5)) * np.float32(2 * spread)
        yield (values.view(np.uint32) >> 16).astype(np.uint16)


def drawn(name: str, shape: Dimensions, seed: Seed) -> Iterable[np.ndarray]:
    """A tensor's weights in pieces, whatever its name is."""
    return random_weights(seed, math.prod(shape))


def write_weights(folder: Path, tensors: Sequence[Named], limit: int = SHARD, draw: Draw = drawn) -> None:
    """Writes (name, shape) in bf16 as shards and their index, in pieces that `draw(name, shape, seed)` yields."""
    groups = shards(tensors, limit)
    weight_map: dict[str, str] = {}
    jobs: list[tuple[Path, list[checkpoint.Written]]] = []
    for number, group in enumerate(groups, start=1):
        file = f"model-{number:05}-of-{len(groups):05}.safetensors"
        weight_map.update({name: file for name, _ in group})
        jobs.append((folder / file, [(name, "BF16", dims, draw(name, dims, (number, at)))
                                     for at, (name, dims) in enumerate(group)]))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda job: checkpoint.write_file(job[0], job[1], {"format": "pt"}), jobs))
    (folder / checkpoint.INDEX).write_text(json.dumps(
        {"metadata": {"total_size": size_of(tensors)}, "weight_map": weight_map}, indent=2) + "\n")


def write(folder: Path, shape: Shape, limit: int = SHARD) -> None:
    """Writes the checkpoint as a Hugging Face directory."""
    folder.mkdir()
    write_weights(folder, list(shape.tensors()), limit)
    (folder / "config.json").write_text(json.dumps({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "torch_dtype": "bfloat16",
        "hidden_size": shape.hidden, "intermediate_size": shape.inner, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.hidden // 128, "num_key_value_heads": shape.key_value // 128,
        "vocab_size": shape.vocabulary, "tie_word_embeddings": False}, indent=2) + "\n")


def check_room(folder: Path, needed: float) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BenchError(f"{folder}: the memory section needs {needed / 1e9:.0f} GB of disk and {free / 1e9:.0f} GB "
                         "are free; give another folder with --scratch, or leave the section out with --only")


def section(context: "Context", shape: Shape = WHOLE, limit: int = SHARD) -> Section:
    size = shape.size()
    check_room(context.scratch, 3.2 * size)  # base, tuned or its rebuilt self, the result, and the patch
    with tempfile.TemporaryDirectory(prefix="memory-", dir=context.scratch) as folder:
        return measured(context, shape, limit, Path(folder))


def measured(context: "Context", shape: Shape, limit: int, folder: Path) -> Section:
    base, tuned, patch, out = (folder / name for name in ("base", "tuned", "task.vpatch", "out"))
    context.say(f"memory: writing {shape.size() / 1e9:.1f} GB twice")
    write(base, shape, limit)
    moved = tune.tune(base, tuned, "sa-proj", steps=2)
    original, wanted = checkpoint.contents(base), checkpoint.contents(tuned)

    def expect(found: Path, expected: dict[str, str], what: str) -> None:
        if checkpoint.contents(found) != expected:
            raise BenchError(f"memory: {what} did not give the expected files, bit for bit")

    runs, vpatch = {}, context.with_vpatch()
    context.say("memory: create")
    runs["create"] = vpatch.create(base, tuned, patch)
    context.say("memory: verify --base")
    runs["verify --base"] = vpatch.verify(base, patch)
    shutil.rmtree(tuned)
    context.say("memory: apply")
    runs["apply"] = vpatch.decode(base, patch, out)
    expect(out, wanted, "apply")
    context.say("memory: revert")
    back = folder / "back"
    runs["revert"] = vpatch.revert(out, patch, back)
    expect(back, original, "revert")

    columns = [Column("command", "", right=False), Column("peak", "peak, MB", megabytes),
               Column("seconds", "time, s", seconds)]
    table = Table(
        f"Peak memory on {shape.size() / 1e9:.2f} GB in {len(checkpoint.weight_files(base))} shards", columns,
        [{"command": name, "peak": run.peak, "seconds": run.seconds} for name, run in runs.items()],
        f"{moved} tensors changed, patch of {count(patch.stat().st_size)} bytes, results compared byte for byte. The "
        "peak is ru_maxrss, which counts mapped pages of files too. Times are of one run, not all in the page cache.")
    return Section("Memory on a large model", [table], [
        Bar(f"peak memory, {name}, {shape.size() / 1e9:.1f} GB", f"{run.peak / 1e6:.0f} MB",
            f"≤ {PEAK / 1e6:.0f} MB", run.peak <= PEAK) for name, run in runs.items()])
