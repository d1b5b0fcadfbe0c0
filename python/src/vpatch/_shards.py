"""Parameters of which each rank holds a part: DTensors (FSDP2, tensor parallelism, HSDP) and those of ZeRO-3. They are
gathered one by one, to the first rank.
"""

import itertools
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vpatch._arrays import given, reason_against
from vpatch._ranks import Ranks
from vpatch.errors import Refused

Box = tuple[tuple[int, ...], tuple[int, ...]]
"""A part of a tensor: where it starts, and its shape."""


def _is_dtensor(value: Any) -> bool:
    return type(value).__name__ == "DTensor"


def _is_zero3(value: Any) -> bool:
    return hasattr(value, "ds_id") and hasattr(value, "ds_tensor")


def is_sharded(model: Any) -> bool:
    """Whether ranks hold parts of the model's parameters, so that a save needs all of them."""
    return any(_is_dtensor(value) or _is_zero3(value) for value in model.parameters()) or _fsdp1(model) is not None


def _fsdp1(model: Any) -> str | None:
    """The name of a module that FSDP's first version wraps."""
    for name, module in model.named_modules():
        if any(kind.__name__ == "FullyShardedDataParallel" for kind in type(module).__mro__):
            return name or type(module).__name__
    return None


def require_supported(model: Any) -> None:
    """Refuses a model of FSDP's first version."""
    wrapped = _fsdp1(model)
    if wrapped is not None:
        raise Refused(
            f'"{wrapped}" is wrapped by FSDP1 (FullyShardedDataParallel), which hides the parameters; use FSDP2 '
            "(fully_shard), or within FullyShardedDataParallel.summon_full_params(model, writeback=False) make it on "
            "rank 0: vpatch.create(base, dict(model.named_parameters()), output, partial=True, cast_to_base=True)")


def prepare(model: Any) -> None:
    """Puts a model into the state between two steps, in which its parameters are what the optimizer changes."""
    for module in model.modules():
        # After an evaluation FSDP2 keeps whole copies of some parameters, in the dtype of the computation.
        if any(kind.__name__ == "FSDPModule" for kind in type(module).__mro__):
            module.reshard()


@dataclass(frozen=True)
class Facts:
    """What a rank tells the others of a parameter.

    Attributes:
        kind: "plain", "dtensor" or "zero3".
        dtype: of PyTorch.
        shape: of the whole tensor.
        device: the type of device that the rank's part is sent from.
        home: the first rank of the mesh that the rank's part belongs to.
        box: the rank's part; None where it has none, or where it is not one.
        digest: of the rank's part, if other ranks should have the same.
    """

    kind: str
    dtype: str
    shape: tuple[int, ...]
    device: str
    home: int
    box: Box | None
    digest: str | None


def facts(name: str, value: Any, ranks: Ranks) -> Facts:
    """Describes a parameter to the other ranks.

    Raises:
        Refused: for one whose bits cannot be read.
    """
    dtype, shape = str(value.dtype), tuple(int(n) for n in value.shape)
    if getattr(value, "ds_is_replaced_module", False):
        raise Refused(
            f'"{name}" is split by DeepSpeed\'s tensor parallelism (AutoTP); gather the tensors, and on rank 0: '
            "vpatch.create(base, tensors, output, partial=True, cast_to_base=True)")
    if _is_zero3(value):
        return Facts("zero3", dtype, tuple(int(n) for n in value.ds_shape), value.device.type, 0, None, None)
    if _is_dtensor(value):
        local = _local(value)
        if local.numel() > 0 and (reason := reason_against(local)):
            raise Refused(f'"{name}" {reason}')
        box = _box(value, local)
        mesh = value.device_mesh.mesh
        is_copied = mesh.numel() < ranks.count or any(
            type(placement).__name__ == "Replicate" for placement in value.placements)
        digest = given(name, local).fingerprint() if box is not None and is_copied else None
        return Facts("dtensor", dtype, shape, _device(local, ranks), int(mesh.min()), box, digest)
    return Facts("plain", dtype, shape, value.device.type, 0, None, given(name, value).fingerprint())


def _local(value: Any) -> Any:
    local = value.detach().to_local()
    return local.wait() if hasattr(local, "wait") else local


def _box(value: Any, local: Any) -> Box | None:
    """Where a rank's part lies; None where PyTorch cannot say it (partial sums, for example), or there is none."""
    chunks = getattr(value, "__create_chunk_list__", None)
    if local.numel() == 0 or chunks is None:
        return None
    try:
        (chunk,) = chunks()
    except (RuntimeError, ValueError, NotImplementedError, AssertionError):
        return None
    box = (tuple(int(n) for n in chunk.offsets), tuple(int(n) for n in chunk.sizes))
    return box if box[1] == tuple(local.shape) else None


def _device(local: Any, ranks: Ranks) -> str:
    """The device from which the group can send a part: its own, the accelerator's, or the processor's."""
    dist, torch = sys.modules["torch.distributed"], sys.modules["torch"]
    backends = dict(item.split(":") for item in dist.get_backend_config(ranks.group).split(",") if ":" in item)
    own = str(local.device.type)
    # gloo sends from the processor's memory only.
    if own in backends and (own == "cpu" or backends[own] != "gloo"):
        return own
    return "cpu" if "cpu" in backends else str(torch.accelerator.current_accelerator().type)


# MARK: One plan on all ranks


@dataclass(frozen=True)
class Step:
    """How a tensor comes to the first rank.

    Attributes:
        name: the parameter's name.
        kind: "plain", "parts", "whole" (each rank gets all of it) or "zero3".
        shape: of the whole tensor.
        device: the type of device that its parts are sent from.
        parts: each part, and the rank that sends it.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    device: str
    parts: tuple[tuple[Box, int], ...] = ()

    def bytes_sent(self, width: int) -> int:
        """How much the other ranks send to the first, by this plan. `width`: bytes of an element."""
        return sum(_volume(box[1]) * width for box, rank in self.parts if rank != 0)


def plan(described: Sequence[Mapping[str, Facts]]) -> list[Step]:
    """The plan by which parameters are gathered, from what all ranks tell: the same on every rank.

    Raises:
        Refused: if the ranks do not hold the same parameters, or different values of a whole one.
    """
    names = list(described[0])
    for rank, other in enumerate(described):
        if differing := sorted(other.keys() ^ described[0].keys()):
            has, lacks = (rank, 0) if differing[0] in other else (0, rank)
            raise Refused(
                f'"{differing[0]}" is trainable on rank {has} and not on rank {lacks}; save_patch needs every '
                "parameter on every rank, whole or as a DTensor. Where ranks hold different layers or experts, gather "
                "the tensors yourself, and on rank 0: vpatch.create(base, tensors, output, partial=True, "
                "cast_to_base=True)")
    return [_step(name, [other[name] for other in described]) for name in names]


def _step(name: str, sides: Sequence[Facts]) -> Step:
    first = sides[0]
    for rank, side in enumerate(sides):
        if (side.kind, side.dtype, side.shape) != (first.kind, first.dtype, first.shape):
            raise Refused(
                f'"{name}" is {first.dtype} {list(first.shape)} ({first.kind}) on rank 0, and {side.dtype} '
                f"{list(side.shape)} ({side.kind}) on rank {rank}; all ranks must hold the same model")
        if first.kind == "plain" and side.digest != first.digest:
            raise _differing(name, rank, 0)
    if first.kind != "dtensor":
        return Step(name, first.kind, first.shape, first.device)
    senders: dict[Box, int] = {}
    for rank, side in enumerate(sides):
        if side.box is None:
            continue
        holder = senders.setdefault(side.box, rank)
        if side.digest != sides[holder].digest:
            if side.home != sides[holder].home:
                raise _differing(name, rank, holder)
            # Declared as copies, and a full save takes one of them too.
            warnings.warn(
                f'"{name}": rank {rank} holds other values than rank {holder}, though they are copies of each other; '
                f"those of rank {holder} are taken", RuntimeWarning, stacklevel=5)
    if not tiles(first.shape, senders) or len({side.device for side in sides}) > 1:
        return Step(name, "whole", first.shape, first.device)
    return Step(name, "parts", first.shape, first.device, tuple(senders.items()))




def _differing(name: str, rank: int, other: int) -> Refused:
    return Refused(
        f'"{name}" has other values on rank {rank} than on rank {other}, though both hold the same part of it; average '
        "it over the ranks, or gather what the ranks hold apart, and on rank 0: vpatch.create(base, tensors, output, "
        "partial=True, cast_to_base=True)")


def _volume(shape: Sequence[int]) -> int:
    volume = 1
    for n in shape:
        volume *= n
    return volume


def tiles(shape: Sequence[int], boxes: Mapping[Box, int] | Sequence[Box]) -> bool:
    """Whether parts form a grid that covers a tensor, each element once.

    Parts that are not boxes (`_StridedShard` in general) overlap where only their starts and shapes are compared.
    """
    if _volume(shape) == 0:
        return not boxes
    intervals: list[list[tuple[int, int]]] = []
    for dimension, length in enumerate(shape):
        found = sorted({(start[dimension], size[dimension]) for start, size in boxes})
        ends = [0, *(start + size for start, size in found)]
        if ends[:-1] != [start for start, _ in found] or ends[-1] != length:
            return False
        intervals.append(found)
    grid = {(tuple(start for start, _ in cell), tuple(size for _, size in cell))
            for cell in itertools.product(*intervals)}
    return grid == set(boxes)


# MARK: One tensor at a time


class Gathering:
    """A tensor on its way to the first rank.

    What may fail on one rank alone is done when this is made; `whole` is what all ranks do together.
    """

    def __init__(self, step: Step, value: Any, ranks: Ranks) -> None:
        self._step, self._value, self._ranks = step, value, ranks
        self._buffer: Any = None
        self._requests: list[Any] = []
        self._beside: list[tuple[Any, Any]] = []
        if step.kind == "parts":
            if ranks.is_first:
                self._receive(_local(value))
            elif any(rank == ranks.rank for _, rank in step.parts):
                part = _flat_bytes(_local(value).to(step.device))
                self._requests.append(self._request("isend", part, 0))

    def _receive(self, own: Any) -> None:
        """Makes room for the whole tensor, and copies the own part into it."""
        self._buffer = own.new_empty(self._step.shape, device=self._step.device)
        for box, rank in self._step.parts:
            target = self._buffer[tuple(slice(a, a + n) for a, n in zip(*box, strict=True))]
            if rank == 0:
                target.copy_(own)
                continue
            # Rows arrive where they belong; other parts beside it.
            part = target if target.is_contiguous() else target.new_empty(target.shape)
            if part is not target:
                self._beside.append((target, part))
            self._requests.append(self._request("irecv", _flat_bytes(part), rank))

    def _request(self, operation: str, data: Any, rank: int) -> Any:
        dist = sys.modules["torch.distributed"]
        return dist.P2POp(
            getattr(dist, operation), data, group=self._ranks.group, peer=self._ranks.global_rank(rank))

    @contextmanager
    def whole(self) -> Iterator[Any]:
        """The whole tensor on the first rank, for the length of a `with` block; None on the others.

        Raises:
            RankFailed: if a rank ended or did not answer.
        """
        kind, is_first = self._step.kind, self._ranks.is_first
        if kind == "plain":
            yield self._value if is_first else None
        elif kind == "parts":
            with self._ranks.talking():
                self._exchange()
            yield self._buffer
        elif kind == "whole":
            with self._ranks.talking():
                full = self._value.detach().full_tensor()
            yield full if is_first else None
        else:
            gathered = sys.modules["deepspeed"].zero.GatheredParameters([self._value])
            with self._ranks.talking():
                gathered.__enter__()
            try:
                yield self._value.data if is_first else None
            finally:
                with self._ranks.talking():
                    gathered.__exit__(None, None, None)

    def _exchange(self) -> None:
        """Sends this rank's part, or receives those of the others into the whole tensor."""
        if self._requests:
            for work in sys.modules["torch.distributed"].batch_isend_irecv(self._requests):
                work.wait()
        for target, part in self._beside:
            target.copy_(part)
        self._requests, self._beside = [], []


def _flat_bytes(value: Any) -> Any:
    """A tensor's bytes, which every backend can send, whatever the dtype."""
    return value.contiguous().reshape(-1).view(sys.modules["torch"].uint8)

