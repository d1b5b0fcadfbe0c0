// A library that is loaded before others (LD_PRELOAD) and makes a process's file system calls fail, or kills it at one
// of them. It has no callers: see faults.c.
#pragma once
