#include "gemv.h"

void vp_gemv_baseline(size_t, size_t, const void *, vp_type, size_t, size_t, const float *, size_t, float *, size_t);
#if defined(__x86_64__)
void vp_gemv_avx2(size_t, size_t, const void *, vp_type, size_t, size_t, const float *, size_t, float *, size_t);
void vp_gemv_avx512(size_t, size_t, const void *, vp_type, size_t, size_t, const float *, size_t, float *, size_t);
#endif

vp_gemv_kernel vp_gemv_kernel_for(vp_isa isa) {
#if defined(__x86_64__)
  if (isa == VP_AVX512) return vp_gemv_avx512;
  if (isa == VP_AVX2) return vp_gemv_avx2;
#endif
  return vp_gemv_baseline;
}

void vp_gemv(size_t n, size_t k, const void *w, vp_type type, size_t ldw, size_t count, const float *x, size_t ldx,
             float *y, size_t ldy) {
  vp_gemv_kernel_for(vp_chosen_isa())(n, k, w, type, ldw, count, x, ldx, y, ldy);
}
