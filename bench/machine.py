"""The machine, and the date, of the measurements."""
import os
import platform
import subprocess
from datetime import date
from pathlib import Path


def field(path: str, key: str) -> str:
    """The value after the first `key :` in a file of such lines."""
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return "unknown"


def flags() -> set[str]:
    return set(field("/proc/cpuinfo", "flags").split())


def instruction_sets() -> list[str]:
    """The values of VPATCH_ISA that this processor can run."""
    wanted: dict[str, set[str]] = {"baseline": set(), "avx2": {"avx2", "bmi2", "popcnt"}}
    return [name for name, needs in wanted.items() if needs <= flags()]


def filesystem(path: str | Path) -> str:
    found = subprocess.run(["findmnt", "-n", "-o", "FSTYPE", "-T", path], capture_output=True, text=True, check=True)
    return found.stdout.strip()


def facts(scratch: str | Path) -> dict[str, str]:
    system = platform.freedesktop_os_release()
    settings = " ".join(f"{key}={value}" for key, value in sorted(os.environ.items()) if key.startswith("VPATCH_"))
    return {
        **({"settings": settings} if settings else {}),
        "date": date.today().isoformat(),
        "processor": f"{field('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores, "
                     f"best instruction set {instruction_sets()[-1]}",
        "memory": f"{int(field('/proc/meminfo', 'MemTotal').split()[0]) * 1024 / 1e9:.1f} GB",
        "system": f"{system.get('PRETTY_NAME', 'unknown')}, Linux {platform.release()}",
        "files on": filesystem(scratch),
        "python": platform.python_version(),
        "cp": subprocess.run(["cp", "--version"], capture_output=True, text=True).stdout.partition("\n")[0],
    }
