// Operations on sixteen float32 numbers, independent of the instruction set; used by the kernels. Included once by each
// file that sets a target.

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };
typedef float floats __attribute__((vector_size(64)));
typedef float unaligned_floats __attribute__((vector_size(64), aligned(4)));
typedef int32_t ints __attribute__((vector_size(64)));
typedef double doubles __attribute__((vector_size(128)));

#define INLINE static inline __attribute__((always_inline))

INLINE floats load(const float *x) { return *(const unaligned_floats *)x; }
INLINE void store(float *x, floats v) { *(unaligned_floats *)x = v; }

/// The first n < 16 numbers, and zeros.
INLINE floats load_some(const float *x, size_t n) {
  floats v = {0};
  memcpy(&v, x, n * sizeof(float));
  return v;
}
INLINE void store_some(float *x, floats v, size_t n) { memcpy(x, &v, n * sizeof(float)); }

/// Iterates over n numbers in groups of sixteen. In the body, AT(p) reads from p, and PUT(p, v) writes to it.
#define EACH(n, body)                                      \
  do {                                                     \
    size_t i = 0;                                          \
    for (; i + LANES <= (n); i += LANES) {                 \
      enum { some = 0 };                                   \
      const size_t rest = LANES;                           \
      (void)rest;                                          \
      body                                                 \
    }                                                      \
    if (i < (n)) {                                         \
      enum { some = 1 };                                   \
      const size_t rest = (n) - i;                         \
      body                                                 \
    }                                                      \
  } while (0)
#define AT(p) (some ? load_some((p) + i, rest) : load((p) + i))
#define PUT(p, v)                               \
  do {                                          \
    floats put_ = (v);                          \
    if (some)                                   \
      store_some((p) + i, put_, rest);          \
    else                                        \
      store((p) + i, put_);                     \
  } while (0)

/// Adds the lanes in halves, always in the same order.
INLINE float sum_lanes(floats v) {
  float s[LANES];
  memcpy(s, &v, sizeof s);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) s[i] += s[i + width];
  return s[0];
}
INLINE double sum_double_lanes(doubles v) {
  double s[LANES];
  memcpy(s, &v, sizeof s);
  for (int width = 8; width > 0; width /= 2)
    for (int i = 0; i < width; i++) s[i] += s[i + width];
  return s[0];
}
INLINE doubles widen_lanes(floats v) { return __builtin_convertvector(v, doubles); }
INLINE floats select_lanes(ints mask, floats yes, floats no) {
  return (floats)(((ints)yes & mask) | ((ints)no & ~mask));
}
INLINE floats larger(floats a, floats b) { return select_lanes(a > b, a, b); }
INLINE float largest_lane(floats v) {
  float m = v[0];
  for (int i = 1; i < LANES; i++)
    if (v[i] > m) m = v[i];
  return m;
}
INLINE floats splat(float x) { return (floats){x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x}; }

/// exp(x), within 2 ulp; 0 below −87.33, where the result would be subnormal; infinity above 88.72; NaN for NaN.
///
/// Cody and Waite's reduction, x = k·ln 2 + r with |r| ≤ ½ ln 2, and the Taylor polynomial of degree 7 (its remainder,
/// r⁸/8!, is below 2⁻²⁷).
INLINE floats exp_lanes(floats x) {
  const floats magic = splat(12582912.0f);  // 1.5·2²³: adding it rounds to an integer
  floats bounded = select_lanes(x < splat(-87.33f), splat(-87.33f), x);
  bounded = select_lanes(bounded > splat(88.73f), splat(88.73f), bounded);
  floats k = bounded * splat(1.44269504f) + magic;
  ints exponent = (ints)k - (ints)magic;
  k -= magic;
  floats r = bounded - k * splat(0.693359375f);
  r = r - k * splat(-2.12194440e-4f);
  floats p = splat(1.0f / 5040);
  p = p * r + splat(1.0f / 720);
  p = p * r + splat(1.0f / 120);
  p = p * r + splat(1.0f / 24);
  p = p * r + splat(1.0f / 6);
  p = p * r + splat(0.5f);
  p = p * r * r + r;
  p = p + splat(1.0f);
  // Two factors: 2¹²⁸ is not a float, although the result at the upper end may be one.
  ints half = exponent >> 1;
  floats result = p * (floats)((half + 127) << 23) * (floats)((exponent - half + 127) << 23);
  result = select_lanes(x < splat(-87.33f), splat(0.0f), result);
  result = select_lanes(x > splat(88.7228394f), splat(INFINITY), result);
  return select_lanes(x != x, x, result);
}

/// Φ(x) = ½ · (1 + erf(x/√2)), within 1.3e-7.
///
/// With t = |x|/√2: up to 1, erf(t) = t·P(t²); from there to 4, erf(t) = 1 − exp(−Q(t)); beyond, it is 1. P and Q are
/// minimax polynomials (maximum error 2e-9).
INLINE floats normal_lanes(floats x) {
  floats t = x * splat(0.707106781f);
  floats size = select_lanes(t < splat(0.0f), -t, t);
  floats s = t * t;
  floats p = splat(7.889122935e-5f);
  p = p * s + splat(-8.020842215e-4f);
  p = p * s + splat(5.189535674e-3f);
  p = p * s + splat(-2.685444430e-2f);
  p = p * s + splat(0.112836003f);
  p = p * s + splat(-0.376126260f);
  p = p * s + splat(1.128379107f);
  floats bounded = select_lanes(size > splat(4.0f), splat(4.0f), size);
  floats q = splat(2.168675746e-5f);
  q = q * bounded + splat(-4.413352290e-4f);
  q = q * bounded + splat(4.204555880e-3f);
  q = q * bounded + splat(-2.520824037e-2f);
  q = q * bounded + splat(0.108418547f);
  q = q * bounded + splat(0.633219898f);
  q = q * bounded + splat(1.129578352f);
  q = q * bounded + splat(-1.880367927e-4f);
  floats far = splat(1.0f) - exp_lanes(-q);
  far = select_lanes(t < splat(0.0f), -far, far);
  return splat(0.5f) + splat(0.5f) * select_lanes(size < splat(1.0f), t * p, far);
}
