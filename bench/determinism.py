"""Determinism: the same patch bytes and results with one and two threads and with every instruction set."""
from collections.abc import Iterator
from typing import TYPE_CHECKING

import checkpoint
import machine
from pairs import Pair
from report import Bar, Column, Row, Section, Table

if TYPE_CHECKING:
    from run import Context

COLUMNS = [Column("pair", "", right=False), Column("setting", "", right=False),
           Column("patch", "SHA-256 of the patch", lambda digest: f"`{digest[:16]}…`", right=False),
           Column("same", "patch", lambda same: "same" if same else "**differs**", right=False),
           Column("exact", "apply, revert", lambda exact: "exact" if exact else "**wrong**", right=False)]


def settings() -> Iterator[tuple[str, dict[str, str]]]:
    yield "default", {}
    for threads in (1, 2):
        yield f"{threads} thread{'s' if threads > 1 else ''}", {"VPATCH_THREADS": str(threads)}
    for name in machine.instruction_sets():
        yield name, {"VPATCH_ISA": name}


def row(context: "Context", pair: Pair, name: str, env: dict[str, str]) -> Row:
    patch, out, back = (context.scratch / f"same.{part}" for part in ("patch", "out", "back"))
    vpatch = context.with_vpatch()
    try:
        vpatch.create(pair.base, pair.tuned, patch, env)
        vpatch.decode(pair.base, patch, out, env)
        vpatch.revert(out, patch, back, env)
        exact = checkpoint.sha256(out) == pair.tuned_sha256 and checkpoint.sha256(back) == pair.base_sha256
        return {"pair": pair.name, "setting": name, "patch": checkpoint.sha256(patch), "exact": exact}
    finally:
        context.clear(patch, out, back)


def section(context: "Context") -> Section:
    table = Table("Patch bytes", COLUMNS, note="Only instruction sets that this processor has.")
    for pair in [*context.real_pairs, context.made("sa-proj")]:
        context.say(f"determinism: {pair.name}")
        rows = [row(context, pair, name, env) for name, env in settings()]
        table.rows += [dict(found, same=found["patch"] == rows[0]["patch"]) for found in rows]
    different = sum(not found["same"] for found in table.rows)
    wrong = sum(not found["exact"] for found in table.rows)
    return Section("Determinism", [table], [
        Bar("patches that differ by threads or instruction set", str(different), "0", different == 0),
        Bar("results that are not exact", str(wrong), "0", wrong == 0)])
