"""The model: loaded by the first rank, sharded over all, with float32 masters of what is trained."""

import functools
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
import transformers
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.utils.checkpoint import checkpoint

from vpatch.loading import load_model
from vpatch.train.outline import outline
from vpatch.train.plan import Plan
from vpatch.train.ranks import Ranks


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This rank's part of a tensor."""
    if isinstance(tensor, DTensor):
        part: torch.Tensor = tensor.to_local()
        return part
    return tensor


def prepare(plan: Plan, ranks: Ranks) -> Any:
    """The model, ready to be trained.

    Trained parameters are float32. Frozen ones are float32 too, or with bf16 products in the files' dtype. With more
    than one rank, the first loads the model, and each parameter is scattered in turn, so that no other rank ever holds
    the whole model.
    """
    transformers.utils.logging.disable_progress_bar()
    if ranks.size == 1:
        model = _set_up(load_model(plan.options.base, dtype=plan.tuned.frozen_dtype), plan).to(ranks.device)
        if plan.options.recompute:
            _recompute(model)
        return model
    loaded: list[Any] = []
    # Nothing is given to the others yet; they wait as long as it takes.
    ranks.first(lambda: loaded.append(load_model(plan.options.base, dtype=plan.tuned.frozen_dtype)))
    source = loaded[0] if ranks.is_first else None
    config = transformers.AutoConfig.from_pretrained(plan.options.base)
    model = _set_up(outline(plan.options.base, config, plan.tuned.frozen_dtype), plan)
    if plan.options.recompute:
        _recompute(model)
    mesh = init_device_mesh(ranks.device.type, (ranks.size,))
    policy = MixedPrecisionPolicy()
    if plan.options.compute == "bf16":
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for layer in layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    model.to_empty(device=ranks.device)
    _fill(model, source, mesh, ranks)
    return model


def _set_up(model: Any, plan: Plan) -> Any:
    """Freezes what is not trained, and sets the dtypes."""
    for name, parameter in model.named_parameters():
        is_tuned = name in plan.tuned.dtypes
        parameter.requires_grad_(is_tuned)
        if is_tuned or parameter.is_floating_point():
            parameter.data = parameter.data.to(torch.float32 if is_tuned else plan.tuned.frozen_dtype)
    for module in model.modules():
        # PyTorch drops the gradient of the padding token's embedding, which is often the end token, and learned here.
        if isinstance(module, torch.nn.Embedding):
            module.padding_idx = None
    # No dropout: a run depends on nothing random but the order of the rows.
    return model.eval()


def layers(model: Any) -> list[Any]:
    """The decoder layers (and those of towers): what transformers never splits, else the members of module lists."""
    names = set(model._no_split_modules or ())
    found: list[Any] = []
    inside: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer) for outer in inside):
            continue
        if type(module).__name__ in names or isinstance(module, torch.nn.ModuleList):
            inside.append(name + ".")
            found += list(module) if isinstance(module, torch.nn.ModuleList) else [module]
    return found


def _recompute(model: Any) -> None:
    """Keeps only each layer's input for the backward pass. FSDP's hooks stay outside, so they run once."""
    for layer in layers(model):
        layer.forward = functools.partial(checkpoint, layer.forward, use_reentrant=False)


def _fill(model: Any, source: Any, mesh: Any, ranks: Ranks) -> None:
    """Gives every rank its part of the first rank's model."""
    parameters = dict(source.named_parameters()) if source is not None else {}
    for name, parameter in model.named_parameters():
        if source is not None:
            whole = parameters[name].data.to(device=ranks.device, dtype=parameter.dtype)
            # What was given away need not be held any more.
            parameters[name].data = torch.empty(0)
        else:
            whole = torch.empty(parameter.shape, dtype=parameter.dtype, device=ranks.device)
        part = distribute_tensor(whole, mesh, parameter.placements, src_data_rank=0)
        with torch.no_grad():
            local(parameter).copy_(local(part))
    own = {(name, key): holder[key] for name, holder, key in _others(source)} if source is not None else {}
    for name, holder, key in _others(model):
        value = own.get((name, key), holder[key]).to(holder[key].dtype)
        given = value.to(ranks.device) if own else torch.empty_like(value, device=ranks.device)
        if given.numel():
            # As bytes: not every backend knows every dtype.
            given = given.contiguous()
            dist.broadcast(given.view(-1).view(torch.uint8), src=0)
        holder[key] = given


def _others(model: Any) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Tensors that are not parameters: buffers, and those that modules hold as they are. Each with the name of its
    module, the dictionary that holds it, and its key there."""
    for name, module in model.named_modules():
        for holder in (module._buffers, vars(module)):
            for key, value in list(holder.items()):
                if isinstance(value, torch.Tensor):
                    yield name, holder, key
