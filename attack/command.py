"""The command under attack, run as a process."""
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """What became of a process."""
    #: The exit code, or minus the signal that ended it.
    code: int
    output: bytes
    errors: str
    #: It had to be killed, having hung.
    hung: bool
    megabytes: float
    seconds: float

    @property
    def announces(self) -> bool:
        """It says that recover finishes or undoes what it left."""
        return "vpatch recover" in self.errors

    @property
    def last_line(self) -> str:
        lines = self.errors.strip().splitlines()
        return lines[-1][:240] if lines else ""


@dataclass(frozen=True)
class Fault:
    """What goes wrong at one of a process's calls (Tests/Faults/faults.c)."""
    mode: str
    at: int
    #: Its line of the log.
    call: str = ""
    calls: str = "changes,looks"
    delay: int = 0

    @property
    def name(self) -> str:
        return self.call.split(" ", 1)[0]

    @property
    def kills(self) -> bool:
        return self.mode.startswith("kill")

    def __str__(self) -> str:
        return f"{self.mode} at call {self.at}, {self.call}"


@dataclass(frozen=True)
class Vpatch:
    binary: Path
    #: What every run finds in its environment.
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def faults(self) -> Path:
        return self.binary.parent / "libVPatchFaults.so"

    def with_environment(self, more: Mapping[str, str]) -> "Vpatch":
        return Vpatch(self.binary, {**self.environment, **more})

    def fault_environment(self, root: Path, fault: Fault | None = None, log: Path | None = None) -> dict[str, str]:
        environment = {"LD_PRELOAD": str(self.faults), "FAULT_ROOT": str(root)}
        if fault:
            environment |= {"FAULT_MODE": fault.mode, "FAULT_AT": str(fault.at), "FAULT_CALLS": fault.calls,
                            "FAULT_DELAY": str(fault.delay)}
        if log:
            environment |= {"FAULT_LOG": str(log)}
        return environment

    def start(self, arguments: Sequence[str | Path], folder: Path, more: Mapping[str, str] | None = None,
              output: int = subprocess.DEVNULL, errors: int = subprocess.DEVNULL,
              before: Sequence[str] = ()) -> "subprocess.Popen[bytes]":
        """Starts it and does not wait. `before` is a command to run it under."""
        return subprocess.Popen(
            [*before, str(self.binary), *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
            stderr=errors, env={**os.environ, **self.environment, **(more or {})})

    def run(self, arguments: Sequence[str | Path], folder: Path, more: Mapping[str, str] | None = None,
            timeout: float = 60, kill_after: float | None = None, signal_after: tuple[int, float] | None = None,
            before: Sequence[str] = ()) -> Run:
        """Runs it to its end. `signal_after` is a signal that it gets, and after how many seconds."""
        if kill_after is not None:
            signal_after = (signal.SIGKILL, kill_after)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            began = time.monotonic()
            process = self.start(arguments, folder, more, output.fileno(), errors.fileno(), before)
            hung = threading.Event()

            # Not Popen's own way of signalling, which reaps the process.
            def end() -> None:
                hung.set()
                os.kill(process.pid, signal.SIGKILL)

            timers = [threading.Timer(timeout, end)]
            if signal_after:
                timers.append(threading.Timer(signal_after[1], os.kill, [process.pid, signal_after[0]]))
            for timer in timers:
                timer.daemon = True
                timer.start()
            # Without reaping it, so that no timer signals another process of the same number.
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            for timer in timers:
                timer.cancel()
                timer.join()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.monotonic() - began
            output.seek(0)
            errors.seek(0)
            return Run(process.returncode, output.read(1 << 22), errors.read(1 << 20).decode(errors="replace"),
                       hung.is_set(), usage.ru_maxrss / 1024, seconds)
