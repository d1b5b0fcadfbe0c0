"""The examples of docs/python.md, as they stand there: those without PyTorch."""

import doctest
from pathlib import Path

import pytest
from arrays import ROOT

PAGE = ROOT / "docs" / "python.md"
MARK = "<!-- with PyTorch -->"


def run(text: str) -> None:
    """Runs the examples of a text, and reports what differs."""
    flags = doctest.ELLIPSIS
    test = doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, PAGE.name, str(PAGE), 0)
    words: list[str] = []
    result = doctest.DocTestRunner(optionflags=flags, verbose=False).run(test, out=words.append)
    assert result.attempted > 5 and result.failed == 0, "".join(words)


def test_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(PAGE.read_text().split(MARK)[0])
