"""A model class for lm-evaluation-harness: a base with patches, whose weights are hashed.

    python -m vpatch.lm_eval run --model vpatch --model_args base=DIR,patches=task.vpatch --tasks arc_easy

The results file has the root of the evaluated weights, so that `vpatch annotate` counts its numbers as measured.
"""

import os
from typing import Any

from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM

from vpatch import _library, stacks
from vpatch.loading import load_model, root_of
from vpatch.patch import Patch
from vpatch.patch import open as open_patch
from vpatch.store import Store


def members(text: str, base: str) -> list[stacks.Member]:
    """Patches as typed: files, or names of the store, each with an optional scale, joined by "+"."""
    found: list[stacks.Member] = []
    for word in filter(None, text.split("+")):
        name, _, scale = word.partition("@")
        patch: Patch = open_patch(name) if os.path.exists(name) else Store()[name]
        found.append((patch, float(scale) if scale else 1.0))
    return found


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
        import transformers  # noqa: PLC0415

        applied = stacks.resolve([Store().stack(stack, base)] if stack else members(patches, base), base)
        model = load_model(base, applied, dtype=dtype)
        self.vpatch_root = root_of(model, base, applied)
        self.vpatch_patches = [patch.identity for patch in applied]
        if kwargs.get("tokenizer") is None:
            kwargs["tokenizer"] = transformers.AutoTokenizer.from_pretrained(base)
        kwargs.setdefault("device", "cpu")
        device = kwargs["device"]
        super().__init__(pretrained=model.to(device) if device != "cpu" else model, **kwargs)

    def get_model_info(self) -> dict[str, Any]:
        """What the harness writes into "config" of its results."""
        return {
            "model_num_parameters": self._model.num_parameters(), "model_dtype": self._model.dtype,
            "vpatch_root": self.vpatch_root, "vpatch_patches": self.vpatch_patches,
            "vpatch_version": _library.version(),
        }


if __name__ == "__main__":
    from lm_eval.__main__ import cli_evaluate

    # The harness has to see the class that the registry knows, not this module's copy of it.
    import vpatch.lm_eval  # noqa: F401

    cli_evaluate()
