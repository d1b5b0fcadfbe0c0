#define KERNEL vp_gemv_baseline
#define REGISTERS 4
#include "gemv_kernels.h"
