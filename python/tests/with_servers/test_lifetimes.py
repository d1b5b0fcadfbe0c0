"""Servers that are killed, and servers without vpatch. Each test starts servers of its own, one at a time."""

import contextlib
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import vpatch
from serving_fixtures import COMMAND

from servers import Server

ASK = "The capital of France is"
pytestmark = pytest.mark.parametrize("kind", ["vllm", "sglang"])


def test_killed_in_a_swap(kind: str, model: Path, work: Path, tunes: dict[str, Path]) -> None:
    """Nothing on disk is touched: a server that is started again holds the base, whole."""
    replies: list[dict[str, Any]] = []
    with Server(kind, model, work) as server:
        expected = server.answer(ASK)[:2]

        def put() -> None:
            with contextlib.suppress(Exception):
                replies.append(server.put(tunes["gate-up"], full=True))

        swap = threading.Thread(target=put)
        swap.start()
        while kind == "vllm" and swap.is_alive() and not server.post("/is_paused", method="GET")[1]["is_paused"]:
            time.sleep(0.01)
        # The change itself takes a quarter of a second in vLLM; it begins when the server is paused.
        time.sleep(0.02 if kind == "vllm" else 0.2)
        server.stop()
        swap.join()
    # Without a reply, the server was killed before the end of the change.
    assert not any(reply.get("ok") for reply in replies), "the change was too quick to be killed"
    with Server(kind, model, work) as server:
        status = server.ask({"action": "status", "verify": "all"})
        assert status["root"] == vpatch.open(tunes["gate-up"]).base_root and status["applied"] == []
        assert server.answer(ASK)[:2] == expected
        assert server.put(tunes["gate-up"])["ok"]


def test_without_the_plugin(kind: str, model: Path, work: Path, tunes: dict[str, Path]) -> None:
    with Server(kind, model, work, with_plugin=False) as server:
        if kind == "vllm":
            reply = server.put(tunes["sa-proj"])
            assert reply["error"]["kind"] == "refused" and "install the wheel of vpatch" in reply["error"]["message"]
        else:
            status, reply = server.post("/update_weights_from_tensor", {
                "serialized_named_tensors": ["e30="], "load_format": "vpatch"})
            assert status == 400 and not reply["success"]
        done = subprocess.run([COMMAND, "serve-swap", server.url, tunes["sa-proj"]], capture_output=True, text=True,
                              check=False)
        assert done.returncode == 5 and "install the wheel of vpatch" in done.stderr
        assert server.answer(ASK)[0]
