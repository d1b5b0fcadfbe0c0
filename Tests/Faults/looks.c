// The calls that look at files. faults.c injects the faults. Opening an existing file is in changes.c, with the other
// open calls.

#include "plan.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

// MARK: Reads

static ssize_t read_at(int descriptor, void *bytes, size_t length, off_t offset, int is_at) {
  char path[PATH_MAX];
  int decision = GO_ON;
  if (fault_counts(LOOK, "read") && fault_path_of(descriptor, path)) {
    decision = fault_event("read %s %ld %zu", path, (long)(is_at ? offset : lseek(descriptor, 0, SEEK_CUR)), length);
    if (decision == FAIL) return -1;
  }
  size_t most = decision == HALF || (decision == SHORT && length > 1) ? length / 2 : length;
  ssize_t n = is_at ? REAL(pread)(descriptor, bytes, most, offset) : REAL(read)(descriptor, bytes, most);
  fault_end(decision);
  return n;
}

ssize_t read(int descriptor, void *bytes, size_t length) { return read_at(descriptor, bytes, length, 0, 0); }

ssize_t pread(int descriptor, void *bytes, size_t length, off_t offset) {
  return read_at(descriptor, bytes, length, offset, 1);
}

ssize_t pread64(int descriptor, void *bytes, size_t length, off_t offset) {
  return read_at(descriptor, bytes, length, offset, 1);
}

void *mmap(void *at, size_t length, int protection, int flags, int descriptor, off_t offset) {
  if (descriptor < 0) return REAL(mmap)(at, length, protection, flags, descriptor, offset);
  ON_FILE(LOOK, "mmap", descriptor, MAP_FAILED, REAL(mmap)(at, length, protection, flags, descriptor, offset));
}

void *mmap64(void *at, size_t length, int protection, int flags, int descriptor, off_t offset) {
  return mmap(at, length, protection, flags, descriptor, offset);
}

// MARK: What is there

int fstatat(int folder, const char *restrict name, struct stat *restrict info, int flags) {
  if ((flags & AT_EMPTY_PATH) && !*name) {
    ON_FILE(LOOK, "fstat", folder, -1, REAL(fstatat)(folder, name, info, flags));
  }
  if (flags & AT_SYMLINK_NOFOLLOW) {
    ON_PATH(LOOK, "lstat", folder, name, -1, REAL(fstatat)(folder, name, info, flags));
  }
  ON_PATH(LOOK, "stat", folder, name, -1, REAL(fstatat)(folder, name, info, flags));
}

int stat(const char *restrict name, struct stat *restrict info) { return fstatat(AT_FDCWD, name, info, 0); }

int lstat(const char *restrict name, struct stat *restrict info) {
  return fstatat(AT_FDCWD, name, info, AT_SYMLINK_NOFOLLOW);
}

int fstat(int descriptor, struct stat *info) {
  ON_FILE(LOOK, "fstat", descriptor, -1, REAL(fstat)(descriptor, info));
}

// The two structures are identical where off_t has 64 bits.
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "stat64 is another structure here");

int fstatat64(int folder, const char *restrict name, struct stat64 *restrict info, int flags) {
  return fstatat(folder, name, (struct stat *)info, flags);
}

int stat64(const char *restrict name, struct stat64 *restrict info) { return stat(name, (struct stat *)info); }

int lstat64(const char *restrict name, struct stat64 *restrict info) { return lstat(name, (struct stat *)info); }

int fstat64(int descriptor, struct stat64 *info) { return fstat(descriptor, (struct stat *)info); }

int statx(int folder, const char *restrict name, int flags, unsigned mask, struct statx *restrict info) {
  if ((flags & AT_EMPTY_PATH) && !*name) {
    ON_FILE(LOOK, "fstat", folder, -1, REAL(statx)(folder, name, flags, mask, info));
  }
  if (flags & AT_SYMLINK_NOFOLLOW) {
    ON_PATH(LOOK, "lstat", folder, name, -1, REAL(statx)(folder, name, flags, mask, info));
  }
  ON_PATH(LOOK, "stat", folder, name, -1, REAL(statx)(folder, name, flags, mask, info));
}

int faccessat(int folder, const char *name, int how, int flags) {
  ON_PATH(LOOK, "access", folder, name, -1, REAL(faccessat)(folder, name, how, flags));
}

int access(const char *name, int how) { return faccessat(AT_FDCWD, name, how, 0); }

int statvfs(const char *restrict name, struct statvfs *restrict info) {
  ON_PATH(LOOK, "statfs", AT_FDCWD, name, -1, REAL(statvfs)(name, info));
}

int fstatvfs(int descriptor, struct statvfs *info) {
  ON_FILE(LOOK, "statfs", descriptor, -1, REAL(fstatvfs)(descriptor, info));
}

// MARK: Folders and links

DIR *opendir(const char *name) { ON_PATH(LOOK, "opendir", AT_FDCWD, name, NULL, REAL(opendir)(name)); }

DIR *fdopendir(int descriptor) { ON_FILE(LOOK, "opendir", descriptor, NULL, REAL(fdopendir)(descriptor)); }

struct dirent *readdir(DIR *folder) { ON_FILE(LOOK, "readdir", dirfd(folder), NULL, REAL(readdir)(folder)); }

struct dirent64 *readdir64(DIR *folder) { return (struct dirent64 *)readdir(folder); }

ssize_t readlinkat(int folder, const char *restrict name, char *restrict target, size_t size) {
  ON_PATH(LOOK, "readlink", folder, name, -1, REAL(readlinkat)(folder, name, target, size));
}

ssize_t readlink(const char *restrict name, char *restrict target, size_t size) {
  return readlinkat(AT_FDCWD, name, target, size);
}

char *realpath(const char *restrict name, char *restrict resolved) {
  ON_PATH(LOOK, "realpath", AT_FDCWD, name, NULL, REAL(realpath)(name, resolved));
}

// MARK: Locks and attributes

int flock(int descriptor, int how) { ON_FILE(LOOK, "lock", descriptor, -1, REAL(flock)(descriptor, how)); }

int fcntl(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  switch (command) {
  case F_SETLK: case F_SETLKW: case F_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW: case F_OFD_GETLK:
    ON_FILE(LOOK, "lock", descriptor, -1, REAL(fcntl)(descriptor, command, argument));
  default: return REAL(fcntl)(descriptor, command, argument);
  }
}

int fcntl64(int descriptor, int command, ...) {
  va_list arguments;
  va_start(arguments, command);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  return fcntl(descriptor, command, argument);
}

ssize_t fgetxattr(int descriptor, const char *key, void *value, size_t size) {
  ON_FILE(LOOK, "getxattr", descriptor, -1, REAL(fgetxattr)(descriptor, key, value, size));
}

ssize_t getxattr(const char *name, const char *key, void *value, size_t size) {
  ON_PATH(LOOK, "getxattr", AT_FDCWD, name, -1, REAL(getxattr)(name, key, value, size));
}

ssize_t lgetxattr(const char *name, const char *key, void *value, size_t size) {
  ON_PATH(LOOK, "getxattr", AT_FDCWD, name, -1, REAL(lgetxattr)(name, key, value, size));
}

ssize_t flistxattr(int descriptor, char *list, size_t size) {
  ON_FILE(LOOK, "getxattr", descriptor, -1, REAL(flistxattr)(descriptor, list, size));
}

ssize_t listxattr(const char *name, char *list, size_t size) {
  ON_PATH(LOOK, "getxattr", AT_FDCWD, name, -1, REAL(listxattr)(name, list, size));
}

ssize_t llistxattr(const char *name, char *list, size_t size) {
  ON_PATH(LOOK, "getxattr", AT_FDCWD, name, -1, REAL(llistxattr)(name, list, size));
}
