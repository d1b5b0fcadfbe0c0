#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))), apply_to = function)
#define KERNELS vp_convert_kernels_avx512
#define LANES 16
#define HAS_FMA 1
#include "convert_kernels.h"
#pragma clang attribute pop
#endif
