#include "CKernels.h"

#define KERNELS vp_merge_baseline
#include "merge_kernels.h"
