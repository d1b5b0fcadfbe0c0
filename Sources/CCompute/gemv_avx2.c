#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define KERNEL vp_gemv_avx2
#define REGISTERS 2
#define HAS_FMA 1
#include "gemv_kernels.h"
#pragma clang attribute pop
#endif
