// Shared by the matrix products of all instruction sets.
#ifndef GEMM_INTERNAL_H
#define GEMM_INTERNAL_H

#include "gemm.h"

/// Maximum bytes of A packed at a time: 384 KB, which fit into a second-level cache beside a panel of B.
enum { VP_BLOCK_STEPS = 384, VP_BLOCK_ROWS = 256 };

extern const vp_gemm_kernels vp_gemm_kernels_baseline, vp_gemm_kernels_bf16_portable;
#if defined(__x86_64__)
extern const vp_gemm_kernels vp_gemm_kernels_avx2, vp_gemm_kernels_avx512, vp_gemm_kernels_bf16;
#endif

#endif
