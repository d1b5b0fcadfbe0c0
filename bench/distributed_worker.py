"""One rank of bench/distributed.py; torchrun starts it.

    torchrun --nproc-per-node N distributed_worker.py fsdp2|zero3 OUT RECIPE,RECIPE BASE…
    torchrun --nproc-per-node N distributed_worker.py memory OUT BASE TENSORS ROWS COLUMNS

Rank 0 writes result.json. The patches and checkpoints of a base and a recipe are in OUT/NAME-RECIPE.
"""

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import vpatch
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.fsdp import fully_shard

STEPS = 5
FULL = StateDictOptions(full_state_dict=True, cpu_offload=True)


def sent() -> int:
    """Bytes that went through the loopback device, of this network namespace."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[8])
    return 0


def status(field: str) -> int:
    """What the system says of this process's memory, in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


class Cost:
    """Time, bytes and memory of what all ranks do together."""

    def __enter__(self) -> "Cost":
        gc.collect()
        dist.barrier()
        Path("/proc/self/clear_refs").write_text("5")
        self._before, self._sent, self._begin = status("VmRSS"), sent(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._begin
        dist.barrier()
        self.bytes = sent() - self._sent
        self.peak = status("VmHWM") - self._before

    def members(self) -> dict[str, float]:
        return {"seconds": self.seconds, "bytes": self.bytes, "peak": self.peak}


def train(model: Any, step: Any) -> None:
    random = torch.Generator().manual_seed(dist.get_rank())
    for _ in range(STEPS):
        ids = torch.randint(3, 500, (2, 32), generator=random)
        step(model(input_ids=ids, labels=ids, use_cache=False).loss)


def adamw(model: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=5e-3)


def write(state: dict[str, Any], model: Any, out: Path) -> None:
    """Writes a whole model as transformers does: a head that is tied to the embedding is left out."""
    from safetensors.torch import save_file

    if model.config.tie_word_embeddings:
        state.pop("lm_head.weight", None)
    save_file({name: value.contiguous() for name, value in state.items()}, out / "model.safetensors")


def fsdp2(base: str, out: Path, recipe: str) -> dict[str, Any]:
    """Trains under FSDP2; saves the patch, the whole model, and a distributed checkpoint."""
    import torch.distributed.checkpoint as dcp

    model = vpatch.load_model(base)
    vpatch.freeze(model, recipe)
    for layer in model.model.layers:
        fully_shard(layer)
    fully_shard(model)
    optimizer = adamw(model)

    def step(loss: Any) -> None:
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    train(model, step)
    with Cost() as patch_cost:
        patch = vpatch.save_patch(model, base, out / "task.vpatch", recipe=recipe)
    with Cost() as full_cost:
        state = get_model_state_dict(model, options=FULL)
        if dist.get_rank() == 0:
            write(state, model, out)
    with Cost() as dcp_cost:
        dcp.save(get_model_state_dict(model, options=StateDictOptions(ignore_frozen_params=True)),
                 checkpoint_id=out / "dcp")
    return {"identity": patch.identity, "touched": len(patch.touched), "patch": patch_cost.members(),
            "full": full_cost.members(), "dcp": dcp_cost.members()}


def zero3(base: str, out: Path, recipe: str) -> dict[str, Any]:
    """Trains under ZeRO-3; saves the patch, and the whole model by DeepSpeed's own gathering."""
    import deepspeed

    model = vpatch.load_model(base)
    vpatch.freeze(model, recipe)
    engine, *_ = deepspeed.initialize(model=model, optimizer=adamw(model), config={
        "train_micro_batch_size_per_gpu": 2, "bf16": {"enabled": True}, "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "zero_optimization": {"stage": 3, "stage3_param_persistence_threshold": 0, "overlap_comm": False,
                              "stage3_gather_16bit_weights_on_model_save": True}})

    def step(loss: Any) -> None:
        engine.backward(loss)
        engine.step()

    train(engine, step)
    with Cost() as patch_cost:
        patch = vpatch.save_patch(engine, base, out / "task.vpatch", recipe=recipe)
    with Cost() as full_cost:
        state = engine._zero3_consolidated_16bit_state_dict()
        if dist.get_rank() == 0:
            write(state, model, out)
    inner = vpatch.save_patch(engine.module, base, out / "inner.vpatch", recipe=recipe)
    if inner.identity != patch.identity:
        raise SystemExit("distributed_worker: the engine and its model make other patches")
    # Afterwards the parameters are in parts again.
    if any(p.numel() for p in model.parameters()):
        raise SystemExit("distributed_worker: a parameter stayed gathered")
    return {"identity": patch.identity, "touched": len(patch.touched), "patch": patch_cost.members(),
            "full": full_cost.members(), "dcp": None}


class Made(torch.nn.Module):  # type: ignore[misc]
    """Large matrices that are all trained."""

    def __init__(self, tensors: int, rows: int, columns: int) -> None:
        super().__init__()
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(columns, rows, bias=False, dtype=torch.bfloat16) for _ in range(tensors))


def memory(base: str, out: Path, tensors: str, rows: str, columns: str) -> dict[str, Any]:
    """Rank 0's memory while a large model is saved. No rank ever held it whole."""
    from safetensors import safe_open

    with torch.device("meta"):
        model = Made(int(tensors), int(rows), int(columns))
    for layer in model.layers:
        fully_shard(layer)
    fully_shard(model)
    model.to_empty(device="cpu")
    random = torch.Generator().manual_seed(dist.get_rank())
    with safe_open(base, "pt") as file, torch.no_grad():
        for name, p in model.named_parameters():
            local = p.to_local()
            start = p.__create_chunk_list__()[0].offsets[0]
            local.copy_(file.get_slice(name)[start:start + local.shape[0]])
            local.add_(torch.randn(local.shape[1], generator=random).to(local.dtype) * 1e-4)
    spent: dict[str, tuple[float, float]] = {}
    _time_parts(spent)
    with Cost() as cost:
        patch = vpatch.save_patch(model, base, out / "task.vpatch")
    return {"identity": patch.identity, "patch": cost.members(), "parts": spent, "size": os.path.getsize(patch.path),
            "hash": _hashing(base) if dist.get_rank() == 0 else None}


def _hashing(base: str) -> float:
    """Processor seconds in which the base's tensors are hashed, which is a part of making any patch of it."""
    from vpatch import _library

    begin = time.process_time()
    _library.call_json("vpatch_checkpoint", _library.path_bytes(base), 1, 2)
    return time.process_time() - begin


def _time_parts(spent: dict[str, tuple[float, float]]) -> None:
    """Notes how long the parts of a save take on this rank: seconds, and seconds of the processors."""
    from vpatch import _shards, saving

    def timed(owner: Any, method: str) -> None:
        body = getattr(owner, method)

        def wrapped(*arguments: Any) -> Any:
            begin, begin_work = time.monotonic(), time.process_time()
            try:
                return body(*arguments)
            finally:
                before = spent.get(method, (0.0, 0.0))
                spent[method] = (before[0] + time.monotonic() - begin, before[1] + time.process_time() - begin_work)

        setattr(owner, method, wrapped)

    timed(_shards.Gathering, "_exchange")
    timed(saving._Save, "_write")
    timed(saving._Save, "_finish")


def main() -> None:
    mode, out, *others = sys.argv[1:]
    torch.set_num_threads(1)
    if mode == "zero3":
        import deepspeed

        deepspeed.init_distributed(dist_backend="gloo", verbose=False)
    else:
        dist.init_process_group("gloo")
    found: Any
    if mode == "memory":
        found = memory(others[0], Path(out), *others[1:])
    else:
        found = {}
        for base in others[1:]:
            for recipe in others[0].split(","):
                name = f"{Path(base).name}-{recipe}"
                place = Path(out) / name
                place.mkdir(exist_ok=True)
                found[name] = (fsdp2 if mode == "fsdp2" else zero3)(base, place, recipe)
                dist.barrier()
    if dist.get_rank() == 0:
        (Path(out) / "result.json").write_text(json.dumps(found))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
