"""Models for the tests with PyTorch."""

from pathlib import Path
from typing import Any

import torch
import transformers
import vpatch

TINY = Path(__file__).parents[3] / "fixtures" / "tiny-models"


def moe_folder(folder: Path) -> Path:
    """Qwen3-MoE in the hub's layout: experts apart in the files, fused in memory."""
    config = transformers.Qwen3MoeConfig(
        vocab_size=96, hidden_size=32, intermediate_size=48, moe_intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, head_dim=8, num_experts=4, num_experts_per_tok=2,
        decoder_sparse_step=1, tie_word_embeddings=False)
    torch.manual_seed(1)
    transformers.Qwen3MoeForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    return folder


def bits(model: Any) -> dict[str, bytes]:
    """The bytes of every parameter and buffer."""
    return {name: value.detach().contiguous().view(torch.uint8).numpy().tobytes()
            for name, value in model.state_dict().items()}


def trained(folder: Path, recipe: str) -> Any:
    """A model whose parameters of a recipe moved a little."""
    model = vpatch.load_model(folder)
    torch.manual_seed(2)
    chosen = set(vpatch.freeze(model, recipe))
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name in chosen:
                value.add_((torch.randn(value.shape) * 1e-3).to(value.dtype))
    return model
