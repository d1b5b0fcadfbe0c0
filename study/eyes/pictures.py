"""Images with questions and answers: drawn here, or from public packages.

Each task gives (image, question, answer); images are 112 × 112 pixels in RGB. They depend only on the random seed.
"""
import gzip
import hashlib
import io
import math
import random
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

sys.path.append(str(Path(__file__).resolve().parents[2] / "bench"))
import wheels

Colour = tuple[int, int, int]
Item = tuple[Image.Image, str, str]                    # picture, question, answer
Drawn = tuple[Hashable, Image.Image, str, str]         # a key before them
Parts = tuple[list[Item], list[Item]]                  # to train on, to test on

SIDE = 112
COLOURS = {"red": (205, 45, 40), "green": (40, 150, 70), "blue": (45, 90, 210), "yellow": (235, 200, 50),
           "black": (25, 25, 25), "purple": (130, 60, 160), "orange": (235, 130, 35)}
GROUNDS = [(255, 255, 255), (240, 236, 226), (226, 236, 240), (232, 240, 226)]
WORDS = ["stop", "exit", "open", "shop", "park", "milk", "bank", "fish", "taxi", "hotel", "bread", "water", "books",
         "music", "pizza", "ticket", "garden", "bakery", "museum", "school"]
GARMENTS = ["t-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]
FASHION = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
CLOTH = "conformal_clip_data/data/textile_images/simulated/{kind}/textile_{number:04}.jpg"
CLOTH_QUESTION = "Is this cloth woven well?"


def canvas(draw: random.Random, ground: Colour | None = None) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Twice as large as the picture, which smooths the edges."""
    picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), ground or draw.choice(GROUNDS))
    return picture, ImageDraw.Draw(picture)


def finish(picture: Image.Image) -> Image.Image:
    return picture.resize((SIDE, SIDE), Image.Resampling.BOX)


# Each draws a picture from scratch: (key, picture, question, answer). Pictures with one key show the same.

def draw_count(draw: random.Random) -> Drawn:
    """Shapes of one kind that do not touch (the paper: PixmoCount)."""
    kind, count = draw.choice(["circles", "squares", "triangles"]), draw.randint(1, 9)
    picture, pen = canvas(draw)
    colour = COLOURS[draw.choice(list(COLOURS))]
    places: list[tuple[int, int, int]] = []
    while len(places) < count:
        radius = draw.randint(13, 24)
        x, y = (draw.randint(radius + 4, 2 * SIDE - radius - 5) for _ in "xy")
        if all(math.hypot(x - a, y - b) > 1.25 * (radius + other) for a, b, other in places):
            places.append((x, y, radius))
    for x, y, radius in places:
        if kind == "circles":
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        elif kind == "squares":
            half = round(radius * 0.85)
            pen.rectangle((x - half, y - half, x + half, y + half), fill=colour)
        else:
            pen.regular_polygon((x, y, radius), 3, rotation=draw.randrange(360), fill=colour)
    return (kind, colour, tuple(places)), finish(picture), f"How many {kind} are there?", str(count)


def draw_clock(draw: random.Random, minutes: int = 5) -> Drawn:
    """A clock's face with two hands (the paper: TimeClock)."""
    hour, minute = draw.randrange(12), draw.randrange(0, 60, minutes)
    ground, ink, tilt = draw.choice(GROUNDS), draw.choice(list(COLOURS.values())), draw.uniform(-4, 4)
    picture, pen = canvas(draw, ground)
    x, y = (SIDE + draw.randint(-8, 8) for _ in "xy")
    radius = draw.randint(84, 100)

    def hand(turns: float, length: float, width: int, start: float = 0.0) -> None:
        angle = math.radians(360 * turns + tilt)
        ends = [(x + radius * part * math.sin(angle), y - radius * part * math.cos(angle)) for part in (start, length)]
        pen.line(ends, fill=ink if start == 0 else (30, 30, 30), width=width)

    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(255, 255, 255), outline=(30, 30, 30), width=5)
    for mark in range(12):
        hand(mark / 12, 0.96, 7 if mark % 3 == 0 else 3, 0.82)
    hand((hour + minute / 60) / 12, 0.5, 11)
    hand(minute / 60, 0.8, 6)
    return ((hour, minute, radius, x, y, ground, ink), finish(picture), "What time is it?",
            f"{hour or 12}:{minute:02}")


def draw_sign(draw: random.Random) -> Drawn:
    """A word on a sign (the paper: TextVQA)."""
    word, size = draw.choice(WORDS), draw.randint(44, 60)
    plate, ink = draw.sample(list(COLOURS.values()), 2)
    if draw.random() < 0.5:
        ink = (255, 255, 255)
    picture, pen = canvas(draw)
    font = ImageFont.load_default(size=size)
    text = word.upper() if draw.random() < 0.5 else word
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    while right - left > 2 * SIDE - 32:
        size -= 2
        font = ImageFont.load_default(size=size)
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    x = draw.randint(14, 2 * SIDE - 14 - (right - left))
    y = draw.randint(14, 2 * SIDE - 14 - (bottom - top))
    pen.rounded_rectangle((x - 9, y - 9, x + right - left + 9, y + bottom - top + 9), radius=8, fill=plate)
    pen.text((x - left, y - top), text, font=font, fill=ink)
    return (text, size, plate, ink, x, y), finish(picture), "What does the sign say?", word


DRAWN: dict[str, Callable[[random.Random], Drawn]] = {"counting": draw_count, "signs": draw_sign, "clocks": draw_clock}


def drawn(task: str, count: int, test_count: int, source: random.Random) -> Parts:
    seen: set[Hashable] = set()
    found: list[Item] = []
    while len(found) < count + test_count:
        key, picture, question, answer = DRAWN[task](source)
        if key not in seen:
            seen.add(key)
            found.append((picture, question, answer))
    return found[test_count:], found[:test_count]


# Each takes pictures that are there: training and test as the package has them, or apart by number.

def idx(name: str) -> bytes:
    """An array of Fashion-MNIST: bytes, behind a head of 16 bytes (images) or 8 (labels)."""
    path = FASHION / f"{name}.gz"
    if not path.exists():
        sys.exit(f"study: {path} is missing; install it with apt-get install dataset-fashion-mnist")
    with gzip.open(path) as file:
        return file.read()[16 if "images" in name else 8:]


def garments(count: int, test_count: int, source: random.Random) -> Iterator[list[Item]]:
    """Kinds of clothes (the paper: CUB200, classes of birds)."""
    for part, number in (("train", count), ("t10k", test_count)):
        images, labels = idx(f"{part}-images-idx3-ubyte"), idx(f"{part}-labels-idx1-ubyte")
        yield [(Image.frombytes("L", (28, 28), images[784 * at:784 * (at + 1)]).resize(
                    (SIDE, SIDE), Image.Resampling.BICUBIC).convert("RGB"),
                "Which piece of clothing is this?", GARMENTS[labels[at]])
               for at in source.sample(range(len(labels)), number)]


def cloth(count: int, test_count: int, source: random.Random) -> Parts:
    """Woven cloth, right or with threads that lie too loose all over (the paper: PathVQA, mostly yes or no).

    The middle, as it is: scaled down, the threads are gone. The package's third kind, small spots anywhere on a larger
    piece, is left out: most lie outside the middle, and none can be seen when all of the piece is.
    """
    half = (count + test_count) // 2
    numbers = {kind: source.sample(range(1, most + 1), half) for kind, most in (("nominal", 1000), ("global", 500))}
    edge = (250 - SIDE) // 2
    found = []
    with wheels.wheel(wheels.CONFORMAL_CLIP_DATA) as wheel:
        for kind, answer in (("nominal", "yes"), ("global", "no")):
            for at in numbers[kind]:
                picture = Image.open(io.BytesIO(wheel.read(CLOTH.format(kind=kind, number=at)))).convert("RGB")
                found.append((picture.crop((edge, edge, edge + SIDE, edge + SIDE)), CLOTH_QUESTION, answer))
    source.shuffle(found)
    return found[test_count:], found[:test_count]


TAKEN: dict[str, Callable[[int, int, random.Random], Iterable[list[Item]]]] = {"garments": garments, "cloth": cloth}
# In the order in which they are trained.
TASKS = ["garments", "counting", "cloth", "signs", "clocks"]


def rows(task: str, count: int, test_count: int, seed: int) -> Parts:
    """(to train on, to test on) of a task: lists of (picture, question, answer)."""
    source = random.Random(int.from_bytes(hashlib.sha256(f"{task} {seed}".encode()).digest()[:8], "big"))
    if task in DRAWN:
        return drawn(task, count, test_count, source)
    train, test = TAKEN[task](count, test_count, source)
    return train, test
