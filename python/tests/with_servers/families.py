"""Finds the tensors of small models of many families in vLLM's modules. Run in vLLM's environment; prints JSON lines.

Each model has random weights, is written as transformers writes it, and is loaded by vLLM's own loader. Every tensor of
the files must then be found with the same bits, or be one of those that vLLM does not load or holds rearranged.
"""
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.update(VLLM_LOGGING_LEVEL="ERROR", VLLM_CPU_KVCACHE_SPACE="1", MASTER_ADDR="127.0.0.1", VLLM_PLUGINS="")

import torch
import transformers
import vpatch.vllm  # noqa: F401  (keeps the weights plain)
from vllm.config import set_current_vllm_config
from vllm.distributed import init_distributed_environment, initialize_model_parallel
from vllm.engine.arg_utils import EngineArgs
from vllm.model_executor.model_loader import get_model
from vpatch import _library
from vpatch._engines import EngineModel
from vpatch._places import find
from vpatch._serving import _fingerprints
from vpatch.errors import Refused

_SIZE: dict[str, Any] = {
    "hidden_size": 128, "intermediate_size": 192, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 250,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "head_dim": 32, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "tie_word_embeddings": False,
}
_MOE: dict[str, Any] = {
    "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64, "decoder_sparse_step": 1,
}
_MLA: dict[str, Any] = {
    "q_lora_rank": 48, "kv_lora_rank": 64, "qk_nope_head_dim": 32, "qk_rope_head_dim": 16, "v_head_dim": 32,
    "n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2, "moe_intermediate_size": 64,
    "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1, "topk_method": "greedy", "head_dim": 16,
}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("Llama", {}), "llama-tied": ("Llama", {"tie_word_embeddings": True}), "mistral": ("Mistral", {}),
    "qwen2": ("Qwen2", {}), "qwen3": ("Qwen3", {}), "phi3": ("Phi3", {}),
    "gemma2": ("Gemma2", {"tie_word_embeddings": True}),
    "gemma3": ("Gemma3Text", {"tie_word_embeddings": True}), "olmo2": ("Olmo2", {}), "granite": ("Granite", {}),
    "starcoder2": ("Starcoder2", {}), "gpt-neox": ("GPTNeoX", {}), "gpt2": ("GPT2", {"tie_word_embeddings": True}),
    "qwen3-moe": ("Qwen3Moe", _MOE), "mixtral": ("Mixtral", {"num_local_experts": 4}),
    "deepseek-v2": ("DeepseekV2", _MLA),
}


def model_of(family: str, folder: Path) -> None:
    """Writes a small model."""
    kind, more = FAMILIES[family]
    config = getattr(transformers, f"{kind}Config")(**{**_SIZE, **more})
    torch.manual_seed(1)
    names = [f"{kind}ForCausalLM", f"{kind.removesuffix('Text')}ForCausalLM", f"{kind}LMHeadModel"]
    cls = next(getattr(transformers, name) for name in names if hasattr(transformers, name))
    cls(config).to(torch.bfloat16).save_pretrained(folder)


def report(family: str, folder: Path) -> dict[str, Any]:
    """Which tensors vLLM holds with the files' bits, which with others, and why a change of the rest is refused."""
    arguments = EngineArgs(
        model=str(folder), dtype="bfloat16", skip_tokenizer_init=True, max_model_len=64, enforce_eager=True)
    config = arguments.create_engine_config()
    with set_current_vllm_config(config):
        module = get_model(vllm_config=config)
    tensors = _library.call_json("vpatch_checkpoint", _library.path_bytes(folder), 1, 2)["tensors"]
    model = EngineModel(module)
    entries = [(name, dtype, tuple(shape)) for name, dtype, shape, _ in tensors]
    digests = _fingerprints(model.places(entries).values())
    refused = {}
    for entry in entries:
        try:
            find([entry], [entry[0]], model)
        except Refused as error:
            refused[entry[0]] = str(error)
    return {
        "family": family, "tensors": len(tensors), "packed": model.is_packed(),
        "same": sum(1 for name, _, _, digest in tensors if digests.get(name) == digest),
        "other": [
            name for name, _, _, digest in tensors if digests.get(name, digest) != digest and name not in refused],
        "refused": refused,
    }


def main(families: list[str]) -> Iterator[dict[str, Any]]:
    # As vLLM's worker on CPU does.
    torch.accelerator.empty_cache = torch.accelerator.max_memory_allocated = lambda *_: 0
    with tempfile.TemporaryDirectory() as folder:
        # Groups of experts are made only if the first model has experts.
        model_of("qwen3-moe", Path(folder))
        config = EngineArgs(model=folder, skip_tokenizer_init=True, max_model_len=64).create_engine_config()
        with set_current_vllm_config(config):
            init_distributed_environment(1, 0, f"file://{folder}/rendezvous", 0, "gloo")
            initialize_model_parallel(1, 1)
    for family in families:
        with tempfile.TemporaryDirectory() as folder:
            try:
                model_of(family, Path(folder))
                yield report(family, Path(folder))
            except Exception as error:  # the others are still of interest
                yield {"family": family, "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    for line in main(sys.argv[1:] or list(FAMILIES)):
        print(json.dumps(line), flush=True)
