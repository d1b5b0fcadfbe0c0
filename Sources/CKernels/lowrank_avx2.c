#include "CKernels.h"

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#endif
#define KERNELS vp_lowrank_avx2
#include "lowrank_kernels.h"
#if defined(__x86_64__)
#pragma clang attribute pop
#endif
