#include <png.h>
#include <string.h>

#include "shared.h"

typedef struct {
  const uint8_t *bytes;
  size_t count, at;
  vp_image_error *error;
} source;

static void read_bytes(png_structp png, png_bytep output, size_t count) {
  source *from = png_get_io_ptr(png);
  if (count > from->count - from->at) {
    vp_failure(from->error, VP_IMAGE_TRUNCATED, "");
    png_longjmp(png, 1);
  }
  memcpy(output, from->bytes + from->at, count);
  from->at += count;
}

static void fail(png_structp png, png_const_charp message) {
  vp_failure(png_get_error_ptr(png), VP_IMAGE_DAMAGED, message);
  png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

typedef void reading(png_structp png, png_infop info, void *context);

// Reads everything before the pixels, and runs `body` for the rest. All errors return here, past nothing that would
// have to be freed.
static vp_image_status with_png(
    const uint8_t *bytes, size_t count, vp_image_error *error, reading *body, void *context) {
  source from = {bytes, count, 0, error};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, error, fail, ignore);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info) {
    png_destroy_read_struct(&png, NULL, NULL);
    return vp_failure(error, VP_IMAGE_MEMORY, "");
  }
  if (setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    return error->status;
  }
  png_set_read_fn(png, &from, read_bytes);
  // The caller has its own limit, in pixels.
  png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
  // Skip colour profiles, texts and other chunks that do not affect the pixels.
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_read_info(png, info);
  body(png, info, context);
  png_destroy_read_struct(&png, &info, NULL);
  return VP_IMAGE_OK;
}

static void read_size(png_structp png, png_infop info, void *context) {
  uint32_t *size = context;
  size[0] = png_get_image_width(png, info);
  size[1] = png_get_image_height(png, info);
}

vp_image_status vp_png_size(const uint8_t *bytes, size_t count, uint32_t size[2], vp_image_error *error) {
  return with_png(bytes, count, error, read_size, size);
}

// Like `vp_widen_grey`: rows of one or two bytes per pixel become rows of three.

static void widen_palette(uint8_t *row, size_t width, png_const_colorp palette, int colours) {
  for (size_t x = width; x-- > 0;) {
    int index = row[x];
    // An index outside the palette is black.
    png_color colour = {0, 0, 0};
    if (index < colours) colour = palette[index];
    row[3 * x] = colour.red;
    row[3 * x + 1] = colour.green;
    row[3 * x + 2] = colour.blue;
  }
}

// Pillow's conversion of its mode I;16 to RGB: values above 255 become 255, so most 16-bit images become white. That is
// a flaw, but models were trained with it.
static void widen_grey16(uint8_t *row, size_t width) {
  for (size_t x = width; x-- > 0;) {
    uint8_t grey = row[2 * x] ? 255 : row[2 * x + 1];
    row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = grey;
  }
}

typedef struct {
  const uint32_t *size;
  uint8_t *rgb;
} picture;

static void read_pixels(png_structp png, png_infop info, void *context) {
  const uint32_t *size = ((picture *)context)->size;
  uint8_t *rgb = ((picture *)context)->rgb;
  if (png_get_image_width(png, info) != size[0] || png_get_image_height(png, info) != size[1]) {
    png_error(png, "size");
  }
  int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
  int grey16 = type == PNG_COLOR_TYPE_GRAY && depth == 16;
  if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (type == PNG_COLOR_TYPE_PALETTE && depth < 8) png_set_packing(png);
  // The high byte, not the nearest value.
  if (depth == 16 && !grey16) png_set_strip_16(png);
  // Alpha is dropped, not blended.
  if (type & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png);
  int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  size_t stride = (size_t)size[0] * 3;
  if (png_get_rowbytes(png, info) > stride) png_error(png, "row");
  for (int pass = 0; pass < passes; pass++) {
    for (uint32_t y = 0; y < size[1]; y++) png_read_row(png, rgb + y * stride, NULL);
  }
  png_colorp palette = NULL;
  int colours = 0;
  png_get_PLTE(png, info, &palette, &colours);
  for (uint32_t y = 0; y < size[1]; y++) {
    uint8_t *row = rgb + y * stride;
    if (type == PNG_COLOR_TYPE_PALETTE) widen_palette(row, size[0], palette, colours);
    else if (grey16) widen_grey16(row, size[0]);
    else if (!(type & PNG_COLOR_MASK_COLOR)) vp_widen_grey(row, size[0]);
  }
}

vp_image_status vp_png_decode(
    const uint8_t *bytes, size_t count, const uint32_t size[2], uint8_t *rgb, vp_image_error *error) {
  picture into = {size, rgb};
  return with_png(bytes, count, error, read_pixels, &into);
}
