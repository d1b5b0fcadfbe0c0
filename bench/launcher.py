"""Starts one command and measures it: wall time and the kernel's ru_maxrss.

    python -I -S launcher.py FD COMMAND...        writes one JSON line to the file descriptor FD

A process of its own because ru_maxrss survives exec: a child of the bench itself would be charged with the bench's
memory, NumPy and all. What is left is this interpreter, about 10 MB, as the floor of every figure.
"""
import json
import os
import sys
import time

report, command = int(sys.argv[1]), sys.argv[2:]
os.set_inheritable(report, False)
start = time.perf_counter()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
os.write(report, json.dumps({
    "seconds": seconds, "peak": usage.ru_maxrss * 1024, "cpu": usage.ru_utime + usage.ru_stime,
    "code": os.waitstatus_to_exitcode(status)}).encode() + b"\n")
