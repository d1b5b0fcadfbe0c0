#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

ssize_t vp_copy_file_range(int source, off_t *source_offset, int target, off_t *target_offset, size_t length) {
  return copy_file_range(source, source_offset, target, target_offset, length, 0);
}

void vp_begin_writeback(int descriptor, off_t offset, off_t length) {
  sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}

static int forked = 0;

static void in_child(void) { forked = 1; }

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

int vp_is_forked(void) { return forked; }

const char *vp_openblas_core(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return NULL;
}

void vp_keep_freed_memory(void) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

int vp_rename_no_replace(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

// Open file description locks belong to the open file, not to the process. Closing another descriptor of the same file
// does not release them, and they can be queried without being taken.

static int until_done(int descriptor, int command, struct flock *lock) {
  int result;
  do result = fcntl(descriptor, command, lock);
  while (result != 0 && errno == EINTR);
  return result;
}

int vp_lock(int descriptor, int shared, int64_t start, int64_t length) {
  struct flock lock = {.l_type = shared ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return until_done(descriptor, F_OFD_SETLK, &lock);
}

int vp_unlock(int descriptor, int64_t start, int64_t length) {
  struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return until_done(descriptor, F_OFD_SETLK, &lock);
}

int vp_lock_of_others(int descriptor, int64_t start, int64_t length) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  if (until_done(descriptor, F_OFD_GETLK, &lock) == 0)
    return lock.l_type == F_UNLCK ? VP_LOCK_NONE : lock.l_type == F_RDLCK ? VP_LOCK_SHARED : VP_LOCK_EXCLUSIVE;
  // Without lock support no process holds a lock. Any other error is no answer.
  return errno == EINVAL || errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP ? VP_LOCK_NONE : VP_LOCK_UNKNOWN;
}

int vp_keeps_its_name(const char *path, const char *folder) {
  struct statx file, parent;
  if (statx(AT_FDCWD, folder, 0, STATX_BASIC_STATS, &parent) != 0) return -1;
  if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &file) != 0) return -1;
  if ((file.stx_attributes | parent.stx_attributes) & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND)) return 2;
  if (file.stx_attributes & STATX_ATTR_MOUNT_ROOT) return 3;
  uid_t own = geteuid();
  if ((parent.stx_mode & S_ISVTX) && own != 0 && own != file.stx_uid && own != parent.stx_uid) return 1;
  return 0;
}

int vp_birth(const char *path, int follow_links, int64_t *seconds, uint32_t *nanoseconds) {
  struct statx info;
  if (statx(AT_FDCWD, path, follow_links ? 0 : AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) != 0) return -1;
  int known = (info.stx_mask & STATX_BTIME) != 0;
  *seconds = known ? info.stx_btime.tv_sec : 0;
  *nanoseconds = known ? info.stx_btime.tv_nsec : 0;
  return 0;
}

/// Whether a file's list of attribute names contains this one.
static int has_name(const char *names, ssize_t length, const char *name) {
  for (ssize_t i = 0; i < length; i += (ssize_t)strlen(names + i) + 1)
    if (strcmp(names + i, name) == 0) return 1;
  return 0;
}

/// Attributes that the system sets on a file by its own rules.
static int is_of_system(const char *name) {
  return strncmp(name, "security.", 9) == 0 || strncmp(name, "trusted.", 8) == 0;
}

int vp_copy_attributes(const char *path, int to) {
  static const size_t most = 65536;  // the kernel's limits for a list and for a value
  char *names = malloc(3 * most), *own = names + most, *value = own + most;
  if (!names) return -1;
  int result = -1;
  ssize_t length = llistxattr(path, names, most), own_length = flistxattr(to, own, most);
  if (length < 0 || own_length < 0) {
    if (errno == ENOTSUP) result = 0;
    goto out;
  }
  for (ssize_t i = 0; i < own_length; i += (ssize_t)strlen(own + i) + 1)
    if (!is_of_system(own + i) && !has_name(names, length, own + i) && fremovexattr(to, own + i) != 0) goto out;
  for (ssize_t i = 0; i < length; i += (ssize_t)strlen(names + i) + 1) {
    const char *name = names + i;
    ssize_t size = lgetxattr(path, name, value, most);
    if ((size < 0 || fsetxattr(to, name, value, (size_t)size, 0) != 0) && !is_of_system(name)) goto out;
  }
  result = 0;
out:;
  int code = errno;
  free(names);
  errno = code;
  return result;
}

ssize_t vp_find(const void *bytes, size_t count, const void *sought, size_t sought_count) {
  const char *found = memmem(bytes, count, sought, sought_count);
  return found ? found - (const char *)bytes : -1;
}
