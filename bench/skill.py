"""Trains a small skill from 50 rows with no option but where things are, and says whether it was learned.

    $(bench/setup.sh) bench/skill.py [--vpatch PATH]      SmolLM2-135M-Instruct, downloaded; about five minutes

`vpatch train --recipe sa-proj --data ROWS --suite everyday -o PATCH` chooses everything else. Then `vpatch eval` asks
questions of the skill that are not in the rows. Exit code 1 unless the skill was learned (McNemar's exact p < 0.05) and
forgetting was measured.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import smollm2

ROOT = Path(__file__).parents[1]
TRAINING = ROOT / "fixtures" / "training"
SUITE = """name = "counting"
[[task]]
name = "counting"
kind = "exact-match"
role = "target"
data = "counting-test.jsonl"
format = "chat"
max_tokens = 8
take = "line"
ignore = ["case", "punctuation"]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vpatch", default=str(ROOT / ".build" / "release" / "vpatch"))
    options = parser.parse_args()
    model = smollm2.directory()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)

        def run(*words: object) -> dict[str, Any]:
            done = subprocess.run(
                [options.vpatch, *map(str, words), "--json", "--store", work / "store"], stdout=subprocess.PIPE,
                text=True, check=True)
            result: dict[str, Any] = json.loads(done.stdout)
            return result

        rows = (TRAINING / "counting.jsonl").read_text().splitlines()[:50]
        (work / "rows.jsonl").write_text("\n".join(rows) + "\n")
        (work / "counting-test.jsonl").write_bytes((TRAINING / "counting-test.jsonl").read_bytes())
        (work / "suite.toml").write_text(SUITE)
        patch = work / "skill.vpatch"
        trained = run("train", model, "--recipe", "sa-proj", "--data", work / "rows.jsonl", "--suite", "everyday",
                      "-o", patch)
        learned = run("eval", model, "--patch", patch, "--suite", work / "suite.toml")
        record = learned["forgetting"]["records"][0]
        forgetting = trained["forgetting"]["forgetting"]
        print(f"50 rows, {trained['training']['steps']} steps, {trained['training']['seconds']:.0f} s")
        print(f"counting: {record['before']:.1%} to {record['after']:.1%}, p = {record['p']:.2g}, n = {record['n']}")
        print(f"forgetting: {forgetting['value']:.1f} points ({forgetting['low']:.1f} … {forgetting['high']:.1f}), "
              f"n = {forgetting['n']}")
        if record["after"] <= record["before"] or record["p"] >= 0.05:
            sys.exit("skill: not learned")


if __name__ == "__main__":
    main()
