// Decodes PNG, JPEG and WebP in memory to 8-bit RGB, with libpng, libjpeg-turbo and libwebp; and resizes images.
//
// All functions are thread-safe and stateless. Nothing is printed.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum {
  VP_IMAGE_OK = 0,
  /// The data ends before the image does.
  VP_IMAGE_TRUNCATED,
  /// The data violates the format; the message has the library's reason.
  VP_IMAGE_DAMAGED,
  /// A valid image of an unsupported kind; the message says which.
  VP_IMAGE_UNSUPPORTED,
  /// There is not enough memory.
  VP_IMAGE_MEMORY,
} vp_image_status;

typedef struct {
  vp_image_status status;
  char message[160];
} vp_image_error;

/// The size of an image from its header, without applying an orientation. No pixels are decoded.
vp_image_status vp_png_size(const uint8_t *bytes, size_t count, uint32_t size[2], vp_image_error *error);
vp_image_status vp_jpeg_size(const uint8_t *bytes, size_t count, uint32_t size[2], vp_image_error *error);
vp_image_status vp_webp_size(const uint8_t *bytes, size_t count, uint32_t size[2], vp_image_error *error);

/// Writes the pixels, 3 · width · height bytes, to `rgb`. `size` is the header function's result for the same data.
vp_image_status vp_png_decode(
    const uint8_t *bytes, size_t count, const uint32_t size[2], uint8_t *rgb, vp_image_error *error);
vp_image_status vp_jpeg_decode(
    const uint8_t *bytes, size_t count, const uint32_t size[2], uint8_t *rgb, vp_image_error *error);
vp_image_status vp_webp_decode(
    const uint8_t *bytes, size_t count, const uint32_t size[2], uint8_t *rgb, vp_image_error *error);

/// Decompresses a zlib stream. Returns the number of bytes written, or -1 if it is damaged or exceeds `capacity`.
ptrdiff_t vp_inflate(const uint8_t *bytes, size_t count, uint8_t *output, size_t capacity);

typedef enum {
  VP_FILTER_NEAREST = 0,
  VP_FILTER_LANCZOS = 1,
  VP_FILTER_BILINEAR = 2,
  VP_FILTER_BICUBIC = 3,
} vp_filter;

/// Resizes an RGB image from `width` × `height` to `new_width` × `new_height`, and writes the part of the result that
/// begins at (`left`, `top`) and has `part_width` × `part_height` pixels, 3 · part_width · part_height bytes, to
/// `output`. Returns 0, or -1 if there is not enough memory.
int vp_resize(
    const uint8_t *rgb, int64_t width, int64_t height, int64_t new_width, int64_t new_height, int64_t left, int64_t top,
    int64_t part_width, int64_t part_height, vp_filter filter, uint8_t *output);
