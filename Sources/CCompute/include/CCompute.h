#ifndef CCOMPUTE_H
#define CCOMPUTE_H

#include "gemm.h"
#include "isa.h"
#include "model_kernels.h"

#endif
