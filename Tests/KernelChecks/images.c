// The image decoders, and resizing.
#include <zlib.h>

#include "CImages.h"
#include "checks.h"

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static void check_inflate(random_source *random, vp_guard guard) {
  arena a = {.guard = guard};
  size_t count = below(random, 300);
  uint8_t *plain = guarded_noise(&a, count, random), packed[1024];
  uLongf length = sizeof packed;
  compress(packed, &length, plain, count);
  if (below(random, 2)) packed[below(random, length)] ^= (uint8_t)(1 + below(random, 255));
  size_t given = below(random, 3) ? length : below(random, length);
  // As much space as needed, or slightly less or more.
  size_t capacity = count + below(random, 3);
  capacity -= smaller(capacity, below(random, 3));
  vp_inflate(memcpy(guarded(&a, given), packed, given), given, guarded(&a, capacity), capacity);
  release(&a);
}

const char *vp_check_resizing(uint64_t seed, vp_guard guard) {
  random_source random = {seed};
  check_inflate(&random, guard);
  arena a = {.guard = guard};
  size_t width = 1 + below(&random, 40), height = 1 + below(&random, 40);
  size_t new_width = below(&random, 4) ? 1 + below(&random, 60) : width;
  size_t new_height = below(&random, 4) ? 1 + below(&random, 60) : height;
  size_t left = below(&random, new_width), top = below(&random, new_height);
  size_t part_width = below(&random, new_width - left + 1), part_height = below(&random, new_height - top + 1);
  const uint8_t *rgb = guarded_noise(&a, 3 * width * height, &random);
  for (int filter = VP_FILTER_NEAREST; filter <= VP_FILTER_BICUBIC; filter++) {
    uint8_t *output = guarded(&a, 3 * part_width * part_height);
    vp_resize(rgb, (int64_t)width, (int64_t)height, (int64_t)new_width, (int64_t)new_height, (int64_t)left,
              (int64_t)top, (int64_t)part_width, (int64_t)part_height, (vp_filter)filter, output);
  }
  release(&a);
  return NULL;
}

typedef vp_image_status size_function(const uint8_t *, size_t, uint32_t[2], vp_image_error *);
typedef vp_image_status decode_function(const uint8_t *, size_t, const uint32_t[2], uint8_t *, vp_image_error *);

/// A damaged image may declare a large size.
enum { most_pixels = 1 << 18 };

static void decode(const uint8_t *file, size_t count, vp_guard guard) {
  static size_function *const sizes[] = {vp_png_size, vp_jpeg_size, vp_webp_size};
  static decode_function *const decoders[] = {vp_png_decode, vp_jpeg_decode, vp_webp_decode};
  // Every decoder gets every file: a file of another format is hostile input, too.
  for (int kind = 0; kind < 3; kind++) {
    arena a = {.guard = guard};
    uint32_t size[2];
    vp_image_error error;
    const uint8_t *bytes = memcpy(guarded(&a, count), file, count);
    if (sizes[kind](bytes, count, size, &error) == VP_IMAGE_OK && (uint64_t)size[0] * size[1] <= most_pixels)
      decoders[kind](bytes, count, size, guarded(&a, (size_t)3 * size[0] * size[1]), &error);
    release(&a);
  }
}

const char *vp_check_image(const uint8_t *file, size_t count, uint64_t seed, size_t damages, vp_guard guard) {
  random_source random = {seed};
  decode(file, count, guard);
  if (count == 0) return NULL;
  vp_guarded copy = vp_guard_bytes(count, VP_GUARD_END);
  uint8_t *bytes = copy.start;
  for (size_t i = 0; i < damages; i++) {
    decode(file, below(&random, count), guard);
    memcpy(bytes, file, count);
    for (size_t n = 1 + below(&random, 3); n-- > 0;) bytes[below(&random, count)] ^= (uint8_t)(1 + below(&random, 255));
    decode(bytes, count, guard);
  }
  vp_unguard(copy);
  return NULL;
}
