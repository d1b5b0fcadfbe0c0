#ifndef CCOMPUTE_H
#define CCOMPUTE_H

#include "gemm_bf16.h"
#include "model_kernels.h"

#endif
