"""Models for the tests with PyTorch."""

from pathlib import Path

import pytest
import torch
import transformers

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


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Base folders by name."""
    return {
        "llama": TINY / "tiny-llama", "qwen2.5-vl": TINY / "tiny-qwen2.5-vl",
        "qwen3-moe": moe_folder(tmp_path_factory.mktemp("moe")),
    }
