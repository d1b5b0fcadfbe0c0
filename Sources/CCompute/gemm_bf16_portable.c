#define KERNELS vp_gemm_kernels_bf16_portable
#define LANES 4
#define ROWS 4
#define VECTORS 2
#define PAIRS 0
#define ROUNDED 1
#include "gemm_kernels.h"
