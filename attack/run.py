#!/usr/bin/env python3
"""Attacks on vpatch: tests its guarantees under faults, signals, races, full disks and hostile files.

    attack/run.py                       every attack that needs no root, short
    attack/run.py --long                every attack, as in docs/design/attacks.md
    attack/run.py faults --count 5000   a single attack
    attack/run.py faults --only switch  only the operations with "switch" in their name

Prints a row for each attack, and under it what failed. Exit code 1 if anything failed, 2 if something that an attack
needs is not available. Everything follows from --seed, except the moments at which concurrent processes interact.
"""
import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import faults
import meetings
import mutations
import races
import readers
import signals
import surroundings
from command import Vpatch
from lab import ROOT, Lab
from outcome import Missing, Outcome, table


@dataclass(frozen=True)
class Attack:
    run: Callable[[Lab, argparse.Namespace], Outcome]
    #: The amount, short and long: a count, or seconds.
    short: int
    long: int
    #: Needs no root, no other users and no mounts.
    everywhere: bool = True


ATTACKS: dict[str, Attack] = {
    "faults": Attack(lambda lab, given: faults.attack(lab, given.count, given.only), 55, 100_000),
    "signals": Attack(lambda lab, given: signals.attack(lab, given.count, given.only), 40, 6_000),
    "meetings": Attack(lambda lab, given: meetings.attack(lab, given.count, given.only), 36, 3_600),
    "races": Attack(lambda lab, given: races.store(lab, given.count, 20 if given.long else 4), 3, 600),
    "model": Attack(lambda lab, given: races.model(lab, given.count, 8 if given.long else 4), 3, 600),
    "records": Attack(lambda lab, given: races.records(lab, 20 if given.long else 5, given.count), 2, 50),
    "readers": Attack(lambda lab, given: readers.attack(lab, given.count), 2, 500),
    "mutations": Attack(lambda lab, given: mutations.attack(lab, given.count, given.only), 21, 20_000),
    "changing": Attack(lambda lab, given: surroundings.changing(lab, given.count), 8, 200),
    "outputs": Attack(lambda lab, given: surroundings.outputs(lab), 1, 1),
    "ownership": Attack(lambda lab, given: surroundings.ownership(lab), 1, 1, everywhere=False),
    "users": Attack(lambda lab, given: surroundings.users(lab), 1, 1, everywhere=False),
    "disks": Attack(lambda lab, given: surroundings.disks(lab), 1, 1, everywhere=False),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("attacks", nargs="*",
                        help=f"attacks to run: {', '.join(ATTACKS)} (default: those without root; with --long all)")
    parser.add_argument("--count", type=int, help="number of faults, signals or rounds, or seconds of a race")
    parser.add_argument("--long", action="store_true", help="run for hours instead of a minute")
    parser.add_argument("--only", help="only operations with this text in their name")
    parser.add_argument("--seed", type=int, default=1, help="random seed (default: 1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2,
                        help="operations at once (default: the number of processors)")
    parser.add_argument("--binary", type=Path, help="the command (default: the release build, otherwise the debug one)")
    parser.add_argument("--folder", type=Path, help="working folder (default: a new temporary folder)")
    given = parser.parse_args()
    if unknown := set(given.attacks) - set(ATTACKS):
        parser.error(f"unknown attack: {', '.join(sorted(unknown))}; known are {', '.join(ATTACKS)}")
    binary = given.binary or next((path for kind in ("release", "debug")
                                   if (path := ROOT / ".build" / kind / "vpatch").exists()), None)
    if binary is None or not (binary.parent / "libVPatchFaults.so").exists():
        print("attack: the command or libVPatchFaults is not built; run 'make attack'", file=sys.stderr)
        return 2
    names = given.attacks or [name for name, attack in ATTACKS.items() if given.long or attack.everywhere]
    folder = Path(tempfile.mkdtemp(prefix="vpatch-attack-", dir=given.folder)).resolve()
    vpatch = Vpatch(binary.resolve(), {
        "VPATCH_STORE": str(folder / "no-store"), "VPATCH_THREADS": "1", "XDG_CACHE_HOME": str(folder / "cache"),
        "SOURCE_DATE_EPOCH": "1700000000", "COLUMNS": "100"})
    outcomes: list[Outcome] = []
    missing = False
    try:
        lab = Lab(folder, vpatch, given.jobs, given.seed)
        lab.furnish()
        for name in names:
            attack = ATTACKS[name]
            budget = argparse.Namespace(**vars(given))
            if budget.count is None:
                budget.count = attack.long if given.long else attack.short
            try:
                outcome = attack.run(lab, budget)
            except Missing as error:
                print(f"{name}: cannot run here: {error}", file=sys.stderr)
                missing = True
                continue
            outcomes.append(outcome)
            print(f"{outcome.name}: {outcome.tried} {outcome.unit} in {outcome.seconds:.0f} s, "
                  f"{outcome.failures} failed", *outcome.details(), sep="\n", flush=True)
        print("", *table(outcomes), sep="\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if any(outcome.failures for outcome in outcomes) else 2 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
