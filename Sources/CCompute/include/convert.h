// Conversions between 16-bit floats and float32.
#ifndef CCOMPUTE_CONVERT_H
#define CCOMPUTE_CONVERT_H

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

/// Exact, NaN included.
void vp_widen_bf16(const uint16_t *numbers, float *floats, size_t count);

/// Exact; a NaN is quieted.
void vp_widen_f16(const uint16_t *numbers, float *floats, size_t count);

/// Rounds to nearest, ties to even, including subnormal numbers. A NaN is quieted, and keeps its sign and the high bits
/// of its payload.
void vp_narrow_bf16(const float *floats, uint16_t *numbers, size_t count);

typedef struct {
  void (*widen_bf16)(const uint16_t *numbers, float *floats, size_t count);
  void (*widen_f16)(const uint16_t *numbers, float *floats, size_t count);
  void (*narrow_bf16)(const float *floats, uint16_t *numbers, size_t count);
} vp_convert_kernels;

/// The kernels of one instruction set, for tests. All give the same bits.
const vp_convert_kernels *vp_convert_kernels_for(vp_isa isa);

#endif
