"""Patches in and out of a running vLLM (docs/serving.md).

    VLLM_SERVER_DEV_MODE=1 vllm serve MODEL --worker-extension-cls vpatch.vllm.Extension \\
        --weight-transfer-config '{"backend": "vpatch"}'

or, without a server, `vpatch.vllm.swap(llm, "task.vpatch")` with
`llm = vllm.LLM(MODEL, worker_extension_cls="vpatch.vllm.Extension")`.

vLLM imports this module in its worker before it loads the model. Only then can the weights be kept plain: on CPU, vLLM
packs them for oneDNN and computes from the copies.
"""

import weakref
from dataclasses import dataclass
from typing import Any

from vllm import _custom_ops
from vllm.distributed.weight_transfer.base import (
    WeightTransferEngine,
    WeightTransferInitInfo,
    WeightTransferUpdateInfo,
)
from vllm.distributed.weight_transfer.factory import WeightTransferEngineFactory
from vllm.model_executor.layers import utils as layer_utils

from vpatch._engines import EngineModel
from vpatch._requests import CHANGES, Json, change_request, quantised, raised, several_devices, with_lora
from vpatch._serving import Engine, Served
from vpatch._vllm_core import CORE
from vpatch.errors import Misuse, Refused

_served: "weakref.WeakKeyDictionary[Any, Served]" = weakref.WeakKeyDictionary()


def _refusal(module: Any, config: Any) -> str | None:
    """Why no patch can go into this server, and what to do; None if it can."""
    parallel, model = config.parallel_config, config.model_config
    for size, option in (
        (parallel.tensor_parallel_size, "--tensor-parallel-size"),
        (parallel.pipeline_parallel_size, "--pipeline-parallel-size"),
        (parallel.data_parallel_size, "--data-parallel-size"),
    ):
        if size > 1:
            return several_devices("vLLM", option, size)
    if model.quantization is not None:
        return quantised("vLLM", model.quantization)
    if config.lora_config is not None:
        return with_lora("vLLM")
    if EngineModel(module).is_packed():
        return ("vLLM packed the weights for the processor's kernels before vpatch.vllm was imported; start it with "
                "--worker-extension-cls vpatch.vllm.Extension, which keeps them plain")
    return None


def _served_by(module: Any, config: Any) -> Served:
    if module not in _served:
        _served[module] = Served(
            Engine("vllm", str(config.model_config.model), module, lambda: _refusal(module, config)))
    return _served[module]


def _handle(served: Served, request: Json) -> Json:
    """Hands a request on, without what the engine's core added."""
    core = request.get(CORE)
    plain = {key: value for key, value in request.items() if key != CORE}
    return served.handle(plain, lambda: _NO_PLUGIN if core is None else core["busy"])


_NO_PLUGIN = ("vLLM has not loaded the plugin vpatch, which looks for requests in flight; install the wheel of vpatch "
              "in the server's environment, and name it if VLLM_PLUGINS is set (VLLM_PLUGINS=vpatch)")


class Extension:
    """The worker's part: `--worker-extension-cls vpatch.vllm.Extension`. Adds the method `vpatch` to the worker."""

    def vpatch(self, request: Json) -> Json:
        """Does what a request asks (docs/serving.md), and replies. Never raises."""
        worker: Any = self
        return _handle(_served_by(worker.model_runner.get_model(), worker.vllm_config), request)


@dataclass
class InitInfo(WeightTransferInitInfo):  # type: ignore[misc]
    """Nothing: a patch comes by its path."""


@dataclass
class UpdateInfo(WeightTransferUpdateInfo):  # type: ignore[misc]
    """The request of `/update_weights`, as it is."""

    request: Json


class TransferEngine(WeightTransferEngine[InitInfo, UpdateInfo]):  # type: ignore[misc]
    """The weight-transfer engine "vpatch": `/start_weight_update`, `/update_weights`, `/finish_weight_update`."""

    init_info_cls = InitInfo
    update_info_cls = UpdateInfo
    supports_draft_weight_update = False

    def _patches(self) -> Served:
        return _served_by(self.model, self.vllm_config)

    def init_transfer_engine(self, init_info: InitInfo) -> None:
        """Nothing to connect."""

    def start_weight_update(self) -> None:
        """Begins a session. The weights stay usable throughout: vLLM's layer-wise reload is not used."""
        self._patches().session_open = True

    def update_weights(self, update_info: Json) -> None:
        """Makes the change.

        Raises:
            VPatchError: if it was refused, or failed and was taken back.
        """
        try:
            self.receive_weights(UpdateInfo(update_info))
        except BaseException:
            self._patches().session_open = False
            raise

    def receive_weights(self, update_info: UpdateInfo) -> None:
        """Makes the change."""
        request = update_info.request
        if request.get("action") not in CHANGES:
            raise Misuse(f'the action of an update must be apply or revert, not {request.get("action")!r}')
        raised(_handle(self._patches(), request))

    def finish_weight_update(self) -> None:
        """Ends the session."""
        self._patches().session_open = False

    def shutdown(self) -> None:
        """Nothing to release."""


def swap(
    llm: Any, patch: str | None = None, *, revert: bool = False, everything: bool = False, full: bool = False
) -> Json:
    """Puts a patch into a `vllm.LLM` that was made with worker_extension_cls="vpatch.vllm.Extension", or takes it out.

    Args:
        llm: the engine.
        patch: the patch to put in; None with `revert=True`: take out the one on top.
        revert: with a patch: take out what is in first; all or nothing.
        everything: with `revert=True` and no patch: take out all patches.
        full: compare all tensors of the base, not only those that the patch changes.

    Returns:
        What is in now (docs/serving.md). `llm.get_weight_version()` is the patch's identity.

    Raises:
        VPatchError: if it was refused, or failed and was taken back.
    """
    return _asked(llm, change_request(patch, revert=revert, everything=everything, full=full))


def status(llm: Any, *, verify: str = "touched") -> Json:
    """What is in a `vllm.LLM`: the base's root, the patches, the weight version (docs/serving.md).

    Args:
        verify: "none"; "touched": compare what the patches touch with what they record; "all": all tensors.

    Raises:
        WrongBase: if the model holds other bits than it should.
    """
    return _asked(llm, {"action": "status", "verify": verify})


def _asked(llm: Any, request: Json) -> Json:
    config = llm.llm_engine.vllm_config.parallel_config
    if config.worker_extension_cls != f"{Extension.__module__}.{Extension.__name__}":
        raise Refused('the LLM was made without vpatch; make it with worker_extension_cls="vpatch.vllm.Extension"')
    return raised(llm.collective_rpc("vpatch", args=(request,))[0])


def _register() -> None:
    """Prepares this process of vLLM, before it loads a model."""
    # From now on linear layers compute from their weights as they are.
    _custom_ops._supports_onednn = False
    layer_utils.check_cpu_sgl_kernel = lambda *_: False
    WeightTransferEngineFactory.register_engine("vpatch", TransferEngine)


_register()
