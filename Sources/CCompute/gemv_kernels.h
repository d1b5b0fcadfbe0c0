// Products with few vectors, included once per instruction set, in a file that defines
//   KERNEL             the name of its function
//   REGISTERS          number of registers for 16 float32 lanes
//   HAS_FMA            see vectors.h
//
// There are always 16 lanes, and one vector of them per sum: several rows at once keep the processor busy.

// All functions that take or return a vector are inlined, so the calling convention for vectors does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

#define LANES 16
#include "gemv.h"
#include "vectors.h"

enum { most_vectors = 8 };

INLINE float total(floats v) {
  typedef float eight __attribute__((vector_size(32)));
  typedef float four __attribute__((vector_size(16)));
  typedef float two __attribute__((vector_size(8)));
  eight a = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
            __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
  four b = __builtin_shufflevector(a, a, 0, 1, 2, 3) + __builtin_shufflevector(a, a, 4, 5, 6, 7);
  two c = __builtin_shufflevector(b, b, 0, 1) + __builtin_shufflevector(b, b, 2, 3);
  return c[0] + c[1];
}

/// The products of `rows` rows and `count` vectors; both are constants.
INLINE void multiply_rows(int rows, int count, size_t k, const void *w, vp_type type, size_t ldw, const float *x,
                          size_t ldx, float *y, size_t ldy) {
  floats sums[4][most_vectors];
  _Pragma("unroll") for (int i = 0; i < rows; i++)
    _Pragma("unroll") for (int j = 0; j < count; j++) sums[i][j] = (floats){0};
  size_t p = 0;
  for (; p + LANES <= k; p += LANES) {
    floats vector[most_vectors];
    _Pragma("unroll") for (int j = 0; j < count; j++) vector[j] = load_floats(VP_TYPE_F32, x + j * ldx + p);
    _Pragma("unroll") for (int i = 0; i < rows; i++) {
      // Prefetch: hardware prefetching does not cover several short rows.
      __builtin_prefetch(at(type, w, (i + 2 * rows) * ldw + p));
      floats row = load_floats(type, at(type, w, i * ldw + p));
      _Pragma("unroll") for (int j = 0; j < count; j++) sums[i][j] = fused_multiply_add(sums[i][j], row, vector[j]);
    }
  }
  if (p < k) {
    for (int i = 0; i < rows; i++) {
      floats row = load_some_floats(type, at(type, w, i * ldw + p), k - p);
      for (int j = 0; j < count; j++)
        sums[i][j] = fused_multiply_add(sums[i][j], row, load_some_floats(VP_TYPE_F32, x + j * ldx + p, k - p));
    }
  }
  _Pragma("unroll") for (int i = 0; i < rows; i++)
    _Pragma("unroll") for (int j = 0; j < count; j++) y[j * ldy + i] = total(sums[i][j]);
}

/// All rows, as many at a time as registers for their sums allow.
INLINE void multiply_all(int count, size_t n, size_t k, const void *w, vp_type type, size_t ldw, const float *x,
                         size_t ldx, float *y, size_t ldy) {
  const int rows = count == 1 ? 4 : REGISTERS > 1 ? 1 : count <= 4 ? 4 : 2;
  size_t i = 0;
  for (; i + rows <= n; i += rows) multiply_rows(rows, count, k, at(type, w, i * ldw), type, ldw, x, ldx, y + i, ldy);
  for (; i < n; i++) multiply_rows(1, count, k, at(type, w, i * ldw), type, ldw, x, ldx, y + i, ldy);
}

INLINE void multiply_typed(size_t count, size_t n, size_t k, const void *w, vp_type type, size_t ldw, const float *x,
                           size_t ldx, float *y, size_t ldy) {
#define MULTIPLY(count) \
  case count: return multiply_all(count, n, k, w, type, ldw, x, ldx, y, ldy);
  switch (count) {
    MULTIPLY(1) MULTIPLY(2) MULTIPLY(3) MULTIPLY(4) MULTIPLY(5) MULTIPLY(6) MULTIPLY(7) MULTIPLY(8)
  }
#undef MULTIPLY
}

void KERNEL(size_t n, size_t k, const void *w, vp_type type, size_t ldw, size_t count, const float *x, size_t ldx,
            float *y, size_t ldy) {
  for (size_t first = 0; first < count; first += most_vectors) {
    size_t some = smaller(most_vectors, count - first);
    const float *vectors = x + first * ldx;
    float *products = y + first * ldy;
    switch (type) {
      case VP_TYPE_F32: multiply_typed(some, n, k, w, VP_TYPE_F32, ldw, vectors, ldx, products, ldy); break;
      case VP_TYPE_BF16: multiply_typed(some, n, k, w, VP_TYPE_BF16, ldw, vectors, ldx, products, ldy); break;
      case VP_TYPE_F16: multiply_typed(some, n, k, w, VP_TYPE_F16, ldw, vectors, ldx, products, ldy); break;
    }
  }
}
