#!/usr/bin/env python3
"""The conversions of transformers 5 between the hub's layouts and its own, as rows of vpatch's table.

    conversions.py            writes Sources/Families/Conversions/Known/*.swift
    conversions.py --left-out the rules that are not in the table, with the reason

Runs in an environment with transformers. A rule is in the table if it compares whole dot-separated parts of names and
moves bytes. Families of which every rule is left out have no row.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "Sources/Families/Conversions/Known"
LINES_PER_FILE = 280
#: A part of a name, as an expression of transformers writes it. `*` stands for a number.
PART = re.compile(r"^[A-Za-z0-9_]*\*?[A-Za-z0-9_]*$")


class LeftOut(Exception):
    """Why a rule is not in the table."""


def alternatives(text: str) -> list[str]:
    """An expression without `(a|b)`: one for each choice."""
    found = re.search(r"\((\w+(?:\|\w+)+)\)", text)
    if not found:
        return [text]
    return [
        rest
        for choice in found.group(1).split("|")
        for rest in alternatives(text[: found.start()] + choice + text[found.end() :])
    ]


def parts(text: str, is_target: bool = False) -> str:
    """`^` for the beginning, then dotted parts."""
    anchor = "^" if text.startswith("^") and not is_target else ""
    text = text.lstrip("^").replace(r"(\d+)", "*").replace(r"\d+", "*").replace(r"\.", ".")
    if is_target:
        text = re.sub(r"\\\d", "*", text)
    text = text.strip(".")
    if not all(PART.match(part) and part for part in text.split(".")) and text:
        raise LeftOut("no whole parts")
    return anchor + text


def rename(source: str, target: str) -> list[str]:
    if source.startswith(r"(^|model\.)"):
        rest, target = source.removeprefix(r"(^|model\.)"), target.removeprefix(r"\1")
        return rename("^" + rest, target) + rename(r"^model\." + rest, "model." + target)
    choices = re.fullmatch(r"\^\(((?:\w+\\\.\|?)+)\)", source)
    if choices:
        names = choices.group(1).split("|")
        return [line for name in names for line in rename("^" + name, target.replace(r"\1", name))]
    source = source.removesuffix(r"(.+)").replace("(.+)", "")
    target = re.sub(r"\\1$", "", target) if "(.+)" in source else target
    ahead = re.search(r"\(\?!\(?((?:\\\.|\\|[\w().|])+?)\)+$", source)
    unless = ""
    if ahead and source.startswith("^model(?!"):
        names = re.findall(r"\w+", source[len("^model(?!") :])
        source, unless = "^model", " !" + ",".join(names)
    if "(?" in source:
        raise LeftOut("looks around")
    sources = alternatives(source)
    if len(sources) > 1:
        names = re.findall(r"\((\w+(?:\|\w+)+)\)", source)[0].split("|")
        # The choice is the first group, unless a number precedes it.
        if r"(\d+)" in source[: source.index("(" + names[0])]:
            raise LeftOut("several groups")
        return [
            f"{parts(one)}{unless} > {parts(target.replace(chr(92) + '1', name), True)}"
            for one, name in zip(sources, names, strict=True)
        ]
    # `(stem)` that returns as `\1`.
    stem = re.search(r"\(([^()|]*(?:\\d\+)[^()|]*)\)", source)
    if stem and stem.group(1) != r"\d+":
        source = source.replace(stem.group(0), stem.group(1))
        target = target.replace(r"\1", stem.group(1).replace(r"\d+", "*"))
        target = target.replace(r"\.", ".")
    return [f"{parts(source)}{unless} > {parts(target, True)}"]


def converter(rule: Any) -> list[str]:
    sources = [parts(s) for s in rule._original_source_patterns]
    targets = [parts(t, True) for t in rule._original_target_patterns]
    words = []
    for operation in rule.operations:
        name = type(operation).__name__
        if name == "MergeModulelist":
            words.append("stack")
        elif name in ("Concatenate", "Chunk", "Split"):
            words.append(f"{'split' if name == 'Split' else 'join'}{operation.dim}")
        elif name == "Transpose":
            words.append("transpose")
        elif name == "Interleave":
            words.append(f"deinterleave{operation.dim}")
        elif name == "PermuteForRope":
            only = ",".join(operation.permute_layer_names or [])
            words.append(f"rope({operation.subconfig_key or ''}){only}")
        elif name == "ErnieFuseAndSplitTextVisionExperts":
            words += ["stack", "join1", "shares"]
        else:
            raise LeftOut(f"{name} is no rearrangement of bytes")
    return [f"{' + '.join(sources)} > {' + '.join(targets)} : {' '.join(words)}"]


def rules(conversions: list[Any]) -> tuple[list[str], list[tuple[str, str]]]:
    found: list[str] = []
    left: list[tuple[str, str]] = []
    for rule in conversions:
        kind = type(rule).__name__
        sources, targets = rule._original_source_patterns, rule._original_target_patterns
        try:
            if kind == "WeightConverter":
                found += converter(rule)
            elif kind == "PrefixChange":
                model = f"{rule.model_prefix}." if rule.model_prefix else ""
                if rule.prefix_to_add:
                    if not model:
                        raise LeftOut("a prefix of all names")
                    found.append(f"^{model[:-1]} !{rule.prefix_to_add} > {model}{rule.prefix_to_add}")
                else:
                    found.append(f"^{model}{rule.prefix_to_remove} > {model[:-1]}")
            elif kind == "GroupWeightRename":
                found.append(" & ".join(rename(s, t)[0] for s, t in zip(sources, targets, strict=True)))
            elif kind == "WeightRenaming":
                for source in sources:
                    target = targets[0]
                    found += rename(source, target)
            else:
                raise LeftOut(kind)
        except LeftOut as reason:
            left.append((f"{sources} > {targets}", str(reason)))
    return [rule for rule in found if len(set(re.split(" > ", rule))) > 1 or ":" in rule], left


def row(names: list[str], lines: list[str]) -> str:
    """The names of a family, and its rules below them."""
    heads = textwrap.wrap(", ".join(names) + ":", 112, break_long_words=False)
    text = textwrap.wrap("; ".join(lines), 112, break_long_words=False, break_on_hyphens=False)
    return "".join([f"    {line}\n" for line in heads] + [f"      {line}\n" for line in text])


def swift(rows: list[str], number: int) -> str:
    return (
        "// Written by bench/conversions.py from the rules of transformers 5.24.\n\n"
        f'extension ConversionFamily {{\n  static let rows{number} = """\n{"".join(rows)}    """\n}}\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--left-out", action="store_true", help="list the rules that are not in the table")
    arguments = parser.parse_args()
    from transformers import conversion_mapping

    table: dict[tuple[str, ...], list[str]] = {}
    for name, conversions in conversion_mapping._build_checkpoint_conversion_mapping().items():
        found, left = rules(conversions)
        if arguments.left_out:
            for rule, reason in left:
                print(f"{name}: {rule}: {reason}")
        if found:
            table.setdefault(tuple(found), []).append(name)
    if arguments.left_out:
        return
    TARGET.mkdir(exist_ok=True)
    rows = [row(names, list(lines)) for lines, names in table.items()]
    files: list[list[str]] = [[]]
    for text in rows:
        if files[-1] and sum(r.count("\n") for r in [*files[-1], text]) > LINES_PER_FILE:
            files.append([])
        files[-1].append(text)
    for number, texts in enumerate(files, 1):
        (TARGET / f"ConversionFamily+Rows{number}.swift").write_text(swift(texts, number))
    print(f"{len(rows)} rows in {len(files)} files", file=sys.stderr)


if __name__ == "__main__":
    main()
