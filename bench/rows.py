"""Speed of data preparation: 100,000 conversations of four turns, rendered by the chat template and tokenised.

    python bench/rows.py --model FOLDER [--vpatch PATH] [--beside OTHER] [--rounds 5]

FOLDER is a model with a tokenizer and a chat template without {% generation %} (`bench/smollm2.py` prints one). The
timed command is `vpatch train --dry-run`, which reads all rows and trains nothing. The builds alternate; figures are
medians. A question has 10 to 20 random words, an answer 20 to 40; the rows are the same each time.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median

ROWS = 100_000
COMMON = (
    "the of and to in is that it was for on are with as his they be at one have this from or had by hot word but what "
    "some we can out other were all there when up use your how said an each she which do their time if will way about"
)
WORDS = COMMON.split()


def write_rows(path: Path) -> None:
    chance = random.Random(1)

    def text(most: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(chance.randint(most // 2, most)))

    with path.open("w") as file:
        for _ in range(ROWS):
            turns = [("user", 20), ("assistant", 40)] * 2
            file.write(json.dumps({"messages": [{"role": role, "content": text(most)} for role, most in turns]}) + "\n")


def seconds(vpatch: str, model: Path, rows: Path) -> float:
    command = [vpatch, "train", str(model), "--recipe", "sa-proj", "--data", str(rows), "-o", "none.vpatch",
               "--dry-run"]
    start = time.monotonic()
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="model folder")
    parser.add_argument("--vpatch", default=".build/release/vpatch", metavar="PATH",
                        help="vpatch binary (default: %(default)s)")
    parser.add_argument("--beside", metavar="PATH", help="another build to compare with")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="rounds (default: %(default)s)")
    given = parser.parse_args()
    builds = [given.vpatch] + ([given.beside] if given.beside else [])
    with tempfile.TemporaryDirectory(prefix="vpatch-bench-") as folder:
        rows = Path(folder) / "rows.jsonl"
        write_rows(rows)
        rounds = [[seconds(build, given.model, rows) for build in builds] for _ in range(given.rounds)]
    for build, times in zip(builds, zip(*rounds, strict=True), strict=True):
        print(f"{build}: {median(times):.2f} s, {ROWS / median(times):,.0f} rows per second")
    if given.beside:
        print(f"ratio: {median(b / a for a, b in rounds):.2f} times the rows per second of {given.beside}")


if __name__ == "__main__":
    main()
