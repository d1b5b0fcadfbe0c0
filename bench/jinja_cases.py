"""Compares vpatch's chat template interpreter with Jinja2 as transformers configures it.

    python bench/jinja_cases.py table FILE [--sample N]      expressions and statements, listed and random
    python bench/jinja_cases.py templates FOLDER TEMPLATES [--conversations 60] [--mutations 30]
    VPATCH_JINJA=FOLDER swift test -c release -Xswiftc -enable-testing --filter JinjaComparison

The first command writes `fixtures/jinja/cases.jsonl`. The second writes cases that are too large for the fixtures:
`contexts.json`, and for each template (TEMPLATES is a folder of `*.jinja`) a file with its renderings and those of
modified copies. A case has Jinja2's output, or null if Jinja2 raises. The comparison fails if vpatch renders anything
else.

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

# What cases are made of: expressions, statements, words of conversations, tokens that are changed for each other.
PARTS: dict[str, list[Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())

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


TABLE: Context = {
    "text": "Hello wörld,\n  second line\r\nthird", "numbers": [1, 2, 3, 4, 5], "x": -3,
    "people": [{"name": "Ann", "age": 31}, {"name": "bob", "age": 25}, {"name": "Cyd", "age": 31}],
    "table": {"b": 2, "a": 1, "C": None}, "a": {"b": {"c": "deep"}},
    "tree": [{"n": "r", "c": [{"n": "s", "c": []}, {"n": "t", "c": [{"n": "u", "c": []}]}]}],
}  # fmt: skip


def table() -> Iterator[str]:
    for expression in PARTS["strings"]:
        yield "{{ " + expression + " }}"
    yield from PARTS["statements"]
    for value in PARTS["values"]:
        for form in PARTS["unary"]:
            yield "{{ " + form.format(value) + " }}"
        for filter_ in PARTS["filters"]:
            yield "{{ " + value + " | " + filter_ + " }}"
        for test in PARTS["tests"]:
            yield "{{ " + value + " is " + test + " }}"
        for method in PARTS["methods"]:
            # A number needs brackets before its dot.
            yield "{{ (" + value + ")." + method + " }}"
        for other, operator in itertools.product(PARTS["values"], PARTS["binary"]):
            # The order of Python's sets is never the same.
            if value == "table.items()" and operator == "-":
                continue
            # Python would compute a number of gigabytes.
            if "123456789012" in (value, other) and operator in ("*", "**"):
                continue
            yield "{{ " + value + " " + operator + " " + other + " }}"


def write_table(path: Path, sample: int | None) -> None:
    sources = list(dict.fromkeys(table()))
    if sample is not None:
        chosen = random.Random(1).sample(sources[len(PARTS["strings"]) + len(PARTS["statements"]) :], sample)
        sources = sources[: len(PARTS["strings"]) + len(PARTS["statements"])] + chosen
    with path.open("w") as file:
        file.write(json.dumps(TABLE) + "\n")
        for source in sources:
            file.write(json.dumps([source, rendering(compiled(source), TABLE)]) + "\n")


# --- Conversations by chance


class Chance:
    """Conversations as users have them, half of them in the order that strict templates want, and worse ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.is_strict = seed % 2 == 0

    def often(self, share: float) -> bool:
        return self.random.random() < share

    def text(self) -> str:
        words = [self.random.choice(PARTS["words"]) for _ in range(self.random.randint(0, 8))]
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
            role = self.random.choice(["developer", "ipython", "observation", "User"])
            messages.append({"role": role, "content": "x"})
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

TOKEN = re.compile(
    r"\{[%{#][-+]?|[-+]?[%}#]\}|'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|\w+|==|!=|<=|>=|\*\*|//|\s+|.",
    re.S,
)
OPENINGS = ["{%", "{%-", "{%+"]
CLOSINGS = ["%}", "-%}", "+%}"]


def mutation(source: str, chance: random.Random) -> str:
    tokens = TOKEN.findall(source)
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if not tokens:
            break
        kind = chance.randrange(9)
        group = [*PARTS["swaps"], OPENINGS, CLOSINGS, ["{{", "{{-"], ["}}", "-}}"], PARTS["operators"]]
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
            results = [(i, rendering(changed_template, contexts[i])) for i in chosen]
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
