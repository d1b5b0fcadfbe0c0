"""Results of a section of the bench, and their output: Markdown for people, JSON for programs."""
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

Row = dict[str, Any]  # by the columns' keys; a key that a row lacks is shown as a dash


@dataclass(frozen=True)
class Column:
    key: str
    title: str
    show: Callable[[Any], str] = str
    right: bool = True


@dataclass
class Table:
    title: str
    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    note: str = ""

    def markdown(self) -> str:
        lines = [f"### {self.title}", "", " | ".join(["", *(c.title for c in self.columns), ""]).strip(),
                 "|" + "|".join("---:" if c.right else "---" for c in self.columns) + "|"]
        for row in self.rows:
            cells = [c.show(row[c.key]) if row.get(c.key) is not None else "–" for c in self.columns]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines + (["", self.note] if self.note else []))


@dataclass(frozen=True)
class Bar:
    what: str
    found: str
    bar: str
    met: bool


@dataclass
class Section:
    title: str
    tables: list[Table] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        return "\n\n".join([f"## {self.title}", *self.notes, *(table.markdown() for table in self.tables)])

    def plain(self) -> dict[str, Any]:
        return {"title": self.title, "notes": self.notes, "bars": [asdict(bar) for bar in self.bars],
                "tables": [{"title": t.title, "rows": t.rows, "note": t.note} for t in self.tables]}


def bars_table(bars: Iterable[Bar]) -> Table:
    columns = [Column("what", "requirement", right=False), Column("found", "measured"), Column("bar", "required"),
               Column("met", "", lambda met: "met" if met else "**missed**", right=False)]
    return Table("Requirements", columns, [asdict(bar) for bar in bars])


def count(number: int) -> str:
    return f"{number:,}"


def megabytes(number: float) -> str:
    return f"{number / 1e6:.0f}"


def seconds(number: float) -> str:
    return f"{number:.3f}" if number < 10 else f"{number:.1f}"


def fixed(digits: int) -> Callable[[float], str]:
    return lambda number: f"{number:.{digits}f}"
