"""Compares vpatch's interpreter of chat templates with Jinja2 as transformers sets it up.

    python bench/jinja_cases.py table FILE [--sample N]      expressions and statements, by lists and by chance
    python bench/jinja_cases.py templates FOLDER TEMPLATES [--conversations 60] [--mutations 30]
    VPATCH_JINJA=FOLDER swift test -c release -Xswiftc -enable-testing --filter JinjaComparison

The first writes what `fixtures/jinja/cases.jsonl` holds, the second what is too large for it: `contexts.json`, and of
each template (a folder with `*.jinja`) a file with its renderings, and those of changed copies of it. A case is what
Jinja2 makes of it, or null where it raises. The comparison fails where vpatch renders anything else.

Needs transformers 5.24.0 and jinja2 3.1.6, in Python 3.11.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import itertools
import json
import random
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from transformers.utils import chat_template_utils

Context = dict[str, Any]

NOW = datetime.datetime(2026, 7, 4, 15, 6, 9, 42)


class Frozen(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Frozen:
        return cls(*NOW.timetuple()[:6], NOW.microsecond, tz)


def compiled(source: str) -> Any:
    """The template, or None where Jinja2 does not compile it."""
    try:
        return chat_template_utils._cached_compile_jinja_template(source)
    except Exception:
        return None


class Late(Exception):
    pass


def late(*_: object) -> None:
    raise Late


def rendering(template: Any, context: Context) -> tuple[str, list[list[int]]] | None:
    """The text, and what is generated in bytes of it; None where Jinja2 raises."""
    if template is None:
        return None
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        blocks: list[str] = []
        spans: list[tuple[int, int]] = []
        with template.environment.activate_tracker(blocks, spans):
            # `|indent` of a list changes it before it raises.
            for block in template.generate(**copy.deepcopy(context)):
                blocks.append(block)
                if sum(map(len, blocks[-1:])) > 1 << 20:
                    return None
        text = "".join(blocks)
        text.encode()
    except Exception:
        return None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    # Addresses of Python's objects, which are never the same.
    if " at 0x" in text:
        return None

    def at(i: int) -> int:
        return len(text[:i].encode())

    return text, [[at(a), at(b)] for a, b in spans]


# --- Expressions and statements

VALUES = [
    "1", "-3", "0", "7.5", "-0.25", "2.0", "true", "none", "'aXb'", "''", "' é\\u0301ß \\t'", "'12'", "[1, 'a', 2]", "[]",
    "(3, 1)", "{'a': 1, 'b': [2]}", "{}", "nothing", "text", "numbers", "people", "table", "range(4)", "table.items()",
    "1e16", "123456789012", "0.1", "'Ǆ ŉ ΑΣ ﬁ'",
]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", "in", "not in", "and", "or"]
UNARY = ["-{}", "+{}", "not {}", "{}", "{}[0]", "{}[-1]", "{}['a']", "{}.a", "{}[1:]", "{}[::-1]", "{}[:2]", "{}[-2::2]"]
FILTERS = [
    "abs", "batch(2)|list", "batch(3, 'x')|list", "capitalize", "center(9)", "count", "d('x')", "default('x', true)",
    "dictsort", "dictsort(by='value')", "first", "float", "groupby('age')", "indent", "indent(2, true)",
    "indent('> ', blank=true)", "int", "int(9)", "items|list", "join", "join('-')", "join(', ', attribute='name')",
    "last", "length", "list", "lower", "map('upper')|list", "map(attribute='name')|list",
    "map(attribute='x', default=3)|list", "max", "min", "reject|list", "reject('odd')|list", "rejectattr('age')|list",
    "replace('a', 'bb')", "replace('', '-')", "replace('a', '', 1)", "reverse|list", "reverse", "round", "round(1)",
    "round(1, 'floor')", "round(0, 'ceil')", "select('number')|list", "select|list", "select('string')|first",
    "selectattr('age', '>', 30)|list", "selectattr('name', 'in', ['Ann'])|map(attribute='name')|join",
    "slice(2)|list", "slice(3, 0)|list", "sort", "sort(reverse=true)", "sort(attribute='name')",
    "sort(case_sensitive=true)", "string", "sum", "sum(attribute='age')", "sum(start=3)", "title", "tojson",
    "tojson(indent=2)", "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'), sort_keys=true)", "trim",
    "trim('a ')", "truncate(5)", "truncate(5, true, '~', 0)", "unique|list", "upper", "wordcount", "attr('upper')",
    "safe", "e", "unknown", "pprint", "format(1)", "list|length", "first|first",
]
TESTS = [
    "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "number", "string", "mapping",
    "sequence", "iterable", "callable", "odd", "even", "divisibleby 3", "lower", "upper", "in [1, 'a']", "eq 1", "gt 0",
    "escaped", "sameas none", "filter", "test", "unknown", "not none", "equalto('aXb')", "le(2)",
]
METHODS = [
    "upper()", "lower()", "title()", "capitalize()", "strip()", "strip('a')", "lstrip()", "rstrip('b')", "split()",
    "split('a')", "split('X', 1)", "rsplit('b', 1)", "rsplit(none, 1)", "splitlines()", "startswith('a')",
    "startswith(('x', 'a'))", "endswith('b', 1)", "replace('a', 'c')", "find('X')", "rfind('b')", "index('X')",
    "count('a')", "join(['x', 'y'])", "format(1)", "partition('X')", "rpartition('X')", "zfill(6)", "ljust(6)", "rjust(6, '*')",
    "center(7)", "isdigit()", "isalpha()", "isspace()", "isupper()", "islower()", "isalnum()", "istitle()", "title",
    "removeprefix('a')", "removesuffix('b')", "get('a')", "get('x', 7)", "items()", "keys()", "values()", "keys()|list",
    "append(1)", "update({})", "pop()", "copy()", "count(1)", "index(1)", "name", "__class__", "_x", "swapcase()",
]  # fmt: skip
STRINGS = [
    "'a\\nb'", "'\\x41\\u00e9\\U0001F600'", '"it\'s"', "'say \"hi\"'", "['it\\'s']", "['\\n\\t\\\\\\x00\\x7f\\xa0é']", "'a' 'b' \"c\"",
    "'\\q\\é\\101\\0'", "['\\u200b\\U0001F600\\u0378']", "'a\\\nb'", "'%s-%05d-%.2f' % ('x', 42, 3.14159)",
    "'%(a)s %%' % {'a': [1]}", "'%x %X %o %e %g' % (255, 255, 8, 12345.678, 0.0001)", "'%5s|%-5s|%+d' % ('a', 'b', 3)",
    "'{} {}'.format(1, 'a')", "'{1}{0}{x}'.format('a', 'b', x=none)", "'{{}}'.format()", "'{:>4}'.format('a')",
    "'%d' % 3.7", "'%s' % none", "'%s %s' % 1", "'x' % 1", "'%r' % 'a'", "'a,b;c'.split(',')", "'abc'[1]", "'é́x'|length",
    "'a\\r\\nb\\x0bc\\x85d'.splitlines()", "'a\\nb\\n'.splitlines(true)", "'\\x1f a \\u3000'|trim", "'ÀÉ'|lower", "'ὈΔΥΣΣΕΎΣ Σ ΑΣ.'|lower",
    "'ǆ ß ﬃ'|upper", "'ǆungla o\\'neil'|title", "'ǆungla o\\'neil'.title()", "1.0", "1e22", "1e-5", "0.0001", "123456.789e3", "1_000",
    "0x1F + 0b11 + 0o17", "5 // -2", "-5 % 3", "5.5 // -2", "-5.5 % 3", "2 ** 10", "2 ** -1", "2 ** 0.5", "9007199254740993 == 9007199254740992.0",
    "1 < 2 < 3", "1 < 3 < 2", "1 == 1.0 == true", "[1, 2] < [1, 3]", "(1,) + (2,)", "[1] * 3", "'ab' * 2", "3 * [0]",
    "'b' > 'a'", "'é' > 'z'", "none < 1", "[1, true, none, 1.5]", "{1: 'a', true: 'b', 1.0: 'c'}", "{'a': {'b': ()}}", "(1,)", "()",
    "'a' if none", "('a' if none) is defined", "1 if true else 2", "1 if false else 2 if true else 3", "not 1 == 2", "1 ~ 2 ~ 'a'",
    "range(10)[2]", "range(1, 10, 3)|list", "range(5, 0, -2)|list", "range(200000)", "dict(a=1, b=2)", "dict([('x', 1)], y=2)",
    "namespace(a=1).a", "cycler(1, 2).next()", "joiner('x')()", "strftime_now('%Y-%m-%d %d %b %B %A %j %-d %H:%M:%S %p')",
    "strftime_now('%y %U %W %w %u %I %e %a %f %%')", "lipsum()", "people[0].name", "people[0]['name']", "people.0.name", "table['items']",
    "table.items", "people|map(attribute='name')|map('lower')|join(' ')", "people|groupby('age')|length", "numbers[::2]", "numbers[5:1:-2]",
    "numbers[:-1]|last", "text[3:]", "text[-4:-1]", "text.split('\\n')[-1]", "nothing.x", "nothing['x']", "nothing|length", "nothing ~ 'a'",
    "nothing + 1", "nothing == other", "nothing|list", "nothing is sameas other", "[nothing]", "nothing in [nothing]", "'a' in nothing",
    "-2 ** 2", "(-2) ** 2", "x ** 2", "2 ** x", "-x ** 2", "true + true", "true / 2", "7 / 2", "4 / 2", "1 / 0", "5 % 0", "1.5|round|int", "2.5|round",
    "2.675|round(2)", "15|round(-1)", "'3.9'|int", "' 42 '|int", "'1e3'|int", "'1_0'|int", "'x'|int(default=5)", "'ff'|int(0, 16)", "'nan'|float",
    "9223372036854775807 + 1", "9223372036854775808", "-9223372036854775807 - 1", "3000000000 * 4000000000", "text|wordcount", "text|indent(2)",
    "'<a href=\"x\">'|e", "('<'|safe) + '<'", "'a'|safe", "[1, 2]|e", "true|tojson", "1.5|tojson", "'é\\n\\u2028\\x7f</'|tojson", "{'b': 1, 'a': [true, none]}|tojson",
    "{1: 2, none: 3, true: 4}|tojson", "[]|tojson(indent=2)", "{'a': [], 'b': {}}|tojson(indent=1)", "[1, [2]]|tojson(indent='\\t')", "nothing|tojson", "('a', 'b')|tojson",
    "a.b.c", "'😀'|tojson(ensure_ascii=true)", "self", "loop", "caller", "varargs", "super()", "_('x')", "true is true", "1 is true", "'a' is string", "'a' is not string",
    "1 in [1.0]", "'' in ''", "5 in 'abc'", "1 not in {}", "not not 1", "text is string and numbers is iterable", "{'a': 1} == {'a': 1.0}", "[1] == (1,)",
]  # fmt: skip
STATEMENTS = [
    "{% for x in numbers %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for x in numbers %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.changed(x // 2) }} {% endfor %}",
    "{% for x in [] %}a{% else %}b{% endfor %}", "{% for x in numbers if x is odd %}{{ x }}{{ loop.length }}{% else %}none{% endfor %}",
    "{% for x in numbers if x > 90 %}{{ x }}{% else %}none{% endfor %}", "{% for x in numbers %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% if x == 4 %}{% break %}{% endif %}{% endfor %}",
    "{% for x in [1] %}{% continue %}{% else %}e{% endfor %}", "{% for x in [1] %}{% break %}{% else %}e{% endfor %}",
    "{% for a, b in table.items() %}{{ a }}={{ b }},{% endfor %}", "{% for (a, (b, c)) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in [1] %}{% endfor %}",
    "{% for k in table %}{{ k }}{% endfor %}", "{% for c in 'aé😀' %}{{ c }}.{% endfor %}", "{% for x in nothing %}a{% endfor %}b", "{% for x in 5 %}a{% endfor %}",
    "{% for x in tree recursive %}{{ x.n }}{{ loop.depth }}{{ loop.depth0 }}[{{ loop(x.c) }}]{% endfor %}", "{% for x in tree recursive %}{{ x.n }}{% if x.c %}({{ loop(x.c) }}){% endif %}{% else %}-{% endfor %}",
    "{% for x in [1, 2] %}{{ loop([1]) }}{% endfor %}", "{% for x in [[1, 2], [3]] %}{% for y in x %}{{ loop.index }}{{ y }}{% endfor %}{{ loop.index }}{% endfor %}",
    "{% set y = 1 %}{% for x in [1, 2] %}{% set y = y + x %}{{ y }}{% endfor %}{{ y }}", "{% set ns = namespace(y=1) %}{% for x in [1, 2] %}{% set ns.y = ns.y + x %}{% endfor %}{{ ns.y }}",
    "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a + ns.b }}{{ ns.c }}", "{% set ns.a = 1 %}", "{% set ns = {} %}{% set ns.a = 1 %}", "{% set ns = namespace(_a=1) %}",
    "{% if false %}{% set z = 1 %}{% endif %}{{ z is defined }}{{ text|length }}", "{% if true %}{% set text = 1 %}{% else %}{% set q = 2 %}{% endif %}{{ text }}{{ q }}",
    "{{ text|length }}{% set text = 'a' %}{{ text }}", "{% set a, b = 1, (2, 3) %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set a %}x{{ 1 }}{% endset %}[{{ a }}]",
    "{% set a | upper | replace('X', 'y') %}xz{% endset %}{{ a }}", "{% filter upper %}a{{ 'b' }}{% endfilter %}", "{% filter replace('a', 'c')|trim %} a {% endfilter %}",
    "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}", "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% set a = 9 %}{{ a }}{% endwith %}{{ a }}", "{% with %}x{% endwith %}",
    "{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}|{{ m(1, c=3) }}|{{ m() }}", "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}[{{ caller(a) }}]{% endmacro %}{% call(x) m(3) %}<{{ x }}>{% endcall %}",
    "{% macro m() %}{{ caller is defined }}{{ caller }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ y }}{% endmacro %}{% set y = 3 %}{{ m() }}", "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro m() %}{% set text = 2 %}{{ text }}{% endmacro %}{{ m() }}{{ text|length }}", "{{ m }}{% macro m() %}{% endmacro %}{{ m }}{{ m.name }}{{ m is callable }}",
    "{% for x in [1, 2] %}{% macro m() %}{{ x }}{{ loop.index }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{% call text() %}{% endcall %}", "{% call m %}{% endcall %}", "{% generation %}a{{ 1 }}{% endgeneration %}b", "x{% for i in [1, 2] %}{% generation %}é{{ i }}{% endgeneration %};{% endfor %}",
    "{% generation %}a{% set q = 1 %}{% endgeneration %}{{ q }}", "{% macro m() %}{% generation %}g{% endgeneration %}{% endmacro %}ab{{ m() }}", "{% macro m() %}x{% generation %}g{% endgeneration %}{% endmacro %}ab{{ m() }}",
    "{% for i in [1] %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "{% set a %}{% generation %}g{% endgeneration %}{% endset %}{{ a }}",
    "{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}", "{% if nothing %}a{% elif none %}b{% else %}c{% endif %}", "{% if 1, 2 %}a{% endif %}", "{% if false %}{{ 1|unknown }}{% endif %}x", "{% if true %}{{ 1|unknown }}{% endif %}x",
    "{{ 1|unknown if false }}", "{% for x in [1] %}{% if false %}{{ 1 is unknown }}{% endif %}{% endfor %}", "{% raw %}{{ x }}{% endraw %}", "a {%- raw -%} {{ b }} {%- endraw -%} c", "{# c #}a{#- b -#} c {#+ d +#}\n e",
    "{% print 1, 2 %}", "{% include 'x' %}", "{% block a %}b{% endblock %}", "{% extends 'x' %}", "{% do 1 %}", "{% set loop = 1 %}{{ loop }}", "{% for x in [1] %}{% set loop = 1 %}{% endfor %}", "{% for loop in [1] %}{% endfor %}",
    "  {% if true %}\n  a\n  {% endif %}\n  b\n", "  {%- if true %}\n  a\n  {%- endif -%}\n  b\n\n", "  {%+ if true +%}\n  a\n  {%+ endif %}\n", "a  {{- 1 -}}  b {{ 2 }}\n", "\n\n{% if true %}\n\n\nx{% endif %}\n\n", "a\r\nb\rc\n", "\t{# x #}\n y",
    "x {% if true %} y {% endif %} z\n", "{{ 1 }}\n{% if true %}\n{% endif %}\nx", "{{ 1 -}}\n  {% if true %} \n {% endif %}\nx", "{{ {'a': {'b': 1}}.a.b }}", "{{ '}}' }}{{ \"%}\" }}", "{% set x = '{% raw %}' %}{{ x }}",
    "{{ raise_exception('no') }}", "{{ raise_exception() }}", "{% set x = raise_exception %}x", "{{ 1", "{% if %}", "{% endif %}", "{{ }}", "{{ 1 2 }}", "{{ a b }}", "{% for %}", "{{ 'a }}", "{# a", "a{#", "{% raw %}a", "{{ (1 }}", "{{ 1) }}", "{{ [1,] }}{{ (1,) }}{{ {'a': 1,} }}",
    "{{ f(1, a=2, 3) }}", "{{ dict(**{'a': 1}) }}{{ range(*[1, 3])|list }}", "{{ a.1b }}", "{{ 1.e }}", "{{ 0123 }}", "{{ é }}", "{{ 1 is }}", "{{ x is defined is defined }}", "{{ [1, 2][0:1, 1] }}", "{{ 5[1:] }}", "{% set q = 5 %}{{ q[1:] }}",
    "{% set a = numbers|map('string') %}{{ a|join }}{{ a|join }}", "{% set a = numbers|select('odd') %}{{ a|first }}{{ a|list }}{{ a|length }}", "{% for x in numbers|map('string') %}{{ loop.length }}{{ x }}{{ loop.last }}{% endfor %}",
    "{% for x in numbers|select('odd') %}{{ x }}{{ loop.nextitem }}{{ loop.revindex }}{% endfor %}", "{{ [1, 'a']|map('abs')|first }}", "{{ [1, 'a']|map('abs')|list }}", "{{ nothing|map('foo')|list }}", "{{ none|map('upper')|list }}", "{{ []|map('nofilter')|list }}",
    "{% set x = 1 %}{% if x %}{% set x = 2 %}{{ x }}{% endif %}{{ x }}", "{% for i in [1, 2, 3] %}{% if loop.first %}{% set v = i %}{% endif %}{{ v }}{% endfor %}", "{% for i in [1] %}{% set text = 3 %}{% endfor %}{{ text|length }}", "{{ loop }}{% for i in [1] %}{{ loop.index }}{% endfor %}{{ loop }}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}", "{% set j = joiner() %}{% for i in [1, 2] %}{{ j() }}{{ i }}{% endfor %}", "{% set d.x %}a{% endset %}", "{% set ns = namespace(d={}) %}{% set ns.x %}a{% endset %}{{ ns.x }}",
    "{% autoescape true %}{{ '<' }}{% endautoescape %}", "{% trans %}a{% endtrans %}", "{% from 'x' import y %}", "{% set x | replace('a', notseen) %}a{% endset %}{{ x }}", "{% macro caller() %}{% endmacro %}{{ caller() }}", "{% macro m(caller) %}{{ caller() }}{% endmacro %}", "{% macro m(caller=1) %}{{ caller }}{% endmacro %}{{ m() }}{{ m(caller=2) }}",
    "{% for a in [1, 2] %}{% for b in [a] if b > 1 %}{{ b }}{% endfor %}{% endfor %}", "{% for x in [3, 1, 2]|sort(reverse=true) %}{{ x }}{% endfor %}", "{% for x in numbers[1:3] + [7] %}{{ x }}{% endfor %}", "{% for x in numbers: %}{{ x }}{% endfor %}", "{%if true%}a{%endif%}", "{% set x = 1 -%}\n\n a", "{{ numbers|length > 3 and 'y' or 'n' }}",
]  # fmt: skip

TABLE: Context = {
    "text": "Hello wörld,\n  second line\r\nthird", "numbers": [1, 2, 3, 4, 5], "x": -3,
    "people": [{"name": "Ann", "age": 31}, {"name": "bob", "age": 25}, {"name": "Cyd", "age": 31}],
    "table": {"b": 2, "a": 1, "C": None}, "a": {"b": {"c": "deep"}},
    "tree": [{"n": "r", "c": [{"n": "s", "c": []}, {"n": "t", "c": [{"n": "u", "c": []}]}]}],
}  # fmt: skip


def table() -> Iterator[str]:
    for expression in STRINGS:
        yield "{{ " + expression + " }}"
    yield from STATEMENTS
    for value in VALUES:
        for form in UNARY:
            yield "{{ " + form.format(value) + " }}"
        for filter_ in FILTERS:
            yield "{{ " + value + " | " + filter_ + " }}"
        for test in TESTS:
            yield "{{ " + value + " is " + test + " }}"
        for method in METHODS:
            # A number needs brackets before its dot.
            yield "{{ (" + value + ")." + method + " }}"
        for other, operator in itertools.product(VALUES, BINARY):
            # Python would compute a number of gigabytes.
            if "123456789012" in (value, other) and operator in ("*", "**"):
                continue
            yield "{{ " + value + " " + operator + " " + other + " }}"


def write_table(path: Path, sample: int | None) -> None:
    sources = list(dict.fromkeys(table()))
    if sample is not None:
        chosen = random.Random(1).sample(sources[len(STRINGS) + len(STATEMENTS) :], sample)
        sources = sources[: len(STRINGS) + len(STATEMENTS)] + chosen
    with path.open("w") as file:
        file.write(json.dumps(TABLE) + "\n")
        for source in sources:
            file.write(json.dumps([source, rendering(compiled(source), TABLE)]) + "\n")


# --- Conversations by chance

WORDS = [
    "hello", "Grüße", "e\u0301clair", "日本語", "😀👩‍👩‍👧", "שלום עולם", "مرحبا", "a\tb", "x < y && z", "{{ 7*7 }}", "{% if a %}", "<think>", "</think>",
    "<|im_end|>", "[INST]", "'quoted'", '"double"', "\\n", "back\\slash", "100%", "#hash", "```python\nprint(1)\n```", "\u00a0", "İstanbul", "ß", "\u200b",
    "<tool_call>", "</s>", "1.5", "null", "line\u2028sep",
]  # fmt: skip


class Chance:
    """Conversations as users have them, half of them in the order that strict templates want, and worse ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.is_strict = seed % 2 == 0

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def text(self) -> str:
        words = [self.random.choice(WORDS) for _ in range(self.random.randint(0, 8))]
        gap = self.random.choice([" ", " ", "\n", "\r\n", "\n\n", ""])
        text = gap.join(words)
        if self.often(0.25):
            text = self.random.choice([" ", "\n", "\t "]) + text
        if self.often(0.25):
            text += self.random.choice([" ", "\n", "\r\n\r\n", "  \n"])
        return text

    def value(self, depth: int = 0) -> Any:
        kind = self.random.randrange(8 if depth < 2 else 5)
        if kind == 0:
            return self.random.choice([True, False, None])
        if kind == 1:
            return self.random.randint(-5, 10**6)
        if kind == 2:
            return self.random.choice([0.5, 1e-7, 1e22, -2.0, 3.14159])
        if kind in (3, 4):
            return self.text()
        if kind == 5:
            return [self.value(depth + 1) for _ in range(self.random.randint(0, 3))]
        return {self.name(): self.value(depth + 1) for _ in range(self.random.randint(0, 3))}

    def name(self) -> str:
        return self.random.choice(["city", "unit", "x_1", "größe", "get weather", "query", "n"])

    def tool(self) -> Context:
        properties: Context = {}
        for _ in range(self.random.randint(0, 3)):
            kind = self.random.choice(["string", "integer", "boolean", "array", "object", ["string", "null"]])
            schema: Context = {"type": kind, "description": self.text()}
            if kind == "array":
                schema["items"] = {"type": "string"}
            if kind == "object":
                schema["properties"] = {"inner": {"type": "number"}}
            if self.often(0.2):
                schema["enum"] = ["a", "b"]
            if self.often(0.1):
                schema["default"] = self.value(2)
            properties[self.name()] = schema
        function: Context = {
            "name": self.name(), "description": self.text(),
            "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]},
        }  # fmt: skip
        if self.often(0.2):
            function["return"] = {"type": "string", "description": "what"}
        return {"type": "function", "function": function}

    def content(self, role: str) -> Any:
        if self.often(0.0 if self.is_strict else 0.3):
            parts: list[Context] = []
            for _ in range(self.random.randint(0, 3)):
                if role == "user" and self.often(0.3):
                    parts.append({"type": self.random.choice(["image", "video"])})
                else:
                    parts.append({"type": "text", "text": self.text()})
            return parts
        return self.text()

    def call(self) -> Context:
        arguments: Any = {self.name(): self.value(1) for _ in range(self.random.randint(0, 2))}
        if self.often(0.2):
            arguments = json.dumps(arguments)
        call: Context = {"type": "function", "function": {"name": self.name(), "arguments": arguments}}
        if self.is_strict:
            call["id"] = "abcdef123"
        elif self.often(0.6):
            call["id"] = self.random.choice(["call_1", "abcdef123", "x"])
        return call

    def messages(self) -> list[Context]:
        messages: list[Context] = []
        if self.often(0.3 if self.is_strict else 0.5):
            messages.append({"role": "system", "content": self.content("system")})
        for _ in range(self.random.randint(0 if self.often(0.05) else 1, 3)):
            messages.append({"role": "user", "content": self.content("user")})
            if self.often(0.15):
                break
            answer: Context = {"role": "assistant", "content": self.content("assistant")}
            if self.often(0.3):
                field = self.random.choice(["reasoning_content", "thinking", "reasoning"])
                answer[field] = self.text()
            if self.often(0.2):
                answer["content"] = f"<think>\n{self.text()}\n</think>\n\n{self.text()}"
            messages.append(answer)
            if self.often(0.15 if self.is_strict else 0.4):
                answer["tool_calls"] = [self.call() for _ in range(self.random.randint(1, 2))]
                if self.often(0.5):
                    answer["content"] = ""
                if self.often(0.2):
                    del answer["content"]
                for call in answer["tool_calls"]:
                    result: Context = {"role": "tool", "content": self.content("tool")}
                    if self.often(0.5):
                        result["name"] = call["function"]["name"]
                    if self.often(0.5):
                        result["tool_call_id"] = call.get("id", "abcdef123")
                    messages.append(result)
                if self.is_strict or self.often(0.7):
                    messages.append({"role": "assistant", "content": self.content("assistant")})
        if self.is_strict:
            return messages
        if self.often(0.1):
            self.random.shuffle(messages)
        if self.often(0.1):
            messages.append({"role": self.random.choice(["developer", "ipython", "observation", "User"]), "content": "x"})
        return messages

    def context(self) -> Context:
        context: Context = {
            "messages": self.messages(), "tools": None, "documents": None, "add_generation_prompt": self.often(0.5),
            "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>",
        }  # fmt: skip
        if self.often(0.35):
            context["tools"] = [self.tool() for _ in range(self.random.randint(1, 2))]
        if self.often(0.25):
            context["enable_thinking"] = self.often(0.5)
        if self.often(0.1):
            context["reasoning_effort"] = self.random.choice(["low", "high"])
        if self.often(0.1):
            context["documents"] = [{"title": self.text(), "text": self.text()}]
        return context


# --- Changed templates

TOKEN = re.compile(r"\{[%{#][-+]?|[-+]?[%}#]\}|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\w+|==|!=|<=|>=|\*\*|//|\s+|.", re.S)
OPENINGS = ["{%", "{%-", "{%+"]
CLOSINGS = ["%}", "-%}", "+%}"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">", "<=", ">=", "and", "or", "in", "."]
SWAPS = [
    ["trim", "upper", "lower", "length", "tojson", "string", "first", "last", "list", "safe", "capitalize", "title", "int", "join", "reverse", "e"],
    ["defined", "string", "none", "mapping", "iterable", "sequence", "undefined", "true", "false", "number", "boolean"],
    ["index", "index0", "first", "last", "length", "revindex", "previtem", "nextitem"],
    ["strip", "lstrip", "rstrip", "upper", "split", "splitlines", "title", "items", "keys", "values"],
    ["role", "content", "name", "tool_calls", "arguments", "function", "type", "messages", "message", "tools"],
    ["true", "false", "none"], ["0", "1", "2", "-1"], ["if", "elif", "else", "not", "is"], ["break", "continue"],
]  # fmt: skip


def mutation(source: str, chance: random.Random) -> str:
    tokens = TOKEN.findall(source)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if not tokens:
            break
        kind = chance.randrange(9)
        group = [*SWAPS, OPENINGS, CLOSINGS, ["{{", "{{-"], ["}}", "-}}"], OPERATORS]
        places = list(range(len(tokens)))
        if kind <= 4:
            wanted = chance.choice(group)
            places = [i for i, token in enumerate(tokens) if token in wanted]
            if places:
                tokens[chance.choice(places)] = chance.choice(wanted)
            continue
        at = chance.choice(places)
        if kind == 5:
            del tokens[at]
        elif kind == 6:
            other = min(at + chance.randint(1, 3), len(tokens) - 1)
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif kind == 7:
            tokens.insert(at, tokens[at])
        else:
            tokens.insert(at, chance.choice([" ", "\n", "  \n", *tokens[:50]]))
    return "".join(tokens)


def write_templates(folder: Path, templates: Path, conversations: int, mutations: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    contexts = [Chance(seed).context() for seed in range(conversations)]
    (folder / "contexts.json").write_text(json.dumps(contexts))
    for path in sorted(templates.glob("*.jinja")):
        source = path.read_bytes().decode()
        chance = random.Random(path.name)
        template = compiled(source)
        cases = [rendering(template, context) for context in contexts]
        changed: list[Context] = []
        for _ in range(mutations * 4):
            if len(changed) == mutations:
                break
            other = mutation(source, chance)
            if other == source or (changed_template := compiled(other)) is None:
                continue
            chosen = chance.sample(range(conversations), min(6, conversations))
            results = [[i, rendering(changed_template, contexts[i])] for i in chosen]
            differs = any(result != cases[i] for i, result in results)
            changed.append({"source": other, "cases": results, "differs": differs})
        (folder / f"{path.stem}.json").write_text(
            json.dumps({"source": source, "cases": cases, "mutations": changed}))
        print(path.stem, sum(case is not None for case in cases), sum(c["differs"] for c in changed), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("table")
    command.add_argument("file", type=Path)
    command.add_argument("--sample", type=int)
    command.set_defaults(run=lambda a: write_table(a.file, a.sample))
    command = commands.add_parser("templates")
    command.add_argument("folder", type=Path)
    command.add_argument("templates", type=Path)
    command.add_argument("--conversations", type=int, default=60)
    command.add_argument("--mutations", type=int, default=30)
    command.set_defaults(run=lambda a: write_templates(a.folder, a.templates, a.conversations, a.mutations))
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, late)
    chat_template_utils.datetime = Frozen
    run: Callable[[argparse.Namespace], None] = arguments.run
    run(arguments)


if __name__ == "__main__":
    main()
