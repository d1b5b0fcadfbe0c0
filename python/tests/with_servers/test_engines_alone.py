"""Engines without a server, and the families that vLLM holds."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import vpatch

from servers import environment, python_of

HERE = Path(__file__).parent


def lines(kind: str, work: Path, script: str, *arguments: object) -> list[dict[str, Any]]:
    """What a script printed in a server's environment."""
    done = subprocess.run([python_of(kind), HERE / script, *map(str, arguments)], env=environment(kind, work),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_swap(kind: str, model: Path, work: Path, tunes: dict[str, Path]) -> None:
    said = lines(kind, work, "engine.py", kind, model, tunes["sa-proj"], tunes["gate-up"])[-1]
    first, second = vpatch.open(tunes["sa-proj"]), vpatch.open(tunes["gate-up"])
    assert (said["version"], said["other"], said["root"]) == (first.identity, second.identity, first.base_root)
    assert said["base"] == said["again"] != said["tuned"]
    assert "was made from" in said["refused"]


def test_families(work: Path) -> None:
    """Every tensor of 16 families is found with its bits, or refused by name."""
    reports = {report["family"]: report for report in lines("vllm", work, "families.py")}
    assert len(reports) == 16
    for family, report in reports.items():
        assert "error" not in report and not report["packed"], report
        refused = set(report["refused"])
        if family == "gpt2":
            # vLLM transposes what GPT-2 stores transposed. A square one is not told apart by its shape, and counts as
            # wrong bits.
            assert all("attn.c_proj" in name for name in report["other"])
            assert all(".c_" in name for name in refused)
            continue
        assert report["other"] == []
        assert all(".experts." in name or ".kv_b_proj." in name for name in refused), refused
        assert report["same"] + len({name for name in refused if ".experts." in name}) >= report["tensors"]


def test_refusals(work: Path) -> None:
    """Tensor, pipeline and data parallel, quantised weights, LoRA: each by name, with what to do."""
    said = {line["case"]: line["reason"] for line in lines("vllm", work, "refusals.py")}
    assert said.pop("plain") is None
    assert {case: next(word for word in (case, "") if word in str(reason)) for case, reason in said.items()} == {
        case: case for case in said}
    assert set(said) == {
        "--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size", "fp8", "--enable-lora"}
