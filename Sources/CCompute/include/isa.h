// Choice of the kernels' vector instructions.
#ifndef CCOMPUTE_ISA_H
#define CCOMPUTE_ISA_H

#include <stdbool.h>

/// In ascending order. AVX2 means AVX2, FMA and F16C; AVX-512 additionally its F, BW, DQ and VL.
typedef enum { VP_BASELINE = 0, VP_AVX2 = 1, VP_AVX512 = 2 } vp_isa;

/// The best instruction set of this processor.
vp_isa vp_best_isa(void);

/// The instruction set in use: the best, or less if `VPATCH_ISA` is `baseline` or `avx2`. Determined once.
vp_isa vp_chosen_isa(void);

/// Whether bf16 products are available: AVX-512 is in use, and the processor has AVX512-BF16.
bool vp_has_bf16(void);

#endif
