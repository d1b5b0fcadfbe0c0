// Loaded before libc (LD_PRELOAD), this counts the calls that change files below $FAULT_ROOT, and at one of them does
// what $FAULT_MODE says:
//
//   eio, enospc   the call fails; nothing is done
//   eio-on        this one and every later one fail with EIO: a disk that is gone
//   kill-before   SIGKILL; nothing is done
//   kill-half     SIGKILL after half of a write's bytes (as kill-before for other calls)
//   kill-after    SIGKILL when the call is done
//
// $FAULT_AT    which call, from 1; 0 or nothing for none
// $FAULT_LOG   a file that gets one line a call: "name path", "rename from to", and for a write "write path offset
//              length", so that the order of events can be checked
// $FAULT_DATA  a file that gets the bytes of every write, in the order of the log, so that it can be played back
//
// The numbers are those of one thread's calls; with several threads they are given as the calls come.

#define _GNU_SOURCE
#include "Faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// MARK: The plan

static const char *root;
static size_t root_length;
static long fault_at, calls;
static const char *mode = "";
static int log_descriptor = -1, data_descriptor = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  root = getenv("FAULT_ROOT");
  root_length = root ? strlen(root) : 0;
  const char *at = getenv("FAULT_AT"), *given = getenv("FAULT_MODE");
  fault_at = at ? atol(at) : 0;
  if (given) mode = given;
  const char *log = getenv("FAULT_LOG"), *data = getenv("FAULT_DATA");
  int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  if (log) log_descriptor = REAL(open)(log, flags, 0666);
  if (data) data_descriptor = REAL(open)(data, flags, 0666);
}

static int is_below(const char *path) {
  return root && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

/// The path of an open file; 0 if it is not below the root. A removed file has a mark behind its name.
static int path_of(int descriptor, char *path) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  if (n < 0) return 0;
  path[n] = 0;
  return is_below(path);
}

/// An absolute path without links in its folder; 0 if it is not below the root.
static int absolute(int folder, const char *name, char *path) {
  char parent[PATH_MAX], joined[PATH_MAX];
  if (name[0] == '/' || folder == AT_FDCWD) {
    snprintf(joined, sizeof joined, "%s", name);
  } else {
    char link[64], at[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, at, sizeof at - 1);
    if (n < 0) return 0;
    at[n] = 0;
    snprintf(joined, sizeof joined, "%s/%s", at, name);
  }
  char *slash = strrchr(joined, '/');
  const char *last = slash ? slash + 1 : joined;
  if (slash) *slash = 0;
  if (!realpath(slash ? (*joined ? joined : "/") : ".", parent)) return 0;
  snprintf(path, PATH_MAX, "%s/%s", parent, last);
  return is_below(path);
}

enum { GO_ON, FAIL, HALF, AFTER };

/// Counts a call, writes it down, and says what is to become of it.
static int event(const char *format, ...) {
  pthread_mutex_lock(&mutex);
  long number = ++calls;
  char line[3 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  line[n] = '\n';
  int is_hit = number == fault_at || (number > fault_at && fault_at > 0 && strcmp(mode, "eio-on") == 0);
  int is_failing = is_hit && mode[0] == 'e';
  if (log_descriptor >= 0 && !is_failing && REAL(write)(log_descriptor, line, n + 1) < 0) abort();
  pthread_mutex_unlock(&mutex);
  if (!is_hit) return GO_ON;
  if (is_failing) {
    errno = strcmp(mode, "enospc") == 0 ? ENOSPC : EIO;
    return FAIL;
  }
  if (strcmp(mode, "kill-after") == 0) return AFTER;
  if (strcmp(mode, "kill-half") == 0) return HALF;
  raise(SIGKILL);
  return FAIL;
}

static void end(int what) {
  if (what == AFTER || what == HALF) raise(SIGKILL);
}

/// For calls that cannot be done by half.
#define WHOLE(what, failure, call)          \
  do {                                      \
    int decision = what;                    \
    if (decision == FAIL) return failure;   \
    if (decision == HALF) raise(SIGKILL);   \
    __typeof__(call) result = call;         \
    int code = errno;                       \
    end(decision);                          \
    errno = code;                           \
    return result;                          \
  } while (0)

// MARK: Writes

static void keep(const void *bytes, size_t length) {
  if (data_descriptor >= 0 && REAL(write)(data_descriptor, bytes, length) < 0) abort();
}

static ssize_t write_at(int descriptor, const void *bytes, size_t length, off_t offset, int is_at) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) {
    return is_at ? REAL(pwrite)(descriptor, bytes, length, offset) : REAL(write)(descriptor, bytes, length);
  }
  off_t place = is_at ? offset : lseek(descriptor, 0, SEEK_CUR);
  int decision = event("write %s %ld %zu", path, (long)place, length);
  if (decision == FAIL) return -1;
  keep(bytes, length);
  size_t most = decision == HALF ? length / 2 : length;
  ssize_t n = is_at ? REAL(pwrite)(descriptor, bytes, most, offset) : REAL(write)(descriptor, bytes, most);
  end(decision);
  return n;
}

ssize_t write(int descriptor, const void *bytes, size_t length) { return write_at(descriptor, bytes, length, 0, 0); }

ssize_t pwrite(int descriptor, const void *bytes, size_t length, off_t offset) {
  return write_at(descriptor, bytes, length, offset, 1);
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t length, off_t offset) {
  return write_at(descriptor, bytes, length, offset, 1);
}

static ssize_t write_many(int descriptor, const struct iovec *parts, int count, off_t offset, int is_at) {
  ssize_t done = 0;
  for (int i = 0; i < count; i++) {
    ssize_t n = write_at(descriptor, parts[i].iov_base, parts[i].iov_len, offset + done, is_at);
    if (n < 0) return done ? done : n;
    done += n;
    if ((size_t)n < parts[i].iov_len) break;
  }
  return done;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  return write_many(descriptor, parts, count, 0, 0);
}

ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t offset) {
  return write_many(descriptor, parts, count, offset, 1);
}

ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off_t offset) {
  return write_many(descriptor, parts, count, offset, 1);
}

/// As a write of the bytes that are copied.
ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t length, unsigned flags) {
  char path[PATH_MAX];
  if (!path_of(out, path) || !in_offset || !out_offset) {
    return REAL(copy_file_range)(in, in_offset, out, out_offset, length, flags);
  }
  char *bytes = malloc(length ? length : 1);
  ssize_t n = pread(in, bytes, length, *in_offset);
  if (n > 0) n = write_at(out, bytes, n, *out_offset, 1);
  int code = errno;
  free(bytes);
  errno = code;
  if (n > 0) *in_offset += n, *out_offset += n;
  return n;
}

int ftruncate(int descriptor, off_t length) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) return REAL(ftruncate)(descriptor, length);
  WHOLE(event("truncate %s %ld", path, (long)length), -1, REAL(ftruncate)(descriptor, length));
}

int ftruncate64(int descriptor, off_t length) { return ftruncate(descriptor, length); }

/// Returns its error, and leaves errno alone.
int posix_fallocate(int descriptor, off_t offset, off_t length) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) return REAL(posix_fallocate)(descriptor, offset, length);
  WHOLE(event("allocate %s %ld", path, (long)(offset + length)), errno, REAL(posix_fallocate)(descriptor, offset, length));
}

int posix_fallocate64(int descriptor, off_t offset, off_t length) { return posix_fallocate(descriptor, offset, length); }

int fallocate(int descriptor, int how, off_t offset, off_t length) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) return REAL(fallocate)(descriptor, how, offset, length);
  WHOLE(event("allocate %s %ld", path, (long)(offset + length)), -1, REAL(fallocate)(descriptor, how, offset, length));
}

int fallocate64(int descriptor, int how, off_t offset, off_t length) {
  return fallocate(descriptor, how, offset, length);
}

// MARK: Making durable

int fsync(int descriptor) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) return REAL(fsync)(descriptor);
  WHOLE(event("fsync %s", path), -1, REAL(fsync)(descriptor));
}

int fdatasync(int descriptor) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) return REAL(fdatasync)(descriptor);
  WHOLE(event("fsync %s", path), -1, REAL(fdatasync)(descriptor));
}

int sync_file_range(int descriptor, off_t offset, off_t length, unsigned flags) {
  char path[PATH_MAX];
  if (!path_of(descriptor, path)) return REAL(sync_file_range)(descriptor, offset, length, flags);
  WHOLE(event("writeback %s", path), -1, REAL(sync_file_range)(descriptor, offset, length, flags));
}

// MARK: Names

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  char a[PATH_MAX], b[PATH_MAX];
  int is_a = absolute(from_folder, from, a), is_b = absolute(to_folder, to, b);
  if (!is_a && !is_b) return REAL(renameat)(from_folder, from, to_folder, to);
  WHOLE(event("rename %s %s", a, b), -1, REAL(renameat)(from_folder, from, to_folder, to));
}

int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  char a[PATH_MAX], b[PATH_MAX];
  int is_a = absolute(from_folder, from, a), is_b = absolute(to_folder, to, b);
  if (!is_a && !is_b) return REAL(linkat)(from_folder, from, to_folder, to, flags);
  WHOLE(event("link %s %s", a, b), -1, REAL(linkat)(from_folder, from, to_folder, to, flags));
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags) {
  char path[PATH_MAX];
  if (!absolute(folder, name, path)) return REAL(unlinkat)(folder, name, flags);
  WHOLE(event("unlink %s", path), -1, REAL(unlinkat)(folder, name, flags));
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

// MARK: New files

int mkostemp(char *template, int flags) {
  char path[PATH_MAX];
  if (!absolute(AT_FDCWD, template, path)) return REAL(mkostemp)(template, flags);
  int decision = event("create %s", path);
  if (decision == FAIL) return -1;
  if (decision == HALF) raise(SIGKILL);
  int descriptor = REAL(mkostemp)(template, flags);
  end(decision);
  return descriptor;
}

int mkostemp64(char *template, int flags) { return mkostemp(template, flags); }

char *mkdtemp(char *template) {
  char path[PATH_MAX];
  if (!absolute(AT_FDCWD, template, path)) return REAL(mkdtemp)(template);
  WHOLE(event("mkdir %s", path), NULL, REAL(mkdtemp)(template));
}

int mkdir(const char *name, mode_t rights) {
  char path[PATH_MAX];
  if (!absolute(AT_FDCWD, name, path)) return REAL(mkdir)(name, rights);
  WHOLE(event("mkdir %s", path), -1, REAL(mkdir)(name, rights));
}

/// Only an opening that makes a file or empties one is counted.
static int open_file(const char *name, int flags, mode_t rights) {
  char path[PATH_MAX];
  struct stat info;
  int is_change = (flags & O_TRUNC) || ((flags & O_CREAT) && lstat(name, &info) != 0);
  if (!is_change || !absolute(AT_FDCWD, name, path)) return REAL(open)(name, flags, rights);
  WHOLE(event("create %s", path), -1, REAL(open)(name, flags, rights));
}

static mode_t rights_of(int flags, va_list arguments) {
  return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
}

int open(const char *name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t rights = rights_of(flags, arguments);
  va_end(arguments);
  return open_file(name, flags, rights);
}

int open64(const char *name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  mode_t rights = rights_of(flags, arguments);
  va_end(arguments);
  return open_file(name, flags, rights);
}
