#include "model_kernels_table.h"

#define NAME(x) vp_baseline_##x
#include "model_kernels_impl.h"
