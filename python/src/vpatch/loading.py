"""Loads models of transformers with patches in them."""

import os
import warnings
from collections.abc import Iterable
from typing import Any

from vpatch import _library, stacks
from vpatch._arrays import dtype_of
from vpatch._places import Entry, locate
from vpatch._swap import Change, compare
from vpatch.errors import Refused, WrongBase
from vpatch.patch import Patch, default_threads


def load_model(
    base: str | os.PathLike[str], patches: Iterable[stacks.Member] = (), *, threads: int | None = None, **kwargs: Any
) -> Any:
    """Loads a model of transformers, and puts patches into it: the tuned model, without its files.

    Args:
        base: the base's folder.
        patches: a chain, or patches of one base, each with an optional scale; store.stack(…) also.
        threads: None for the number of processors.
        kwargs: for `from_pretrained`. The dtype is that of the files unless it is given.

    Returns:
        The model, of the class that its config names. `load_model(base, [p])` has the bits of `vpatch apply`.

    Raises:
        WrongBase: if the patches do not belong to this base.
        ImportError: without transformers.
    """
    import transformers  # noqa: PLC0415  (an optional dependency)

    applied = stacks.resolve(patches, base, threads=threads)
    kwargs.setdefault("dtype", "auto")
    model = class_of(base, transformers.AutoConfig.from_pretrained(base)).from_pretrained(base, **kwargs)
    for patch in applied:
        files = [name for name in patch.to_dict()["side_files"] if name != "README.md"]
        if files:
            warnings.warn(
                f"{patch.name or patch.path} also changes {', '.join(files)}, which load_model does not: only the "
                "weights are patched; 'vpatch apply' writes all of it", stacklevel=2)
        patch.apply_(model, threads=threads)
    return model


def class_of(base: str | os.PathLike[str], config: Any) -> Any:
    """The class of transformers that a base's config names.

    Raises:
        Refused: if this transformers has none of that name.
    """
    import transformers  # noqa: PLC0415

    names = getattr(config, "architectures", None) or []
    found = [getattr(transformers, name) for name in names if hasattr(transformers, name)]
    if not found:
        raise Refused(f"{os.fspath(base)}: its config.json names no class of this transformers "
                      f"({', '.join(names) or '-'}); load the model yourself, and call patch.apply_(model)")
    return found[0]


def root_of(
    model: Any, base: str | os.PathLike[str], patches: Iterable[Patch] = (), *, threads: int | None = None
) -> str:
    """The root of a model in memory, which was loaded from a base and changed by patches.

    Every tensor of the base's files is hashed, and every tensor that the model holds. Tensors that the model does not
    load (`mtp.*`, a tied head) count as the files have them.

    Raises:
        WrongBase: if the model holds other bits than the patches make of the base.
    """
    listed = _library.call_json(
        "vpatch_checkpoint", _library.path_bytes(base), 1, threads or default_threads())
    entries: list[Entry] = [(name, dtype, tuple(shape)) for name, dtype, shape, _ in listed["tensors"]]
    expected: dict[str, str] = {name: digest for name, _, _, digest in listed["tensors"]}
    for patch in patches:
        for tensor in patch.touched:
            expected.pop(tensor.name, None)
            if tensor.target is not None:
                expected[tensor.name] = tensor.target
    places = [place for name, place in locate(entries, model).items() if name in expected]
    others = [place.name for place in places if any(dtype_of(value) != place.dtype for value in place.values)]
    if not others:
        sides = [Change(place, expected[place.name], expected[place.name]) for place in places]
        others, _ = compare(sides, threads or default_threads())
    if others:
        raise WrongBase(f'"{others[0]}" has other bits in the model than in {os.fspath(base)} with its patches; load '
                        "it in the files' dtype, and do not change it before")
    return _library.call_hex("vpatch_root", _library.encoded(expected))
