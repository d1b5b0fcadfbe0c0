#!/usr/bin/env python3
"""Checks the public interface: only the product VPatch has public declarations, each with a doc comment; that of a
function describes its parameters and its errors.

    scripts/check-public.py
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ROOT / "Sources" / "VPatch"
PUBLIC = re.compile(r"^\s*(?:@\w+(?:\([^)]*\))? )*public (?!extension)")


def signature(lines: list[str], at: int) -> str:
    """The declaration of a function from its line up to its body; other declarations are one line."""
    if not re.search(r"\b(func|init)\b", lines[at]):
        return lines[at]
    text = ""
    for line in lines[at:at + 12]:
        text += " " + line.strip()
        if "{" in line:
            break
    return text.split("{")[0]


def parameters(declaration: str) -> list[str]:
    """The names of a function's parameters inside of it."""
    if not re.search(r"\bfunc \w", declaration):
        return []
    listed = declaration[declaration.index("(") + 1:]
    return re.findall(r"(?:^|,)\s*(?:\w+ )?(\w+):", re.sub(r"\(.*?\)|\[.*?\]", "", listed))


def described(name: str, documentation: str) -> bool:
    return re.search(rf"- (?:Parameter )?{name}: ", documentation) is not None


def comment(lines: list[str], at: int) -> str:
    """The doc comment above a line, behind attributes."""
    above = at - 1
    while above >= 0 and lines[above].strip().startswith("@"):
        above -= 1
    found: list[str] = []
    while above >= 0 and lines[above].strip().startswith("///"):
        found.append(lines[above].strip())
        above -= 1
    return "\n".join(reversed(found))


def faults(path: Path) -> tuple[int, list[str]]:
    lines = path.read_text().split("\n")
    count, found = 0, []
    for i, line in enumerate(lines):
        if not PUBLIC.match(line):
            continue
        count += 1
        place = f"{path.relative_to(ROOT)}:{i + 1}"
        documentation, declaration = comment(lines, i), signature(lines, i)
        if not path.is_relative_to(PRODUCT):
            found.append(f"{place}: is public outside of VPatch: write package")
        elif not documentation:
            found.append(f"{place}: has no doc comment")
        elif missing := [name for name in parameters(declaration) if not described(name, documentation)]:
            found.append(f"{place}: its doc comment does not describe {', '.join(missing)}")
        elif re.search(r"\bthrows\b", declaration) and "Throws:" not in documentation:
            found.append(f"{place}: throws, and its doc comment does not say what")
    return count, found


def main() -> int:
    count, found = 0, []
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        number, wrong = faults(path)
        count += number
        found += wrong
    for fault in found:
        print(fault)
    print(f"{count} public declarations, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
