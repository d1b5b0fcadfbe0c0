"""A model class for lm-evaluation-harness: a base with patches, whose weights are hashed.

    python -m vpatch.lm_eval run --model vpatch --model_args base=DIR,patches=task.vpatch --tasks arc_easy

The results file has the root of the evaluated weights, so that `vpatch annotate` counts its numbers as measured.
"""

from typing import Any

import torch
import transformers
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM

from vpatch import _library, stacks
from vpatch.loading import load_model, root_of


def members(text: str) -> list[stacks.Member]:
    """Patches as typed: files, or names of the store, each with an optional scale, joined by "+"."""
    parts = [word.partition("@") for word in text.split("+") if word]
    return [(name, float(scale) if scale else 1.0) for name, _, scale in parts]


@register_model("vpatch")
class VPatchLM(HFLM):  # type: ignore[misc]
    """A base with patches or a stack over it, in memory.

    Arguments (`--model_args`): `base`, the base's folder; `patches`, joined by "+": `a.vpatch+b.vpatch@0.5`; `stack`, a
    stack of the store; and those of the harness's own class, such as `dtype` or `max_length`.
    """

    def __init__(self, base: str, patches: str = "", stack: str = "", dtype: str = "auto", **kwargs: Any) -> None:
        """Loads the model, applies the patches, and hashes the result.

        Raises:
            WrongBase: if the patches do not belong to the base, or the model was loaded in another dtype.
        """
        applied = stacks.resolve([stack] if stack else members(patches), base)
        model = load_model(base, applied, dtype=dtype)
        self.vpatch_root = root_of(model, base, applied)
        self.vpatch_patches = [patch.identity for patch in applied]
        if kwargs.get("tokenizer") is None:
            kwargs["tokenizer"] = transformers.AutoTokenizer.from_pretrained(base)
        # The harness asks for a GPU by default, also where there is none.
        wanted = str(kwargs.get("device") or "cuda")
        kwargs["device"] = wanted if torch.cuda.is_available() or not wanted.startswith("cuda") else "cpu"
        super().__init__(pretrained=model.to(kwargs["device"]), **kwargs)

    def get_model_info(self) -> dict[str, Any]:
        """What the harness writes into "config" of its results."""
        return {
            "model_num_parameters": self._model.num_parameters(), "model_dtype": self._model.dtype,
            "vpatch_root": self.vpatch_root, "vpatch_patches": self.vpatch_patches,
            "vpatch_version": _library.version(),
        }


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()
