#pragma once
#include <stdio.h>

#include "CImages.h"

static inline vp_image_status vp_failure(vp_image_error *error, vp_image_status status, const char *message) {
  error->status = status;
  snprintf(error->message, sizeof error->message, "%s", message);
  return status;
}

/// In place, from the end: a row of one byte per pixel becomes one of three.
static inline void vp_widen_grey(uint8_t *row, size_t width) {
  for (size_t x = width; x-- > 0;) {
    uint8_t grey = row[x];
    row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = grey;
  }
}
