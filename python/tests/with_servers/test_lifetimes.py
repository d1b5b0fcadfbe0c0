"""Servers that are killed, and servers without vpatch. Each test starts servers of its own, one at a time."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest
import vpatch
from serving_fixtures import COMMAND

from servers import Server, environment

# What makes a server kill itself.
KILLED = Path(__file__).parent / "killed"
ASK = "The capital of France is"
pytestmark = pytest.mark.parametrize("kind", ["vllm", "sglang"])


def test_killed_in_a_swap(kind: str, model: Path, work: Path, tunes: dict[str, Path]) -> None:
    """Nothing on disk is touched: a server that is started again holds the base, whole."""
    patch = vpatch.open(tunes["gate-up"])
    half = len(patch.touched) // 2
    path = os.pathsep.join([str(KILLED), environment(kind, work)["PYTHONPATH"]])
    with Server(kind, model, work, extra={"PYTHONPATH": path, "VPATCH_KILLED_AFTER": str(half)}) as server:
        expected = server.answer(ASK)[:2]
        assert half > 10 and server.process.poll() is None
        with contextlib.suppress(Exception):
            reply = server.put(tunes["gate-up"], full=True)
            pytest.fail(f"the server was not killed: {reply}")
        assert server.process.wait(60) == -signal.SIGKILL
    with Server(kind, model, work) as server:
        status = server.ask({"action": "status", "verify": "all"})
        assert status["root"] == patch.base_root and status["applied"] == []
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
