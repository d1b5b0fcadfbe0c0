#!/usr/bin/env python3
"""Looks for the phrases that docs/style.md no longer uses: in help texts, errors, comments and docs, and in names.

scripts/check-words.py            fails where one is found
scripts/check-words.py FILE ...   looks into these alone
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from arrows import spans

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "docs/style.md"
# The page that lists the phrases.
EXCEPT = {"docs/style.md"}


def table(heading: str) -> list[tuple[str, str]]:
    """The rows of the table below a heading: what is looked for, what to write."""
    text = STYLE.read_text().split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line for line in text.split("\n") if line.startswith("|")][2:]
    cells = [re.split(r"(?<!\\)\|", row)[1:3] for row in rows]
    return [(a.strip().replace("\\|", "|"), b.strip()) for a, b in cells]


def pages() -> Iterator[Path]:
    """All pages in Markdown that people read."""
    for pattern in ("*.md", "docs/**/*.md", "spec/**/*.md", "fixtures/README.md", "suites/**/*.md"):
        yield from sorted(ROOT.glob(pattern))


def prose(path: Path) -> list[tuple[int, str]]:
    """The lines that people read: of a page all, of a source its texts and comments."""
    text = path.read_text()
    if path.suffix == ".md":
        # A name of the command's or of a file's is no prose.
        return [(i, re.sub(r"`[^` ]*`", "``", line)) for i, line in enumerate(text.split("\n"), 1)]
    found = []
    for start, end, kind in spans(text):
        if kind == "code" or re.fullmatch(r'"?\w+"?', text[start:end]):
            continue
        line = text.count("\n", 0, start) + 1
        found += [(line + i, part) for i, part in enumerate(text[start:end].split("\n"))]
    return found


def names(path: Path) -> list[tuple[int, str]]:
    """The lines of code."""
    text = path.read_text()
    found = []
    for start, end, kind in spans(text):
        if kind == "code":
            line = text.count("\n", 0, start) + 1
            found += [(line + i, part) for i, part in enumerate(text[start:end].split("\n"))]
    return found


def main() -> int:
    """The command."""
    phrases = [(re.compile(rf"(?<![\w-]){a}(?![\w-])", re.I), b) for a, b in table("Phrases that we no longer use")]
    identifiers = [(re.compile(a), b) for a, b in table("Names in the sources")]
    sources = sorted((ROOT / "Sources").rglob("*.swift"))
    chosen = [Path(a).resolve() for a in sys.argv[1:]]
    hits = 0

    def report(path: Path, line: int, found: str, write: str) -> None:
        nonlocal hits
        hits += 1
        print(f'{path.relative_to(ROOT)}:{line}: "{found}": write {write}')

    for path in [p for p in pages() if str(p.relative_to(ROOT)) not in EXCEPT] + sources:
        if chosen and path not in chosen:
            continue
        for line, text in prose(path):
            for pattern, write in phrases:
                for match in pattern.finditer(text):
                    report(path, line, match.group(0), write)
    for path in sources:
        if chosen and path not in chosen:
            continue
        for line, text in names(path):
            for pattern, write in identifiers:
                for match in pattern.finditer(text):
                    report(path, line, match.group(0), write)
    if hits:
        print(f"{hits} found; docs/style.md has the rules")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
