#include "gemm_internal.h"
#include "isa.h"

/// Maximum bytes of B's columns packed at a time, so that they stay in the last-level cache.
static const size_t most_packed = 4 << 20;

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

static size_t rounded_up(size_t count, size_t unit) { return (count + unit - 1) / unit * unit; }

/// Bytes of packed columns of `steps` words each.
static size_t packed_bytes(size_t n, size_t steps) { return rounded_up(n, VP_GEMM_COLUMNS) * steps * 4; }

static size_t block_bytes(size_t m, size_t steps) {
  return rounded_up(smaller(m, VP_BLOCK_ROWS), 16) * smaller(steps, VP_BLOCK_STEPS) * 4;
}

static size_t columns_at_a_time(size_t n, size_t steps) {
  size_t fitting = steps == 0 ? n : most_packed / (steps * 4 * VP_GEMM_COLUMNS) * VP_GEMM_COLUMNS;
  return smaller(n, fitting < VP_GEMM_COLUMNS ? VP_GEMM_COLUMNS : fitting);
}

static size_t scratch_bytes(size_t m, size_t n, size_t steps) {
  return block_bytes(m, steps) + packed_bytes(columns_at_a_time(n, steps), steps);
}

static void multiply(const vp_gemm_kernels *kernels, size_t steps, bool transpose_a, bool transpose_b, size_t m,
                     size_t n, size_t k, const void *a, vp_type a_type, size_t lda, const void *b, vp_type b_type,
                     size_t ldb, float *c, size_t ldc, bool accumulate, void *scratch) {
  size_t columns = columns_at_a_time(n, steps), width = b_type == VP_TYPE_F32 ? 4 : 2;
  char *packed = (char *)scratch + block_bytes(m, steps);
  for (size_t j = 0; j < n; j += columns) {
    size_t count = smaller(columns, n - j);
    kernels->pack_b(transpose_b, count, k, (const char *)b + j * (transpose_b ? ldb : 1) * width, b_type, ldb, packed);
    kernels->multiply_packed(transpose_a, m, count, k, a, a_type, lda, packed, c + j, ldc, accumulate, scratch);
  }
}

const vp_gemm_kernels *vp_gemm_f32_kernels(vp_isa isa) {
#if defined(__x86_64__)
  if (isa == VP_AVX512) return &vp_gemm_kernels_avx512;
  if (isa == VP_AVX2) return &vp_gemm_kernels_avx2;
#endif
  return &vp_gemm_kernels_baseline;
}

static const vp_gemm_kernels *f32(void) { return vp_gemm_f32_kernels(vp_chosen_isa()); }

static const vp_gemm_kernels *bf16(void) {
#if defined(__x86_64__)
  if (vp_has_bf16()) return &vp_gemm_kernels_bf16;
#endif
  return &vp_gemm_kernels_bf16_portable;
}

static size_t numbers(size_t k) { return k; }

/// The portable kernels have one number in a word.
static size_t pairs(size_t k) { return vp_has_bf16() ? (k + 1) / 2 : k; }

#define DEFINE_PRODUCT(kind, steps)                                                                                  \
  void vp_gemm_##kind(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a,               \
                      vp_type a_type, size_t lda, const void *b, vp_type b_type, size_t ldb, float *c, size_t ldc,   \
                      bool accumulate, void *scratch) {                                                              \
    multiply(kind(), steps(k), transpose_a, transpose_b, m, n, k, a, a_type, lda, b, b_type, ldb, c, ldc,            \
             accumulate, scratch);                                                                                   \
  }                                                                                                                  \
  size_t vp_gemm_##kind##_scratch(size_t m, size_t n, size_t k) { return scratch_bytes(m, n, steps(k)); }            \
  void vp_pack_b_##kind(bool transpose_b, size_t n, size_t k, const void *b, vp_type b_type, size_t ldb,             \
                        void *packed) {                                                                              \
    kind()->pack_b(transpose_b, n, k, b, b_type, ldb, packed);                                                       \
  }                                                                                                                  \
  size_t vp_packed_b_##kind(size_t n, size_t k) { return packed_bytes(n, steps(k)); }                                \
  void vp_gemm_##kind##_packed(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type,        \
                               size_t lda, const void *packed, float *c, size_t ldc, bool accumulate,                \
                               void *scratch) {                                                                      \
    kind()->multiply_packed(transpose_a, m, n, k, a, a_type, lda, packed, c, ldc, accumulate, scratch);              \
  }                                                                                                                  \
  size_t vp_gemm_##kind##_packed_scratch(size_t m, size_t k) { return block_bytes(m, steps(k)); }

DEFINE_PRODUCT(bf16, pairs)
DEFINE_PRODUCT(f32, numbers)
