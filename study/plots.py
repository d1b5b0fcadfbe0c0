"""SVG plots without a plotting library, for light and dark themes."""
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import isfinite, log10
from typing import Any

from findings import Change

# By recipe: (in the light, in the dark). An arm at a low rate has its recipe's, with dashes and hollow dots.
COLOURS = {"sa-proj": ("#2b66db", "#86b0fe"), "gate-up": ("#0b8a68", "#4fd3ab"), "mlp": ("#a3600b", "#f0b45c"),
           "llm": ("#b3261e", "#ff8f85"), "full": ("#4a4f57", "#b9c0cb"), "projector": ("#0a7f92", "#62d0e2"),
           "vision": ("#b8348b", "#f59ad3")}
LOW, DASH = "-low", "5 4"

STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:#191d24}
.soft{fill:#5d6675}.title{font-weight:600;font-size:13px}.back{fill:#fff}.frame{stroke:#e2e6ec;fill:none}
.base{stroke:#5d6675;stroke-dasharray:2 3;fill:none}.line{fill:none;stroke-width:2}.bar{stroke-width:1.2;opacity:.45}
""" + "".join(f".{name}{{stroke:{light}}}.dot.{name},.label.{name}{{fill:{light}}}"
              for name, (light, _) in COLOURS.items()) + """
.dot.low{fill:#fff;stroke-width:1.8}.label{stroke:none}
@media (prefers-color-scheme:dark){text{fill:#e7eaf0}.soft{fill:#98a1b0}.back{fill:#0e1116}.frame{stroke:#272d37}
.base{stroke:#98a1b0}
""" + "".join(f".{name}{{stroke:{dark}}}.dot.{name},.label.{name}{{fill:{dark}}}"
              for name, (_, dark) in COLOURS.items()) + ".dot.low{fill:#0e1116}.label{stroke:none}}"


def hue(arm: str) -> str:
    """The classes of an arm's marks."""
    return arm.removesuffix(LOW) + (" low" if arm.endswith(LOW) else "")


def line(arm: str, path: str) -> str:
    dash = f' stroke-dasharray="{DASH}"' if arm.endswith(LOW) else ""
    return f'<path class="line {hue(arm)}" d="{path}"{dash}/>'


def dot(arm: str, x: float, y: float, radius: float = 3.2) -> str:
    return f'<circle class="dot {hue(arm)}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


LEGEND_ROW = 22
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    low: float
    high: float


@dataclass
class Axis:
    low: float
    high: float
    ticks: Sequence[float]
    text: Callable[[Any], str]
    is_log: bool = False

    def share(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        if self.is_log:
            value, low, high = (log10(max(number, self.low)) for number in (value, self.low, self.high))
        else:
            low, high = self.low, self.high
        return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass
class Panel:
    title: str
    x: Axis
    y: Axis
    lines: dict[str, list[Point]] = field(default_factory=dict)  # by arm
    base: float | None = None
    x_title: str = ""


def linear(low: float, high: float, step: float, text: Callable[[Any], str]) -> Axis:
    count = round((high - low) / step)
    return Axis(low, high, [low + i * step for i in range(count + 1)], text)


def decades(low: float, high: float) -> Axis:
    """A logarithmic axis that holds both, by powers of ten."""
    first, last = 10.0 ** int(log10(low) // 1), 10.0 ** -int(-log10(high) // 1)
    ticks = [first * 10 ** i for i in range(round(log10(last / first)) + 1)]
    return Axis(first, last, ticks, lambda value: f"{value:g}", is_log=True)


def panel(plot: Panel, left: float, top: float, width: float, height: float) -> list[str]:
    """The panel's marks within its frame."""
    def place(x: float, y: float) -> tuple[float, float]:
        return left + plot.x.share(x) * width, top + (1 - plot.y.share(y)) * height

    out = [f'<text class="title" x="{left}" y="{top - 12}">{escape(plot.title)}</text>']
    for tick in plot.y.ticks:
        y = place(plot.x.low, tick)[1]
        out.append(f'<path class="frame" d="M{left} {y:.1f}h{width}"/>'
                   f'<text class="soft" x="{left - 7}" y="{y + 4:.1f}" text-anchor="end">'
                   f'{escape(plot.y.text(tick))}</text>')
    for tick in plot.x.ticks:
        x = place(tick, plot.y.low)[0]
        out.append(f'<text class="soft" x="{x:.1f}" y="{top + height + 17}" text-anchor="middle">'
                   f'{escape(plot.x.text(tick))}</text>')
    if plot.x_title:
        out.append(f'<text class="soft" x="{left + width / 2}" y="{top + height + 36}" text-anchor="middle">'
                   f'{escape(plot.x_title)}</text>')
    if plot.base is not None:
        out.append(f'<path class="base" d="M{left} {place(0, plot.base)[1]:.1f}h{width}"/>')
    for number, (arm, points) in enumerate(plot.lines.items()):
        aside = 3.5 * (number - (len(plot.lines) - 1) / 2)  # so that bars do not cover each other
        spots = [(place(point.x, point.y)[0] + aside, place(point.x, point.y)[1]) for point in points]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
        out.append(line(arm, f"M{path}"))
        for point, (x, y) in zip(points, spots, strict=True):
            if isfinite(point.low):
                low, high = place(point.x, point.low)[1], place(point.x, point.high)[1]
                out.append(f'<path class="bar {hue(arm)}" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
            out.append(dot(arm, x, y))
    return out


def document(width: float, height: float, description: str, marks: Iterable[str]) -> str:
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{escape(description, quote=True)}">', f"<style>{STYLE}</style>",
        f'<rect class="back" width="{width}" height="{height}"/>', *marks, "</svg>", ""])


def legend(arms: Iterable[str], left: int, top: int, width: int) -> tuple[list[str], int]:
    """The marks, in as many rows as it takes, and how high they are."""
    out, x, y = [], left, top
    for arm in [*arms, None]:
        name = arm or "base"
        needed = 62 + 7 * len(name)
        if x + needed > width:
            x, y = left, y + LEGEND_ROW
        if arm:
            out += [line(arm, f"M{x} {y}h26"), dot(arm, x + 13, y), f'<text x="{x + 33}" y="{y + 4}">{arm}</text>']
        else:
            out.append(f'<path class="base" d="M{x} {y}h26"/><text class="soft" x="{x + 33}" y="{y + 4}">{name}</text>')
        x += needed
    return out, y - top


def grid(panels: Sequence[Panel], arms: Iterable[str], description: str, columns: int = 2) -> str:
    """Panels side by side under one legend."""
    cell, row, inner, tall = 420, 275, 345, 185
    rows = -(-len(panels) // columns)
    marks, lower = legend(arms, 56, 24, columns * cell)
    for number, plot in enumerate(panels):
        marks += panel(plot, 56 + number % columns * cell, 76 + lower + number // columns * row, inner, tall)
    return document(columns * cell, 40 + lower + rows * row, description, marks)


def label(arm: str, centres: Mapping[str, tuple[float, float]], labels: list[Box]) -> Box:
    """Where an arm's name goes: the first corner around its dot that meets no other dot or name."""
    (cx, cy), width = centres[arm], 7 * len(arm)
    corners = [(x, y, x + width, y + 16) for y in (cy - 20, cy + 4) for x in (cx + 8, cx - 8 - width)]
    taken = labels + [(x - 6, y - 6, x + 6, y + 6) for other, (x, y) in centres.items() if other != arm]

    def is_free(box: Box) -> bool:
        return all(box[2] < other[0] or other[2] < box[0] or box[3] < other[1] or other[3] < box[1] for other in taken)

    return next((box for box in corners if is_free(box)), corners[0])


def scatter(spots: Mapping[str, tuple[Change, Change]], x: Axis, y: Axis, x_title: str, y_title: str,
            description: str) -> str:
    """Arms by two changes, each with its interval. `spots`: arm -> (change along x, change along y)"""
    left, top, width, height = 64, 46, 590, 300
    plot = Panel(y_title, x, y, base=0.0, x_title=x_title)
    marks = panel(plot, left, top, width, height)

    def across(value: float) -> float:
        return left + x.share(value) * width

    def down(value: float) -> float:
        return top + (1 - y.share(value)) * height

    centres = {arm: (across(learned.value), down(kept.value)) for arm, (learned, kept) in spots.items()}
    labels: list[Box] = []
    for arm, (learned, kept) in spots.items():
        cx, cy = centres[arm]
        marks += [f'<path class="bar {hue(arm)}" d="M{across(learned.low):.1f} {cy:.1f}H{across(learned.high):.1f}'
                  f'M{cx:.1f} {down(kept.low):.1f}V{down(kept.high):.1f}"/>', dot(arm, cx, cy, 5)]
        labels.append(label(arm, centres, labels))
    marks += [f'<text class="label {hue(arm)}" x="{box[0]:.1f}" y="{box[3] - 4:.1f}">{arm}</text>'
              for arm, box in zip(spots, labels, strict=True)]
    return document(700, 400, description, marks)
