#include "CKernels.h"

#define KERNELS vp_lowrank_baseline
#include "lowrank_kernels.h"
