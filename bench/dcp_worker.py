"""Saves a checkpoint in safetensors form as a distributed one. Run by bench/dcp.py under torchrun."""

import sys
from pathlib import Path

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors import safe_open
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard


def main() -> None:
    model, output = Path(sys.argv[1]), Path(sys.argv[2])
    dist.init_process_group("gloo")
    rank, ranks = dist.get_rank(), dist.get_world_size()
    torch.set_num_threads(1)
    mesh = init_device_mesh("cpu", (ranks,))
    state: dict[str, torch.Tensor] = {}
    for file in sorted(model.glob("*.safetensors")):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118
                whole = tensors.get_slice(name)
                shape = torch.Size(whole.get_shape())
                # As FSDP divides rows; down_proj by columns, as tensor parallelism does; o_proj stored transposed.
                axis = 1 if "down_proj" in name else 0
                size = -(-shape[axis] // ranks)
                part = slice(min(rank * size, shape[axis]), min((rank + 1) * size, shape[axis]))
                local = whole[:, part].contiguous() if axis else whole[part].contiguous()
                if "o_proj" in name:
                    local = local.t().contiguous().t()
                stride = torch.empty(shape, device="meta").stride()
                state[name] = DTensor.from_local(
                    local, mesh, [Shard(axis)], run_check=False, shape=shape, stride=stride)
    dcp.save({"model": state}, checkpoint_id=str(output))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
