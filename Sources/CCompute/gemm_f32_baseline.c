#define KERNELS vp_gemm_kernels_baseline
#define LANES 4
#define ROWS 4
#define VECTORS 2
#define PAIRS 0
#include "gemm_kernels.h"
