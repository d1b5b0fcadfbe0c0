#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
// After <stdio.h> and <stddef.h>, whose types it uses.
#include <jpeglib.h>
#include <jerror.h>

#include "shared.h"

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf back;
  vp_image_error *error;
} manager;

static void fail(j_common_ptr jpeg) {
  manager *errors = (manager *)jpeg->err;
  char message[JMSG_LENGTH_MAX];
  errors->base.format_message(jpeg, message);
  vp_image_status status = errors->base.msg_code == JERR_OUT_OF_MEMORY ? VP_IMAGE_MEMORY : VP_IMAGE_DAMAGED;
  vp_failure(errors->error, status, message);
  longjmp(errors->back, 1);
}

static void emit(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  jpeg->err->num_warnings++;
  switch (jpeg->err->msg_code) {
    // Damage that the library hides by inventing pixels.
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_JPEG_EOF:
      fail(jpeg);
  }
}

static void no_output(j_common_ptr jpeg) { (void)jpeg; }

// A file of a thousand scans takes a thousand times as long to decode.
static void limit_scans(j_common_ptr jpeg) {
  j_decompress_ptr decompress = (j_decompress_ptr)jpeg;
  if (decompress->input_scan_number <= 500) return;
  manager *errors = (manager *)jpeg->err;
  vp_failure(errors->error, VP_IMAGE_DAMAGED, "it has more than 500 scans");
  longjmp(errors->back, 1);
}

// All data is in the buffer from the start, so a request for more means that the file ends too early. The library then
// suspends, which the caller notices.
static void init_source(j_decompress_ptr jpeg) { (void)jpeg; }
static void term_source(j_decompress_ptr jpeg) { (void)jpeg; }
static boolean no_more(j_decompress_ptr jpeg) {
  (void)jpeg;
  return FALSE;
}
static void skip(j_decompress_ptr jpeg, long count) {
  if (count <= 0) return;
  size_t step = (size_t)count < jpeg->src->bytes_in_buffer ? (size_t)count : jpeg->src->bytes_in_buffer;
  jpeg->src->next_input_byte += step;
  jpeg->src->bytes_in_buffer -= step;
}

typedef struct {
  struct jpeg_decompress_struct jpeg;
  manager errors;
  struct jpeg_source_mgr from;
  struct jpeg_progress_mgr progress;
  // A row of CMYK.
  uint8_t *row;
} reader;

static void open_jpeg(reader *r, const uint8_t *bytes, size_t count, vp_image_error *error) {
  memset(r, 0, sizeof *r);
  r->jpeg.err = jpeg_std_error(&r->errors.base);
  r->errors.error = error;
  r->errors.base.error_exit = fail;
  r->errors.base.emit_message = emit;
  r->errors.base.output_message = no_output;
  r->from.init_source = init_source;
  r->from.fill_input_buffer = no_more;
  r->from.skip_input_data = skip;
  r->from.resync_to_restart = jpeg_resync_to_restart;
  r->from.term_source = term_source;
  r->from.next_input_byte = bytes;
  r->from.bytes_in_buffer = count;
  r->progress.progress_monitor = limit_scans;
}

typedef vp_image_status reading(reader *r, void *context);

// Runs `body`. All errors return here; everything that has to be freed is in the reader.
static vp_image_status with_jpeg(
    const uint8_t *bytes, size_t count, vp_image_error *error, reading *body, void *context) {
  reader r;
  open_jpeg(&r, bytes, count, error);
  vp_image_status status;
  if (setjmp(r.errors.back)) {
    status = error->status;
  } else {
    status = body(&r, context);
  }
  jpeg_destroy_decompress(&r.jpeg);
  free(r.row);
  return status;
}

static vp_image_status read_size(reader *r, void *context) {
  uint32_t *size = context;
  vp_image_error *error = r->errors.error;
  jpeg_create_decompress(&r->jpeg);
  r->jpeg.src = &r->from;
  r->jpeg.progress = &r->progress;
  if (jpeg_read_header(&r->jpeg, TRUE) != JPEG_HEADER_OK) return vp_failure(error, VP_IMAGE_TRUNCATED, "");
  int components = r->jpeg.num_components;
  if (components != 1 && components != 3 && components != 4) {
    char message[64];
    snprintf(message, sizeof message, "it has %d colour components", components);
    return vp_failure(error, VP_IMAGE_UNSUPPORTED, message);
  }
  size[0] = r->jpeg.image_width;
  size[1] = r->jpeg.image_height;
  return VP_IMAGE_OK;
}

vp_image_status vp_jpeg_size(const uint8_t *bytes, size_t count, uint32_t size[2], vp_image_error *error) {
  return with_jpeg(bytes, count, error, read_size, size);
}

static inline uint8_t product255(unsigned a, unsigned b) {
  unsigned t = a * b + 128;
  return (uint8_t)(((t >> 8) + t) >> 8);
}

// Like Pillow, assumes CMYK in JPEG to be inverted, as Adobe writes it: 255 is no ink. In the conversion to RGB, an ink
// c over a black k gives (255 - k) - (255 - k) · c / 255.
static void from_cmyk(const uint8_t *cmyk, uint8_t *rgb, size_t width) {
  for (size_t x = 0; x < width; x++, cmyk += 4, rgb += 3) {
    unsigned light = cmyk[3];
    for (int c = 0; c < 3; c++) {
      int value = (int)light - product255(255u - cmyk[c], light);
      rgb[c] = (uint8_t)(value < 0 ? 0 : value);
    }
  }
}

typedef struct {
  const uint32_t *size;
  uint8_t *rgb;
} picture;

static vp_image_status read_pixels(reader *r, void *context) {
  const picture *into = context;
  vp_image_error *error = r->errors.error;
  uint32_t size[2];
  vp_image_status status = read_size(r, size);
  if (status != VP_IMAGE_OK) return status;
  if (size[0] != into->size[0] || size[1] != into->size[1]) return vp_failure(error, VP_IMAGE_DAMAGED, "size");
  int components = r->jpeg.num_components;
  size_t width = size[0];
  r->jpeg.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  r->jpeg.dct_method = JDCT_ISLOW;
  if (components == 4 && !(r->row = malloc(width * 4))) return vp_failure(error, VP_IMAGE_MEMORY, "");
  int whole = jpeg_start_decompress(&r->jpeg);
  for (uint32_t y = 0; whole && y < size[1]; y++) {
    uint8_t *target = into->rgb + y * width * 3, *row = components == 4 ? r->row : target;
    whole = jpeg_read_scanlines(&r->jpeg, &row, 1) == 1;
    if (!whole) break;
    if (components == 4) from_cmyk(r->row, target, width);
    if (components == 1) vp_widen_grey(target, width);
  }
  return whole ? VP_IMAGE_OK : vp_failure(error, VP_IMAGE_TRUNCATED, "");
}

vp_image_status vp_jpeg_decode(
    const uint8_t *bytes, size_t count, const uint32_t size[2], uint8_t *rgb, vp_image_error *error) {
  picture into = {size, rgb};
  return with_jpeg(bytes, count, error, read_pixels, &into);
}
