"""Runs `python -m vpatch.train` several times in one process group (torchrun), as a JSON file says: starting a process
takes longer than training a tiny model.

    train_worker.py RUNS [raise|kill|wait RANK STEP READY]

RUNS: an array of command lines; an empty one in front of another: interrupt that one after three steps, and run it
again. The rest: what happens to a rank before a step; READY is a file that is then made.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from vpatch.train.command import Session, main
from vpatch.train.options import parse
from vpatch.train.ranks import Ranks
from vpatch.train.run import Run

real = Run._advance


class Stop(Exception):
    pass


def at(step: int, what: Any) -> None:
    def advance(self: Run) -> Any:
        if self.progress.step == step:
            what(self.ranks.rank)
        return real(self)

    Run._advance = advance  # type: ignore[method-assign]


def stop(rank: int) -> None:
    raise Stop


def run(arguments: list[str], is_interrupted: bool) -> None:
    if is_interrupted:
        at(3, stop)
        ranks = Ranks()
        try:
            Session(parse(arguments), ranks).run()
        except Stop:
            ranks.leave()
        Run._advance = real  # type: ignore[method-assign]
    if main(arguments) != 0:
        sys.exit(1)


def misfortune(kind: str, rank: str, step: str, ready: str) -> None:
    def happen(own: int) -> None:
        Path(f"{ready}.{own}").touch()
        if kind == "wait":
            time.sleep(60)
        if own != int(rank):
            return
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise MemoryError("made up")

    at(int(step), happen)


if len(sys.argv) > 2:
    misfortune(*sys.argv[2:])
is_interrupted = False
for arguments in json.loads(Path(sys.argv[1]).read_text()):
    if arguments:
        run(arguments, is_interrupted)
    is_interrupted = not arguments
