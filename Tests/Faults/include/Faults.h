// A library that is loaded before others (LD_PRELOAD) and makes a process's calls to the disk fail, or kills it at one
// of them. Nothing calls it: see faults.c.
#pragma once
