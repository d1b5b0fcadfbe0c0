#include "CKernels.h"

#if defined(__x86_64__)
// With FMA: where it may be used, it gives the same bits.
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#endif
#define KERNELS vp_lowrank_avx2
#define FUSED
#include "lowrank_kernels.h"
#if defined(__x86_64__)
#pragma clang attribute pop
#endif
