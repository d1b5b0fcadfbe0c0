"""The five target tasks: invented questions with short answers, after the five of the paper.

Each task draws one question: (key, prompt, answer). Questions with one key ask the same thing; no key of the test is in
the training set. The draws depend on the seed and on nothing else.
"""
import hashlib
import random
from collections.abc import Hashable

Question = tuple[Hashable, str, str]  # key, prompt, answer
Row = dict[str, str]


def draw_bird(draw: random.Random) -> Question:
    """Species of invented birds (the paper: CUB200). Two marks tell the species; the others do not matter."""
    crest, bill = draw.randrange(4), draw.randrange(3)
    size = draw.choice(["small", "large", "slender"])
    wings = draw.choice(["brown", "grey", "black", "striped", "spotted"])
    place = draw.choice(["in a reed bed", "on a roof", "by a pond", "in an orchard", "on a cliff"])
    names = [["marsh", "stone", "river", "cloud"][crest], ["finch", "heron", "plover"][bill]]
    prompt = (f"A {size} bird {place}: {['red', 'white', 'blue', 'yellow'][crest]} crest, "
              f"{['short', 'long', 'curved'][bill]} bill, {wings} wings. Which species is it?")
    return (crest, bill, size, wings, place), prompt, " ".join(names)


NOUNS = ["cat", "dog", "cup", "tree", "lamp", "fish", "book", "shoe", "bell", "coin"]


def draw_count(draw: random.Random) -> Question:
    """How often a word is in a list (the paper: PixmoCount)."""
    word = draw.choice(NOUNS)
    count = draw.randint(1, 6)
    others = [draw.choice([noun for noun in NOUNS if noun != word]) for _ in range(draw.randint(1, 9 - count))]
    words = [word] * count + others
    draw.shuffle(words)
    listed = ", ".join(words)
    return (word, listed), f"How many times is {word} in this list? {listed}", str(count)


def draw_cells(draw: random.Random) -> Question:
    """Yes or no about invented samples (the paper: PathVQA, mostly yes or no): yes where two of three marks are
    there."""
    marks = [draw.random() < 0.5 for _ in range(3)]
    organ = draw.choice(["liver", "skin", "lung", "kidney", "colon", "thyroid"])
    stain = draw.choice(["blue", "pink", "violet", "green"])
    share = draw.randrange(10, 100, 10)
    shape, nuclei, edge = (pair[mark] for pair, mark in zip(
        [("spindly", "round"), ("dark", "pale"), ("ragged", "smooth")], marks, strict=True))
    prompt = (f"{organ.capitalize()} sample, {stain} stain, {share}% {shape} cells, {nuclei} nuclei, {edge} edges. "
              f"Is it benign?")
    return (tuple(marks), organ, stain, share), prompt, "yes" if sum(marks) >= 2 else "no"


FIELDS = {
    "shop": ["bakery", "florist", "tailor", "butcher", "chemist", "grocer", "barber", "jeweller"],
    "street": ["Mill Lane", "Oak Road", "King Street", "Hill Road", "Park Lane", "Bridge Street", "Church Road"],
    "owner": ["Adams", "Baker", "Carter", "Dixon", "Evans", "Foster", "Grant", "Harris", "Irving"],
    "day": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"],
}
QUESTIONS = {"shop": "What kind of shop is it?", "street": "Where is it?", "owner": "Who owns it?",
             "day": "When is it closed?"}


def draw_sign(draw: random.Random) -> Question:
    """What a sign says (the paper: TextVQA). The fields come in any order, so that one has to read."""
    values = {field: draw.choice(words) for field, words in FIELDS.items()}
    lines = {"shop": values["shop"].upper(), "street": f"at {values['street']}", "owner": f"prop. {values['owner']}",
             "day": f"no {values['day']}s"}
    order = list(lines)
    draw.shuffle(order)
    asked = draw.choice(order)
    sign = " / ".join(lines[field] for field in order)
    return (sign, asked), f"A sign reads: {sign}. {QUESTIONS[asked]}", values[asked]


def draw_clock(draw: random.Random) -> Question:
    """The time on a clock's face, told by its hands (the paper: TimeClock)."""
    hour, mark, beyond = draw.randint(1, 12), draw.randint(1, 11), draw.choice([0, 0, 1, 2, 3, 4])
    after = f"{beyond} small mark{'s' if beyond > 1 else ''} after the {mark}" if beyond else f"on the {mark}"
    prompt = f"The short hand is between {hour} and {hour % 12 + 1}, the long hand {after}. What time is it?"
    return (hour, mark, beyond), prompt, f"{hour}:{5 * mark + beyond:02}"


# In the order in which they are trained.
TASKS = {"birds": draw_bird, "counting": draw_count, "cells": draw_cells, "signs": draw_sign, "clocks": draw_clock}


def rows(task: str, count: int, test_count: int, seed: int) -> tuple[list[Row], list[Row]]:
    """(rows to train on, rows to test on) of a task: {"prompt", "answer"}."""
    draw = random.Random(int.from_bytes(hashlib.sha256(f"{task} {seed}".encode()).digest()[:8], "big"))
    seen: set[Hashable] = set()
    test: list[Row] = []
    train: list[Row] = []
    while len(train) < count:
        key, prompt, answer = TASKS[task](draw)
        if key not in seen:
            seen.add(key)
            (test if len(test) < test_count else train).append({"prompt": prompt, "answer": answer})
    return train, test
