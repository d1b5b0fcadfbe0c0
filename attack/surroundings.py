"""The command's environment: standard output, owners and modes, other users, full and read-only disks, inputs that
change while they are read.
"""
import fcntl
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import checkpoint
import tree
from command import Fault
from lab import Lab
from outcome import Missing, Outcome

# MARK: Standard output


def _furnish_store(lab: Lab, folder: Path) -> None:
    lab.do("add", *(lab.sources / f"{name}.vpatch" for name in ("a", "b", "measured")), "-q", store=folder / "store")
    lab.do("stack", "new", "s", "--base", "base.safetensors", "a@0.5", "b", "-q", store=folder / "store")


PRINTING: list[tuple[str, ...]] = [
    ("--version",), ("--help",), ("help", "apply"), ("list",), ("list", "--json"), ("log",), ("alias",), ("tag",),
    ("stack", "list", "--json"), ("stack", "show", "s"), ("stack", "export", "s"), ("stack", "diff", "s", "s"),
    ("show", "a"), ("show", "a", "--json"), ("verify", "a.vpatch"), ("fsck",), ("fsck", "--json"), ("gc",),
    ("status", "base.safetensors"), ("diff", "base.safetensors", "tuned-a.safetensors"),
    ("diff", "base.safetensors", "tuned-a.safetensors", "--json"), ("score", "tl", "--text", "cat dog", "--json"),
    ("generate", "tl", "cat", "--raw", "--max-tokens", "4"), ("eval", "tl", "--suite", "suite/suite.toml"),
    ("train", "tl", "--recipe", "sa-proj", "--data", "rows.jsonl", "-o", "x.vpatch", "--dry-run"),
    ("recover", "base.safetensors"), ("--generate-completion-script", "bash"),
    ("gate", "measured", "--max-forgetting", "1", "--json"),
]


def outputs(lab: Lab) -> Outcome:
    """Every command that prints, to a full disk, a closed pipe, and a slow non-blocking pipe."""
    outcome = Outcome("standard output", "commands")
    folder = lab.place("outputs")
    _furnish_store(lab, folder)
    vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(folder / "store")})
    for command in PRINTING:
        whole = vpatch.run(command, lab.sources)
        words = " ".join(command)

        def start(output: int, command: tuple[str, ...] = command) -> "subprocess.Popen[bytes]":
            return vpatch.start(command, lab.sources, output=output, errors=subprocess.PIPE)

        with open("/dev/full", "wb") as full:
            process = start(full.fileno())
            errors = process.communicate(timeout=60)[1]
        found = []
        if whole.output and process.returncode in (0, whole.code):
            found.append(f"{words}: exit {process.returncode} on a full disk")
        elif whole.output and not errors.strip():
            found.append(f"{words}: a full disk, and no message")
        outcome.count(found, note="full disk")

        reading, writing = os.pipe()
        os.close(reading)
        process = start(writing)
        os.close(writing)
        process.communicate(timeout=60)
        # Ended by SIGPIPE, or with its exit code: the reader has closed the pipe.
        found = [] if process.returncode in (0, whole.code, -13, 141, 1) else [
            f"{words}: exit {process.returncode} into a closed pipe"]
        outcome.count(found, note="closed pipe")

        code, read = _slowly(start)
        found = [f"{words}: output is truncated"] if code == whole.code and len(read) < len(whole.output) else []
        outcome.count(found, f"{len(read)} of {len(whole.output)} bytes, exit {code}", note="non-blocking pipe")
    return outcome.end()


def _slowly(start: Callable[[int], "subprocess.Popen[bytes]"]) -> tuple[int, bytes]:
    """Reads from a small non-blocking pipe, as under ssh, after a delay."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    fcntl.fcntl(writing, fcntl.F_SETFL, fcntl.fcntl(writing, fcntl.F_GETFL) | os.O_NONBLOCK)
    process = start(writing)
    os.close(writing)
    time.sleep(0.1)
    data = b""
    while part := os.read(reading, 65536):
        data += part
    os.close(reading)
    process.communicate(timeout=60)
    return process.returncode, data


# MARK: Owner, mode, attributes

def _root(what: str) -> None:
    if os.geteuid() != 0:
        raise Missing(f"{what} needs root")


def _program(name: str) -> str:
    path = shutil.which(name)
    if not path:
        raise Missing(f"it needs {name}")
    return path


KEEPING: dict[str, tuple[dict[str, str], tuple[str, ...], str]] = {
    "annotate": ({"p": "trained.vpatch", "t.json": "tuned.json", "b.json": "base.json"},
                 ("annotate", "p", "--results", "t.json", "--base-results", "b.json", "-q"), "p"),
    "sign": ({"p": "a.vpatch", "key.pem": "key.pem"}, ("sign", "p", "--key", "key.pem", "-q"), "p"),
    "eval --record": ({"p": "trained.vpatch", "m": "tl", "suite": "suite"},
                      ("eval", "m", "--patch", "p", "--suite", "suite/suite.toml", "--record", "-q"), "p"),
    "switch": ({"m.st": "base.safetensors", "p": "a.vpatch"}, ("switch", "m.st", "p", "-q"), "m.st"),
    "switch --by-rename": ({"m.st": "base.safetensors", "p": "a.vpatch"}, ("switch", "m.st", "p", "-q", "--by-rename"),
                           "m.st"),
    "switch of a folder --by-rename": ({"m": "fb", "p": "f.vpatch"}, ("switch", "m", "p", "-q", "--by-rename"), "m"),
    "switch of a folder": ({"m": "fb", "p": "f.vpatch"}, ("switch", "m", "p", "-q"), "m"),
    "revert": ({"m.st": "tuned-a.safetensors", "p": "a.vpatch"}, ("revert", "m.st", "p", "-q", "--by-rename"), "m.st"),
}


def ownership(lab: Lab) -> Outcome:
    """A file that replaces another has the same owner, mode and attributes."""
    _root("files of another user")
    outcome = Outcome("owner, mode, attributes", "commands")
    for name, (files, command, subject) in KEEPING.items():
        for mode in (0o600, 0o640, 0o664):
            folder = lab.place("ownership")
            for file, source in files.items():
                path = lab.sources / source
                (shutil.copytree if path.is_dir() else shutil.copyfile)(path, folder / file)
            paths = [path for path in [folder / subject, *(folder / subject).rglob("*")] if path.is_file()]
            for path in paths:
                os.chmod(path, mode)
                os.chown(path, 1000, 1000)
                os.setxattr(path, "user.attack", b"kept")
            vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(folder / "store")})
            run = vpatch.run(command, folder)
            found = [f"{name}: exit {run.code}: {run.last_line}"] if run.code else []
            for path in paths:
                if run.code or not path.exists():
                    continue
                info = path.stat()
                if (info.st_uid, info.st_gid) != (1000, 1000):
                    found.append(f"{name}: the owner differs")
                if stat.S_IMODE(info.st_mode) != mode:
                    found.append(f"{name}: the mode differs")
                if "user.attack" not in os.listxattr(path):
                    found.append(f"{name}: an extended attribute is lost")
            outcome.count(sorted(set(found)), f"mode {mode:o}")
    return outcome.end()


# MARK: Other users

def users(lab: Lab) -> Outcome:
    """One user's switch is stopped at its calls while another user runs recover, which must not delete its files."""
    _root("other users")
    setpriv = _program("setpriv")
    outcome = Outcome("another user's recover", "meetings")
    os.chmod(lab.folder, 0o755)
    base = lab.place("users")
    binary = base / "bin"
    binary.mkdir()
    for path in (lab.vpatch.binary, lab.vpatch.faults):
        shutil.copy(path, binary)
    vpatch = type(lab.vpatch)(binary / lab.vpatch.binary.name, lab.vpatch.environment)

    def by(user: int) -> list[str]:
        return [setpriv, f"--reuid={user}", f"--regid={user}", "--clear-groups"]

    for more in ([], ["--by-rename"]):
        for at in range(1, 400, 13):
            folder = base / "d"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            shutil.copytree(lab.sources / "fb", folder / "m")
            shutil.copyfile(lab.sources / "f.vpatch", folder / "f.vpatch")
            for path in [folder, *folder.rglob("*")]:
                os.chmod(path, 0o777 if path.is_dir() else 0o666)
                # The switching user owns them: only root could give a replaced file of another user its owner.
                os.chown(path, 1000, 1000)
            first = vpatch.with_environment({"VPATCH_STORE": str(folder / "a")})
            second = vpatch.with_environment({"VPATCH_STORE": str(folder / "b")})
            process = first.start(["switch", "m", "f.vpatch", "-q", *more], folder,
                                  first.fault_environment(folder, Fault("stop", at, calls="changes")),
                                  before=["/bin/sh", "-c", 'umask 077; exec "$@"', "sh", *by(1000)])
            _, status = os.waitpid(process.pid, os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            there = {name for name in tree.read(folder / "m") if ".vpatch-" in name}
            recovery = second.run(["recover", "m"], folder, before=by(1001))
            gone = there - set(tree.read(folder / "m"))
            os.kill(process.pid, 18)
            code = process.wait(60)
            found = []
            if gone:
                found.append("recover deletes files of a running switch")
            if code:
                found.append("the switch fails")
            outcome.count(found, f"at change {at}: recover exit {recovery.code}, switch exit {code}")
    return outcome.end()


# MARK: Disks

@contextmanager
def _disk(folder: Path, size: str) -> Iterator[Path]:
    _root("mounting a disk")
    mount, umount = _program("mount"), _program("umount")
    folder.mkdir(parents=True)
    if subprocess.run([mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        raise Missing("it needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run([umount, folder], check=True)


def _fill(disk: Path) -> None:
    with open(disk / "fill", "wb", buffering=0) as file:
        size = 1 << 16
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def disks(lab: Lab) -> Outcome:
    """On a full disk the store can be read and emptied, on a read-only disk read; nothing on either is lost."""
    outcome = Outcome("full and read-only disks", "commands")
    reading: list[tuple[str, ...]] = [
        ("list",), ("show", "a"), ("log",), ("alias",), ("stack", "list"), ("stack", "show", "s"), ("fsck",),
        ("verify", "a"), ("gc",)]
    with _disk(lab.place("disks") / "disk", "4m") as disk:
        vpatch = lab.vpatch.with_environment({"VPATCH_STORE": str(disk / "store")})
        _furnish_store(lab, disk)
        lab.do("add", lab.sources / "c.vpatch", "-q", store=disk / "store")

        def must(command: tuple[str, ...], where: str) -> None:
            run = vpatch.run(command, lab.sources)
            found = [f"{' '.join(command)} on a {where} disk: exit {run.code}"] if run.code else []
            outcome.count(found, run.last_line, note=f"{where} disk")

        _fill(disk)
        for command in reading:
            must(command, "full")
        for command in (("add", "f.vpatch", "-q"), ("create", "base.safetensors", "tuned-a.safetensors", "-o",
                                                    str(disk / "out.vpatch"), "-q", "--name", "new")):
            run = vpatch.run(command, lab.sources)
            found = [] if run.code and "space" in run.errors else [f"{command[0]} on a full disk: exit {run.code}"]
            if (disk / "out.vpatch").exists():
                found.append(f"{command[0]} on a full disk leaves a partial file")
            outcome.count(found, run.last_line, note="full disk")
        for command in (("stack", "delete", "s", "-q"), ("rm", "b", "--force", "-q"), ("gc", "--yes", "-q")):
            must(command, "full")
        (disk / "fill").unlink()
        for command in (("fsck",), ("add", "f.vpatch", "-q")):
            must(command, "free again")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for command in reading:
            if command[0] not in ("stack",) or command[1] == "list":
                must(command, "read-only")
        for command in (("rm", "a", "--force", "-q"), ("gc", "--yes", "-q"), ("tag", "a", "x", "-q")):
            run = vpatch.run(command, lab.sources)
            said = "read-only" in run.errors.lower()
            complaints = [] if run.code and said else [f"{command[0]} on a read-only disk: exit {run.code}, no reason"]
            outcome.count(complaints, run.last_line, note="read-only disk")
    return outcome.end()


# MARK: Inputs that change

def changing(lab: Lab, rounds: int) -> Outcome:
    """An input of create is written to while it is read: it fails, or makes a patch that can be used."""
    outcome = Outcome("inputs that change", "rounds")
    names = [f"model.layers.{i}.self_attn.q_proj.weight" for i in range(4)]
    base = checkpoint.weights(names, 64, 128, seed=21)
    new = checkpoint.tuned(base, "q_proj", 22)
    for number in range(rounds):
        folder = lab.place("changing")
        for name, tensors in (("b.st", base), ("t.st", new)):
            (folder / name).write_bytes(checkpoint.pack(tensors))
        which = ("b.st", "t.st")[number % 2]
        command = ("create", "b.st", "t.st", "-o", "p.vpatch", "-q", "--no-store")
        log = folder / "log"
        if number < 2:
            lab.vpatch.run(command, folder, {**lab.vpatch.fault_environment(folder / which, log=log),
                                             "FAULT_CALLS": "read"})
            calls = len(log.read_text().splitlines())
            (folder / "p.vpatch").unlink()
        at = number // 2 % calls + 1
        fault = Fault("stop", at, calls="read")
        process = lab.vpatch.start(command, folder, lab.vpatch.fault_environment(folder / which, fault))
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            with open(folder / which, "r+b") as file:
                header = file.seek(0, 2) - sum(len(tensor.data) for tensor in base.values())
                for tensor in range(len(names)):
                    file.seek(header + tensor * 64 * 128 * 2 + 2 * 4000)
                    file.write(b"\x55\x3e" * 64)
            os.kill(process.pid, 18)
            code = process.wait(60)
        else:
            code = process.returncode = os.waitstatus_to_exitcode(status)
        found = []
        if code == 0:
            (folder / "b0.st").write_bytes(checkpoint.pack(base))
            codes = [lab.vpatch.run(("apply", source, "p.vpatch", "-o", f"{source}.out", "-q"), folder).code
                     for source in ("b0.st", "b.st")]
            if 0 not in codes:
                found.append("create: exit 0, but the patch applies to neither state of the base")
            elif lab.vpatch.run(("revert", "b0.st.out" if codes[0] == 0 else "b.st.out", "p.vpatch", "-o", "back.st",
                                 "-q"), folder).code:
                found.append("create: exit 0, but the patch cannot be reverted")
        outcome.count(found, f"{which} at read {at}", note=f"exit {code}")
    return outcome.end()
