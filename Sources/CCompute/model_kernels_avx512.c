#include "model_kernels_table.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#define NAME(x) vp_avx512_##x
#include "model_kernels_impl.h"
#pragma clang attribute pop
#endif
