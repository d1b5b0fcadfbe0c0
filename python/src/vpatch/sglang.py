"""Patches in and out of a running SGLang (docs/serving.md).

SGLang finds `plugin` by its entry point where the wheel of vpatch is installed; no option is needed. A request to
`/update_weights_from_tensor` with the load format "vpatch" is then a request to vpatch. Without a server:
`vpatch.sglang.swap(engine, "task.vpatch")` with a `sglang.Engine`.
"""

import asyncio
import json
import weakref
from typing import Any

from vpatch._engines import EngineModel
from vpatch._requests import CHANGES, Json, change_request, quantised, raised, several_devices, with_lora
from vpatch._serving import Engine, Served
from vpatch.errors import Refused

LOAD_FORMAT = "vpatch"

# How long a change waits for the scheduler to finish the step of requests that were answered already, in seconds.
_PATIENCE = 10.0
_SCHEDULER = "sglang.srt.managers.scheduler_components.weight_updater.SchedulerWeightUpdaterManager"
_FRONT = "sglang.srt.managers.tokenizer_control_mixin.TokenizerControlMixin"

_served: "weakref.WeakKeyDictionary[Any, Served]" = weakref.WeakKeyDictionary()


def plugin() -> None:
    """Called by SGLang in each of its processes."""
    from sglang.srt.plugins.hook_registry import HookRegistry, HookType  # noqa: PLC0415  (only where SGLang runs)

    HookRegistry.register(f"{_SCHEDULER}.update_weights_from_tensor", _in_scheduler, HookType.AROUND)
    HookRegistry.register(f"{_FRONT}.update_weights_from_tensor", _in_front, HookType.AROUND)


# In the scheduler's process, which holds the weights.


def _in_scheduler(original: Any, manager: Any, message: Any) -> Any:
    """Answers a request to vpatch; hands others on. Never raises: that would end the server."""
    if message.load_format != LOAD_FORMAT:
        return original(manager, message)
    from sglang.srt.managers.io_struct import UpdateWeightsFromTensorReqOutput  # noqa: PLC0415

    runner = manager.tp_worker.model_runner
    module = runner.model
    if module not in _served:
        _served[module] = Served(Engine(
            "sglang", str(runner.server_args.model_path), module, lambda: _refusal(module, runner)))
    reply = _served[module].handle(_request(message), lambda: _busy_or_reset(manager))
    error = reply.get("error")
    if error is not None and error["kind"] == "mixed-model":
        def refuse(*_: Any, **__: Any) -> Any:
            raise RuntimeError(error["message"])

        # The server ends at its next step; nothing is answered any more.
        manager.scheduler.run_batch = refuse
    elif reply["weight_version"] is not None and _action(message) in CHANGES:
        manager.record_weight_version_after_update(reply["weight_version"])
    return UpdateWeightsFromTensorReqOutput(success=reply["ok"], message=json.dumps(reply))


def _refusal(module: Any, runner: Any) -> str | None:
    """Why no patch can go into this server, and what to do; None if it can."""
    from sglang.srt.model_executor.model_runner_components.weight_updater import (  # noqa: PLC0415
        _unsupported_derived_weight_cache_error,
    )

    arguments = runner.server_args
    for size, option in (
        (arguments.tp_size, "--tp-size"), (arguments.pp_size, "--pp-size"), (arguments.dp_size, "--dp-size"),
    ):
        if size > 1:
            return several_devices("SGLang", option, size)
    quantization = arguments.quantization or runner.model_config.quantization
    if quantization is not None:
        return quantised("SGLang", quantization)
    if arguments.enable_lora:
        return with_lora("SGLang")
    if reason := _unsupported_derived_weight_cache_error(module):
        return str(reason)
    if EngineModel(module).is_packed():
        return "SGLang packed the weights for the processor's kernels; start it on a device where it keeps them plain"
    return None


def _busy_or_reset(manager: Any) -> str | None:
    """Drops what was computed with the old weights; or says why the weights must not change now."""
    # Requests that SGLang took back from their computation keep the tokens of the old weights.
    begun = sum(1 for request in manager.scheduler.waiting_queue if request.output_ids)
    if begun or not manager.flush_cache(empty_cache=False):
        return ("requests are in flight, whose keys and values are of the old weights; let them finish, or end them "
                'with POST /abort_request {"abort_all": true}')
    return None


# In the process that takes requests.


async def _in_front(original: Any, manager: Any, message: Any, request: Any = None) -> Any:
    """Hands a request to vpatch on to the scheduler, and sets the weight version."""
    if message.load_format != LOAD_FORMAT:
        return await original(manager, message, request)
    if _action(message) not in CHANGES:
        # These change nothing, so they need not wait for requests in flight.
        manager.auto_create_handle_loop()
        answer = (await manager.update_weights_from_tensor_communicator(message))[0]
        return answer.success, answer.message
    waited = 0.0
    while True:
        success, text = await original(manager, message, request)
        reply = json.loads(text)
        # The last step of an answered request may still be on its way through the scheduler.
        if success or not reply["busy"] or waited >= _PATIENCE:
            break
        await asyncio.sleep(0.05)
        waited += 0.05
    if success:
        manager._update_weight_version_if_provided(reply["weight_version"])
    return success, text


def _request(message: Any) -> Any:
    return json.loads(bytes(message.serialized_named_tensors[0]))


def _action(message: Any) -> Any:
    """The action of a request; None for what is no request."""
    try:
        request = _request(message)
    except (ValueError, TypeError, IndexError):
        return None
    return request.get("action") if isinstance(request, dict) else None


# Without a server.


def swap(
    engine: Any, patch: str | None = None, *, revert: bool = False, everything: bool = False, full: bool = False
) -> Json:
    """Puts a patch into a `sglang.Engine`, or takes it out.

    Args:
        engine: the engine.
        patch: the patch to put in; None with `revert=True`: take out the one on top.
        revert: with a patch: take out what is in first; all or nothing.
        everything: with `revert=True` and no patch: take out all patches.
        full: compare all tensors of the base, not only those that the patch changes.

    Returns:
        What is in now (docs/serving.md). The weight version is the patch's identity.

    Raises:
        VPatchError: if it was refused, or failed and was taken back.
    """
    return _asked(engine, change_request(patch, revert=revert, everything=everything, full=full))


def status(engine: Any, *, verify: str = "touched") -> Json:
    """What is in a `sglang.Engine`: the base's root, the patches, the weight version (docs/serving.md).

    Args:
        verify: "none"; "touched": compare what the patches touch with what they record; "all": all tensors.

    Raises:
        WrongBase: if the model holds other bits than it should.
    """
    return _asked(engine, {"action": "status", "verify": verify})


def _asked(engine: Any, request: Json) -> Json:
    from sglang.srt.managers.io_struct import UpdateWeightsFromTensorReqInput  # noqa: PLC0415

    message = UpdateWeightsFromTensorReqInput(
        serialized_named_tensors=[json.dumps(request).encode()], load_format=LOAD_FORMAT)
    _, text = engine.loop.run_until_complete(engine.tokenizer_manager.update_weights_from_tensor(message, None))
    try:
        reply: Json = json.loads(text)
    except ValueError:
        raise Refused("SGLang has not loaded the plugin vpatch; install the wheel of vpatch in its environment, and "
                      f"name it if SGLANG_PLUGINS is set (SGLANG_PLUGINS=vpatch); it said: {text}") from None
    return raised(reply)
