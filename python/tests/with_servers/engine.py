"""A swap in an engine without a server. Run in the environment of vLLM or SGLang: engine.py KIND MODEL PATCH OTHER."""

import importlib
import json
import sys
from typing import Any

from vpatch.errors import Refused


def main(kind: str, model: str, patch: str, other: str) -> dict[str, Any]:
    side = importlib.import_module(f"vpatch.{kind}")
    if kind == "vllm":
        import vllm

        engine = vllm.LLM(model=model, dtype="bfloat16", max_model_len=256, enforce_eager=True, max_num_seqs=4,
                          worker_extension_cls="vpatch.vllm.Extension")

        def answer() -> list[float]:
            parameters = vllm.SamplingParams(temperature=0, max_tokens=6, logprobs=1, ignore_eos=True)
            found = engine.generate(["The capital of France is"], parameters, use_tqdm=False)[0].outputs[0]
            return [place[token].logprob for place, token in zip(found.logprobs, found.token_ids, strict=True)]
    else:
        import sglang

        engine = sglang.Engine(
            model_path=model, device="cpu", attention_backend="torch_native", sampling_backend="pytorch",
            disable_cuda_graph=True, mem_fraction_static=0.2, max_total_tokens=1024, context_length=256,
            dtype="bfloat16")

        def answer() -> list[float]:
            found = engine.generate("The capital of France is", {
                "temperature": 0, "max_new_tokens": 6, "ignore_eos": True}, return_logprob=True)
            return [item[0] for item in found["meta_info"]["output_token_logprobs"]]

    said: dict[str, Any] = {"base": answer()}
    said["version"] = side.swap(engine, patch)["weight_version"]
    said["tuned"] = answer()
    try:
        side.swap(engine, other)
    except Refused as error:
        said["refused"] = str(error)
    said["other"] = side.swap(engine, other, revert=True)["weight_version"]
    side.swap(engine, revert=True)
    said["again"] = answer()
    said["root"] = side.status(engine, verify="all")["root"]
    return said


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
