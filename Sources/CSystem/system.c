#define _GNU_SOURCE
#include "CSystem.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

ssize_t vp_copy_file_range(int source, off_t *source_offset, int target, off_t *target_offset, size_t length) {
  return copy_file_range(source, source_offset, target, target_offset, length, 0);
}

int vp_make_temporary(char *path_template) { return mkostemp(path_template, O_CLOEXEC); }
