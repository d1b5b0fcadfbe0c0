"""Training at Qwen3-0.6B's shapes beside PyTorch, and what a sliding window costs when texts grow.

    $(bench/setup.sh) bench/models.py --only qwen3 --only window

The weights are random bf16 (uniform, standard deviation 0.02; norms 1): their values affect neither time nor memory.
"""
import dataclasses
import json
import math
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import memory
import model_speed
from qwen_size import drawn
from report import Bar, Column, Row, Section, Table, count, fixed

if TYPE_CHECKING:
    from models import Context

# Qwen/Qwen3-0.6B's config.json.
QWEN3: dict[str, Any] = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "torch_dtype": "bfloat16", "attention_bias": False,
    "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
    "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960,
    "max_window_layers": 28, "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000, "sliding_window": None,
    "tie_word_embeddings": True, "use_cache": True, "use_sliding_window": False, "vocab_size": 151936}
FASTER = {"f32": 2.0, "bf16": 1.2}
PEAK = {"sa-proj": 0.5, "gate-up": 0.6}

# A narrow Mistral, in which attention takes most of the time.
MISTRAL: dict[str, Any] = {
    "architectures": ["MistralForCausalLM"], "model_type": "mistral", "torch_dtype": "bfloat16",
    "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": 2, "head_dim": 64, "hidden_act": "silu",
    "hidden_size": 256, "initializer_range": 0.02, "intermediate_size": 256, "max_position_embeddings": 32768,
    "num_attention_heads": 4, "num_hidden_layers": 4, "num_key_value_heads": 4, "rms_norm_eps": 1e-05,
    "rope_theta": 10000.0, "tie_word_embeddings": True, "use_cache": True, "vocab_size": 1024}
WINDOW, LENGTHS, WINDOW_STEPS = 256, (2048, 4096, 8192), 4
# Twice the tokens take twice the time with a window; without one, attention alone takes four times as long.
GROWTH = 1.25


def tensors(config: dict[str, Any]) -> list[memory.Named]:
    """(name, shape) of a decoder of these two families."""
    width, mlp, head = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    query, key = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    layer: dict[str, tuple[int, ...]] = {
        "input_layernorm": (width,), "self_attn.q_proj": (query, width), "self_attn.k_proj": (key, width),
        "self_attn.v_proj": (key, width), "self_attn.o_proj": (width, query), "post_attention_layernorm": (width,),
        "mlp.gate_proj": (mlp, width), "mlp.up_proj": (mlp, width), "mlp.down_proj": (width, mlp)}
    if config["model_type"] == "qwen3":
        layer |= {"self_attn.q_norm": (head,), "self_attn.k_norm": (head,)}
    return [("model.embed_tokens.weight", (config["vocab_size"], width)),
            *((f"model.layers.{number}.{name}.weight", shape)
              for number in range(config["num_hidden_layers"]) for name, shape in layer.items()),
            ("model.norm.weight", (width,))]


def write(folder: Path, config: dict[str, Any]) -> Path:
    folder.mkdir()
    memory.write_weights(folder, tensors(config), memory.SHARD, drawn)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return folder


def section(context: "Context") -> Section:
    named = tensors(QWEN3)
    weights = sum(math.prod(shape) for _, shape in named)
    memory.check_room(context.scratch, 1.5 * memory.size_of(named))
    with tempfile.TemporaryDirectory(prefix="qwen3-", dir=context.scratch) as name:
        model = write(Path(name) / "model", QWEN3)
        return model_speed.training(dataclasses.replace(context, model=model),
                                    f"Qwen3-0.6B's shapes ({weights / 1e6:.0f} M random weights)", FASTER, PEAK)


def window(context: "Context") -> Section:
    """A step of one text, of which the length is doubled."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="window-", dir=context.scratch) as name:
        folder = Path(name)
        models = {width: write(folder / f"{width}", {**MISTRAL, "sliding_window": width}) for width in (WINDOW, None)}
        for length in LENGTHS:
            data = folder / f"{length}.jsonl"
            ids = [10 + 7 * number % 1000 for number in range(length)]
            data.write_text(json.dumps({"input_ids": ids}) + "\n")
            found: Row = {"length": length}
            for width, model in models.items():
                side = dataclasses.replace(context, model=model)
                rounds = [model_speed.train(side, data, "sa-proj", "f32", steps=WINDOW_STEPS, batch=1)[0]["seconds"]
                          for _ in range(context.rounds)]
                found["window" if width else "whole"] = min(median(steps[1:]) for steps in rounds)
            rows.append(found)
    for before, row in zip([None, *rows], rows, strict=False):
        for kind in ("window", "whole"):
            row[f"{kind}_growth"] = row[kind] / before[kind] if before else None
    table = Table(f"Training one text: a window of {WINDOW} tokens, and none; {context.threads} threads", [
        Column("length", "tokens", count), Column("window", "window, s", fixed(3)),
        Column("window_growth", "× the row above", fixed(2)), Column("whole", "no window, s", fixed(3)),
        Column("whole_growth", "× the row above", fixed(2))], rows,
        f"{MISTRAL['num_hidden_layers']} layers, {MISTRAL['hidden_size']} wide; the best of {context.rounds} rounds, "
        f"each the median of {WINDOW_STEPS - 1} steps.")
    worst = max(row["window_growth"] for row in rows[1:])
    return Section("Sliding window", [table], [
        Bar("twice the tokens, with a window", f"{worst:.2f} × the time", f"≤ {2 * GROWTH:g} × the time",
            worst <= 2 * GROWTH)])
