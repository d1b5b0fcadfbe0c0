"""Strict JSON, and its canonical form (section 1).

To check that a text is canonical, the parsed value is written again and compared with the text.
Any other way to write it (white space, order, escapes, numbers) then differs.
"""

import json
from collections.abc import Collection
from typing import Any, NoReturn

from .refused import Refused, require

MAX_NUMBER = 2**53 - 1
MAX_DEPTH = 32


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) != len(pairs):
        names = [k for k, _ in pairs]
        raise ValueError(f"duplicate key {next(k for k in names if names.count(k) > 1)!r}")
    return keys


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


def _whole(text: str) -> int | float:
    """Python refuses to parse more than 4,300 digits; such a number is not valid in the format anyway."""
    return int(text) if len(text) < 100 else float(text)


def _check(value: object, depth: int) -> None:
    """Checks that the depth is at most 32 and that there is no unpaired surrogate."""
    if isinstance(value, str):
        value.encode("utf-8")
    elif isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(value, dict):
            for key in value:
                key.encode("utf-8")
            value = value.values()
        for item in value:
            _check(item, depth + 1)


def parse(text: bytes, rule: str) -> Any:
    """RFC 8259 in UTF-8, keys unique, no unpaired surrogates, at most 32 deep."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_int=_whole,
                           parse_constant=_no_constant)
        _check(value, 0)
    except RecursionError:
        raise Refused(rule, f"JSON nested deeper than {MAX_DEPTH}") from None
    except ValueError as error:  # JSONDecodeError and UnicodeError are ValueErrors
        raise Refused(rule, f"not valid JSON: {error}") from None
    return value


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
_TABLE = {i: _ESCAPES.get(chr(i), f"\\u{i:04x}") for i in [*range(32), ord('"'), ord("\\")]}


def _write(value: object, out: list[str]) -> None:
    if isinstance(value, str):
        out.append('"' + value.translate(_TABLE) + '"')
    elif value is True or value is False or value is None:
        out.append({True: "true", False: "false", None: "null"}[value])
    elif isinstance(value, int):
        if not 0 <= value <= MAX_NUMBER:
            raise ValueError(f"the number {value} is not between 0 and 2^53 - 1")
        out.append(str(value))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            out.append("," if i else "[")
            _write(item, out)
        out.append("]" if value else "[]")
    elif isinstance(value, dict):
        for i, key in enumerate(sorted(value, key=lambda k: k.encode("utf-8"))):
            out.append("," if i else "{")
            _write(key, out)
            out.append(":")
            _write(value[key], out)
        out.append("}" if value else "{}")
    else:
        raise ValueError(f"{value!r} is not an integer")


def canonical(value: object) -> bytes:
    out: list[str] = []
    _write(value, out)
    return "".join(out).encode("utf-8")


def parse_canonical(text: bytes, rule: str) -> Any:
    value = parse(text, rule)
    try:
        again = canonical(value)
    except ValueError as error:
        raise Refused(rule, f"not canonical JSON: {error}") from None
    if again != text:
        at = next((i for i, (a, b) in enumerate(zip(again, text, strict=False)) if a != b), min(len(again), len(text)))
        raise Refused(rule, f"not canonical JSON: at byte {at} it should not be {text[at:at + 12]!r}")
    return value


class Shape:
    """Checks the members and types of parsed JSON (3.2 (6), and section 6)."""

    def __init__(self, rule: str) -> None:
        self.rule = rule

    def members(self, value: Any, where: str, needed: Collection[str], optional: Collection[str] = ()) -> dict[str,
                                                                                                               Any]:
        require(isinstance(value, dict), self.rule, f"{where} is not an object")
        found: dict[str, Any] = value
        for key in needed:
            require(key in found, self.rule, f"{where} lacks {key!r}")
        for key in found:
            require(key in needed or key in optional, self.rule, f"{where} has the unknown member {key!r}")
        return found

    def array(self, value: Any, where: str, length: int | None = None) -> list[Any]:
        require(isinstance(value, list), self.rule, f"{where} is not an array")
        found: list[Any] = value
        require(length in (None, len(found)), self.rule, f"{where} has {len(found)} items, not {length}")
        return found

    def number(self, value: Any, where: str) -> int:
        require(type(value) is int, self.rule, f"{where} is not a number")
        return int(value)

    def text(self, value: Any, where: str) -> str:
        require(isinstance(value, str), self.rule, f"{where} is not a string")
        return str(value)

    def digest(self, value: Any, where: str) -> str:
        good = isinstance(value, str) and len(value) == 64 and all(c in "0123456789abcdef" for c in value)
        require(good, self.rule, f"{where} is not a digest of 64 lower-case hexadecimal digits")
        return str(value)
