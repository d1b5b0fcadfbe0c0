"""Timings and memory on a whole model: SmolLM2-135M with tuned SA Proj tensors, one file of 269 MB.

The tools run in alternating rounds, so that other load affects all of them; `cp` and `apply` run twice per round,
A B A B. The tables show median, minimum and maximum. All inputs are in the page cache before the first round. Before
the next command starts, outputs are removed and the disk's queue is drained (sync), outside the measured time.
"""
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import checkpoint
import measure
from measure import BenchError, Run
from pairs import Pair
from report import Bar, Column, Row, Section, Table, fixed, megabytes, seconds
from tools import Tool

if TYPE_CHECKING:
    from run import Context

APPLY_FACTOR, APPLY_SLACK = 1.2, 0.15  # of cp; seconds
DECODE = 0.8e9                         # tuned bytes a second
PEAK = 300e6

COLUMNS = [Column("what", "", right=False), Column("median", "median, s", seconds),
           Column("least", "min", seconds), Column("most", "max", seconds), Column("n", "runs"),
           Column("speed", "GB/s of tuned bf16", fixed(3)), Column("peak", "peak, MB", megabytes)]


class Rounds:
    """Runs commands over and over and keeps what was measured."""

    def __init__(self, context: "Context", pair: Pair) -> None:
        self.context, self.pair = context, pair
        self.runs: defaultdict[tuple[str, str], list[Run]] = defaultdict(list)  # (table, row) -> runs
        self.checked: set[tuple[str, str]] = set()

    def run(self, table: str, row: str, work: Callable[[], Run], out: Path | None = None,
            expected: str | None = None) -> None:
        """One run of `work`. The first result in `out` is compared with the expected sha256 before it counts."""
        found = work()
        if out and expected and (table, row) not in self.checked:
            if checkpoint.sha256(out) != expected:
                raise BenchError(f"{row}: the result is not the expected file, bit for bit")
            self.checked.add((table, row))
        self.context.clear(*([out] if out else []))
        os.sync()
        self.runs[table, row].append(found)

    def table(self, table: str, title: str, note: str, sped: bool = False) -> Table:
        rows: list[Row] = []
        for (owner, what), runs in self.runs.items():
            if owner == table:
                times = [run.seconds for run in runs]
                rows.append({"what": what, "median": median(times), "least": min(times), "most": max(times),
                             "n": len(times), "peak": max(run.peak for run in runs),
                             "speed": self.pair.limits.tuned_bytes / median(times) / 1e9 if sped else None})
        return Table(title, [column for column in COLUMNS if sped or column.key != "speed"], rows, note)

    def median(self, table: str, row: str) -> float:
        return median(run.seconds for run in self.runs[table, row])


def label(tool: Tool) -> str:
    return f"{tool.name} (in process)" if tool.inside else tool.name


def one_round(rounds: Rounds, patches: dict[str, Path]) -> None:
    context, pair, vpatch = rounds.context, rounds.pair, rounds.context.vpatch
    out, patch = context.scratch / "round.out", context.scratch / "round.patch"
    tuned, base = pair.tuned_sha256, pair.base_sha256
    for _ in range(2):
        rounds.run("apply", "cp of the base", lambda: measure.copy_synced(pair.base, out), out, base)
        if vpatch:
            rounds.run("apply", "vpatch apply", lambda: vpatch.decode(pair.base, patches["vpatch"], out), out, tuned)
    if vpatch:
        rounds.run("apply", "vpatch revert", lambda: vpatch.revert(pair.tuned, patches["vpatch"], out), out, base)
        rounds.run("decode", "vpatch verify", lambda: vpatch.verify(pair.base, patches["vpatch"]))
        rounds.run("open", "vpatch verify, no base", lambda: vpatch.open(patches["vpatch"]))
        rounds.run("create", "vpatch", lambda: vpatch.create(pair.base, pair.tuned, patch), patch)
    for tool in context.peers:
        if not tool.slow:
            rounds.run("create", label(tool), partial(tool.create, pair.base, pair.tuned, patch), patch)
            rounds.run("decode" if tool.inside else "apply", label(tool),
                       partial(tool.decode, pair.base, patches[tool.key], out), out, tuned)


def once(rounds: Rounds) -> None:
    """The slow peers: the run that the sizes made, or one of their own."""
    context, pair = rounds.context, rounds.pair
    out, patch = context.scratch / "once.out", context.scratch / "once.patch"
    for tool in context.peers:
        if tool.slow and (pair.name, tool.key) in context.runs_of:
            create, decode = context.runs_of[pair.name, tool.key]
            rounds.runs["create", label(tool)].append(create)
            rounds.runs["apply", label(tool)].append(decode)
        elif tool.slow:
            rounds.run("create", label(tool), partial(tool.create, pair.base, pair.tuned, patch))
            rounds.run("apply", label(tool), partial(tool.decode, pair.base, patch, out), out, pair.tuned_sha256)
            context.clear(patch)


def decode_speeds(rounds: Rounds) -> tuple[float, float]:
    """Tuned bytes a second: rebuilt and checked; and with the start and the verification of the patch included."""
    whole, start = rounds.median("decode", "vpatch verify"), rounds.median("open", "vpatch verify, no base")
    return rounds.pair.limits.tuned_bytes / (whole - start), rounds.pair.limits.tuned_bytes / whole


def bars(rounds: Rounds) -> Iterator[Bar]:
    copy, apply = rounds.median("apply", "cp of the base"), rounds.median("apply", "vpatch apply")
    most = max(APPLY_FACTOR * copy, copy + APPLY_SLACK)
    speed, whole = decode_speeds(rounds)
    peak = max(run.peak for (_, row), runs in rounds.runs.items() if row.startswith("vpatch") for run in runs)
    yield Bar("decode",
              f"{speed / 1e9:.2f} GB/s ({whole / 1e9:.2f} with process start and patch verification)",
              f"≥ {DECODE / 1e9} GB/s", speed >= DECODE)
    yield Bar("apply to a new file", f"{apply:.3f} s", f"≤ {most:.3f} s (cp: {copy:.3f} s)", apply <= most)
    if any(tool.key == "zstd" for tool in rounds.context.peers):
        create, zstd = rounds.median("create", "vpatch"), rounds.median("create", "zstd --patch-from -3")
        yield Bar("create", f"{create:.3f} s", f"< {zstd:.3f} s (zstd --patch-from -3)", create < zstd)
    yield Bar("peak memory, whole model", f"{peak / 1e6:.0f} MB", f"≤ {PEAK / 1e6:.0f} MB", peak <= PEAK)


def opening(rounds: Rounds) -> str:
    if not rounds.context.vpatch:
        return ""
    start = rounds.median("open", "vpatch verify, no base")
    return (f" Of vpatch's time, {start:.3f} s (median of `vpatch verify PATCH` in the same rounds) are process start "
            f"and verification of the patch. Without them, decoding with the checks of base and result runs at "
            f"{decode_speeds(rounds)[0] / 1e9:.2f} GB/s.")


def section(context: "Context") -> Section:
    pair = context.made("sa-proj")
    rounds = Rounds(context, pair)
    patches: dict[str, Path] = {}
    for tool in context.tools():
        if not tool.slow:
            patches[tool.key] = context.scratch / f"timed.{tool.key}"
            tool.create(pair.base, pair.tuned, patches[tool.key])
    measure.warm(pair.base, pair.tuned, *patches.values())
    for number in range(context.runs):
        context.say(f"timings: round {number + 1} of {context.runs}")
        one_round(rounds, patches)
    context.say("timings: slow tools, one run each")
    once(rounds)
    context.clear(*patches.values())
    inside = "*In process*: timed inside the Python process, from bytes in memory to bytes in memory, without the " \
             "interpreter's start and without file access. The others are whole processes."
    return Section("Timings", [
        rounds.table("create", "Create", inside),
        rounds.table("decode", "Decode the tuned tensors",
                     inside + " vpatch reads its files and checks the whole patch, the touched tensors of the base and "
                     "the result (SHA-256); z4ai checks the base (BLAKE2b) and returns the whole file."
                     + opening(rounds), sped=True),
        rounds.table("apply", "Apply: write the whole model to a new file",
                     "Whole processes, warm page cache, with fsync of the result (`cp … && sync FILE`; the other tools "
                     "likewise). For a pair of commands, the larger peak is shown."),
    ], list(bars(rounds)) if context.vpatch else [])
