// The calls that change files. faults.c injects the faults.

#include "plan.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

// MARK: Writes

static ssize_t write_at(int descriptor, const void *bytes, size_t length, off_t offset, int is_at) {
  char path[PATH_MAX];
  int decision = GO_ON;
  if (fault_counts(CHANGE, "write") && fault_path_of(descriptor, path)) {
    off_t place = is_at ? offset : lseek(descriptor, 0, SEEK_CUR);
    decision = fault_event("write %s %ld %zu", path, (long)place, length);
    if (decision == FAIL) return -1;
    fault_keep(bytes, length);
  }
  size_t most = decision == HALF || (decision == SHORT && length > 1) ? length / 2 : length;
  ssize_t n = is_at ? REAL(pwrite)(descriptor, bytes, most, offset) : REAL(write)(descriptor, bytes, most);
  fault_end(decision);
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

/// Counts as a write of the copied bytes.
ssize_t copy_file_range(int in, off_t *in_offset, int out, off_t *out_offset, size_t length, unsigned flags) {
  char path[PATH_MAX];
  if (!in_offset || !out_offset || !fault_counts(CHANGE, "write") || !fault_path_of(out, path)) {
    return REAL(copy_file_range)(in, in_offset, out, out_offset, length, flags);
  }
  char *bytes = malloc(length ? length : 1);
  ssize_t n = REAL(pread)(in, bytes, length, *in_offset);
  if (n > 0) n = write_at(out, bytes, n, *out_offset, 1);
  int code = errno;
  free(bytes);
  errno = code;
  if (n > 0) *in_offset += n, *out_offset += n;
  return n;
}

int ftruncate(int descriptor, off_t length) {
  char path[PATH_MAX];
  if (!fault_counts(CHANGE, "truncate") || !fault_path_of(descriptor, path)) return REAL(ftruncate)(descriptor, length);
  WHOLE(fault_event("truncate %s %ld", path, (long)length), -1, REAL(ftruncate)(descriptor, length));
}

int ftruncate64(int descriptor, off_t length) { return ftruncate(descriptor, length); }

/// Returns the error number, and does not change errno.
int posix_fallocate(int descriptor, off_t offset, off_t length) {
  char path[PATH_MAX];
  if (!fault_counts(CHANGE, "allocate") || !fault_path_of(descriptor, path)) {
    return REAL(posix_fallocate)(descriptor, offset, length);
  }
  WHOLE(
    fault_event("allocate %s %ld", path, (long)(offset + length)), errno,
    REAL(posix_fallocate)(descriptor, offset, length));
}

int posix_fallocate64(int descriptor, off_t offset, off_t length) { return posix_fallocate(descriptor, offset, length); }

int fallocate(int descriptor, int how, off_t offset, off_t length) {
  char path[PATH_MAX];
  if (!fault_counts(CHANGE, "allocate") || !fault_path_of(descriptor, path)) {
    return REAL(fallocate)(descriptor, how, offset, length);
  }
  WHOLE(
    fault_event("allocate %s %ld", path, (long)(offset + length)), -1,
    REAL(fallocate)(descriptor, how, offset, length));
}

int fallocate64(int descriptor, int how, off_t offset, off_t length) {
  return fallocate(descriptor, how, offset, length);
}

// MARK: Making durable

int fsync(int descriptor) { ON_FILE(CHANGE, "fsync", descriptor, -1, REAL(fsync)(descriptor)); }

int fdatasync(int descriptor) { ON_FILE(CHANGE, "fsync", descriptor, -1, REAL(fdatasync)(descriptor)); }

int sync_file_range(int descriptor, off_t offset, off_t length, unsigned flags) {
  ON_FILE(CHANGE, "writeback", descriptor, -1, REAL(sync_file_range)(descriptor, offset, length, flags));
}

// MARK: Names

/// Whether one of two paths is below the root. Makes both absolute.
static int either(
  int from_folder, const char *from, int to_folder, const char *to, char a[PATH_MAX], char b[PATH_MAX]) {
  int is_a = fault_absolute(from_folder, from, a), is_b = fault_absolute(to_folder, to, b);
  return is_a || is_b;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  char a[PATH_MAX], b[PATH_MAX];
  const char *name = flags & RENAME_EXCHANGE ? "exchange" : "rename";
  if (!fault_counts(CHANGE, name) || !either(from_folder, from, to_folder, to, a, b)) {
    return REAL(renameat2)(from_folder, from, to_folder, to, flags);
  }
  fault_keep_file(b);
  WHOLE(fault_event("%s %s %s", name, a, b), -1, REAL(renameat2)(from_folder, from, to_folder, to, flags));
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  return renameat2(from_folder, from, to_folder, to, 0);
}

int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
  char a[PATH_MAX], b[PATH_MAX];
  if (!fault_counts(CHANGE, "link") || !either(from_folder, from, to_folder, to, a, b)) {
    return REAL(linkat)(from_folder, from, to_folder, to, flags);
  }
  WHOLE(fault_event("link %s %s", a, b), -1, REAL(linkat)(from_folder, from, to_folder, to, flags));
}

int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags) {
  char path[PATH_MAX];
  if (!fault_counts(CHANGE, "unlink") || !fault_absolute(folder, name, path)) {
    return REAL(unlinkat)(folder, name, flags);
  }
  fault_keep_file(path);
  WHOLE(fault_event("unlink %s", path), -1, REAL(unlinkat)(folder, name, flags));
}

int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }

int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

// MARK: New files

int mkostemp(char *template, int flags) {
  ON_PATH(CHANGE, "create", AT_FDCWD, template, -1, REAL(mkostemp)(template, flags));
}

int mkostemp64(char *template, int flags) { return mkostemp(template, flags); }

char *mkdtemp(char *template) { ON_PATH(CHANGE, "mkdir", AT_FDCWD, template, NULL, REAL(mkdtemp)(template)); }

int mkdirat(int folder, const char *name, mode_t rights) {
  ON_PATH(CHANGE, "mkdir", folder, name, -1, REAL(mkdirat)(folder, name, rights));
}

int mkdir(const char *name, mode_t rights) { return mkdirat(AT_FDCWD, name, rights); }

/// Opening a file is a change if it creates or truncates one, otherwise a look.
static int open_file(int folder, const char *name, int flags, mode_t rights) {
  struct stat info;
  int code = errno;
  int is_new = (flags & O_CREAT) && REAL(fstatat)(folder, name, &info, AT_SYMLINK_NOFOLLOW) != 0;
  errno = code;
  if (is_new || (flags & O_TRUNC)) {
    ON_PATH(CHANGE, "create", folder, name, -1, REAL(openat)(folder, name, flags, rights));
  }
  ON_PATH(LOOK, "open", folder, name, -1, REAL(openat)(folder, name, flags, rights));
}

static mode_t rights_of(int flags, va_list arguments) {
  return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
}

#define OPEN(name, folder, ...)                   \
  int name(__VA_ARGS__, int flags, ...) {         \
    va_list arguments;                            \
    va_start(arguments, flags);                   \
    mode_t rights = rights_of(flags, arguments);  \
    va_end(arguments);                            \
    return open_file(folder, path, flags, rights); \
  }

OPEN(open, AT_FDCWD, const char *path)
OPEN(open64, AT_FDCWD, const char *path)
OPEN(openat, folder, int folder, const char *path)
OPEN(openat64, folder, int folder, const char *path)

// MARK: Owner, mode, attributes

int fchmod(int descriptor, mode_t rights) {
  ON_FILE(CHANGE, "chmod", descriptor, -1, REAL(fchmod)(descriptor, rights));
}

int fchmodat(int folder, const char *name, mode_t rights, int flags) {
  ON_PATH(CHANGE, "chmod", folder, name, -1, REAL(fchmodat)(folder, name, rights, flags));
}

int chmod(const char *name, mode_t rights) { return fchmodat(AT_FDCWD, name, rights, 0); }

int fchown(int descriptor, uid_t user, gid_t group) {
  ON_FILE(CHANGE, "chown", descriptor, -1, REAL(fchown)(descriptor, user, group));
}

int fchownat(int folder, const char *name, uid_t user, gid_t group, int flags) {
  ON_PATH(CHANGE, "chown", folder, name, -1, REAL(fchownat)(folder, name, user, group, flags));
}

int chown(const char *name, uid_t user, gid_t group) { return fchownat(AT_FDCWD, name, user, group, 0); }

int lchown(const char *name, uid_t user, gid_t group) {
  return fchownat(AT_FDCWD, name, user, group, AT_SYMLINK_NOFOLLOW);
}

int fsetxattr(int descriptor, const char *key, const void *value, size_t size, int flags) {
  ON_FILE(CHANGE, "setxattr", descriptor, -1, REAL(fsetxattr)(descriptor, key, value, size, flags));
}

int setxattr(const char *name, const char *key, const void *value, size_t size, int flags) {
  ON_PATH(CHANGE, "setxattr", AT_FDCWD, name, -1, REAL(setxattr)(name, key, value, size, flags));
}

int lsetxattr(const char *name, const char *key, const void *value, size_t size, int flags) {
  ON_PATH(CHANGE, "setxattr", AT_FDCWD, name, -1, REAL(lsetxattr)(name, key, value, size, flags));
}

int futimens(int descriptor, const struct timespec times[2]) {
  ON_FILE(CHANGE, "utimes", descriptor, -1, REAL(futimens)(descriptor, times));
}

int utimes(const char *name, const struct timeval times[2]) {
  ON_PATH(CHANGE, "utimes", AT_FDCWD, name, -1, REAL(utimes)(name, times));
}
