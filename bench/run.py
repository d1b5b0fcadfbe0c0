"""The bench: sizes, timings, memory and determinism of vpatch, compared with other tools. Markdown on stdout.

    bench/setup.sh                          once: makes the environment, prints its python
    $(bench/setup.sh) bench/run.py          everything, on .build/release/vpatch

docs/benchmarks.md describes the measurements. Downloads stay in the cache folder. All other files are in one temporary
folder, which is removed at the end, also if the bench fails or is stopped.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import determinism
import inplace
import machine
import memory
import pairs
import report
import sizes
import store
import timings
import tools
from measure import BenchError, Run
from tools import Tool

SECTIONS = {"sizes": sizes, "timings": timings, "memory": memory, "inplace": inplace, "determinism": determinism,
            "store": store}
NEED_VPATCH = ("memory", "inplace", "determinism", "store")


@dataclass
class Context:
    """What the sections share."""
    vpatch: tools.Vpatch | None  # None: --peers-only
    peers: list[Tool]
    scratch: Path
    runs: int
    real_pairs: list[pairs.Pair]
    pairs_note: str
    made_pairs: dict[str, pairs.Pair] = field(default_factory=dict)
    # (pair, tool) -> (create, decode), as the sizes ran them
    runs_of: dict[tuple[str, str], tuple[Run, Run]] = field(default_factory=dict)

    def made(self, recipe: str) -> pairs.Pair:
        """The made pair of this recipe: made at the first call, the same object (and its limits) at the next."""
        if recipe not in self.made_pairs:
            self.say(f"making the {recipe} pair")
            self.made_pairs[recipe] = pairs.made(self.scratch, recipe)
        return self.made_pairs[recipe]

    def with_vpatch(self) -> tools.Vpatch:
        """For the sections that are nothing without it."""
        assert self.vpatch
        return self.vpatch

    def tools(self) -> list[Tool]:
        return [*([self.vpatch] if self.vpatch else []), *self.peers]

    def clear(self, *paths: Path) -> None:
        """Removes outputs, and what vpatch writes beside them."""
        for path in paths:
            for found in (path, path.with_name(path.name + ".vpatch.json")):
                if found.is_dir():
                    shutil.rmtree(found)
                else:
                    found.unlink(missing_ok=True)

    def say(self, words: str) -> None:
        print(f"bench: {words}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--peers-only", action="store_true",
                        help="only sizes and timings of the other tools, without vpatch")
    parser.add_argument("--only", choices=SECTIONS, action="append", help="run one section; repeatable")
    parser.add_argument("--without", choices=[peer.key for peer in tools.PEERS], action="append", default=[],
                        help="leave one of the other tools out; repeatable")
    parser.add_argument("--pairs", metavar="DIR", help="folder of real pairs: base.safetensors, tuned-*.safetensors "
                        "(default: `pairs` in the cache folder)")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="rounds of the timings (default: %(default)s)")
    parser.add_argument("--scratch", metavar="DIR", default=os.environ.get("TMPDIR", "/var/tmp"),
                        help="parent of the temporary folder; on a disk, not in memory (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="also write the results as JSON")
    parser.add_argument("--check", action="store_true", help="exit code 1 if a requirement is missed")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = [name for name in SECTIONS if name in (options.only or SECTIONS)]
    if options.peers_only:
        chosen = [name for name in chosen if name not in NEED_VPATCH]
    with tempfile.TemporaryDirectory(prefix="vpatch-bench-", dir=options.scratch) as scratch:
        os.environ["VPATCH_STORE"] = str(Path(scratch, "store"))
        real_pairs, note = pairs.real(options.pairs)
        context = Context(None if options.peers_only else tools.Vpatch(options.vpatch),
                          tools.peers(options.without), Path(scratch), options.runs, real_pairs, note)
        facts = machine.facts(scratch)
        facts["tools"] = "; ".join(tool.version() for tool in context.tools())
        print("\n".join(["# Benchmarks", "", *(f"- {name}: {value}" for name, value in facts.items())]), flush=True)
        sections = {}
        for name in chosen:
            sections[name] = SECTIONS[name].section(context)
            print("\n" + sections[name].markdown(), flush=True)
    bars = [bar for section in sections.values() for bar in section.bars]
    if bars:
        print("\n" + report.bars_table(bars).markdown())
    if options.json:
        plain = {"machine": facts, "sections": {name: section.plain() for name, section in sections.items()}}
        Path(options.json).write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")
    return int(options.check and not all(bar.met for bar in bars))


if __name__ == "__main__":
    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, lambda number, _: sys.exit(128 + number))
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
