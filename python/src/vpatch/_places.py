"""Where the tensors of a patch are in a model in memory: under their own names, under those of the running model, or as
parts of fused and transposed parameters."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vpatch import _library
from vpatch._arrays import (
    WIDTHS,
    Bytes,
    Given,
    bytes_copied,
    bytes_in_place,
    dtype_of,
    is_torch,
    reason_against,
    shape_of,
    write_bytes,
)
from vpatch.errors import Refused

# A tensor as the library lists it.
Entry = tuple[str, str, tuple[int, ...]]


@dataclass(frozen=True)
class Block:
    """Elements of a parameter that are elements of a tensor: steps in elements, from outer to inner."""

    source: int
    tensor_start: int
    source_start: int
    counts: tuple[int, ...]
    tensor_steps: tuple[int, ...]
    source_steps: tuple[int, ...]

    @classmethod
    def of(cls, block: list[Any]) -> "Block":
        source, tensor_start, source_start, loops = block
        counts, tensor_steps, source_steps = zip(*loops, strict=True) if loops else ((), (), ())
        return cls(source, tensor_start, source_start, tuple(counts), tuple(tensor_steps), tuple(source_steps))


def _numpy_view(data: Bytes, width: int, start: int, counts: tuple[int, ...], steps: tuple[int, ...]) -> Any:
    flat = data.view(f"V{width}")
    return np.lib.stride_tricks.as_strided(flat[start:], counts, tuple(step * width for step in steps))


def _copy_block(value: Any, data: Bytes, block: Block, width: int, *, into_value: bool) -> None:
    """Copies the elements of a block between a parameter and the bytes of a tensor."""
    if is_torch(value):
        torch = sys.modules["torch"]
        plain = value.detach()
        inside = plain.as_strided(block.counts, block.source_steps, plain.storage_offset() + block.source_start)
        outside = torch.from_numpy(data).view(plain.dtype).as_strided(
            block.counts, block.tensor_steps, block.tensor_start)
        if into_value:
            inside.copy_(outside)
        else:
            outside.copy_(inside)
        return
    inside = _numpy_view(value.reshape(-1).view(np.uint8), width, block.source_start, block.counts, block.source_steps)
    outside = _numpy_view(data, width, block.tensor_start, block.counts, block.tensor_steps)
    if into_value:
        inside[...] = outside
    else:
        outside[...] = inside


def _is_contiguous(value: Any) -> bool:
    return bool(value.is_contiguous() if is_torch(value) else value.flags.c_contiguous)


@dataclass(frozen=True)
class Place:
    """One tensor of a patch in a model.

    Attributes:
        name: the tensor's name in the patch.
        dtype: as in safetensors files.
        shape: the tensor's, not that of the parameters that hold it.
        owners: the names of the parameters that hold it.
        values: these parameters.
        blocks: how its elements lie in them; empty for one parameter that is the tensor.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    owners: tuple[str, ...]
    values: tuple[Any, ...]
    blocks: tuple[Block, ...] = ()

    @property
    def byte_count(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * WIDTHS[self.dtype]

    def own_bytes(self) -> Bytes | None:
        """The tensor's bytes where they are, if they are contiguous in this machine's memory."""
        return None if self.blocks else bytes_in_place(self.values[0])

    def read(self) -> Bytes:
        """A copy of the tensor's bytes."""
        if not self.blocks:
            return bytes_copied(self.values[0])
        data: Bytes = np.empty(self.byte_count, np.uint8)
        for block in self.blocks:
            _copy_block(self.values[block.source], data, block, WIDTHS[self.dtype], into_value=False)
        return data

    def write(self, data: Bytes) -> None:
        """Sets the tensor to these bytes."""
        if not self.blocks:
            write_bytes(self.values[0], data)
            return
        for block in self.blocks:
            _copy_block(self.values[block.source], data, block, WIDTHS[self.dtype], into_value=True)

    def fingerprint(self) -> str:
        """The fingerprint of the tensor as the model holds it."""
        own = self.own_bytes()
        return Given(self.name, self.dtype, self.shape, self.read() if own is None else own).fingerprint()

    def storage(self) -> tuple[Any, ...]:
        """Equal for two tensors that are the same memory."""
        keys: list[Any] = []
        for value in self.values:
            address = value.data_ptr() if is_torch(value) else value.__array_interface__["data"][0]
            keys.append((address, str(getattr(value, "device", "")), shape_of(value)))
        return (*keys, self.blocks)


class Located(ABC):
    """A model that finds the tensors of a checkpoint itself, such as one that a server has loaded."""

    @abstractmethod
    def places(self, entries: Iterable[Entry]) -> dict[str, Place]:
        """Where the tensors are, as far as the model has them."""

    @abstractmethod
    def missing(self, name: str) -> str:
        """Why the model lacks a tensor, and what to do."""

    @abstractmethod
    def unusable(self, place: Place) -> str | None:
        """Why a tensor cannot be changed where it is, beyond what holds for all models; None if it can."""


def tensors_of(model: Any) -> dict[str, Any]:
    """The tensors of a model, by name: those of a mapping, or the parameters and saved buffers of a module.

    Raises:
        Refused: for anything else.
    """
    if isinstance(model, Mapping):
        for name, value in model.items():
            if not is_torch(value) and not isinstance(value, np.ndarray):
                raise Refused(f'"{name}" {reason_against(value)}')
        return {str(name): value for name, value in model.items()}
    state_dict = getattr(model, "state_dict", None)
    if not callable(state_dict):
        raise Refused(
            f"a {type(model).__name__} is not a model; give a torch.nn.Module, or a dictionary of tensors or arrays")
    state = state_dict(keep_vars=True)
    return {name: value for name, value in state.items() if is_torch(value)}


def config_of(model: Any) -> Any:
    """The config of a transformers model as a dictionary; None for other models."""
    config = getattr(model, "config", None)
    to_dict = getattr(config, "to_dict", None)
    if not callable(to_dict):
        # torch.compile and DDP hold the model inside.
        inner = getattr(model, "_orig_mod", None) or getattr(model, "module", None)
        return None if inner is None or inner is model else config_of(inner)
    return _plain(to_dict())


def _plain(value: Any) -> Any:
    """What JSON can say of a config."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def locate(entries: Iterable[Entry], model: Any) -> dict[str, Place]:
    """Finds the tensors of a checkpoint in a model, as far as it has them.

    Args:
        entries: all tensors of the checkpoint.
        model: a module, a mapping of tensors, or a model that finds them itself.
    """
    if isinstance(model, Located):
        return model.places(entries)
    values = tensors_of(model)
    listed = {entry[0]: entry for entry in entries}
    if all(name in values and shape_of(values[name]) == entry[2] for name, entry in listed.items()):
        return {name: Place(*entry, (name,), (values[name],)) for name, entry in listed.items()}
    request = {
        "base": list(listed.values()), "config": config_of(model),
        # The dtype does not matter for names, and is checked afterwards.
        "tuned": [(name, dtype_of(value) if dtype_of(value) in WIDTHS else "U8", shape_of(value))
                  for name, value in values.items()],
    }
    match = _library.call_json("vpatch_match", _library.encoded(request))
    places = {base: Place(*listed[base], (tuned,), (values[tuned],)) for tuned, base in match["names"].items()}
    for item in match["rearranged"]:
        owners = tuple(item["sources"])
        places[item["tensor"]] = Place(
            *listed[item["tensor"]], owners, tuple(values[owner] for owner in owners),
            tuple(Block.of(block) for block in item["blocks"]))
    return places


def find(
    entries: Iterable[Entry], wanted: Iterable[str], model: Any,
    say: Callable[[str, str], Exception] = lambda name, reason: Refused(f'"{name}" {reason}'),
) -> dict[str, Place]:
    """Finds tensors of a checkpoint in a model, and requires that their bits can be changed.

    Args:
        entries: all tensors of the checkpoint.
        wanted: the names of those to find.
        model: a module, or a mapping of tensors.
        say: makes the exception for a tensor that cannot be used.

    Raises:
        Refused: for tensors that the model lacks, or holds in a form whose bits cannot be changed.
    """
    located = locate(entries, model)
    places: dict[str, Place] = {}
    for name in wanted:
        place = located.get(name)
        if place is None:
            raise say(name, _missing(name, model))
        for owner, value in zip(place.owners, place.values, strict=True):
            if reason := _unusable(place, value):
                raise say(owner, reason)
        if isinstance(model, Located) and (reason := model.unusable(place)):
            raise say(name, reason)
        places[name] = place
    return places


def _missing(name: str, model: Any) -> str:
    """Why a model may lack a tensor."""
    if isinstance(model, Located):
        return model.missing(name)
    state = model if isinstance(model, Mapping) else model.state_dict()
    stem = name.removesuffix(".weight") + "."
    other = next((key for key in state if stem in str(key) and not str(key).endswith(name)), None)
    if other is not None:
        return (f'is not in the model, which has "{other}" in its place: it is quantised, or has an adapter; load the '
                "plain model")
    return "is not in the model; give the model that the patch was made from"


def _unusable(place: Place, value: Any) -> str | None:
    """Why a parameter's bits cannot be those of a tensor."""
    if reason := reason_against(value):
        return reason
    if place.blocks and not _is_contiguous(value):
        return "is not contiguous in memory; make it so first (tensor.contiguous())"
    if not place.blocks and shape_of(value) != place.shape:
        return (f"has the shape {list(shape_of(value))} in the model and {list(place.shape)} in the patch's base; give "
                "the model that the patch was made from")
    if dtype_of(value) != place.dtype:
        advice = _TORCH_NAMES.get(place.dtype)
        return (f"is {dtype_of(value)} in the model and {place.dtype} in the patch's base; load the model in the "
                f"base's dtype ({f'dtype=torch.{advice}' if advice else place.dtype})")
    return None


_TORCH_NAMES = {"BF16": "bfloat16", "F16": "float16", "F32": "float32"}
