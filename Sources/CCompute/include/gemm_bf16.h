// Matrix products of bf16 numbers with sums in float32 (AVX512-BF16), and the products of one vector for generation.
#ifndef CCOMPUTE_GEMM_BF16_H
#define CCOMPUTE_GEMM_BF16_H

#include <stdbool.h>
#include <stddef.h>

/// In which form the numbers of a matrix lie in memory. Of float32, the product uses the nearest bf16.
typedef enum { VP_F32 = 0, VP_BF16 = 1 } vp_type;

/// Whether this processor has the instructions.
bool vp_has_bf16(void);

#endif
