#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define KERNELS vp_gemm_kernels_avx2
#define LANES 8
#define HAS_FMA 1
#define ROWS 4
#define VECTORS 3
#define PAIRS 0
#include "gemm_kernels.h"
#pragma clang attribute pop
#endif
