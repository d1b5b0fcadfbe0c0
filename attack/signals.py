"""Signals at a call, where the fault library raises them, and at a random time."""
import random
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

from command import Fault
from faults import some
from lab import Lab
from operations import Operation, operations
from outcome import Outcome
from scene import Scene

SIGNALS = {"int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP, "kill-before": signal.SIGKILL}


def attack(lab: Lab, count: int, only: str | None = None) -> Outcome:
    """Tries `count` signals, divided among the operations: half at calls, half at times."""
    outcome = Outcome("signals", "signals")
    chosen = some(operations(), count, only, lab.seed)
    place = lab.place("signals")
    each = -(-count // len(chosen))

    def try_operation(operation: Operation) -> None:
        rng = random.Random(f"{lab.seed} {operation.name}")
        scene = Scene(lab, operation, place / str(threading.get_ident()) / "d")
        for number in range(each):
            mode, code = rng.choice(list(SIGNALS.items()))
            scene.lay()
            if number % 2 and scene.calls:
                at = rng.randrange(len(scene.calls))
                fault = Fault(mode, at + 1, scene.calls[at])
                run = scene.vpatch.run(operation.command, scene.folder,
                                       scene.vpatch.fault_environment(scene.folder, fault))
                example = str(fault)
            else:
                moment = rng.random() * 1.1 * scene.reference.seconds
                run = scene.vpatch.run(operation.command, scene.folder, signal_after=(code, moment))
                example = f"{code.name} after {moment * 1000:.1f} ms"
            killed = code == signal.SIGKILL
            complaints = list(scene.judge(run, may_leave=killed, killed=run.code == -code))
            if not killed and run.code not in (0, 128 + code) and not (run.code == -code and number % 2 == 0):
                complaints.append(f"exit {run.code} after {code.name}")
            outcome.count([f"{operation.name}: {complaint}" for complaint in complaints],
                          f"{example}: exit {run.code}: {run.last_line}",
                          note=f"{code.name} {'at a call' if number % 2 else 'at a time'}")

    with ThreadPoolExecutor(lab.jobs) as pool:
        for _ in pool.map(try_operation, chosen):
            pass
    return outcome.end()
