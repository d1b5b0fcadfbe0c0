"""SmolLM2-135M, patches of it, and servers (scripts/test-servers.sh)."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from moved import make_patch
from servers import Server

COMMAND = os.environ["VPATCH_COMMAND"]


@pytest.fixture(scope="session")
def model() -> Path:
    return Path(os.environ["VPATCH_SMOLLM2"])


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="session")
def tunes(model: Path, work: Path) -> dict[str, Path]:
    """Two siblings, a patch on top of the first, one of another base, a truncated one."""
    made = {recipe: make_patch(model, recipe, work / f"{recipe}.vpatch", seed=seed)
            for seed, recipe in enumerate(("sa-proj", "gate-up"))}
    tuned = work / "tuned"
    subprocess.run([COMMAND, "apply", model, made["sa-proj"], "-o", tuned], check=True, capture_output=True)
    made["on-top"] = make_patch(tuned, "sa-proj", work / "on-top.vpatch", seed=3)
    made["truncated"] = work / "truncated.vpatch"
    made["truncated"].write_bytes(made["sa-proj"].read_bytes()[:-1000])
    subprocess.run([COMMAND, "add", made["gate-up"], "--store", work / "store"], check=True, capture_output=True)
    return made


@pytest.fixture(scope="session", params=["vllm", "sglang"])
def running(request: pytest.FixtureRequest, model: Path, work: Path) -> Iterator[Server]:
    """A server for many tests."""
    with Server(request.param, model, work) as server:
        yield server


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """A server that holds the base; after the test it must hold it again."""
    before = running.answer("The capital of France is")[:2]
    yield running
    if running.ask({"action": "status"})["applied"]:
        assert running.take(all=True)["ok"]
    status = running.ask({"action": "status", "verify": "all"})
    assert status["ok"] and status["not_held"] == [], status
    assert running.answer("The capital of France is")[:2] == before
