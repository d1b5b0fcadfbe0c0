#include "CKernels.h"

// AVX2 without FMA: a compiler could fuse a product and a sum, which changes the bits.
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#endif
#define KERNELS vp_merge_avx2
#include "merge_kernels.h"
#if defined(__x86_64__)
#pragma clang attribute pop
#endif
