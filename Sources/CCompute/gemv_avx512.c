#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#define KERNEL vp_gemv_avx512
#define REGISTERS 1
#define HAS_FMA 1
#include "gemv_kernels.h"
#pragma clang attribute pop
#endif
