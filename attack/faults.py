"""Faults at every call that examines or changes a file, for every operation."""
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from command import Fault
from lab import Lab
from operations import Operation, operations
from outcome import Outcome
from scene import Scene

#: The faults of a call, by its name in the log. With "eio-on" the disk fails from there on.
MODES = {
    "write": ("eio", "enospc", "eintr", "short", "kill-before", "kill-half", "eio-on"),
    "truncate": ("eio", "enospc", "kill-before"),
    "allocate": ("eio", "enospc", "eintr", "kill-before"),
    "fsync": ("eio", "enospc", "eintr", "kill-before", "eio-on"),
    "writeback": ("eio",),
    "rename": ("eio", "enospc", "eacces", "kill-before", "eio-on"),
    "exchange": ("eio", "enospc", "eacces", "kill-before", "eio-on"),
    "link": ("eio", "enospc", "eacces", "kill-before"),
    "unlink": ("eio", "eacces", "kill-before", "eio-on"),
    "create": ("eio", "enospc", "eacces", "emfile", "eintr", "kill-before"),
    "mkdir": ("eio", "enospc", "eacces", "kill-before"),
    "chmod": ("eio", "eacces", "kill-before"),
    "chown": ("eio", "eacces"),
    "setxattr": ("eio", "eacces", "enospc"),
    "utimes": ("eio", "eacces"),
    "open": ("eio", "eacces", "emfile", "eintr"),
    "read": ("eio", "eintr", "short"),
    "opendir": ("eio", "eacces", "emfile"),
    "readdir": ("eio",),
    "mmap": ("eio",),
    "lock": ("eio", "eintr", "eacces"),
}
LOOK = ("eio", "eacces")
#: Calls that a command uses to clean up. If one fails, the file stays until a later command.
CLEANING = {"unlink", "opendir", "readdir", "lstat", "stat", "open", "lock", "fstat"}


@dataclass(frozen=True)
class Job:
    operation: Operation
    faults: tuple[Fault, ...]


def plan(scene: Scene) -> Iterator[Fault]:
    for at, call in enumerate(scene.calls, 1):
        for mode in MODES.get(call.split(" ", 1)[0], LOOK):
            yield Fault(mode, at, call)
    if scene.calls:
        yield Fault("kill-after", len(scene.calls), scene.calls[-1])


def some(every: list[Operation], count: int | None, only: str | None, seed: int) -> list[Operation]:
    """The chosen operations; for a short attack a random few of them, since each has to be set up."""
    chosen = [operation for operation in every if not only or only in operation.name]
    most = max(2, (count or len(chosen) * 10) // 10)
    return random.Random(seed).sample(chosen, most) if most < len(chosen) else chosen


def attack(lab: Lab, count: int | None, only: str | None = None) -> Outcome:
    """Tries every fault of every operation, or a random `count` of them."""
    outcome = Outcome("faults", "faults")
    chosen = some(operations(), count, only, lab.seed)
    place = lab.place("faults")
    local = threading.local()

    def scene_of(operation: Operation) -> Scene:
        """Each thread has its own scene, at its own path."""
        scenes: dict[str, Scene] = local.__dict__.setdefault("scenes", {})
        if operation.name not in scenes:
            scenes.clear()
            scenes[operation.name] = Scene(lab, operation, place / str(threading.get_ident()) / "d")
        return scenes[operation.name]

    def run_job(job: Job) -> None:
        scene = scene_of(job.operation)
        for fault in job.faults:
            scene.lay()
            run = scene.vpatch.run(job.operation.command, scene.folder,
                                   scene.vpatch.fault_environment(scene.folder, fault))
            may_leave = fault.kills or fault.mode == "eio-on" or fault.name in CLEANING
            complaints = scene.judge(run, may_leave, fault.kills or fault.mode == "eio-on")
            outcome.count([f"{job.operation.name}: {complaint}" for complaint in complaints],
                          f"{fault}: exit {run.code}: {run.last_line}", note=fault.mode)

    with ThreadPoolExecutor(lab.jobs) as pool:
        plans = list(pool.map(lambda operation: (operation, tuple(plan(scene_of(operation)))), chosen))
        every = [(operation, fault) for operation, faults in plans for fault in faults]
        if count is not None and count < len(every):
            kept = sorted(random.Random(lab.seed).sample(range(len(every)), count))
            every = [every[at] for at in kept]
        jobs: list[Job] = []
        for operation, _ in plans:
            mine = [fault for other, fault in every if other is operation]
            jobs += [Job(operation, tuple(mine[at:at + 200])) for at in range(0, len(mine), 200)]
        for _ in pool.map(run_job, jobs):
            pass
    return outcome.end()
