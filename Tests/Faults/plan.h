// The interface of faults.c for the wrapped calls in changes.c and looks.c.
#pragma once
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>

/// The call in libc.
#define REAL(name)                                                  \
  ({                                                                \
    static __typeof__(&name) found;                                 \
    if (!found) found = (__typeof__(&name))dlsym(RTLD_NEXT, #name); \
    found;                                                          \
  })

/// The fate of a call: it continues, fails (errno is set), processes half of its bytes, or the process is killed after
/// half or all of it.
enum { GO_ON, FAIL, SHORT, HALF, AFTER };

enum kind { CHANGE, LOOK };

/// Whether calls of this name are counted.
int fault_counts(enum kind kind, const char *name);

/// Counts and logs a call, and decides its fate. The line begins with the call's name.
int fault_event(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Does what the decision requires after the call.
void fault_end(int decision);

/// Saves the bytes of a write.
void fault_keep(const void *bytes, size_t length);

/// Keeps a file alive that will lose its name.
void fault_keep_file(const char *path);

/// The path of an open file; 0 if it is not below the root. A removed file has a mark after its name.
int fault_path_of(int descriptor, char path[PATH_MAX]);

/// An absolute path whose folder is free of links; 0 if it is not below the root.
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

/// An indivisible call on an open file, with its name for the log. More of its line may follow its path.
#define ON_FILE(kind, name, descriptor, failure, call)                                          \
  do {                                                                                          \
    char path[PATH_MAX];                                                                        \
    if (!fault_counts(kind, name) || !fault_path_of(descriptor, path)) return call;             \
    WHOLE(fault_event(name " %s", path), failure, call);                                        \
  } while (0)

/// The same for a path.
#define ON_PATH(kind, name, folder, given, failure, call)                                       \
  do {                                                                                          \
    char path[PATH_MAX];                                                                        \
    if (!fault_counts(kind, name) || !fault_absolute(folder, given, path)) return call;         \
    WHOLE(fault_event(name " %s", path), failure, call);                                        \
  } while (0)
