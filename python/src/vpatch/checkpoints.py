"""Makes patches of what a distributed training saved, without gathering it and without PyTorch."""

import os
from collections.abc import Mapping
from typing import Any

from vpatch.create import create
from vpatch.patch import Patch


def from_checkpoint(
    checkpoint: str | os.PathLike[str], base: str | os.PathLike[str], output: str | os.PathLike[str], *,
    recipe: str | None = None, cast_to_base: bool = True, prefix: str | None = None, name: str | None = None,
    note: str | None = None, training: Mapping[str, Any] | None = None, replace: bool = False,
    threads: int | None = None,
) -> Patch:
    """Makes a patch of a distributed checkpoint (DCP), as the ranks saved it. Its identity is that of `save_patch`.

    Tensors that the checkpoint lacks are unchanged. PyTorch is not imported, and memory does not grow with the model.

    Args:
        checkpoint: the folder with `.metadata`, with shards of HuggingFaceStorageWriter, or a checkpoint of the Trainer
            under FSDP; also a file of torch.save.
        base: the file or folder that the training started from.
        output: the patch file.
        recipe: require that only this recipe's tensors changed.
        cast_to_base: round float32 masters to the base's dtype, to nearest, ties to even.
        prefix: what the names of the model's tensors begin with; None to find it.

    Raises:
        Refused: for a checkpoint that holds several models, changes outside the recipe, or an output that exists.
        InvalidFile: for damaged files, missing files of ranks, and pickles that hold anything but tensors.
    """
    return create(
        base, checkpoint, output, recipe=recipe, cast_to_base=cast_to_base, prefix=prefix, name=name, note=note,
        training=training, replace=replace, threads=threads)
