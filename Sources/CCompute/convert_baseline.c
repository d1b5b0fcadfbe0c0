#define KERNELS vp_convert_kernels_baseline
#define LANES 4
#include "convert_kernels.h"
