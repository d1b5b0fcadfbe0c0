"""The Trainer under FSDP2 with PatchCallback: torchrun --nproc-per-node 2 trainer.py BASE OUTPUT"""

import sys

import torch
import transformers
import vpatch

base, output = sys.argv[1:]
model = vpatch.load_model(base)
vpatch.freeze(model, "sa-proj")
random = torch.Generator().manual_seed(0)
rows = [{"input_ids": ids, "labels": ids} for ids in torch.randint(3, 500, (32, 32), generator=random)]
arguments = transformers.TrainingArguments(
    output_dir=output, max_steps=4, save_steps=2, per_device_train_batch_size=2, learning_rate=1e-3, report_to=[],
    disable_tqdm=True, fsdp=True, use_cpu=not torch.cuda.is_available(),
    fsdp_config={"version": 2, "transformer_layer_cls_to_wrap": [type(model.model.layers[0]).__name__],
                 "state_dict_type": "SHARDED_STATE_DICT"})
if arguments.use_cpu:
    # Without an accelerator accelerate makes DDP of FSDP, and says nothing. This makes it FSDP2.
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    _ = arguments.device
    PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU

callback = vpatch.PatchCallback(base=base, output=f"{output}/task.vpatch", recipe="sa-proj")
transformers.Trainer(model=model, args=arguments, train_dataset=rows, callbacks=[callback]).train()
for patch in callback.patches:
    print(f"rank {arguments.process_index}: {patch.path}, {len(patch.touched)} tensors, {patch.identity[:12]}")
