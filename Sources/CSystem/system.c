#define _GNU_SOURCE
#include "CSystem.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
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
