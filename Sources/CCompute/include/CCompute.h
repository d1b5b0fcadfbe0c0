#ifndef CCOMPUTE_H
#define CCOMPUTE_H

#include "convert.h"
#include "dropout.h"
#include "gemm.h"
#include "gemv.h"
#include "isa.h"
#include "model_kernels.h"
#include "model_kernels_table.h"

#endif
