// Matrix products with float32 sums: of bf16 numbers (AVX512-BF16), and of float32 numbers (any processor).
//
//   C (m, n) = [C +] op(A) (m, k) * op(B) (k, n)        all row-major
//
// A is stored (m, k), or (k, m) if transposed; B is stored (k, n), or (n, k) if transposed; lda, ldb and ldc are the
// distances between the starts of two rows, in numbers. The bf16 product rounds operands to the nearest bf16, ties to
// even, and treats subnormal numbers as zero. NaN and infinities propagate. The order of summation depends only on k
// and the instructions: a row or column of C has the same bits however the product is split over threads.
//
// A call runs on the calling thread. `scratch` and `packed` are 64-byte aligned, with the size that the corresponding
// function returns; threads share a packed B, but not scratch memory.
#ifndef CCOMPUTE_GEMM_H
#define CCOMPUTE_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "isa.h"

/// Storage format of a matrix's numbers.
typedef enum { VP_TYPE_F32 = 0, VP_TYPE_BF16 = 1, VP_TYPE_F16 = 2 } vp_type;

/// Number of columns of B that are packed together. Columns starting at a multiple of it are packed independently,
/// `vp_packed_*(first, k)` bytes from the start.
enum { VP_GEMM_COLUMNS = 48 };

/// Product of bf16 numbers. Without `vp_has_bf16` it is slow, and its sums have other bits: numbers are added one by one
/// in float32, not in pairs.
void vp_gemm_bf16(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, vp_type a_type,
                  size_t lda, const void *b, vp_type b_type, size_t ldb, float *c, size_t ldc, bool accumulate,
                  void *scratch);
size_t vp_gemm_bf16_scratch(size_t m, size_t n, size_t k);

/// Packs B once for many products.
void vp_pack_b_bf16(bool transpose_b, size_t n, size_t k, const void *b, vp_type b_type, size_t ldb, void *packed);
size_t vp_packed_b_bf16(size_t n, size_t k);

/// Product with a packed B.
void vp_gemm_bf16_packed(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                         const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
size_t vp_gemm_bf16_packed_scratch(size_t m, size_t k);

/// Product of float32 numbers; other types are widened.
void vp_gemm_f32(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, vp_type a_type,
                 size_t lda, const void *b, vp_type b_type, size_t ldb, float *c, size_t ldc, bool accumulate,
                 void *scratch);
size_t vp_gemm_f32_scratch(size_t m, size_t n, size_t k);
void vp_pack_b_f32(bool transpose_b, size_t n, size_t k, const void *b, vp_type b_type, size_t ldb, void *packed);
size_t vp_packed_b_f32(size_t n, size_t k);
void vp_gemm_f32_packed(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                        const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
size_t vp_gemm_f32_packed_scratch(size_t m, size_t k);

/// The two parts of a product, for one instruction set.
typedef struct {
  void (*pack_b)(bool transpose, size_t n, size_t k, const void *b, vp_type type, size_t ldb, void *packed);
  void (*multiply_packed)(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                          const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
} vp_gemm_kernels;

/// The float32 kernels of one instruction set, for tests.
const vp_gemm_kernels *vp_gemm_f32_kernels(vp_isa isa);

#endif
