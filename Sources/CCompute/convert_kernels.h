// Conversions, included once per instruction set, in a file that defines
//   KERNELS            the name of its table
//   LANES, HAS_FMA     see vectors.h
#include "convert.h"
#include "vectors.h"

static void widen_bf16s(const uint16_t *numbers, float *result, size_t count) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) store_floats(result + i, load_floats(VP_TYPE_BF16, numbers + i));
  store_some_floats(result + i, load_some_floats(VP_TYPE_BF16, numbers + i, count - i), count - i);
}

static void widen_f16s(const uint16_t *numbers, float *result, size_t count) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) store_floats(result + i, load_floats(VP_TYPE_F16, numbers + i));
  store_some_floats(result + i, load_some_floats(VP_TYPE_F16, numbers + i, count - i), count - i);
}

INLINE halfwords narrow(floats v) {
  words bits = (words)v;
  words rounded = bits + 0x7fff + (bits >> 16 & 1);
  words is_nan = (words)((bits & 0x7fffffff) > 0x7f800000);
  words result = (rounded & ~is_nan) | ((bits | 0x00400000) & is_nan);
  return __builtin_convertvector(result >> 16, halfwords);
}

static void narrow_bf16s(const float *numbers, uint16_t *result, size_t count) {
  size_t i = 0;
  for (; i + LANES <= count; i += LANES) {
    halfwords narrowed = narrow(load_floats(VP_TYPE_F32, numbers + i));
    memcpy(result + i, &narrowed, sizeof narrowed);
  }
  halfwords narrowed = narrow(load_some_floats(VP_TYPE_F32, numbers + i, count - i));
  memcpy(result + i, &narrowed, (count - i) * 2);
}

const vp_convert_kernels KERNELS = {widen_bf16s, widen_f16s, narrow_bf16s};
