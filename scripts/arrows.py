#!/usr/bin/env python3
"""Which module and which folder uses which: derived from imports and from the names that sources declare and use.

    scripts/arrows.py                 fails where two modules, or two folders of a module, use each other
    scripts/arrows.py --list Apply    what uses what inside of a module, with the names
    scripts/arrows.py --drawing       the drawing of docs/design/architecture.md

A folder's own files may use each other. A file that lies in a module and in none of its folders counts as the folder
".", which may use all folders, or be used by them.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "Sources"
PAGE = ROOT.parent / "docs/design/architecture.md"

MODIFIERS = (
    r"(?:(?:public|package|internal|private|fileprivate|final|indirect|static|class|mutating|nonmutating|override|"
    r"required|convenience|lazy|unowned|weak|nonisolated|@\w+(?:\([^)]*\))?|(?:private|package)\(set\))\s+)*"
)
TYPE = re.compile(rf"^(\s*)({MODIFIERS})(?:struct|class|enum|protocol|actor|typealias|associatedtype)\s+([A-Za-z_]\w*)")
EXTENSION = re.compile(r"^(\s*)(?:(?:public|package|private|fileprivate)\s+)?extension\s+(?:\[?)([A-Za-z_][\w.]*)")
MEMBER = re.compile(rf"^(\s*)({MODIFIERS})(?:func|var|let)\s+`?([a-z_]\w*)")
WORD = re.compile(r"(?<![\w`])[A-Z]\w*(?:\.[A-Z]\w*)*")
LOWER = re.compile(r"\b[a-z_]\w*\b")
CALLED = re.compile(r"\.([a-z_]\w*)\b")
CASE = re.compile(r"^\s*(?:indirect )?case ([a-z]\w*(?:\([^)]*\))?(?:, *[a-z]\w*(?:\([^)]*\))?)*)", re.M)
IMPORT = re.compile(r"^\s*(?:@\w+\s+)?(?:\w+\s+)?import\s+(?:struct\s+|class\s+|enum\s+|func\s+)?(\w+)", re.M)


@dataclass
class Source:
    """One Swift file: where it is, what it declares, what it extends, what it uses."""

    path: Path
    module: str
    folder: str
    imports: set[str]
    code: str
    types: list[str] = field(default_factory=list)
    private: set[str] = field(default_factory=set)
    extended: list[str] = field(default_factory=list)
    members: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Use:
    """A name of another folder that a file uses."""

    source: Path
    name: str
    declared: Path


def spans(text: str) -> list[tuple[int, int, str]]:
    """A Swift source cut into "code", "comment" and "text" (what stands in a literal): start, end, which."""
    found: list[tuple[int, int, str]] = []
    # What is open: a literal with its number of marks and quotes, or code in a literal with its open parentheses.
    stack: list[tuple[str, int, int]] = []
    start = i = 0

    def close(kind: str, end: int) -> None:
        nonlocal start
        if end > start:
            found.append((start, end, kind))
        start = end

    while i < len(text):
        if stack and stack[-1][0] == "text":
            _, hashes, quotes = stack[-1]
            if text.startswith("\\" + "#" * hashes + "(", i):
                i += 2 + hashes
                close("text", i)
                stack.append(("code", 0, 0))
            elif text.startswith('"' * quotes + "#" * hashes, i):
                i += quotes + hashes
                close("text", i)
                stack.pop()
            else:
                i += 2 if hashes == 0 and text[i] == "\\" else 1
            continue
        if text.startswith("//", i):
            close("code", i)
            i = text.find("\n", i) if "\n" in text[i:] else len(text)
            close("comment", i)
            continue
        opening = re.match(r'(#*)("""|")', text[i : i + 12])
        if opening:
            close("code", i)
            stack.append(("text", len(opening.group(1)), len(opening.group(2))))
            i += opening.end()
            continue
        if stack:
            kind, depth, _ = stack[-1]
            if text[i] == ")" and depth == 0:
                close("code", i)
                stack.pop()
            elif text[i] in "()":
                stack[-1] = (kind, depth + (1 if text[i] == "(" else -1), 0)
        i += 1
    close("text" if stack and stack[-1][0] == "text" else "code", len(text))
    return found


def without_comments_and_texts(text: str) -> str:
    """The code alone, line by line. What stands in a literal between `\\(` and `)` stays."""
    return "".join(
        text[start:end] if kind == "code" else '"' + "\n" * text.count("\n", start, end) + " "
        for start, end, kind in spans(text)
    )


def parse(path: Path) -> Source:
    """Reads a source that is formatted by swift format: two columns a level."""
    text = path.read_text()
    code = without_comments_and_texts(text)
    parts = path.relative_to(ROOT).parts
    imports = set(IMPORT.findall(code))
    code = IMPORT.sub("", code)
    source = Source(path, parts[0], parts[1] if len(parts) > 2 else ".", imports, code)
    # The types that a line stands in, each with its column.
    around: list[tuple[int, str, bool]] = []
    for line in code.split("\n"):
        if not line.strip():
            continue
        column = len(line) - len(line.lstrip())
        while around and around[-1][0] >= column:
            around.pop()
        if found := EXTENSION.match(line):
            name = found.group(2)
            source.extended.append(name)
            around.append((column, name, True))
        elif found := TYPE.match(line):
            name = ".".join([a[1] for a in around] + [found.group(3)])
            source.types.append(name)
            if "private" in found.group(2):
                source.private.add(name)
            around.append((column, found.group(3), False))
        elif around and around[-1][2] and (found := MEMBER.match(line)) and "private" not in found.group(2):
            in_extension = column == around[-1][0] + 2
            if in_extension:
                source.members.append((".".join(a[1] for a in around), found.group(3)))
    return source


def sources() -> list[Source]:
    """All Swift files of the modules."""
    return [parse(path) for path in sorted(ROOT.rglob("*.swift"))]


class Index:
    """Where names are declared."""

    def __init__(self, all_sources: list[Source]) -> None:
        self.types: dict[str, dict[str, list[Source]]] = defaultdict(lambda: defaultdict(list))
        self.outer: dict[tuple[str, str], list[str]] = defaultdict(list)
        for source in all_sources:
            for name in source.types:
                if name in source.private:
                    continue
                self.types[source.module][name].append(source)
                if "." in name:
                    outer, last = name.rsplit(".", 1)
                    self.outer[(source.module, last)].append(outer)
        # Members that an extension adds to a type of another folder, where no other type has such a name.
        places: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.members: dict[str, tuple[Source, str]] = {}
        candidates: dict[str, tuple[Source, str]] = {}
        for source in all_sources:
            for line in source.code.split("\n"):
                if found := MEMBER.match(line):
                    places[found.group(3)].add((source.module, source.folder))
            for cases in CASE.findall(source.code):
                for name in re.findall(r"[a-z]\w*", cases):
                    places[name].add(("", ""))
            for owner, member in source.members:
                candidates[member] = (source, owner)
        for member, (source, owner) in candidates.items():
            if places[member] == {(source.module, source.folder)} and member not in COMMON:
                self.members[member] = (source, owner)

    def find(self, source: Source, word: str) -> Iterator[Source]:
        """Where the type is declared that a word means in a source."""
        parts = word.split(".")
        here = source.types + source.extended
        modules = [source.module] + sorted(source.imports)
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            # Its own: declared in this file.
            own = any(t == name or t.endswith("." + name) for t in source.types)
            if own and (length == 1 or name in source.types):
                return
            # Inside of a type that this file declares or extends.
            for module in modules:
                nested = [o for o in self.outer.get((module, name), []) if o in here or o.split(".")[0] in here]
                if length == 1 and nested:
                    for outer in nested:
                        yield from self.types[module][f"{outer}.{name}"]
                    return
                if name in self.types[module]:
                    yield from self.types[module][name]
                    return


# Names that the standard library has too.
COMMON = {
    "add",
    "append",
    "appending",
    "as",
    "at",
    "by",
    "bytes",
    "close",
    "code",
    "contains",
    "contents",
    "count",
    "data",
    "description",
    "end",
    "first",
    "formUnion",
    "from",
    "get",
    "hasPrefix",
    "hasSuffix",
    "hash",
    "height",
    "if",
    "in",
    "index",
    "indices",
    "insert",
    "is",
    "isEmpty",
    "json",
    "keys",
    "last",
    "line",
    "lines",
    "lowercased",
    "main",
    "map",
    "merge",
    "message",
    "name",
    "next",
    "of",
    "offset",
    "parse",
    "path",
    "print",
    "read",
    "reason",
    "remedy",
    "remove",
    "removing",
    "root",
    "run",
    "set",
    "size",
    "sorted",
    "start",
    "subject",
    "text",
    "to",
    "tokens",
    "union",
    "value",
    "values",
    "width",
    "with",
    "write",
}


def uses(all_sources: list[Source], index: Index) -> dict[tuple[tuple[str, str], tuple[str, str]], set[Use]]:
    """From a folder to a folder: the names that are used."""
    found: dict[tuple[tuple[str, str], tuple[str, str]], set[Use]] = defaultdict(set)
    for source in all_sources:
        place = (source.module, source.folder)
        for word in set(WORD.findall(source.code)):
            for declared in index.find(source, word):
                other = (declared.module, declared.folder)
                if other != place:
                    found[(place, other)].add(Use(source.path, word, declared.path))
        visible = {source.module} | source.imports
        around = {name.split(".")[0] for name in source.types + source.extended}
        called = set(CALLED.findall(source.code))
        for word in set(LOWER.findall(source.code)) & set(index.members):
            declared, owner = index.members[word]
            if declared.module not in visible or (declared.module, declared.folder) == place:
                continue
            if word in called or owner.split(".")[0] in around:
                found[(place, (declared.module, declared.folder))].add(Use(source.path, word, declared.path))
    return found


def cycles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of places that reach each other (Tarjan's strongly connected components, those of several)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(place: str) -> None:
        order[place] = low[place] = len(order)
        stack.append(place)
        for other in sorted(edges.get(place, ())):
            if other not in order:
                visit(other)
                low[place] = min(low[place], low[other])
            elif other in stack:
                low[place] = min(low[place], order[other])
        if low[place] == order[place]:
            group = []
            while True:
                member = stack.pop()
                group.append(member)
                if member == place:
                    break
            if len(group) > 1:
                groups.append(sorted(group))

    for place in sorted(edges):
        if place not in order:
            visit(place)
    return groups


def levels(edges: dict[str, set[str]], places: Iterable[str]) -> list[list[str]]:
    """Places by height: each above all that it uses."""
    height: dict[str, int] = {}

    def of(place: str) -> int:
        if place not in height:
            height[place] = 1 + max((of(other) for other in edges.get(place, ()) if other != place), default=-1)
        return height[place]

    rows: dict[int, list[str]] = defaultdict(list)
    for place in places:
        rows[of(place)].append(place)
    return [sorted(rows[level]) for level in sorted(rows, reverse=True)]


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", metavar="MODULE", help="what uses what inside of a module")
    parser.add_argument("--drawing", action="store_true", help="the drawing of docs/design/architecture.md")
    options = parser.parse_args()
    everything = sources()
    found = uses(everything, Index(everything))

    modules: dict[str, set[str]] = defaultdict(set)
    folders: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for ((module, folder), (other, below)), names in found.items():
        if module != other:
            modules[module].add(other)
        else:
            folders[module][folder].add(below)
        if options.list == module and module == other:
            print(f"{folder} -> {below}")
            for use in sorted(names, key=lambda u: (str(u.source), u.name)):
                print(f"    {use.source.name}: {use.name} ({use.declared.name})")
    if options.list:
        return 0
    drawing = "\n".join("  ".join(row) for row in levels(modules, sorted({s.module for s in everything})))
    if options.drawing:
        print(drawing)
        return 0
    bad = False
    if f"<!-- drawing -->\n```\n{drawing}\n```\n" not in PAGE.read_text():
        bad = True
        print(f"{PAGE.name} has another drawing; --drawing prints this one")
    for group in cycles(modules):
        bad = True
        print(f"modules use each other: {', '.join(group)}")
    for module in sorted(folders):
        for group in cycles(folders[module]):
            bad = True
            print(f"folders of {module} use each other: {', '.join(group)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
