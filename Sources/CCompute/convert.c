#include "convert.h"

extern const vp_convert_kernels vp_convert_kernels_baseline;
#if defined(__x86_64__)
extern const vp_convert_kernels vp_convert_kernels_avx2, vp_convert_kernels_avx512;
#endif

const vp_convert_kernels *vp_convert_kernels_for(vp_isa isa) {
#if defined(__x86_64__)
  if (isa == VP_AVX512) return &vp_convert_kernels_avx512;
  if (isa == VP_AVX2) return &vp_convert_kernels_avx2;
#endif
  return &vp_convert_kernels_baseline;
}

static const vp_convert_kernels *chosen(void) { return vp_convert_kernels_for(vp_chosen_isa()); }

void vp_widen_bf16(const uint16_t *numbers, float *floats, size_t count) {
  chosen()->widen_bf16(numbers, floats, count);
}

void vp_widen_f16(const uint16_t *numbers, float *floats, size_t count) { chosen()->widen_f16(numbers, floats, count); }

void vp_narrow_bf16(const float *floats, uint16_t *numbers, size_t count) {
  chosen()->narrow_bf16(floats, numbers, count);
}
