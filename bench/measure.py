"""Commands, measured one at a time through launcher.py."""
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).with_name("launcher.py")

goes_first = False  # what is measured goes before all other work on the machine, which needs root


class BenchError(Exception):
    """What the person who started the bench has to know, in a sentence."""


@dataclass(frozen=True)
class Run:
    seconds: float  # wall time of the whole process, or of the part that a worker timed itself
    peak: int       # ru_maxrss in bytes
    output: str
    others: float = 0.0  # processors that everything else on the machine kept busy meanwhile, on average


def prefer(session: int) -> None:
    """Puts a session's processes before all others.

    Where Linux divides time among sessions first, only the session's place is changed: its threads stay equal.
    """
    group = Path(f"/proc/{session}/autogroup")
    try:
        if group.exists():
            group.write_text("-20")
        else:
            os.setpriority(os.PRIO_PGRP, session, -20)
    except PermissionError:
        raise BenchError("--first needs root") from None


def busy() -> float:
    """Seconds that all processors together have worked since the machine started, for whomever."""
    with open("/proc/stat") as file:
        user, nice, system, _, _, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def run(*command: object, env: Mapping[str, str] | None = None) -> Run:
    """Runs the command to its end; raises BenchError with its words if it fails."""
    words = [str(part) for part in command]
    reader, writer = os.pipe()
    busy_before = busy()
    launcher = subprocess.Popen(
        [sys.executable, "-I", "-S", LAUNCHER, str(writer), *words], pass_fds=[writer],
        env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    os.close(writer)
    if goes_first:
        prefer(launcher.pid)
    with open(reader) as report:
        try:
            output, errors = launcher.communicate()
        except BaseException:  # interrupted: what was started must not go on writing
            os.killpg(launcher.pid, signal.SIGKILL)
            launcher.wait()
            raise
        line = report.readline()
    result: dict[str, Any] = json.loads(line) if line else {"code": "none"}
    if result["code"] != 0:
        raise BenchError(f"{shlex.join(words)}\n  exit code {result['code']}: {(errors or output).strip()[-2000:]}")
    others = max(0.0, busy() - busy_before - result["cpu"]) / result["seconds"]
    return Run(result["seconds"], result["peak"], output, others)


def copy_synced(source: Path, out: Path) -> Run:
    """`cp`, then fsync of what it wrote: the least that a tool can do that promises a new file on the disk."""
    return run("sh", "-c", 'cp -- "$0" "$1" && sync -- "$1"', source, out)


def warm(*paths: Path) -> None:
    """Reads the files once, so that every command that follows finds them in the page cache."""
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass
