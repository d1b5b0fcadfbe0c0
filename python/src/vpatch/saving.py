"""Makes a patch of what was trained: of a whole model, or of one that is sharded over ranks."""

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vpatch import _library, _shards
from vpatch._arrays import given
from vpatch._ranks import Ranks, attempt
from vpatch.create import create
from vpatch.errors import Refused, VPatchError
from vpatch.patch import Patch, default_threads


def save_patch(
    model: Any, base: str | os.PathLike[str], output: str | os.PathLike[str], *, recipe: str | None = None,
    name: str | None = None, note: str | None = None, training: Mapping[str, Any] | None = None, replace: bool = False,
    threads: int | None = None, group: Any = None,
) -> Patch:
    """Makes a patch of a model's trainable parameters; no checkpoint is written.

    Parameters with `requires_grad=False` count as unchanged. Float32 masters of a base in another dtype are rounded to
    the base's dtype, to nearest, ties to even; `Patch.to_dict()["annotations"]["made"]["cast"]` lists them.

    If the model is sharded (FSDP2, tensor parallelism, ZeRO-3), every rank calls this, between two steps. The trainable
    tensors are gathered one by one to rank 0, which writes the patch. Every rank gets it: on the others it knows all
    about itself, and opens the file only when it is put into a model. If anything fails on any rank, all raise the
    same error, and nothing is written.

    Args:
        model: the trained torch.nn.Module; also wrapped by torch.compile or DDP.
        base: the file or folder that it was loaded from. Rank 0 reads it.
        output: the patch file. Rank 0 writes it.
        recipe: require that only this recipe's tensors changed.
        group: the process group of the ranks that call this; None: all ranks if the model is sharded, else this
            process alone. With DDP, where each rank has the whole model, call it on rank 0, or on all with
            `group=torch.distributed.group.WORLD`.

    Raises:
        Refused: if nothing is trainable, if the trained parameters are those of an adapter, or if they cannot be
            gathered.
        RankFailed: if another rank ended, did not answer, or failed by an error that is not vpatch's.
    """
    options: dict[str, Any] = {
        "recipe": recipe, "partial": True, "cast_to_base": True, "map_keys": True, "name": name, "note": note,
        "training": training, "replace": replace}
    if group is None and not _shards.is_sharded(model):
        return create(base, trainable(model), output, threads=threads, **options)
    ranks = Ranks(group)
    _require_all_ranks(model, ranks)
    options["threads"] = threads or default_threads()
    return _Save(ranks, base, output, options).run(model)


def trainable(model: Any) -> dict[str, Any]:
    """The parameters that `save_patch` saves.

    Raises:
        Refused: for a model that it does not save.
    """
    _shards.require_supported(model)
    chosen = {key: value for key, value in model.named_parameters() if value.requires_grad}
    if not chosen:
        raise Refused("no parameter of the model is trainable (requires_grad), so there is nothing to save; "
                      "vpatch.freeze(model, recipe) makes those of a recipe trainable")
    adapter = next((key for key in chosen if ".lora_" in key or ".modules_to_save." in key), None)
    if adapter is not None:
        raise Refused(f'the model has an adapter ("{adapter}"); save it with PEFT (model.save_pretrained), and give '
                      "its folder: vpatch.create(base, adapter_folder, output)")
    return chosen


def _require_all_ranks(model: Any, ranks: Ranks) -> None:
    """Refuses a model that only some of the ranks hold: the others may not be here, and all would wait for them.

    Every rank that holds the model sees this without a word from the others.
    """
    if ranks.group is not None:
        return
    meshes = [value.device_mesh.mesh for value in model.parameters() if hasattr(value, "device_mesh")]
    holders = {rank for mesh in meshes for rank in mesh.flatten().tolist()}
    if meshes and len(holders) < ranks.count:
        raise Refused(
            f"the model is sharded over {len(holders)} of the {ranks.count} ranks; give group=, the process group of "
            "the ranks that call save_patch")


class _Save:
    """A patch that ranks make together.

    The first rank writes it under another name. Only when that is done, and all ranks are there, it gets its own.
    """

    def __init__(
        self, ranks: Ranks, base: str | os.PathLike[str], output: str | os.PathLike[str], options: dict[str, Any]
    ) -> None:
        self._ranks, self._base, self._output, self._options = ranks, base, Path(output), options
        # One name for one output: what a killed process leaves is replaced by the next.
        self._hidden = self._output.with_name(f".{self._output.name}.gathering")
        self._creation = 0

    def run(self, model: Any) -> Patch:
        try:
            steps, parameters = self._plan(model)
            failure: BaseException | None = None
            for step in steps:
                failure = self._add(step, parameters[step.name], failure)
            self._ranks.agree(failure)
            facts = self._ranks.first(self._finish)
            # All ranks are there; after this they learn only how it went.
            self._ranks.agree()
            self._ranks.first(self._commit)
        finally:
            self._clean()
        return Patch._known(self._output, facts, threads=self._options["threads"])

    def _plan(self, model: Any) -> tuple[list[_shards.Step], dict[str, Any]]:
        def describe() -> tuple[dict[str, Any], dict[str, _shards.Facts]]:
            _shards.prepare(model)
            parameters = trainable(model)
            if self._ranks.is_first:
                self._begin()
            return parameters, {key: _shards.facts(key, value, self._ranks) for key, value in parameters.items()}

        described, error = attempt(describe)
        parameters, own = described or ({}, {})
        told = self._ranks.agree(error, own)
        steps, error = attempt(lambda: _shards.plan(told))
        self._ranks.agree(error)
        return steps or [], parameters

    def _begin(self) -> None:
        # First with the name that the patch will have: what stands in its way is found before the work.
        _library.close("vpatch_create_cancel", self._open(self._output, self._options))
        self._creation = self._open(self._hidden, {**self._options, "replace": True})

    def _open(self, path: Path, options: dict[str, Any]) -> int:
        return _library.call_handle(
            "vpatch_create_begin", _library.path_bytes(self._base), _library.path_bytes(path),
            _library.encoded(options))

    def _add(self, step: _shards.Step, value: Any, failure: BaseException | None) -> BaseException | None:
        """Gathers a tensor and adds it to the patch, if nothing failed on any rank before.

        Returns:
            What failed on this rank. The others hear of it before the next tensor.
        """
        gathering, error = attempt(lambda: _shards.Gathering(step, value, self._ranks))
        self._ranks.agree(failure or error)
        assert gathering is not None
        with gathering.whole() as tensor:
            _, failure = attempt(lambda: self._write(step.name, tensor))
        return failure

    def _write(self, name: str, tensor: Any) -> None:
        if tensor is not None:
            with self._named():
                _library.call("vpatch_create_add", self._creation, given(name, tensor.cpu()).tensor(), 0)

    def _finish(self) -> dict[str, Any]:
        """Writes the patch under the hidden name, and reads and verifies it."""
        creation, self._creation = self._creation, 0
        with self._named():
            _library.call_json("vpatch_create_finish", creation)
            return Patch(self._hidden, threads=self._options["threads"])._facts

    def _commit(self) -> None:
        """Gives the patch its name."""
        if self._options["replace"]:
            with suppress(FileNotFoundError):
                shutil.copymode(self._output, self._hidden)
            os.replace(self._hidden, self._output)
        else:
            try:
                # Unlike a rename, it fails where a file has appeared meanwhile.
                os.link(self._hidden, self._output)
            except FileExistsError as error:
                raise self._exists() from error
            except OSError as error:
                # A file system without hard links.
                if os.path.lexists(self._output):
                    raise self._exists() from error
                os.rename(self._hidden, self._output)
        folder = os.open(self._output.absolute().parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _exists(self) -> Refused:
        return Refused(f"{self._output}: already exists; give another output, or replace=True")

    def _clean(self) -> None:
        if not self._ranks.is_first:
            return
        if self._creation:
            _library.close("vpatch_create_cancel", self._creation)
            self._creation = 0
        with suppress(OSError):
            self._hidden.unlink()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Errors name the output, not the name under which it is written."""
        try:
            yield
        except VPatchError as error:
            raise type(error)(str(error).replace(str(self._hidden), str(self._output))) from error
