// Which vector instructions the kernels use.
#ifndef CCOMPUTE_ISA_H
#define CCOMPUTE_ISA_H

#include <stdbool.h>

/// In the order of what they can. AVX2 stands for AVX2, FMA and F16C; AVX-512 for its F, BW, DQ and VL besides.
typedef enum { VP_BASELINE = 0, VP_AVX2 = 1, VP_AVX512 = 2 } vp_isa;

/// The best that this processor has.
vp_isa vp_best_isa(void);

/// What the kernels use: the best, or less if `VPATCH_ISA` is `baseline` or `avx2`. Looked up once.
vp_isa vp_chosen_isa(void);

/// Whether bf16 products can be computed: AVX-512 is chosen, and the processor has AVX512-BF16.
bool vp_has_bf16(void);

#endif
