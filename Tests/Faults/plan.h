// What faults.c offers to the calls that it watches: changes.c and looks.c.
#pragma once
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>

/// The call as libc has it.
#define REAL(name)                                                  \
  ({                                                                \
    static __typeof__(&name) found;                                 \
    if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    found;                                                          \
  })

/// What is to become of a call: it goes on, fails (errno is set), does half of its bytes, or the process is killed
/// when half of it or all of it is done.
enum { GO_ON, FAIL, SHORT, HALF, AFTER };

enum kind { CHANGE, LOOK };

/// Whether calls of this name are counted.
int fault_counts(enum kind kind, const char *name);

/// Counts a call, writes it down, and says what is to become of it. The line begins with the call's name.
int fault_event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Does what a decision says is done after the call.
void fault_end(int decision);

/// Keeps the bytes of a write.
void fault_keep(const void *bytes, size_t length);

/// Keeps a file alive whose name is about to go.
void fault_keep_file(const char *path);

/// The path of an open file; 0 if it is not below the root. A removed file has a mark behind its name.
int fault_path_of(int descriptor, char path[PATH_MAX]);

/// An absolute path without links in its folder; 0 if it is not below the root.
int fault_absolute(int folder, const char *name, char path[PATH_MAX]);

/// For calls that cannot be done by half.
#define WHOLE(what, failure, call)         \
  do {                                     \
    int decision = what;                   \
    if (decision == FAIL) return failure;  \
    if (decision == HALF) raise(SIGKILL);  \
    __typeof__(call) result = call;        \
    int code = errno;                      \
    fault_end(decision);                   \
    errno = code;                          \
    return result;                         \
  } while (0)

/// A whole call on an open file, named for the log; more of its line comes after its path.
#define ON_FILE(kind, name, descriptor, failure, call)                                          \
  do {                                                                                          \
    char path[PATH_MAX];                                                                        \
    if (!fault_counts(kind, name) || !fault_path_of(descriptor, path)) return call;             \
    WHOLE(fault_event(name " %s", path), failure, call);                                        \
  } while (0)

/// The same on a path.
#define ON_PATH(kind, name, folder, given, failure, call)                                       \
  do {                                                                                          \
    char path[PATH_MAX];                                                                        \
    if (!fault_counts(kind, name) || !fault_absolute(folder, given, path)) return call;         \
    WHOLE(fault_event(name " %s", path), failure, call);                                        \
  } while (0)
