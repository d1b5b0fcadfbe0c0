"""Why vpatch.vllm refuses a configuration. Run in vLLM's environment; prints JSON lines."""

import json
from types import SimpleNamespace
from typing import Any

import torch
from vpatch.vllm import _refusal

_FIELDS = {"--tensor-parallel-size": "tensor_parallel_size", "--pipeline-parallel-size": "pipeline_parallel_size",
           "--data-parallel-size": "data_parallel_size"}


def reason(case: str) -> str | None:
    sizes = dict.fromkeys(_FIELDS.values(), 1)
    if case in _FIELDS:
        sizes[_FIELDS[case]] = 2
    config: Any = SimpleNamespace(
        parallel_config=SimpleNamespace(**sizes), lora_config=object() if case == "--enable-lora" else None,
        model_config=SimpleNamespace(quantization="fp8" if case == "fp8" else None))
    return _refusal(torch.nn.Module(), config)


if __name__ == "__main__":
    for case in ("plain", *_FIELDS, "fp8", "--enable-lora"):
        print(json.dumps({"case": case, "reason": reason(case)}))
