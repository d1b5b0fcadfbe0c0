#include <zlib.h>

#include "CImages.h"

ptrdiff_t vp_inflate(const uint8_t *bytes, size_t count, uint8_t *output, size_t capacity) {
  uLongf length = capacity;
  return uncompress(output, &length, bytes, count) == Z_OK ? (ptrdiff_t)length : -1;
}
