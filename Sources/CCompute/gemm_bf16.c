#include "gemm_bf16.h"

bool vp_has_bf16(void) { return __builtin_cpu_supports("avx512bf16"); }
