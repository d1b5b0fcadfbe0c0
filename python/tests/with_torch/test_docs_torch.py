"""All examples of docs/python.md."""

import os
from pathlib import Path

import pytest
from test_docs import PAGE, run

from models import TINY


def test_all_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.symlink(TINY / "tiny-llama", tmp_path / "tiny-llama")
    monkeypatch.chdir(tmp_path)
    run(PAGE.read_text())
