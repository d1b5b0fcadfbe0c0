// Matrix products with sums in float32: of bf16 numbers (AVX512-BF16), and of float32 numbers (any processor).
//
//   C (m, n) = [C +] op(A) (m, k) * op(B) (k, n)        all row-major
//
// A is stored (m, k), or (k, m) if transposed; B is stored (k, n), or (n, k) if transposed; lda, ldb and ldc are how
// many numbers lie between the starts of two rows. The bf16 product rounds operands to the nearest bf16, ties to even,
// and takes subnormal numbers for zero. NaN and infinities go through. Which terms are summed in which order depends on
// k and the instructions alone: a row or column of C has the same bits however the product is split over threads.
//
// A call runs on the calling thread. `scratch` and `packed` are 64-byte aligned, of the bytes that the function beside
// says; threads share a packed B, but no scratch.
#ifndef CCOMPUTE_GEMM_H
#define CCOMPUTE_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "isa.h"

/// In which form the numbers of a matrix lie in memory.
typedef enum { VP_F32 = 0, VP_BF16 = 1, VP_F16 = 2 } vp_type;

/// Columns of B that are packed together. Those from a multiple of it on are packed, and lie, independently:
/// `vp_packed_*(first, k)` bytes on.
enum { VP_GEMM_COLUMNS = 48 };

/// The product of bf16 numbers. Only where `vp_has_bf16`.
void vp_gemm_bf16(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, vp_type a_type,
                  size_t lda, const void *b, vp_type b_type, size_t ldb, float *c, size_t ldc, bool accumulate,
                  void *scratch);
size_t vp_gemm_bf16_scratch(size_t m, size_t n, size_t k);

/// B, packed once for many products.
void vp_pack_b_bf16(bool transpose_b, size_t n, size_t k, const void *b, vp_type b_type, size_t ldb, void *packed);
size_t vp_packed_b_bf16(size_t n, size_t k);

/// The product with a packed B.
void vp_gemm_bf16_packed(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                         const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
size_t vp_gemm_bf16_packed_scratch(size_t m, size_t k);

/// The product of float32 numbers; those of other types are widened.
void vp_gemm_f32(bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k, const void *a, vp_type a_type,
                 size_t lda, const void *b, vp_type b_type, size_t ldb, float *c, size_t ldc, bool accumulate,
                 void *scratch);
size_t vp_gemm_f32_scratch(size_t m, size_t n, size_t k);
void vp_pack_b_f32(bool transpose_b, size_t n, size_t k, const void *b, vp_type b_type, size_t ldb, void *packed);
size_t vp_packed_b_f32(size_t n, size_t k);
void vp_gemm_f32_packed(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                        const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
size_t vp_gemm_f32_packed_scratch(size_t m, size_t k);

/// The two parts of a product, for one kind of instructions.
typedef struct {
  void (*pack_b)(bool transpose, size_t n, size_t k, const void *b, vp_type type, size_t ldb, void *packed);
  void (*multiply_packed)(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                          const void *packed, float *c, size_t ldc, bool accumulate, void *scratch);
} vp_gemm_kernels;

/// Those of the product of float32 numbers that use these instructions, so that tests reach all.
const vp_gemm_kernels *vp_gemm_f32_kernels(vp_isa isa);

#endif
