#define _GNU_SOURCE
#include "CSystem.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

ssize_t vp_copy_file_range(int source, off_t *source_offset, int target, off_t *target_offset, size_t length) {
  return copy_file_range(source, source_offset, target, target_offset, length, 0);
}

void vp_begin_writeback(int descriptor, off_t offset, off_t length) {
  sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}

void vp_keep_freed_memory(void) {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

int vp_make_temporary(char *path_template) { return mkostemp(path_template, O_CLOEXEC); }

// Open file description locks: they belong to the opening and not to the process, so closing another descriptor of
// the same file does not lose them, and they can be asked for without being taken.

int vp_lock(int descriptor) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(descriptor, F_OFD_SETLK, &lock);
}

int vp_is_locked(int descriptor) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int vp_birth(const char *path, int follow_links, int64_t *seconds, uint32_t *nanoseconds) {
  struct statx info;
  if (statx(AT_FDCWD, path, follow_links ? 0 : AT_SYMLINK_NOFOLLOW, STATX_BTIME, &info) != 0) return -1;
  int known = (info.stx_mask & STATX_BTIME) != 0;
  *seconds = known ? info.stx_btime.tv_sec : 0;
  *nanoseconds = known ? info.stx_btime.tv_nsec : 0;
  return 0;
}
