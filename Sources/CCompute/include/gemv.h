// Products of a matrix and a few vectors, for generation, which is limited by reading the matrix.
#ifndef CCOMPUTE_GEMV_H
#define CCOMPUTE_GEMV_H

#include "gemm.h"

/// y (count, n) = x (count, k) * transposed W (n, k), all row-major; `ldw`, `ldx` and `ldy` are the distances between
/// the starts of two rows, in numbers. W is read once for eight vectors. Sums are in float32: term i goes to lane i %
/// 16, in order, and the lanes are added pairwise in halves. So a sum has the same bits however rows and vectors are
/// split over calls and threads, and on every processor with fused multiply-add.
void vp_gemv(size_t n, size_t k, const void *w, vp_type type, size_t ldw, size_t count, const float *x, size_t ldx,
             float *y, size_t ldy);

typedef void (*vp_gemv_kernel)(size_t n, size_t k, const void *w, vp_type type, size_t ldw, size_t count,
                               const float *x, size_t ldx, float *y, size_t ldy);

/// The kernel of one instruction set, for tests.
vp_gemv_kernel vp_gemv_kernel_for(vp_isa isa);

#endif
