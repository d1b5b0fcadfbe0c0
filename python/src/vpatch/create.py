"""Makes patches: from folders and files, and straight from tensors in memory."""

import json
import os
import struct
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vpatch import _library
from vpatch._arrays import Given, given, is_torch
from vpatch._places import tensors_of
from vpatch.errors import Refused
from vpatch.patch import Patch, default_threads

Model = Any
"""A path; a torch.nn.Module; a mapping of tensors or arrays; or an iterable of (name, tensor)."""


def create(
    base: Model, tuned: Model, output: str | os.PathLike[str], *, recipe: str | None = None, only: str | None = None,
    partial: bool = False, adapter: str | os.PathLike[str] | None = None, keep_adapter: bool = False,
    drop_others: bool = False, cast_to_base: bool = False, map_keys: bool | None = None, allow_removals: bool = False,
    allow_additions: bool = False, prefix: str | None = None, name: str | None = None, note: str | None = None,
    training: Mapping[str, Any] | None = None, replace: bool = False, threads: int | None = None,
) -> Patch:
    """Makes the patch from a base to a tuned model. Applying it gives the tuned model bit for bit.

    Args:
        base: the model before fine-tuning: a file or a folder. Tensors in memory are written to a temporary file first.
        tuned: the model after it: a file, a folder, the folder of a LoRA adapter or of a distributed checkpoint; a
            module or a mapping, which is not copied; or an iterable of (name, tensor), of which one is in memory at a
            time.
        output: the patch file, `.vpatch`.
        recipe: require that only this recipe's tensors changed.
        only: the same, for tensors whose whole name matches this regular expression.
        partial: the tuned side has only the trained tensors; the others are unchanged.
        adapter: the folder of the LoRA adapter that was merged into the tuned model.
        keep_adapter: keep the whole adapter in the patch, so that it can be exported again.
        drop_others: leave other changes out instead of refusing them.
        cast_to_base: round floats of another dtype to the base's dtype, to nearest, ties to even.
        map_keys: find tensors whose names or arrangement follow another layout; None: for tensors in memory.
        allow_removals: accept that the tuned model lacks tensors that a fine-tune keeps.
        allow_additions: accept tensors that a fine-tune does not add.
        prefix: what the names of the model's tensors begin with in a checkpoint of a training run; None to find it.
        name: the patch's name.
        note: a note to keep in it.
        training: a training record (section 7.3 of the format) to keep in it.
        replace: replace an existing file.
        threads: None for the number of processors.

    Raises:
        Refused: for a model that is not a fine-tune of the base, changes outside the recipe, or a file that exists.
    """
    in_memory = not isinstance(tuned, (str, os.PathLike))
    options = {
        "recipe": recipe, "only": only, "partial": partial, "adapter": None if adapter is None else os.fspath(adapter),
        "keep_adapter": keep_adapter, "drop_others": drop_others, "cast_to_base": cast_to_base,
        "map_keys": in_memory if map_keys is None else map_keys, "allow_removals": allow_removals,
        "allow_additions": allow_additions, "prefix": prefix, "name": name, "note": note, "training": training,
        "replace": replace, "threads": threads or default_threads(),
    }
    with tempfile.TemporaryDirectory(prefix="vpatch-") as scratch:
        base_path = base if isinstance(base, (str, os.PathLike)) else _written(base, Path(scratch))
        if in_memory:
            _create_from_memory(base_path, tuned, output, options)
        else:
            _library.call_json(
                "vpatch_create", _library.path_bytes(base_path), _library.path_bytes(tuned),
                _library.path_bytes(output), _library.encoded(options))
    return Patch(output, threads=threads)


def _create_from_memory(
    base: str | os.PathLike[str], tuned: Any, output: str | os.PathLike[str], options: dict[str, Any]
) -> None:
    tensors, is_lasting = _tensors(tuned, base)
    creation = _library.call_handle(
        "vpatch_create_begin", _library.path_bytes(base), _library.path_bytes(output), _library.encoded(options))
    # Borrowed tensors must stay until the patch is written.
    kept: list[Given] = []
    try:
        for name, value in tensors:
            tensor = given(name, value)
            if is_lasting:
                kept.append(tensor)
            _library.call("vpatch_create_add", creation, tensor.tensor(), int(is_lasting))
    except BaseException:
        _library.close("vpatch_create_cancel", creation)
        raise
    _library.call_json("vpatch_create_finish", creation)


def _tensors(model: Any, base: str | os.PathLike[str] | None = None) -> tuple[Iterable[tuple[str, Any]], bool]:
    """The tensors of a model in memory, and whether they stay as long as the model does.

    Args:
        base: where a module's tied tensors are looked up; None: all are taken.
    """
    if isinstance(model, Mapping):
        return tensors_of(model).items(), True
    if callable(getattr(model, "state_dict", None)):
        values = tensors_of(model)
        return values.items() if base is None else _without_ties(base, values), True
    if not isinstance(model, Iterable):
        raise Refused(f"a {type(model).__name__} is not a model; give a path, a module, a dictionary of tensors, or an "
                      "iterator of (name, tensor)")
    return model, False


def _without_ties(base: str | os.PathLike[str], values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """A module's tensors as a checkpoint has them: a head that is the embedding's memory is saved once."""
    listed = _library.call_json("vpatch_checkpoint", _library.path_bytes(base), 0, 1)["tensors"]
    in_base = {str(tensor[0]) for tensor in listed}
    seen: set[tuple[Any, ...]] = set()
    for name in sorted(values, key=lambda name: name not in in_base):
        value = values[name]
        key = (value.data_ptr(), tuple(value.shape), value.stride()) if is_torch(value) and value.numel() else (name,)
        if key not in seen or name in in_base:
            yield name, value
        seen.add(key)


def _written(model: Any, folder: Path) -> Path:
    """A model in memory as a safetensors file."""
    path = folder / "base.safetensors"
    header: dict[str, Any] = {}
    items: list[Given] = []
    end = 0
    for name, value in _tensors(model)[0]:
        tensor = given(name, value)
        header[name] = {
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [end, end + tensor.data.nbytes]}
        end += tensor.data.nbytes
        items.append(tensor)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in items:
            file.write(tensor.data.data)
    return path
