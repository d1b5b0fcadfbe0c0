"""Counts what an attack tried, and what failed."""
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


class Missing(Exception):
    """Something that an attack needs is not available."""


@dataclass
class Outcome:
    """One row of the table. Several threads may write to it."""
    name: str
    #: What is counted: faults, signals, commands …
    unit: str
    tried: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    _complaints: Counter[str] = field(default_factory=Counter)
    _examples: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _began: float = field(default_factory=time.monotonic)
    seconds: float = 0

    def count(self, complaints: Iterable[str] = (), example: str = "", note: str = "") -> None:
        """Counts one try. A complaint says what failed, the example how to reproduce it."""
        with self._lock:
            self.tried += 1
            if note:
                self.notes[note] += 1
        for complaint in complaints:
            self.complain(complaint, example)

    def complain(self, complaint: str, example: str = "") -> None:
        with self._lock:
            self._complaints[complaint] += 1
            self._examples.setdefault(complaint, example)

    def end(self) -> "Outcome":
        self.seconds = time.monotonic() - self._began
        return self

    @property
    def failures(self) -> int:
        return sum(self._complaints.values())

    def details(self, most: int = 40) -> list[str]:
        lines = []
        for complaint, n in self._complaints.most_common(most):
            lines.append(f"  {n:5} × {complaint}")
            if self._examples[complaint]:
                lines.append(f"          e.g. {self._examples[complaint]}")
        left = len(self._complaints) - most
        return lines + ([f"        and {left} more kinds"] if left > 0 else [])


def table(outcomes: list[Outcome]) -> list[str]:
    """The rows of docs/design/attacks.md."""
    lines = ["| attack | tried | failed | seconds | |", "|---|---|---|---|---|"]
    for outcome in outcomes:
        notes = ", ".join(f"{n:,} {note}" for note, n in outcome.notes.most_common(6))
        lines.append(f"| {outcome.name} | {outcome.tried:,} {outcome.unit} | {outcome.failures:,} "
                     f"| {outcome.seconds:,.0f} | {notes} |")
    return lines
