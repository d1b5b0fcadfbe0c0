"""Starts one command and measures it: wall time and the kernel's ru_maxrss.

    python -I -S launcher.py FD COMMAND...        writes one JSON line to the file descriptor FD

It is a separate process because ru_maxrss survives exec: a direct child of the bench would include the bench's memory,
with NumPy. The lower bound of every figure is this interpreter, about 10 MB.
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
