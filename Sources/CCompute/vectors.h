// Vectors of LANES float32 or 32-bit words, loaded from any vp_type. Included once in a file, which defines
//   LANES     16, 8 or 4
//   HAS_FMA   1 if there are instructions for fused multiply-add and for converting float16; undefined for the
//             baseline
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "gemm.h"

#ifndef HAS_FMA
#if defined(__aarch64__)
#define HAS_FMA 1
#else
#define HAS_FMA 0
#endif
#endif

#define INLINE static inline __attribute__((always_inline, unused))

typedef float floats __attribute__((vector_size(4 * LANES)));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef int32_t conditions __attribute__((vector_size(4 * LANES)));
typedef uint16_t halfwords __attribute__((vector_size(2 * LANES)));

INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

INLINE size_t rounded_up(size_t count, size_t unit) { return (count + unit - 1) / unit * unit; }

INLINE size_t width(vp_type type) { return type == VP_TYPE_F32 ? 4 : 2; }

INLINE const void *at(vp_type type, const void *numbers, size_t index) {
  return (const char *)numbers + index * width(type);
}

INLINE words load_words(const void *p) {
  words v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE words load_halfwords(const void *p) {
  halfwords v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, words);
}

INLINE floats widen_bf16(const void *p) { return (floats)(load_halfwords(p) << 16); }

/// Exact; a NaN is quieted.
INLINE floats widen_f16(const void *p) {
#if HAS_FMA
  typedef _Float16 halves __attribute__((vector_size(2 * LANES)));
  halves v;
  memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, floats);
#else
  words bits = load_halfwords(p);
  words magnitude = bits & 0x7fff;
  // Exponents differ by 112. A subnormal number stays subnormal in float32 until it is multiplied.
  words finite = (words)((floats)(magnitude << 13) * 0x1p112f);
  words special = (words)(magnitude >= 0x7c00) & 0x7f800000;
  words quiet = (words)(magnitude > 0x7c00) & 0x00400000;
  return (floats)(finite | special | quiet | (bits & 0x8000) << 16);
#endif
}

/// sum + a * b, with a single rounding if HAS_FMA.
INLINE floats fused_multiply_add(floats sum, floats a, floats b) {
#if HAS_FMA
  return __builtin_elementwise_fma(a, b, sum);
#else
  return sum + a * b;
#endif
}

/// LANES numbers as float32.
INLINE floats load_floats(vp_type type, const void *p) {
  switch (type) {
    case VP_TYPE_F32: return (floats)load_words(p);
    case VP_TYPE_BF16: return widen_bf16(p);
    case VP_TYPE_F16: return widen_f16(p);
  }
}

/// The first `count` numbers, and zeros.
INLINE floats load_some_floats(vp_type type, const void *p, size_t count) {
  if (count >= LANES) return load_floats(type, p);
  uint32_t numbers[LANES] = {0};
  memcpy(numbers, p, count * width(type));
  return load_floats(type, numbers);
}

INLINE void store_floats(float *p, floats v) { memcpy(p, &v, sizeof v); }

INLINE void store_some_floats(float *p, floats v, size_t count) { memcpy(p, &v, count * sizeof(float)); }
