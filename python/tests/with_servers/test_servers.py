"""Patches in and out of vLLM and SGLang over HTTP: bits, refusals, dead clients."""

import subprocess
import threading
import time
from pathlib import Path

import pytest
import vpatch
from serving_fixtures import COMMAND

from servers import Server

LONG = "The history of the city begins long ago. " * 24
ASK = "The capital of France is"


def test_in_and_out(server: Server, tunes: dict[str, Path]) -> None:
    base = server.answer(ASK, 8)[:2]
    patch = vpatch.open(tunes["sa-proj"])
    reply = server.put(tunes["sa-proj"])
    assert reply["ok"], reply
    assert reply["root"] == patch.target_root
    assert [item["identity"] for item in reply["applied"]] == [patch.identity]
    assert server.weight_version() == reply["weight_version"] == patch.identity
    tuned = server.answer(ASK, 8)[:2]
    assert tuned[1] != base[1]
    assert server.ask({"action": "status", "verify": "all"})["ok"]
    reply = server.take()
    assert reply["ok"] and reply["applied"] == [] and server.weight_version() == patch.base_root
    assert server.answer(ASK, 8)[:2] == base
    # Again, by its name in the server's store, all tensors of the base checked.
    assert server.put("gate-up", full=True)["applied"][0]["identity"] == vpatch.open(tunes["gate-up"]).identity
    assert server.answer(ASK, 8)[1] not in (base[1], tuned[1])


def test_no_old_keys_and_values(server: Server, tunes: dict[str, Path]) -> None:
    """The prefix cache of the base must not serve the tuned model, nor the other way round."""
    cold = server.answer(LONG)[:2]
    server.answer(LONG)
    assert server.put(tunes["sa-proj"])["ok"]
    tuned = server.answer(LONG)[:2]
    server.answer(LONG)
    assert server.take()["ok"]
    assert server.answer(LONG)[:2] == cold
    assert server.put(tunes["sa-proj"])["ok"]
    assert server.answer(LONG)[:2] == tuned != cold


@pytest.mark.parametrize(("name", "kind", "words"), [
    ("on-top", "wrong-base", "the model does not hold the patch's base: other bits in"),
    ("truncated", "invalid-file", "truncated.vpatch"), ("missing", "io", "missing"),
])
def test_wrong_patches(server: Server, tunes: dict[str, Path], name: str, kind: str, words: str) -> None:
    before = server.answer(ASK)[:2]
    reply = server.put(tunes.get(name, Path("/nowhere/missing.vpatch")))
    assert reply["error"]["kind"] == kind and words in reply["error"]["message"]
    assert reply["applied"] == [] and reply["last_error"] == reply["error"]
    assert server.answer(ASK)[:2] == before
    assert server.ask({"action": "status", "verify": "touched"})["ok"]


def test_siblings_and_chains(server: Server, tunes: dict[str, Path]) -> None:
    assert server.put(tunes["sa-proj"])["ok"]
    first = server.answer(ASK)[:2]
    refused = server.put(tunes["gate-up"])
    assert refused["error"]["kind"] == "refused" and "--revert" in refused["error"]["message"]
    assert server.put(tunes["gate-up"], replace=True)["ok"]
    assert server.put(tunes["sa-proj"], replace=True)["ok"]
    assert server.answer(ASK)[:2] == first
    assert len(server.put(tunes["on-top"])["applied"]) == 2
    assert server.answer(ASK)[:2] != first
    assert len(server.take()["applied"]) == 1
    assert server.answer(ASK)[:2] == first


def test_under_load(server: Server, tunes: dict[str, Path]) -> None:
    """Requests in flight are waited for, and those that wait are answered by the new weights."""
    stop = threading.Event()
    failures: list[object] = []

    def ask() -> None:
        while not stop.is_set():
            try:
                server.answer(ASK, 24)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            assert server.put(tunes["sa-proj"])["ok"]
            assert server.take()["ok"]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures


@pytest.fixture
def vllm(server: Server) -> Server:
    if server.kind != "vllm":
        pytest.skip("of vLLM only")
    return server


def test_requests_in_flight_are_seen(vllm: Server, tunes: dict[str, Path]) -> None:
    """Without a pause, and in a pause that keeps requests, a change is refused while one is in flight."""
    request = {"action": "apply", "patch": str(tunes["sa-proj"])}
    thread = threading.Thread(target=lambda: vllm.answer(ASK, 300))
    thread.start()
    time.sleep(1.5)
    reply = vllm.ask(request)
    assert reply["busy"] and "requests are in flight" in reply["error"]["message"]
    vllm.post("/pause?mode=keep")
    vllm.post("/start_weight_update")
    status, answer = vllm.post("/update_weights", {"update_info": request})
    assert status >= 400 and "in flight" in str(answer)
    vllm.post("/resume")
    thread.join()
    assert vllm.ask({"action": "status"})["applied"] == []
    # Idle, a change needs no pause; the prefix cache is reset with it.
    assert vllm.ask(request)["ok"]


def test_dead_clients(vllm: Server, tunes: dict[str, Path]) -> None:
    """A client that dies after any of its requests: the next call heals the server."""
    update = {"update_info": {"action": "apply", "patch": str(tunes["sa-proj"])}}
    steps: list[tuple[str, object]] = [
        ("/pause?mode=wait", None), ("/start_weight_update", None), ("/update_weights", update)]
    for made in range(1, len(steps) + 1):
        for path, body in steps[:made]:
            assert vllm.post(path, body)[0] == 200
        assert vllm.post("/is_paused", method="GET")[1]["is_paused"]
        status = vllm.ask({"action": "status", "verify": "touched"})
        assert status["ok"] and status["session_open"] == (made > 1)
        reply = vllm.put(tunes["gate-up"], replace=True)
        assert reply["ok"] and vllm.weight_version() == reply["weight_version"]
        assert not vllm.post("/is_paused", method="GET")[1]["is_paused"]
        assert vllm.take()["ok"]


def test_weight_version_without_the_client(vllm: Server, tunes: dict[str, Path]) -> None:
    """A user of curl who leaves the version out of /finish_weight_update gets it all the same."""
    vllm.post("/pause?mode=abort")
    vllm.post("/start_weight_update")
    vllm.post("/update_weights", {"update_info": {"action": "apply", "patch": str(tunes["sa-proj"])}})
    vllm.post("/finish_weight_update", {})
    vllm.post("/resume")
    assert vllm.weight_version() == vpatch.open(tunes["sa-proj"]).identity


def test_the_command(server: Server, tunes: dict[str, Path]) -> None:
    """`vpatch serve-swap`, as users call it."""
    if subprocess.run([COMMAND, "serve-swap", "--help"], capture_output=True, check=False).returncode:
        pytest.skip("this command has no serve-swap")

    def run(*arguments: object) -> tuple[int, str]:
        done = subprocess.run([COMMAND, "serve-swap", server.url, *map(str, arguments)], capture_output=True, text=True,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    base = server.answer(ASK)[:2]
    assert run(tunes["sa-proj"])[0] == 0
    assert server.weight_version() == vpatch.open(tunes["sa-proj"]).identity
    code, text = run("--status")
    assert code == 0 and vpatch.open(tunes["sa-proj"]).identity[:12] in text
    code, text = run(tunes["gate-up"])
    assert code == 5 and "--revert" in text
    assert run(tunes["gate-up"], "--revert")[0] == 0
    assert server.weight_version() == vpatch.open(tunes["gate-up"]).identity
    assert run("--revert")[0] == 0 and server.answer(ASK)[:2] == base
    assert run(tunes["on-top"])[0] == 3 and run(tunes["truncated"])[0] == 2
    assert run("--revert")[0] == 5
