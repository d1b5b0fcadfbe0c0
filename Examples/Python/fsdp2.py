"""Trains a recipe of a model under FSDP2, and saves the patch: torchrun --nproc-per-node 2 fsdp2.py BASE OUTPUT"""

import sys

import torch
import torch.distributed as dist
import vpatch
from torch.distributed.fsdp import fully_shard

base, output = sys.argv[1:]
dist.init_process_group()
model = vpatch.load_model(base)
vpatch.freeze(model, "sa-proj")
for layer in model.model.layers:
    fully_shard(layer)
fully_shard(model)

optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
random = torch.Generator().manual_seed(dist.get_rank())
for step in range(5):
    ids = torch.randint(3, 500, (2, 32), generator=random)
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()

patch = vpatch.save_patch(model, base, output, recipe="sa-proj")  # on every rank
print(f"rank {dist.get_rank()}: {len(patch.touched)} tensors, {patch.identity[:12]}")
dist.destroy_process_group()
