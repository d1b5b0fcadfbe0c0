// The kernels of one instruction set in a table, so that the choice is made once.
#ifndef CCOMPUTE_MODEL_KERNELS_TABLE_H
#define CCOMPUTE_MODEL_KERNELS_TABLE_H

#include "isa.h"
#include "model_kernels.h"

struct vp_model_kernels {
  void (*rms_norm)(const float *x, const float *weight, float *y, size_t rows, size_t n, float eps);
  void (*rms_norm_backward)(const float *dy, const float *x, const float *weight, float *dx, float *dweight, size_t rows, size_t n, float eps);
  void (*add)(float *y, const float *x, size_t n);
  void (*add_scaled)(float *y, const float *x, float scale, size_t n);
  void (*add_to_rows)(float *y, const float *bias, size_t rows, size_t n, size_t stride);
  void (*sum_rows)(const float *x, float *sums, size_t rows, size_t n, size_t stride);
  void (*silu_mul)(const float *gate_up, float *h, size_t rows, size_t n);
  void (*silu_mul_backward)(const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n);
  void (*layer_norm)(const float *x, const float *weight, const float *bias, float *y, size_t rows, size_t n, float eps);
  void (*layer_norm_backward)(const float *dy, const float *x, const float *weight, float *dx, float *dweight, float *dbias, size_t rows, size_t n, float eps);
  void (*scale_rows)(float *y, const float *scale, size_t rows, size_t n);
  void (*sum_products)(const float *a, const float *b, float *sums, size_t rows, size_t n);
  void (*gelu)(const float *x, float *y, size_t n);
  void (*gelu_backward)(const float *x, const float *dy, float *dx, size_t n);
  void (*swish)(const float *x, float *y, size_t n, float linear, float cubic);
  void (*swish_backward)(const float *x, const float *dy, float *dx, size_t n, float linear, float cubic);
  void (*swish_mul)(const float *gate_up, float *h, size_t rows, size_t n, float linear, float cubic);
  void (*swish_mul_backward)(const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n, float linear, float cubic);
  void (*rotate)(float *x, size_t rows, size_t stride, size_t heads, size_t head_size, size_t half, const float *cosines, const float *sines, float direction);
  void (*causal_softmax)(float *scores, float *log_sums, size_t rows, size_t columns, size_t first, float scale);
  void (*causal_softmax_again)(float *scores, const float *log_sums, size_t rows, size_t columns, size_t first, float scale);
  void (*softmax_backward)(const float *p, float *dp, const float *dots, size_t rows, size_t columns, float scale);
  void (*dot_rows)(const float *a, const float *b, float *dots, size_t rows, size_t n, size_t stride_a, size_t stride_b);
  vp_row_summary (*summarize)(const float *logits, size_t n);
  void (*subtract)(float *logits, float log_sum, size_t n);
  void (*probabilities)(float *logits, float log_sum, float scale, size_t n);
  double (*kl)(const float *a, const float *b, size_t n);
  void (*add_difference)(float *gradient, const float *a, const float *b, float scale, size_t n);
  void (*scale)(float *x, float scale, size_t n);
  void (*adamw)(float *weights, const float *gradient, float *m, float *v, size_t n, const vp_adamw_step *step);
  double (*sum_squares)(const float *x, size_t n);
};

extern const struct vp_model_kernels vp_baseline_kernels, vp_avx2_kernels, vp_avx512_kernels;

/// The kernels of one instruction set, for tests. All give the same bits.
const struct vp_model_kernels *vp_model_kernels_for(vp_isa isa);

#endif
