#include "CKernels.h"

#if defined(__x86_64__)
#pragma clang attribute push( \
  __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"), min_vector_width(512))), apply_to = function)
#endif
#define KERNELS vp_lowrank_avx512
#define FUSED
#define LANES 8
#include "lowrank_kernels.h"
#if defined(__x86_64__)
#pragma clang attribute pop
#endif
