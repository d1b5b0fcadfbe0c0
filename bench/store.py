"""The store: `list` over a catalogue of 100,000 patches, and `add` of 1,000 patches in one command.

vpatch makes the catalogue; the bench then inserts the rows, since 100,000 real files would only fill the disk: `list`
reads only the catalogue. The 1,000 patches are real, of pairs of small checkpoints.
"""
import hashlib
import random
import sqlite3
import statistics
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import checkpoint
import measure
from measure import BenchError, Run
from report import Bar, Column, Row, Section, Table, count, fixed
from tools import Vpatch

if TYPE_CHECKING:
    from run import Context

ROWS = 100_000
PATCHES = 1_000
LIST = 0.100       # seconds, the whole process
ADD = 200          # patches a second
RECIPES = ("sa-proj", "sa-qkv", "gate-up", "mlp", "down", "llm", "full")


def digest(*parts: object) -> bytes:
    return hashlib.sha256(repr(parts).encode()).digest()


COLUMNS = (
    "id, identity, base, target, kind, name, note, recipe, tensors, tuned_bytes, file_bytes, status, "
    "learning, learning_low, learning_high, learning_items, "
    "forgetting, forgetting_low, forgetting_high, forgetting_items, drift, added"
)


def fill(catalogue: Path, rows: int) -> list[bytes]:
    """Rows as `add` writes them, behind the one that is there: 20 bases, a fifth of them chains, half of them measured,
    an alias each, some tags."""
    draw = random.Random(1)
    bases = [digest("base", i) for i in range(20)]
    database = sqlite3.connect(catalogue)
    with database:
        database.executemany("INSERT INTO bases VALUES (?, 290, 269060552, 'llama', 1790000000)", [(b,) for b in bases])
        for i in range(rows):
            base = digest("target", draw.randrange(i)) if i and i % 5 == 0 else bases[draw.randrange(20)]
            if i % 5 == 0:
                database.execute("INSERT OR IGNORE INTO bases VALUES (?, 290, 269060552, 'llama', 1790000000)", (base,))
            measured = i % 2 == 0
            value = draw.gauss(4, 2)
            database.execute(
                f"INSERT INTO patches ({COLUMNS}) VALUES (?, ?, ?, ?, 'patch', ?, NULL, ?, 120, 53084160, ?, ?, ?, ?, "
                "?, 500, ?, ?, ?, 2000, ?, ?)",
                (i + 2, digest("patch", i), base, digest("target", i), f"skill-{i}", RECIPES[draw.randrange(7)],
                 draw.randrange(10**6, 10**7), *(("measured", value, value - 1, value + 1) if measured else
                                                 ("unmeasured", None, None, None)),
                 *((0.5, 0.1, 0.9, draw.random() / 10) if measured else (None,) * 4), 1790000000 + i))
            database.execute("INSERT INTO aliases VALUES (?, ?)", (f"skill-{i}", i + 2))
            if i % 10 == 0:
                database.execute("INSERT INTO tags VALUES (?, ?)", (f"sweep-{i // 1000}", i + 2))
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return bases


def small_patches(vpatch: Vpatch, folder: Path, number: int) -> list[Path]:
    """So many patches of one small base: each pair differs in other weights."""
    base = np.arange(4096, dtype=np.uint16) + 0x3C00
    checkpoint.write_file(folder / "base.safetensors",
                          [("model.layers.0.self_attn.q_proj.weight", "BF16", (64, 64), [base])])
    made: list[Path] = []
    for i in range(number):
        tuned = base.copy()
        tuned[i % 4096] += 1 + i // 4096
        tuned[::7] += i % 3
        checkpoint.write_file(folder / "tuned.safetensors",
                              [("model.layers.0.self_attn.q_proj.weight", "BF16", (64, 64), [tuned])])
        made.append(folder / f"{i}.vpatch")
        # Not through the launcher, which measures: these are only made.
        subprocess.run([vpatch.binary, "create", folder / "base.safetensors", folder / "tuned.safetensors", "-o",
                        made[-1], "--no-store", "--quiet"], check=True)
    return made


def median(runs: Iterable[Run]) -> float:
    return statistics.median(run.seconds for run in runs)


def section(context: "Context", rows: int = ROWS, patches: int = PATCHES) -> Section:
    with tempfile.TemporaryDirectory(prefix="store-", dir=context.scratch) as folder:
        return measured(context, Path(folder), rows, patches)


def measured(context: "Context", folder: Path, rows: int, number: int) -> Section:
    vpatch = context.with_vpatch()
    binary = vpatch.binary
    context.say(f"store: making {number:,} patches")
    files = small_patches(vpatch, folder, number)
    context.say(f"store: add of {number:,} patches")
    adds = [measure.run(binary, "add", *files, "--store", folder / f"added-{i}", "--quiet")
            for i in range(context.runs)]
    added = measure.run(binary, "list", "--json", "--store", folder / "added-0").output.count('"identity"')
    if added != number:
        raise BenchError(f"store: add of {number} patches left {added} in the store")

    context.say(f"store: a catalogue of {rows:,} patches")
    store = folder / "large"
    measure.run(binary, "add", files[0], "--store", store, "--quiet")
    bases = fill(store / "catalogue.sqlite", rows - 1)
    queries: dict[str, list[str]] = {
        "": [], "--recipe, --max-drift": ["--recipe", "sa-proj", "--max-drift", "0.02"],
        "--base": ["--base", bases[3].hex()[:12]], "--tag": ["--tag", "sweep-50"],
        "--base, --recipe, --measured": ["--base", bases[3].hex()[:12], "--recipe", "mlp", "--measured"],
        "part of a name": ["skill-77"], "--unmeasured, --limit 1000": ["--unmeasured", "--limit", "1000"],
    }
    found: list[Row] = []
    for name, arguments in queries.items():
        runs = [measure.run(binary, "list", *arguments, "--store", store) for _ in range(context.runs)]
        found.append({"query": f"list {name}".strip(), "rows": runs[0].output.count("\n") - 2,
                      "seconds": median(runs) * 1e3, "worst": max(run.seconds for run in runs) * 1e3,
                      "peak": max(run.peak for run in runs)})

    rate = number / median(adds)
    slowest = max(row["seconds"] for row in found)
    lists = Table(f"`list` over {rows:,} patches", [
        Column("query", "command", right=False), Column("rows", "rows printed", count),
        Column("seconds", "time, ms", fixed(1)), Column("worst", "slowest run, ms", fixed(1)),
        Column("peak", "peak, MB", lambda n: f"{n / 1e6:.0f}")], found,
        f"Whole processes, median of {context.runs} runs.")
    table = Table(f"`add` of {number:,} patches in one command", [
        Column("bytes", "size of the patches, bytes", count), Column("seconds", "time, s", fixed(3)),
        Column("rate", "patches/s", lambda n: count(round(n)))],
        [{"bytes": sum(file.stat().st_size for file in files), "seconds": median(adds), "rate": rate}],
        "Patches are verified, copied and durable when the command ends (fsync of files, folders and catalogue).")
    return Section("The store", [lists, table], [
        Bar(f"list over {rows:,} patches, slowest query", f"{slowest:.0f} ms", f"< {LIST * 1e3:.0f} ms",
            slowest < LIST * 1e3),
        Bar(f"add of {number:,} patches", f"{rate:,.0f} per second", f"≥ {ADD} per second", rate >= ADD)])
