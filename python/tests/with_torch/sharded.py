"""What ranks do in the tests of sharded models (test_sharded.py)."""

import dataclasses
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import vpatch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor
from torch.distributed.tensor.placement_types import _StridedShard
from vpatch import _library, _ranks, _shards, saving

from models import TINY


def warm_up() -> None:
    """Imports before the fork what every rank needs."""
    import torch._dynamo
    import torch.distributed.tensor.parallel  # noqa: F401
    from transformers import Trainer  # noqa: F401

    model = vpatch.load_model(TINY / "tiny-qwen2")
    torch.optim.AdamW(model.parameters())
    with torch.no_grad():
        model(input_ids=torch.arange(3, 15).reshape(1, 12))


FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


def saved_whole(model: Any, base: str, output: Path) -> str:
    """The identity of `create` on a full save; empty on the other ranks."""
    state = get_model_state_dict(model, options=FULL)
    if dist.get_rank() != 0:
        return ""
    return vpatch.create(base, state, output, cast_to_base=True).identity


def both(model: Any, base: str, folder: str, **options: Any) -> dict[str, Any]:
    """Saves a model by save_patch and whole, and says what came of it."""
    patch = vpatch.save_patch(model, base, Path(folder) / "task.vpatch", **options)
    whole = saved_whole(model, base, Path(folder) / "whole.vpatch")
    dist.barrier()
    # Every rank can open it here.
    target = vpatch.open(patch.path).target_root
    return {"identity": patch.identity, "whole": whole, "cast": patch.to_dict()["annotations"]["made"].get("cast"),
            "touched": len(patch.touched), "same": target == patch.target_root, "recipe": patch.recipe}


def step_ids() -> torch.Tensor:
    """Other tokens on each rank."""
    return torch.randint(3, 90, (2, 12), generator=torch.Generator().manual_seed(dist.get_rank()))


def step(model: Any) -> None:
    """One step of AdamW."""
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    ids = step_ids()
    model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def shard(model: Any, **options: Any) -> Any:
    for layer in model.model.layers:
        fully_shard(layer, **options)
    return fully_shard(model, **options)


def fsdp2(base: str, folder: str, recipe: str) -> dict[str, Any]:
    """bf16, as loaded; frozen before it is sharded."""
    model = vpatch.load_model(base)
    vpatch.freeze(model, recipe)
    step(shard(model))
    trained = get_model_state_dict(model, options=dataclasses.replace(FULL, ignore_frozen_params=True))
    if dist.get_rank() == 0:
        vpatch.create(base, trained, Path(folder) / "one.vpatch", recipe=recipe, partial=True, cast_to_base=True)
    found = both(model, base, folder, recipe=recipe)
    # Every rank can use what it got.
    patch = vpatch.save_patch(model, base, Path(folder) / "task.vpatch", replace=True, recipe=recipe)
    served = vpatch.load_model(base, [patch])
    assert patch.is_applied(served) and patch.path.endswith("task.vpatch")
    patch.revert_(served)
    dist.barrier()
    return found


def masters(base: str, folder: str) -> dict[str, Any]:
    """Float32 masters computed in bf16, wrapped by all that wraps names; saved after an evaluation, which leaves whole
    copies of the outermost parameters in bf16."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    model = vpatch.load_model(base).to(torch.float32)
    vpatch.freeze(model, "full")
    layers = model.model.layers
    for i in range(len(layers)):
        layers[i] = checkpoint_wrapper(layers[i])
    shard(model, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16),
          offload_policy=CPUOffloadPolicy(pin_memory=False))
    step(model)
    with torch.no_grad():
        model(input_ids=torch.arange(3, 15).reshape(1, 12))
    assert not all(isinstance(p, DTensor) for p in model.parameters())
    return both(torch.compile(model), base, folder)


class Odd(torch.nn.Module):  # type: ignore[misc]
    """Parameters of odd shapes, placed as given."""

    def __init__(self, tensors: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_parameter(name, torch.nn.Parameter(tensor))


def odd(shape: tuple[int, ...], seed: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


# 2 x 2 ranks. A rank may hold nothing of a tensor.
PLACEMENTS: dict[str, tuple[tuple[int, ...], Any]] = {
    "rows": ((7, 5), (Shard(0), Replicate())), "columns": ((7, 5), (Replicate(), Shard(1))),
    "rows_columns": ((7, 5), (Shard(0), Shard(1))), "columns_rows": ((7, 5), (Shard(1), Shard(0))),
    "rows_twice": ((7, 5), (Shard(0), Shard(0))), "copies": ((3, 2), (Replicate(), Replicate())),
    "middle": ((2, 5, 3), (Shard(1), Shard(2))), "few": ((2, 3), (Shard(0), Shard(0))),
    "one": ((1,), (Shard(0), Replicate())), "strided": ((8, 3), (_StridedShard(0, split_factor=2), Shard(0))),
    "apart": ((8, 3), (Replicate(), _StridedShard(0, split_factor=2))),
}


def placements(base: str, folder: str) -> dict[str, Any]:
    """Every placement, partial sums, parts of views, and plain parameters beside them."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("a", "b"))
    tensors: dict[str, torch.Tensor] = {}
    for i, (name, (shape, placed)) in enumerate(PLACEMENTS.items()):
        value = odd(shape, i, torch.bfloat16 if i % 2 else torch.float32)
        tensors[name] = distribute_tensor(value, mesh, placed)
    tensors["sums"] = DTensor.from_local(odd((3, 4), 50) / 4, mesh, (Partial(), Partial()))
    whole = odd((4, 6), 51)
    rows = whole.t()[3 * mesh.get_local_rank("a"):][:3]
    tensors["views"] = DTensor.from_local(rows, mesh, (Shard(0), Replicate()), shape=torch.Size((6, 4)), stride=(4, 1))
    tensors["plain"], tensors["plain_view"] = odd((3, 3), 52), odd((3, 5), 53).t()
    model = Odd(tensors)
    sent = [len(step.parts) > 0 for step in _plan(model)]
    patch = vpatch.save_patch(model, base, Path(folder) / "task.vpatch")
    full = {name: p.detach().full_tensor() if isinstance(p, DTensor) else p.detach()
            for name, p in model.named_parameters()}
    expected = {name: odd(shape, i, torch.bfloat16 if i % 2 else torch.float32)
                for i, (name, (shape, _)) in enumerate(PLACEMENTS.items())}
    expected |= {"views": whole.t(), "sums": odd((3, 4), 50), "plain": odd((3, 3), 52)}
    expected["plain_view"] = odd((3, 5), 53).t()
    identity = ""
    if dist.get_rank() == 0:
        assert all(torch.equal(full[name], value) for name, value in expected.items())
        identity = vpatch.create(base, expected, Path(folder) / "whole.vpatch").identity
    return {"identity": patch.identity, "whole": identity, "touched": len(patch.touched),
            "in parts": [name for name, is_sent in zip(tensors, sent, strict=True) if is_sent]}


def _plan(model: Any) -> list[Any]:
    ranks = _ranks.Ranks()
    own = {name: _shards.facts(name, value, ranks) for name, value in model.named_parameters()}
    return _shards.plan(ranks.share(own))


def odd_base(path: Path) -> None:
    """The base of `placements`: zeros of the same shapes."""
    from safetensors.torch import save_file

    tensors = {name: torch.zeros(shape, dtype=torch.bfloat16 if i % 2 else torch.float32)
               for i, (name, (shape, _)) in enumerate(PLACEMENTS.items())}
    others = {"sums": (3, 4), "views": (6, 4), "plain": (3, 3), "plain_view": (5, 3)}
    save_file(tensors | {name: torch.zeros(shape) for name, shape in others.items()}, path)


def meshes(base: str, folder: str) -> list[Any]:
    """Tensor parallelism below FSDP2, and copies of shards (HSDP)."""
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    found = []
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    for kind in ("tensor", "copies"):
        model = vpatch.load_model(base)
        vpatch.freeze(model, "sa-proj")
        if kind == "tensor":
            for layer in model.model.layers:
                parallelize_module(layer.self_attn, mesh["tensor"], {
                    "q_proj": ColwiseParallel(), "k_proj": ColwiseParallel(), "v_proj": ColwiseParallel(),
                    "o_proj": RowwiseParallel()})
            shard(model, mesh=mesh["data"])
        else:
            shard(model, mesh=mesh)
        with torch.no_grad():
            for p in model.parameters():
                if p.requires_grad:
                    p.mul_(1.5)
        place = Path(folder) / kind
        if dist.get_rank() == 0:
            place.mkdir()
        dist.barrier()
        found.append(both(model, base, str(place)))
    return found


def refused(base: str, folder: str, kind: str) -> str:
    """What cannot be gathered."""
    output, rank = Path(folder) / "task.vpatch", dist.get_rank()
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    first = next(name for name, p in model.named_parameters() if p.requires_grad)
    if kind == "FSDP1":
        from torch.distributed.fsdp import FullyShardedDataParallel

        model = FullyShardedDataParallel(model, use_orig_params=True, device_id=torch.device("cpu"))
        try:
            vpatch.save_patch(model, base, output)
        except vpatch.Refused as error:
            # The way out that the message names.
            with FullyShardedDataParallel.summon_full_params(model, writeback=False):
                if rank == 0:
                    with torch.no_grad():
                        model.get_parameter("_fsdp_wrapped_module." + first).mul_(2)
                    vpatch.create(base, dict(model.named_parameters()), output, partial=True, cast_to_base=True)
                    assert len(vpatch.open(output).touched) == 1
            raise error
    if kind == "mesh":
        group = dist.new_group([0, 1])
        if rank < 2:
            shard(model, mesh=init_device_mesh("cpu", (2,)) if dist.get_world_size() == 2 else
                  torch.distributed.device_mesh.DeviceMesh("cpu", [0, 1]))
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).mul_(1.5)
            try:
                vpatch.save_patch(model, base, output)
            except vpatch.Refused as error:
                vpatch.save_patch(model, base, output, group=group)
                raise error
        raise vpatch.Refused("not asked")
    if kind == "names" and rank == 1:
        model.get_parameter(first).requires_grad_(False)
    if kind == "values":
        with torch.no_grad():
            model.get_parameter(first).add_(rank)
    vpatch.save_patch(model, base, output, group=dist.group.WORLD)
    return "saved"


def ddp(base: str, folder: str) -> dict[str, Any]:
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    step(wrapped)
    return both(wrapped, base, folder, group=dist.group.WORLD)


class Rows(torch.utils.data.Dataset[dict[str, Any]]):  # type: ignore[misc]
    """Rows of random tokens."""

    def __len__(self) -> int:
        return 16

    def __getitem__(self, i: int) -> dict[str, Any]:
        ids = torch.randint(3, 90, (12,), generator=torch.Generator().manual_seed(i)).tolist()
        return {"input_ids": ids, "labels": ids}


def trainer(base: str, folder: str, callback: Any, run: str, **settings: Any) -> Any:
    """The Trainer under FSDP2. On the processor accelerate would make DDP of it, were it not for one line."""
    import transformers
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    arguments = transformers.TrainingArguments(
        output_dir=str(Path(folder) / run), max_steps=4, per_device_train_batch_size=1, learning_rate=1e-2,
        save_steps=2, logging_steps=1, use_cpu=True, report_to=[], disable_tqdm=True, ddp_backend="gloo", seed=1,
        fsdp=True, fsdp_config={"version": 2, "transformer_layer_cls_to_wrap": ["Qwen2DecoderLayer"],
                                "state_dict_type": "SHARDED_STATE_DICT"}, **settings)
    _ = arguments.device
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
    return transformers.Trainer(model=model, args=arguments, train_dataset=Rows(), callbacks=[callback])


def callbacks(base: str, folder: str) -> dict[str, Any]:
    """PatchCallback under FSDP2: at saves, between them, at the end, and after a resumption."""
    where = Path(folder)
    found: dict[str, Any] = {}
    callback = vpatch.PatchCallback(base=base, output=where / "task.vpatch", recipe="sa-proj", every=3, name="counting")
    whole = trainer(base, folder, callback, "run")
    whole.train()
    assert whole.accelerator.is_fsdp2 and isinstance(next(whole.model.parameters()), DTensor)
    found["identity"] = callback.patches[-1].identity
    found["whole"] = saved_whole(whole.model, base, where / "whole.vpatch")
    found["patches"] = [os.path.relpath(patch.path, where) for patch in callback.patches]
    found["record"] = callback.patches[-1].to_dict()["annotations"]["training"]
    again = vpatch.PatchCallback(base=base, output=where / "again.vpatch", recipe="sa-proj")
    trainer(base, folder, again, "resumed").train(resume_from_checkpoint=str(where / "run" / "checkpoint-2"))
    found["resumed"] = again.patches[-1].identity
    found["refused"] = []
    for options in ({}, {"replaces_save": True, "replace": True}, {"replace": True, "recipe": "gate-up"}):
        late = vpatch.PatchCallback(base=base, output=where / "task.vpatch", **options)
        try:
            trainer(base, folder, late, "late").train()
        except vpatch.Refused as error:
            found["refused"].append(str(error))
    return found


# MARK: Failures

# When the save began that fails.
BEGIN = time.monotonic()


def _after(calls: int, body: Any, action: Any) -> Any:
    """A function that does something before its call of that number."""
    count = 0

    def wrapped(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == calls:
            action()
        return body(*arguments, **options)

    return wrapped


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _break() -> None:
    raise MemoryError("no memory for this")


def failing(base: str, folder: str, phase: str, rank: int, how: str) -> str:
    """A rank fails, or is killed, in a phase of the save. Its process id is written down for the others."""
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    step(shard(model))
    output = Path(folder) / "task.vpatch"
    pids: list[int] = [0] * dist.get_world_size()
    dist.all_gather_object(pids, os.getpid())
    action = _die if how == "killed" else _break
    plain_call = _library.call_json
    if dist.get_rank() == rank:
        if phase == "before":
            saving.trainable = _after(1, saving.trainable, action)
        elif phase == "tensor":
            if how == "killed":
                _shards.Gathering._exchange = _after(4, _shards.Gathering._exchange, action)  # type: ignore[method-assign]
            else:
                _shards._flat_bytes = _after(4, _shards._flat_bytes, action)
        elif phase == "after":
            saving._Save._finish = _after(1, saving._Save._finish, action)  # type: ignore[method-assign]
            _ranks.Ranks.first = _after(1, _ranks.Ranks.first, action)  # type: ignore[method-assign]
        elif phase == "finish" and rank == 0:
            _library.call_json = _after(1, _during(plain_call, Path(folder), action), lambda: None)
        elif phase == "finish":
            _ranks.Ranks.share = _after(  # type: ignore[method-assign]
                _shares(model) + 3, _ranks.Ranks.share, action)
        elif phase == "named":
            saving._Save._commit = _after(1, saving._Save._commit, action)  # type: ignore[method-assign]
    elif dist.get_rank() == 0 and phase == "finish":
        # Finishes only when the other is gone.
        def late(function: str, *arguments: Any) -> Any:
            while function == "vpatch_create_finish" and _is_alive(pids[rank]):
                time.sleep(0.005)
            return plain_call(function, *arguments)

        _library.call_json = late
    dist.barrier()
    global BEGIN
    BEGIN = time.monotonic()
    vpatch.save_patch(model, base, output)
    return "saved"


def _shares(model: Any) -> int:
    """How often ranks talk before the patch is finished: twice for the plan, once a tensor, and once after them."""
    return 3 + len([p for p in model.parameters() if p.requires_grad])


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _during(body: Any, folder: Path, action: Any) -> Any:
    """Kills the process while the library writes the patch."""
    import threading

    def watch() -> None:
        while not any("gathering" in path.name for path in folder.iterdir()):
            pass
        action()

    def wrapped(function: str, *arguments: Any) -> Any:
        if function == "vpatch_create_finish":
            threading.Thread(target=watch, daemon=True).start()
        return body(function, *arguments)

    return wrapped


def errors(base: str, folder: str, other: str) -> list[str]:
    """Errors of rank 0: each is raised on all ranks, and the next save works."""
    model = vpatch.load_model(base)
    vpatch.freeze(model, "sa-proj")
    step(shard(model))
    output, is_first = Path(folder) / "task.vpatch", dist.get_rank() == 0
    found = []

    def fails(**options: Any) -> None:
        try:
            vpatch.save_patch(model, options.pop("base", base), output, **options)
            found.append("saved")
        except vpatch.VPatchError as error:
            found.append(f"{type(error).__name__}: {error}")
        if is_first:
            left = [path.name for path in Path(folder).iterdir() if path.name != "task.vpatch"]
            assert not left, left

    fails(base=other)
    fails(base=base + "/missing")
    fails(recipe="gate-up")
    fails(recipe="nonsense")
    if is_first:
        # As a full disk: the library may write no more than this.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    fails()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    fails(name="one")
    fails(name="two")
    fails(name="three", replace=True)
    return found
