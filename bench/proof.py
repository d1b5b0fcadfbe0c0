"""The cost of the checks in `create`: the patch decodes in both directions, and the inputs did not change.

    $(bench/setup.sh) bench/proof.py --beside OTHER     .build/release/vpatch, another build without the checks (for
                                                        example the commit before them, 0.1.0), and zstd -3
                                                        --patch-from

Whole processes on SmolLM2-135M and its two synthetic pairs, in alternating rounds, so that other load affects all
builds. The ratio is the median of the rounds' ratios. Exit code 1 if a requirement is missed.
"""
import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

import measure
import pairs
import tools
from measure import BenchError

BARS = {"sa-proj": 1.4, "gate-up": 1.6}  # × the build without the proofs


def figures(recipe: str, vpatch: tools.Vpatch, other: tools.Vpatch, scratch: Path, rounds: int) -> list[list[float]]:
    """(seconds, those of the other build, zstd's) of each round, after one that does not count."""
    pair, patch = pairs.made(scratch, recipe), scratch / "patch"
    measure.warm(pair.base, pair.tuned)
    found = []
    for _ in range(rounds + 1):
        row = []
        for tool in (vpatch, other, tools.Zstd()):
            row.append(tool.create(pair.base, pair.tuned, patch).seconds)
            patch.unlink()
        found.append(row)
    return found[1:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--beside", required=True, metavar="PATH", help="a build without the checks")
    parser.add_argument("--rounds", type=int, default=9, metavar="N", help="rounds (default: %(default)s)")
    options = parser.parse_args()
    vpatch, other = tools.Vpatch(options.vpatch), tools.Vpatch(options.beside)
    met = True
    print("| pair | create, s | without the checks, s | ratio | required | zstd -3 --patch-from, s |")
    print("|---|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="vpatch-bench-", dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        for recipe, bar in BARS.items():
            rounds = figures(recipe, vpatch, other, Path(scratch), options.rounds)
            ours, without, zstd = (median(column) for column in zip(*rounds, strict=True))
            ratio = median(mine / theirs for mine, theirs, _ in rounds)
            met = met and ratio <= bar and ours < zstd
            print(f"| {recipe} | {ours:.3f} | {without:.3f} | {ratio:.2f} | ≤ {bar} | {zstd:.3f} |", flush=True)
    return 0 if met else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"bench: {error}")
