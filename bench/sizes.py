"""Sizes: every tool makes a patch of every pair and must reproduce the tuned file from it, bit for bit."""
from typing import TYPE_CHECKING

import checkpoint
from measure import BenchError
from pairs import Pair
from report import Bar, Column, Section, Table, count, fixed
from tools import Tool

if TYPE_CHECKING:
    from run import Context

BAR = 1.06  # times the entropy given the base's exponent, everything in the file included
VPATCH = "**vpatch**"

COLUMNS = [Column("tool", "", right=False), Column("bytes", "patch, bytes", count),
           Column("bits", "bits per tuned weight", fixed(3)), Column("ratio", "× limit", fixed(3))]


def patch_size(context: "Context", pair: Pair, tool: Tool) -> int:
    """Bytes of the tool's patch, after its decode gave the tuned file back. Keeps the two runs for the timings."""
    patch, out = context.scratch / "size.patch", context.scratch / "size.out"
    try:
        create = tool.create(pair.base, pair.tuned, patch)
        decode = tool.decode(pair.base, patch, out)
        if checkpoint.sha256(out) != pair.tuned_sha256:
            raise BenchError(f"{tool.name}: its patch of {pair.name} does not give the tuned file back")
        context.runs_of[pair.name, tool.key] = create, decode
        return patch.stat().st_size
    finally:
        context.clear(patch, out)


def table(context: "Context", pair: Pair) -> Table:
    limits = pair.limits
    rows = [("the tuned tensors themselves", limits.tuned_bytes)]
    rows += [(tool.name, patch_size(context, pair, tool)) for tool in context.peers]
    rows += [("*limit:* entropy of the difference in ulps (H0)", limits.bytes_h0)]
    rows += [(VPATCH, patch_size(context, pair, context.vpatch))] if context.vpatch else []
    rows += [("*limit:* the same entropy given the base's exponent", limits.bytes_h_exponent)]
    return Table(
        f"Size: {pair.name}", COLUMNS,
        [{"tool": tool, "bytes": size, "bits": size * 8 / limits.weights, "ratio": size / limits.bytes_h_exponent}
         for tool, size in rows],
        f"{limits.weights:,} weights in {limits.tensors} tensors, {limits.changed:.1%} of them changed; "
        f"sha256 of base {pair.base_sha256[:16]}…, tuned {pair.tuned_sha256[:16]}….")


def section(context: "Context") -> Section:
    found = Section("Sizes", notes=[context.pairs_note] if context.pairs_note else [])
    for pair in [*context.real_pairs, context.made("sa-proj"), context.made("gate-up")]:
        context.say(f"sizes: {pair.name}")
        found.tables.append(table(context, pair))
        for row in found.tables[-1].rows:
            if row["tool"] == VPATCH:
                found.bars.append(Bar(f"size, {pair.name}", f"{row['ratio']:.3f} × limit", f"≤ {BAR} × limit",
                                      row["ratio"] <= BAR))
    return found
