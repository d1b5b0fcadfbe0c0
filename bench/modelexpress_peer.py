"""modelexpress 0.7.0's own writer and reader of canonical deltas, over a folder in place of S3."""
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import modelexpress_rl.inference.methods.canonical_delta as receiving
import torch
import torch.distributed as dist
from modelexpress_rl import (
    ObjectStorageGeneratorConfig,
    ObjectStorageSource,
    ObjectStorageType,
    WeightPayloadFormat,
    WeightVersion,
    WeightVersionRef,
    WeightVersionState,
    refit_pb2,
)
from modelexpress_rl.inference.plan import ObjectStorageUpdateSource
from modelexpress_rl.train.methods.canonical_delta import CanonicalDeltaPublicationMethod
from modelexpress_rl.utils import compress_delta, make_tensor_reader
from safetensors import safe_open

__all__ = ["BASE_VERSION", "INDEX", "VERSION", "compress_delta", "publish", "receive"]

MODEL = "model"
INDEX = "model.safetensors.index.json"
VERSION, BASE_VERSION = "000001", "000000"


class Folder:
    """modelexpress's S3 client, with the objects in a folder: `s3://bucket/NAME` is NAME."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, *, uri: str, data: bytes) -> None:
        (self.folder / uri.rsplit("/", 1)[1]).write_bytes(data)

    def get(self, uri: str) -> bytes:
        return (self.folder / uri.rsplit("/", 1)[1]).read_bytes()

    def size(self, uri: str) -> int:
        return (self.folder / uri.rsplit("/", 1)[1]).stat().st_size

    def close(self) -> None:
        pass


URI = f"s3://bucket/{INDEX}"


class Service:
    """The control service: knows one version."""

    def GetWeightVersion(self, _request: Any, timeout: float) -> Any:  # noqa: N802 (gRPC's name)
        version = refit_pb2.WeightVersion(
            uid=VERSION, model_name=MODEL, payload_format=refit_pb2.WEIGHT_PAYLOAD_FORMAT_XOR_DELTA,
            base_version_id=BASE_VERSION, object_storage=refit_pb2.ObjectStorageSource(
                storage_type=refit_pb2.OBJECT_STORAGE_TYPE_S3, uri=URI))
        return refit_pb2.GetWeightVersionResponse(version=version)


def buckets(file: Path) -> Iterator[list[tuple[str, torch.Tensor]]]:
    with safe_open(file, "pt") as tensors:
        for name in sorted(tensors.keys()):
            yield [(name, tensors.get_tensor(name))]


def publish(base: Path, tuned: Path, folder: Path) -> None:
    """modelexpress's trainer side: writes the delta of two safetensors files into a folder."""
    folder.mkdir(parents=True)
    if not dist.is_initialized():
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        dist.init_process_group("gloo", init_method=f"file://{tempfile.mkdtemp()}/store", rank=0, world_size=1)
    reader, _ = make_tensor_reader(base)
    method = CanonicalDeltaPublicationMethod(
        config=SimpleNamespace(initial_base_version_id=BASE_VERSION, uri_prefix="s3://bucket"), model_name=MODEL,
        service=Service, rpc_timeout_seconds=10, process_group=None, read_seed_tensor=reader, s3=Folder(folder))
    method.prepare_base(hf_tensor_iter=buckets(base))
    version = WeightVersionRef(VERSION)
    method.publish(version=version, staged=method.stage(version=version, hf_tensor_iter=buckets(tuned)))


def receive(base: Path, delta: Path, cache: Path) -> Path:
    """modelexpress's generator side: the folder of the model that the delta makes of a base, checked by checksums."""
    receiving.S3Client = lambda **_: Folder(delta)
    method = receiving.CanonicalDeltaUpdateMethod(model_name=MODEL, config=ObjectStorageGeneratorConfig(
        storage_type=ObjectStorageType.S3, initial_base_version_id=BASE_VERSION, seed_checkpoint_path=base,
        refit_checkpoint_dir=cache))
    storage = ObjectStorageSource(storage_type=ObjectStorageType.S3, uri=URI)
    version = WeightVersion(
        version_id=VERSION, model_name=MODEL, payload_format=WeightPayloadFormat.XOR_DELTA,
        base_version_id=BASE_VERSION, object_storage=storage, expected_source_slots=(), layout_signature="",
        state=WeightVersionState.READY, created_at_unix_ms=0)
    source = ObjectStorageUpdateSource(storage=storage, payload_format=WeightPayloadFormat.XOR_DELTA)
    prepared = method.prepare(version=version, source=source)
    path: Path = prepared.checkpoint.path
    return path
