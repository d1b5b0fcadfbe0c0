"""The tensors of a checkpoint in a model that vLLM or SGLang has loaded: as views into its parameters.

Both keep several tensors of the files in one parameter: `qkv_proj` is q, k and v one below the other, `gate_up_proj`
gate and up, `w13_weight` and `w2_weight` all experts; `embed_tokens` and `lm_head` have rows of padding at the end. So
a tensor of the files is a slice of rows, which is contiguous, and is changed where it is.

Names decide where a tensor may be. Whether it is there is proved by its fingerprint before anything is written.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from vpatch._arrays import is_torch, shape_of
from vpatch._places import Entry, Located, Place

# Those of nearly all models; a model's class may name others (`packed_modules_mapping`).
_PARTS = {"qkv_proj": ("q_proj", "k_proj", "v_proj"), "gate_up_proj": ("gate_proj", "up_proj")}
_SHARDS = {"q": 0, "k": 1, "v": 2}
_EXPERT = re.compile(r"(?P<owner>.+)\.(?P<expert>\d+)\.(?P<part>gate_proj|up_proj|down_proj|w1|w2|w3)\.weight")
_EXPERT_PARTS = {
    "gate_proj": ("w13_weight", 0), "w1": ("w13_weight", 0), "up_proj": ("w13_weight", 1), "w3": ("w13_weight", 1),
    "down_proj": ("w2_weight", None), "w2": ("w2_weight", None),
}
_WRAPPERS = ("", "model.", "language_model.", "transformer.", "language_model.model.")

# A parameter and, if it holds several tensors, the number of the one among them.
_Slot = tuple[str, int | None]


class EngineModel(Located):
    """A model of vLLM or SGLang on one device, without tensor parallelism."""

    def __init__(self, module: Any) -> None:
        """Lists the parameters of a model; they stay where they are."""
        self._module = module
        self._modules = dict(module.named_modules(remove_duplicate=False))
        self._values = {
            name: value for name, value in module.state_dict(keep_vars=True).items() if hasattr(value, "data_ptr")}
        self._parts = self._packed_parts()
        self._packed = {
            owner.weight.data_ptr() for owner in self._modules.values()
            if _computes_from_a_copy(owner) and owner.weight.numel()}
        self._derived = {
            name: attribute for name, owner in self._modules.items() if name and (attribute := _derived_tensor(owner))}

    def places(self, entries: Iterable[Entry]) -> dict[str, Place]:
        """Where the tensors are, as far as the model has them."""
        found = {}
        for name, dtype, shape in entries:
            for owner, value in self._views(name, shape):
                if shape_of(value) == tuple(shape):
                    found[name] = Place(name, dtype, tuple(shape), (owner,), (value,))
                    break
        return found

    def missing(self, name: str) -> str:
        """Why the model lacks a tensor, and what to do."""
        owner = next((slot for slot, _ in self._slots(name) if slot in self._values), None)
        if expert := self._expert(name):
            owner = expert[0]
        if owner is None:
            return "is not in the served model; serve the model that the patch was made from"
        if self._values[owner].numel() == 0:
            return _PACKED
        return (f'is held by the server inside "{owner}" {list(shape_of(self._values[owner]))}, in an arrangement that '
                "vpatch does not know; write the tuned model with 'vpatch apply', and serve that")

    def unusable(self, place: Place) -> str | None:
        """Why a change would not be seen where a tensor is."""
        owner = place.owners[0]
        if self._values[owner].data_ptr() in self._packed:
            return _PACKED
        if derived := self._derived_from(owner):
            return (f"is one of which the server keeps a product ({derived}), and would not see a change; write the "
                    "tuned model with 'vpatch apply', and serve that")
        if self._is_rearranged(owner):
            return ("is rearranged for the processor's kernels, as vLLM does with experts on CPU; write the tuned "
                    "model with 'vpatch apply', and serve that")
        return None

    def is_packed(self) -> bool:
        """Whether linear layers compute from packed copies of their weights."""
        return any(_computes_from_a_copy(owner) for owner in self._modules.values())

    # Where a tensor may be.

    def _views(self, name: str, shape: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
        for slot, part in self._slots(name):
            value = self._values.get(slot)
            if value is None or value.numel() == 0:
                continue
            value = _plain(value)
            if part is not None:
                sizes = [int(size) for size in getattr(self._owner(slot), "output_sizes", ())]
                if part < len(sizes) and sum(sizes) == value.shape[0]:
                    yield slot, value.narrow(0, sum(sizes[:part]), sizes[part])
                continue
            yield slot, value
            if getattr(self._owner(slot), "org_vocab_size", None) == shape[0] < value.shape[0]:
                yield slot, value.narrow(0, 0, shape[0])
            # A convolution's weights have one more dimension of length 1 in one of the two.
            if value.is_contiguous() and [n for n in value.shape if n != 1] == [n for n in shape if n != 1]:
                yield slot, value.view(shape)
        if expert := self._expert(name):
            slot, number, half = expert
            value = _plain(self._values[slot])
            if number < value.shape[0]:
                one = value[number]
                yield slot, one if half is None else one.narrow(0, half * (one.shape[0] // 2), one.shape[0] // 2)

    def _slots(self, name: str) -> Iterator[_Slot]:
        """The parameters that may hold a tensor of the files."""
        for mapped, shard in self._mapped(name):
            if shard is not None:
                yield mapped, shard
                continue
            for wrapper in _WRAPPERS:
                yield wrapper + mapped, None
                yield from self._fused(wrapper + mapped)

    def _mapped(self, name: str) -> Iterator[_Slot]:
        """The name by the model's own rule, and as it is."""
        rule = getattr(self._module, "hf_to_vllm_mapper", None)
        with_shard = getattr(rule, "_map_name_with_shard", None)
        if with_shard is not None and (result := with_shard(name)) is not None:
            mapped, shard = result
            number = _SHARDS.get(shard) if isinstance(shard, str) else shard
            if shard is None or isinstance(number, int):
                yield mapped, number
        yield name, None

    def _fused(self, name: str) -> Iterator[_Slot]:
        *path, leaf, kind = name.split(".")
        for fused, number in self._parts.get(leaf, ()):
            yield ".".join([*path, fused, kind]), number

    def _expert(self, name: str) -> tuple[str, int, int | None] | None:
        """The parameter of all experts that holds one expert's tensor, its number, and which half of the rows it is."""
        match = _EXPERT.fullmatch(name)
        if match is None:
            return None
        kind, half = _EXPERT_PARTS[match["part"]]
        for mapped, _ in self._mapped(match["owner"]):
            for wrapper in _WRAPPERS:
                for inner in ("", "routed_experts."):
                    slot = f"{wrapper}{mapped}.{inner}{kind}"
                    if slot in self._values:
                        return slot, int(match["expert"]), half
        return None

    def _owner(self, parameter: str) -> Any:
        return self._modules.get(parameter.rpartition(".")[0])

    def _packed_parts(self) -> dict[str, list[tuple[str, int]]]:
        tables = [_PARTS]
        tables += [table for module in self._modules.values()
                   if isinstance(table := getattr(module, "packed_modules_mapping", None), dict)]
        parts: dict[str, list[tuple[str, int]]] = {}
        for table in tables:
            for fused, names in table.items():
                for number, part in enumerate(names):
                    slot = (str(fused), number)
                    if part != fused and slot not in parts.setdefault(str(part), []):
                        parts[str(part)].append(slot)
        return parts

    def _derived_from(self, owner: str) -> str | None:
        """What the server computed from a parameter when it loaded it, and uses in its place."""
        path = owner.split(".")
        if path[-2:-1] == ["kv_b_proj"]:
            return "the matrices of multi-head latent attention"
        inside = (".".join(path[:length]) for length in range(len(path) - 1, 0, -1))
        return next((self._derived[name] for name in inside if name in self._derived), None)

    def _is_rearranged(self, owner: str) -> bool:
        # vLLM packs experts on CPU in their place, at the same shape. SGLang marks what it packs for AMX.
        module = self._owner(owner)
        on_cpu = self._values[owner].device.type == "cpu"
        is_vllm = type(module).__module__.startswith("vllm.")
        experts = owner.rpartition(".")[2] in ("w13_weight", "w2_weight")
        return (experts and on_cpu and is_vllm) or bool(getattr(module, "use_intel_amx_backend", False))


_PACKED = ("is packed for the processor's kernels: the server computes from a copy, and would not see a change; start "
           "vLLM with --worker-extension-cls vpatch.vllm.Extension, which keeps the weights plain")


def _plain(value: Any) -> Any:
    """A parameter as a plain tensor: the engines' parameters are classes of their own."""
    import torch  # noqa: PLC0415  (an optional dependency)

    return value.data.as_subclass(torch.Tensor)


def _derived_tensor(module: Any) -> str | None:
    """The name of a matrix that a module with parameters holds beside them, other than its keys and values."""
    for name, value in vars(module).items():
        if name != "kv_cache" and is_torch(value) and value.is_floating_point() and value.ndim > 1:
            return name if any(True for _ in module.parameters()) else None
    return None


def _computes_from_a_copy(module: Any) -> bool:
    """Whether a linear layer of vLLM on CPU holds its weights packed, in the variables of its function."""
    function = getattr(module, "cpu_linear", None)
    return bool(getattr(function, "__closure__", None))
