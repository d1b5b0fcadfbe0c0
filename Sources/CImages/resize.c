#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "CImages.h"

// Pillow's resizing of 8-bit images, to the last bit: a filter stretched by the scale where the image shrinks, its
// weights in fixed point with 22 bits behind the point, first along rows and then along columns, with rounding to
// 8 bits in between.

#pragma STDC FP_CONTRACT OFF

enum { BITS = 22 };

static double bilinear(double x) {
  x = fabs(x);
  return x < 1 ? 1 - x : 0;
}

// Keys, Cubic convolution interpolation, 1981, with a = -1/2.
static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

static double sinc(double x) {
  if (x == 0) return 1;
  x *= M_PI;
  return sin(x) / x;
}

static double lanczos(double x) { return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

// The weights for a part of an axis: those of output i begin at weights[i * width] and belong to inputs from first[i]
// on, count[i] of them.
typedef struct {
  int64_t width;
  int64_t *first, *count;
  int32_t *weights;
} taps;

static void free_taps(taps *t) {
  free(t->first);
  free(t->count);
  free(t->weights);
}

static int make_taps(taps *t, int64_t in, int64_t out, int64_t start, int64_t part, vp_filter filter) {
  double (*curve)(double) = filter == VP_FILTER_BICUBIC ? bicubic : filter == VP_FILTER_LANCZOS ? lanczos : bilinear;
  double reach = filter == VP_FILTER_BICUBIC ? 2 : filter == VP_FILTER_LANCZOS ? 3 : 1;
  double scale = (double)in / (double)out, stretch = scale < 1 ? 1 : scale;
  double support = reach * stretch, step = 1 / stretch;
  t->width = (int64_t)ceil(support) * 2 + 1;
  t->first = malloc(sizeof(int64_t) * (size_t)part);
  t->count = malloc(sizeof(int64_t) * (size_t)part);
  t->weights = calloc((size_t)(part * t->width), sizeof(int32_t));
  double *values = malloc(sizeof(double) * (size_t)t->width);
  if (!t->first || !t->count || !t->weights || !values) {
    free(values);
    return -1;
  }
  for (int64_t i = 0; i < part; i++) {
    double center = ((double)(start + i) + 0.5) * scale, total = 0;
    int64_t low = (int64_t)(center - support + 0.5), high = (int64_t)(center + support + 0.5);
    if (low < 0) low = 0;
    if (high > in) high = in;
    for (int64_t k = 0; k < high - low; k++) {
      values[k] = curve(((double)(k + low) - center + 0.5) * step);
      total += values[k];
    }
    for (int64_t k = 0; k < high - low; k++) {
      double value = (total != 0 ? values[k] / total : values[k]) * (1 << BITS);
      t->weights[i * t->width + k] = (int32_t)(value < 0 ? value - 0.5 : value + 0.5);
    }
    t->first[i] = low;
    t->count[i] = high - low;
  }
  free(values);
  return 0;
}

static inline uint8_t clip(int32_t sum) {
  int32_t value = sum >> BITS;
  return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void resize_row(const uint8_t *row, const taps *t, int64_t part, uint8_t *output) {
  for (int64_t x = 0; x < part; x++) {
    const int32_t *weights = t->weights + x * t->width;
    const uint8_t *from = row + 3 * t->first[x];
    int32_t red = 1 << (BITS - 1), green = red, blue = red;
    for (int64_t k = 0; k < t->count[x]; k++, from += 3) {
      red += from[0] * weights[k];
      green += from[1] * weights[k];
      blue += from[2] * weights[k];
    }
    output[3 * x] = clip(red);
    output[3 * x + 1] = clip(green);
    output[3 * x + 2] = clip(blue);
  }
}

// One row of the result out of `count` rows that are `stride` bytes apart; `sums` holds a number for each byte.
static void blend_rows(
    const uint8_t *rows, int64_t stride, const int32_t *weights, int64_t count, int64_t bytes, int32_t *restrict sums,
    uint8_t *restrict output) {
  for (int64_t i = 0; i < bytes; i++) sums[i] = 1 << (BITS - 1);
  for (int64_t k = 0; k < count; k++) {
    const uint8_t *row = rows + k * stride;
    int32_t weight = weights[k];
    for (int64_t i = 0; i < bytes; i++) sums[i] += row[i] * weight;
  }
  for (int64_t i = 0; i < bytes; i++) output[i] = clip(sums[i]);
}

static int64_t nearest_index(int64_t i, int64_t in, int64_t out) {
  int64_t index = (int64_t)(((double)i + 0.5) * ((double)in / (double)out));
  return index < in ? index : in - 1;
}

static void resize_nearest(
    const uint8_t *rgb, int64_t width, int64_t height, int64_t new_width, int64_t new_height, int64_t left, int64_t top,
    int64_t part_width, int64_t part_height, uint8_t *output) {
  for (int64_t y = 0; y < part_height; y++) {
    const uint8_t *row = rgb + nearest_index(top + y, height, new_height) * width * 3;
    for (int64_t x = 0; x < part_width; x++, output += 3) {
      memcpy(output, row + 3 * nearest_index(left + x, width, new_width), 3);
    }
  }
}

int vp_resize(
    const uint8_t *rgb, int64_t width, int64_t height, int64_t new_width, int64_t new_height, int64_t left, int64_t top,
    int64_t part_width, int64_t part_height, vp_filter filter, uint8_t *output) {
  if (filter == VP_FILTER_NEAREST) {
    resize_nearest(rgb, width, height, new_width, new_height, left, top, part_width, part_height, output);
    return 0;
  }
  // An axis that keeps its length is not filtered: its weights would be 1 and 0.
  int wide = width != new_width, high = height != new_height, failed = 0;
  taps across = {0}, down = {0};
  uint8_t *middle = NULL;
  int32_t *sums = NULL;
  int64_t bytes = part_width * 3;
  if (wide) failed = make_taps(&across, width, new_width, left, part_width, filter);
  if (high && !failed) failed = make_taps(&down, height, new_height, top, part_height, filter);
  if (!failed) {
    // The rows of the image that the result is made of.
    int64_t begin = high ? down.first[0] : top;
    int64_t end = high ? down.first[part_height - 1] + down.count[part_height - 1] : top + part_height;
    const uint8_t *rows = rgb + begin * width * 3 + left * 3;
    int64_t stride = width * 3;
    if (wide) {
      middle = high ? malloc((size_t)((end - begin) * bytes)) : output;
      failed = !middle;
      for (int64_t y = 0; !failed && y < end - begin; y++) {
        resize_row(rgb + (begin + y) * width * 3, &across, part_width, middle + y * bytes);
      }
      rows = middle;
      stride = bytes;
    }
    if (high) {
      sums = malloc(sizeof(int32_t) * (size_t)bytes);
      failed = failed || !sums;
      for (int64_t y = 0; !failed && y < part_height; y++) {
        blend_rows(
            rows + (down.first[y] - begin) * stride, stride, down.weights + y * down.width, down.count[y], bytes, sums,
            output + y * bytes);
      }
      free(sums);
      if (wide) free(middle);
    } else if (!wide) {
      for (int64_t y = 0; y < part_height; y++) memcpy(output + y * bytes, rows + y * stride, (size_t)bytes);
    }
  }
  free_taps(&across);
  free_taps(&down);
  return failed ? -1 : 0;
}
