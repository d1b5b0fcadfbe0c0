"""`python -m vpatch.train`: `vpatch train` on PyTorch, with any model of transformers and any number of ranks.

    torchrun --nproc-per-node 8 -m vpatch.train model/ --recipe sa-proj --data train.jsonl -o task.vpatch

Options, data files and the patch are those of `vpatch train`; docs/distributed.md says what differs.
"""
