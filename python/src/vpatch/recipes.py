"""Recipes: which tensors of a model a fine-tune may change."""

from collections.abc import Iterable
from typing import Any

from vpatch import _library
from vpatch.errors import Refused


def select(recipe: str, names: Iterable[str]) -> list[str]:
    """Those of a model's tensor names that belong to a recipe, in their order.

    Args:
        recipe: such as "sa-proj" or "gate-up"; `vpatch create --help` lists them.
        names: all tensor names of the model, as in its files or as in memory.

    Raises:
        Misuse: for an unknown recipe.
    """
    found = _library.call_json("vpatch_select", recipe.encode(), _library.encoded(list(names)))
    return [str(name) for name in found]


def freeze(model: Any, recipe: str) -> list[str]:
    """Makes exactly a recipe's parameters trainable, and all others not.

    Returns:
        The names of the trainable parameters, as in `model.named_parameters()`.

    Raises:
        Refused: if the model has none of the recipe's tensors.
        Misuse: for an unknown recipe.
    """
    parameters = dict(model.named_parameters())
    chosen = set(select(recipe, parameters))
    if not chosen:
        raise Refused(
            f"the model has no tensor of the recipe {recipe}; vpatch.select shows what a recipe is in a model")
    for name, parameter in parameters.items():
        parameter.requires_grad_(name in chosen)
    return [name for name in parameters if name in chosen]
