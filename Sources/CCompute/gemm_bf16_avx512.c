#if defined(__x86_64__)
#include <immintrin.h>

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16"))), \
                             apply_to = function)
#define KERNELS vp_gemm_kernels_bf16
#define LANES 16
#define HAS_FMA 1
#define ROWS 8
#define VECTORS 3
#define PAIRS 1
#include "gemm_kernels.h"
#pragma clang attribute pop
#endif
