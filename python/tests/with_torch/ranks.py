"""Runs functions on several ranks. PyTorch and transformers are imported once, in a process from which ranks fork.

    python ranks.py    reads jobs from stdin, one JSON object a line, and answers each with one line
"""

import faulthandler
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

# Seconds until a rank counts as one that hangs.
_PATIENCE = 300


class Launcher:
    """The process from which ranks fork."""

    def __init__(self, module: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__, module], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"})

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)

    def run(self, function: str, ranks: int, *, timeout: int = 240, **arguments: Any) -> list[dict[str, Any]]:
        """Calls a function of the module on ranks.

        Args:
            timeout: of the process group, in seconds.

        Returns:
            For each rank: "value"; or "error" (a class) and "message"; or "killed"; and "seconds" since the start, or
            since the module's BEGIN. A rank that runs for longer than `_PATIENCE` is "hung".
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        job = {"function": function, "ranks": ranks, "timeout": timeout, "arguments": arguments}
        self._process.stdin.write(json.dumps(job, default=str) + "\n")
        self._process.stdin.flush()
        answer: list[dict[str, Any]] = json.loads(self._process.stdout.readline())
        return answer


def _rank(function: Any, rank: int, job: dict[str, Any], folder: Path) -> None:
    import torch.distributed as dist

    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(job["ranks"]), MASTER_ADDR="127.0.0.1",
        MASTER_PORT="29561", LOCAL_WORLD_SIZE=str(job["ranks"]))
    begin = time.monotonic()
    answer: dict[str, Any] = {}
    try:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=job["ranks"],
            timeout=timedelta(seconds=job["timeout"]))
        begin = time.monotonic()
        answer["value"] = function(**job["arguments"])
    except BaseException as error:
        answer |= {"error": type(error).__name__, "message": str(error)}
        if not type(error).__module__.startswith("vpatch"):
            import traceback

            traceback.print_exc()
    answer["seconds"] = time.monotonic() - getattr(sys.modules[function.__module__], "BEGIN", begin)
    path = folder / f"{rank}.json"
    path.with_suffix(".part").write_text(json.dumps(answer, default=str))
    path.with_suffix(".part").rename(path)
    sys.stdout.flush()
    sys.stderr.flush()
    # Without the end of the interpreter, which would wait for what other ranks no longer answer.
    os._exit(0)


def _serve(module: Any) -> None:
    faulthandler.enable()
    import torch

    torch.set_num_threads(1)
    # What each rank would import and compile for itself.
    module.warm_up()
    answers = os.dup(1)
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        with tempfile.TemporaryDirectory() as folder:
            children = {}
            for rank in range(job["ranks"]):
                child = os.fork()
                if child == 0:
                    _rank(getattr(module, job["function"]), rank, job, Path(folder))
                children[child] = rank
            ends = _ends(children, time.monotonic() + _PATIENCE)
            results = []
            for rank in range(job["ranks"]):
                path = Path(folder) / f"{rank}.json"
                results.append(json.loads(path.read_text()) if path.exists() else ends[rank])
        os.write(answers, json.dumps(results).encode() + b"\n")


def _ends(children: dict[int, int], deadline: float) -> dict[int, dict[str, Any]]:
    """Waits for the ranks, and says how those ended that gave no answer."""
    ends: dict[int, dict[str, Any]] = {}
    left = dict(children)
    while left:
        for child in list(left):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                ends[left.pop(child)] = {"killed": os.waitstatus_to_exitcode(status)}
            elif time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                ends[left.pop(child)] = {"hung": True}
        time.sleep(0.01)
    return ends


if __name__ == "__main__":
    import importlib

    _serve(importlib.import_module(sys.argv[1]))
