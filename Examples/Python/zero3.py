"""The same under ZeRO-3: DS_ACCELERATOR=cpu torchrun --nproc-per-node 2 zero3.py BASE OUTPUT"""

import sys

import deepspeed
import torch
import torch.distributed as dist
import vpatch

base, output = sys.argv[1:]
deepspeed.init_distributed(dist_backend="gloo", verbose=False)
model = vpatch.load_model(base)
vpatch.freeze(model, "sa-proj")
engine, *_ = deepspeed.initialize(
    model=model, optimizer=torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3),
    config={"train_micro_batch_size_per_gpu": 2, "bf16": {"enabled": True}, "zero_optimization": {"stage": 3},
            "zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False})

random = torch.Generator().manual_seed(dist.get_rank())
for step in range(5):
    ids = torch.randint(3, 500, (2, 32), generator=random)
    engine.backward(engine(input_ids=ids, labels=ids).loss)
    engine.step()

patch = vpatch.save_patch(engine, base, output, recipe="sa-proj")  # on every rank
print(f"rank {dist.get_rank()}: {len(patch.touched)} tensors, {patch.identity[:12]}")
dist.destroy_process_group()
