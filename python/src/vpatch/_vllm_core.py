"""The part of vpatch.vllm in vLLM's engine core: an entry point of the group `vllm.general_plugins`.

The workers hold the weights; only the core knows which requests are in flight, and holds the prefix cache. So the core
looks at both before it lets a change through to the worker, in one call, between two steps. It does nothing in servers
that do not use vpatch.
"""

from functools import wraps
from typing import Any

from vpatch._requests import CHANGES

# What the core tells the worker about itself, added to a request. A request without it did not come through the core.
CORE = "_core"


def plugin() -> None:
    """Called by vLLM in each of its processes."""
    from vllm.v1.engine.core import EngineCore  # noqa: PLC0415  (only where vLLM runs)

    original = EngineCore.collective_rpc
    if hasattr(original, "__wrapped__"):
        return

    @wraps(original)
    def collective_rpc(
        self: Any, method: Any, timeout: float | None = None, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        request = _request(self, method, args, kwargs)
        if request is None:
            return original(self, method, timeout, args, kwargs)
        request[CORE] = {"busy": _busy_or_reset(self) if request.get("action") in CHANGES else None}
        try:
            return original(self, method, timeout, args, kwargs)
        finally:
            if request.get("action") in CHANGES:
                _follow(self, original(self, "vpatch", None, ({"action": "status", CORE: {"busy": None}},), None)[0])

    EngineCore.collective_rpc = collective_rpc


def _request(core: Any, method: Any, args: Any, kwargs: dict[str, Any] | None) -> dict[str, Any] | None:
    """The request to vpatch that a call carries; None for other calls."""
    config = core.vllm_config
    if config.parallel_config.worker_extension_cls != "vpatch.vllm.Extension":
        return None
    found = None
    if method == "vpatch":
        found = args[0] if args else (kwargs or {}).get("request")
    elif method == "update_weights" and getattr(config.weight_transfer_config, "backend", None) == "vpatch":
        found = (kwargs or {}).get("update_info") if kwargs else args[0]
    return found if isinstance(found, dict) else None


def _busy_or_reset(core: Any) -> str | None:
    """Drops what was computed with the old weights; or says why the weights must not change now."""
    # A request that waits and has computed nothing sees only the new weights.
    begun = sum(1 for request in core.scheduler.requests.values()
                if request.num_computed_tokens > 0 or request.num_output_tokens > 0)
    if begun:
        return (f"{begun} requests are in flight, whose keys and values are of the old weights; pause the server first "
                "with POST /pause?mode=wait or mode=abort (not keep)")
    if not core.reset_prefix_cache(reset_connector=True):
        return ("vLLM could not reset its prefix cache, which is of the old weights; pause the server first with POST "
                "/pause?mode=wait, and try again")
    core.reset_encoder_cache()
    return None


def _follow(core: Any, status: dict[str, Any]) -> None:
    """Takes the weight version over; ends the server if its weights are mixed."""
    error = status["last_error"]
    if error is not None and error["kind"] == "mixed-model":
        def refuse(*_: Any, **__: Any) -> Any:
            raise RuntimeError(error["message"])

        # The engine ends at its next step; nothing is answered any more.
        core.scheduler.schedule = refuse
    elif status["weight_version"] is not None:
        core.set_weight_version(status["weight_version"])
