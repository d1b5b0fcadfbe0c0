"""Compares vpatch's token ids and loss masks of conversations with those of transformers.

    python bench/lesson_cases.py FOLDER TEMPLATES [--conversations 60] [--mutations 15]
    VPATCH_LESSONS=FOLDER swift test -c release -Xswiftc -enable-testing --filter LessonComparison

TEMPLATES is a folder of `*.jinja`, as `bench/jinja_templates.py` makes it. Output: `rows.json`, the conversations as in
a data file; `model`, a tokenizer with the tokens of all templates; and for each template a file with the examples of
each conversation, also with modified copies of the template. A case is a list of examples, each [ids, mask]; null if
there is nothing to learn, or if the mask cannot be determined.

The rule, implemented a second time: with {% generation %}, transformers' `assistant_masks`. Otherwise the answer is
what follows the conversation before it, rendered with `add_generation_prompt=True`, up to the end token. If the whole
conversation does not contain it in this form, each answer becomes an example with the conversation up to it.

Needs transformers 5.24.0 and jinja2 3.1.6, in Python 3.11.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

import jinja_cases
from jinja_cases import Chance, Context

TOKENIZER = Path(__file__).resolve().parent.parent / "fixtures" / "tokenizers" / "smollm2" / "tokenizer.json"
#: What looks like a special token.
SPECIAL = re.compile(r"<[|｜][^\s<>'\"{}]{1,40}[|｜]>|</?[a-z_]{1,20}>|\[/?[A-Z_]{3,20}\]")

Example = tuple[list[int], list[int]]


def row(seed: int) -> Context:
    """A row of a data file: a conversation without images, and what goes with it."""
    context = Chance(seed).context()
    for message in context["messages"]:
        if isinstance(message.get("content"), list):
            texts = [part for part in message["content"] if part["type"] == "text"]
            message["content"] = texts or "x"
    given: Context = {"messages": context["messages"]}
    given |= {key: context[key] for key in ("tools", "documents") if context[key] is not None}
    arguments = {key: context[key] for key in ("enable_thinking", "reasoning_effort") if key in context}
    return given | ({"chat_template_kwargs": arguments} if arguments else {})


class Reference:
    """A template as transformers has it."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, source: str) -> None:
        self.tokenizer = tokenizer
        self.source = source
        self.marks = re.search(r"\{%-?\s*generation\s*-?%\}", source) is not None
        self.end = self.end_of_answer()

    def text(self, row: Context, count: int, *, asks: bool = False) -> str:
        """The first so many messages."""
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            text = self.tokenizer.apply_chat_template(
                row["messages"][:count], tools=row.get("tools"), documents=row.get("documents"),
                chat_template=self.source, add_generation_prompt=asks, tokenize=False,
                **row.get("chat_template_kwargs", {}))  # fmt: skip
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        assert isinstance(text, str)
        return text

    def ids(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def end_of_answer(self) -> str | None:
        """Of the special tokens behind an answer the last that is there in the middle and at the end."""
        answer, user = {"role": "assistant", "content": "7160893452"}, {"role": "user", "content": "a"}
        parts: list[str] = []
        for start in ([], [{"role": "system", "content": "c"}]):
            try:
                shown = self.text({"messages": [*start, user, answer, user, answer]}, len(start) + 4)
            except Exception:  # noqa: BLE001 - a template may raise anything
                continue
            parts = shown.split("7160893452")[1:]
            if parts:
                break
        if not parts:
            try:
                parts = self.text({"messages": [user, answer]}, 2).split("7160893452")[1:]
            except Exception:  # noqa: BLE001 - a template may raise anything
                return None
        if not parts:
            return None
        middle, end = self.run(parts[0]), self.run(parts[-1])
        shared = self.shared_length(middle, end)
        if shared and len(parts) > 1:
            return middle[shared - 1]
        if end:
            return end[0]
        found = [token for token in self.specials_in(parts[-1]) if token in parts[0]]
        return found[0] if found else None

    @staticmethod
    def shared_length(a: list[str], b: list[str]) -> int:
        return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))

    def specials_in(self, text: str) -> list[str]:
        special = {id_ for id_, token in self.tokenizer.added_tokens_decoder.items() if token.special}
        return [str(self.tokenizer.convert_ids_to_tokens(id_)) for id_ in self.ids(text) if id_ in special]

    def run(self, text: str) -> list[str]:
        """The special tokens that a text begins with, white space before them aside."""
        text = text.lstrip()
        found: list[str] = []
        for token in self.specials_in(text):
            if not text.startswith(token):
                break
            found.append(token)
            text = text[len(token) :]
        return found

    def learned(self, text: str, ranges: list[tuple[int, int]]) -> Example | None:
        ids = self.ids(text)
        mask = [0] * len(ids)
        for a, b in ranges:
            start, end = (self.shared(ids, self.ids(text[:at])) for at in (a, b))
            mask[start:end] = [1] * max(end - start, 0)
        return (ids, mask) if any(mask[1:]) else None

    @staticmethod
    def shared(ids: list[int], others: list[int]) -> int:
        return next((i for i, (a, b) in enumerate(zip(ids, others, strict=False)) if a != b),
                    min(len(ids), len(others)))

    def answer(self, row: Context, i: int, whole: str, said: str) -> tuple[int, int] | None:
        """Where message i stands in the whole text, if it stands there as it is asked for and said."""
        asked = self.text(row, i, asks=True)
        if not whole.startswith(asked) or not said.startswith(asked):
            return None
        end = len(said)
        if self.end is not None:
            if (at := said.rfind(self.end, len(asked))) >= 0:
                end = at + len(self.end)
        elif specials := self.specials_in(said[len(asked) :]):
            last = said.rfind(specials[-1]) + len(specials[-1])
            end = last if not said[last:].strip(" \t\r\n") else end
        return (len(asked), end) if end > len(asked) and whole.startswith(said[:end]) else None

    def examples(self, row: Context) -> list[Example] | None:
        try:
            return self.marked(row) if self.marks else self.compared(row)
        except Exception:  # noqa: BLE001 - a template may raise anything
            return None

    def marked(self, row: Context) -> list[Example] | None:
        signal.setitimer(signal.ITIMER_REAL, 2)
        try:
            made: Any = self.tokenizer.apply_chat_template(
                row["messages"], tools=row.get("tools"), documents=row.get("documents"), chat_template=self.source,
                tokenize=True, return_dict=True, return_assistant_tokens_mask=True,
                **row.get("chat_template_kwargs", {}))  # fmt: skip
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        ids, mask = list(made["input_ids"]), list(made["assistant_masks"])
        return [(ids, mask)] if any(mask[1:]) else None

    def compared(self, row: Context) -> list[Example] | None:
        messages = row["messages"]
        answers = [i for i, message in enumerate(messages) if message["role"] == "assistant"]
        if not answers or answers[0] == 0:
            return None
        whole = self.text(row, len(messages))
        texts = [self.text(row, i + 1) if i + 1 < len(messages) else whole for i in answers]
        places = [self.answer(row, i, whole, said) for i, said in zip(answers, texts, strict=True)]
        if all(place is not None for place in places):
            example = self.learned(whole, [place for place in places if place is not None])
            return None if example is None else [example]
        made: list[Example] = []
        for i, said in zip(answers, texts, strict=True):
            place = self.answer(row, i, said, said)
            example = None if place is None else self.learned(said, [place])
            if example is None:
                return None
            made.append(example)
        return made


def write_model(folder: Path, sources: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer that knows as special what the templates write as tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = sorted({token for source in sources for token in SPECIAL.findall(source)} - {"<think>", "</think>"})
    tokenizer = Tokenizer.from_file(str(TOKENIZER))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in tokens])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in names.values()])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}, indent=1))
    return PreTrainedTokenizerFast.from_pretrained(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("templates", type=Path)
    parser.add_argument("--conversations", type=int, default=60)
    parser.add_argument("--mutations", type=int, default=15)
    parser.add_argument("--part", default="0/1", help="every n-th template from the i-th on: i/n")
    given = parser.parse_args()
    signal.signal(signal.SIGALRM, jinja_cases.late)
    chat_template_utils.datetime = jinja_cases.Frozen
    rows = [row(seed) for seed in range(given.conversations)]
    paths = sorted(given.templates.glob("*.jinja"))
    sources = {path: path.read_bytes().decode() for path in paths}
    tokenizer = write_model(given.folder / "model", list(sources.values()))
    (given.folder / "rows.json").write_text(json.dumps(rows))
    first, step = map(int, given.part.split("/"))
    for path in paths[first::step]:
        chance = random.Random(path.name)
        reference = Reference(tokenizer, sources[path])
        cases = [reference.examples(row) for row in rows]
        changed: list[Context] = []
        for _ in range(given.mutations * 8):
            if len(changed) == given.mutations:
                break
            other = jinja_cases.mutation(sources[path], chance)
            if other == sources[path] or jinja_cases.compiled(other) is None:
                continue
            mutant = Reference(tokenizer, other)
            results = [(i, mutant.examples(rows[i])) for i in chance.sample(range(len(rows)), min(6, len(rows)))]
            if any(result != cases[i] for i, result in results):
                changed.append({"source": other, "cases": results})
        (given.folder / f"{path.stem}.json").write_text(
            json.dumps({"source": sources[path], "cases": cases, "mutations": changed}))
        print(path.stem, sum(case is not None for case in cases), len(changed), flush=True)


if __name__ == "__main__":
    main()
