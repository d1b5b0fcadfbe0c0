"""Runs the command under attack as a process."""
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
    """The result of a process."""
    #: The exit code; minus the signal if one ended the process.
    code: int
    output: bytes
    errors: str
    #: It hung and was killed.
    hung: bool
    megabytes: float
    seconds: float

    @property
    def announces(self) -> bool:
        """Whether it tells the user to run recover."""
        return "vpatch recover" in self.errors

    @property
    def last_line(self) -> str:
        lines = self.errors.strip().splitlines()
        return lines[-1][:240] if lines else ""


@dataclass(frozen=True)
class Fault:
    """A fault at one of a process's calls (Tests/Faults/faults.c)."""
    mode: str
    at: int
    #: The call's line in the log.
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
    #: Environment variables of every run.
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
        """Starts it and does not wait. `before` is a command that runs it, such as setpriv."""
        return subprocess.Popen(
            [*before, str(self.binary), *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL, stdout=output,
            stderr=errors, env={**os.environ, **self.environment, **(more or {})})

    def run(self, arguments: Sequence[str | Path], folder: Path, more: Mapping[str, str] | None = None,
            timeout: float = 60, kill_after: float | None = None, signal_after: tuple[int, float] | None = None,
            before: Sequence[str] = ()) -> Run:
        """Runs it and waits for its end. `signal_after` is a signal to send, and the seconds to wait before."""
        if kill_after is not None:
            signal_after = (signal.SIGKILL, kill_after)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            began = time.monotonic()
            process = self.start(arguments, folder, more, output.fileno(), errors.fileno(), before)
            hung = threading.Event()

            # Not Popen.kill, which reaps the process.
            def end() -> None:
                hung.set()
                os.kill(process.pid, signal.SIGKILL)

            timers = [threading.Timer(timeout, end)]
            if signal_after:
                timers.append(threading.Timer(signal_after[1], os.kill, [process.pid, signal_after[0]]))
            for timer in timers:
                timer.daemon = True
                timer.start()
            # Wait without reaping it, so that no timer signals another process with the same id.
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
