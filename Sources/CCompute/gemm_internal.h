// What the products of all kinds of instructions have in common.
#ifndef GEMM_INTERNAL_H
#define GEMM_INTERNAL_H

#include "gemm.h"

/// At most so much of A is packed at a time: 384 KB, which stay in a second-level cache beside a panel of B.
enum { VP_BLOCK_STEPS = 384, VP_BLOCK_ROWS = 256 };

typedef struct {
  void (*pack_b)(bool transpose, size_t n, size_t k, const void *b, vp_type type, size_t ldb, void *packed);
  void (*multiply_packed)(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                          const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
} vp_gemm_kernels;

#if defined(__x86_64__)
extern const vp_gemm_kernels vp_gemm_kernels_bf16;
#endif

#endif
