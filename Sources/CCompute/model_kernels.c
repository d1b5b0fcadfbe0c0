#include "isa.h"
#include "model_kernels_table.h"

/// In the order of vp_isa.
static const struct vp_model_kernels *const tables[] = {
    &vp_baseline_kernels,
#if defined(__x86_64__)
    &vp_avx2_kernels,
    &vp_avx512_kernels,
#endif
};
#define kernels (tables[vp_chosen_isa()])

const struct vp_model_kernels *vp_model_kernels_for(vp_isa isa) { return tables[isa]; }

const char *vp_compute_isa(void) {
  static const char *const names[] = {"baseline", "AVX2", "AVX-512"};
  return names[vp_chosen_isa()];
}

void vp_rms_norm(const float *x, const float *weight, float *y, size_t rows, size_t n, float eps) {
  kernels->rms_norm(x, weight, y, rows, n, eps);
}
void vp_rms_norm_backward(
    const float *dy, const float *x, const float *weight, float *dx, float *dweight, size_t rows, size_t n, float eps) {
  kernels->rms_norm_backward(dy, x, weight, dx, dweight, rows, n, eps);
}
void vp_add(float *y, const float *x, size_t n) {
  kernels->add(y, x, n);
}
void vp_add_scaled(float *y, const float *x, float scale, size_t n) {
  kernels->add_scaled(y, x, scale, n);
}
void vp_add_to_rows(float *y, const float *bias, size_t rows, size_t n, size_t stride) {
  kernels->add_to_rows(y, bias, rows, n, stride);
}
void vp_sum_rows(const float *x, float *sums, size_t rows, size_t n, size_t stride) {
  kernels->sum_rows(x, sums, rows, n, stride);
}
void vp_silu_mul(const float *gate_up, float *h, size_t rows, size_t n) {
  kernels->silu_mul(gate_up, h, rows, n);
}
void vp_silu_mul_backward(const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n) {
  kernels->silu_mul_backward(gate_up, dh, d_gate_up, rows, n);
}
void vp_layer_norm(
    const float *x, const float *weight, const float *bias, float *y, size_t rows, size_t n, float eps) {
  kernels->layer_norm(x, weight, bias, y, rows, n, eps);
}
void vp_layer_norm_backward(
    const float *dy, const float *x, const float *weight, float *dx, float *dweight, float *dbias,
    size_t rows, size_t n, float eps) {
  kernels->layer_norm_backward(dy, x, weight, dx, dweight, dbias, rows, n, eps);
}
void vp_scale_rows(float *y, const float *scale, size_t rows, size_t n) {
  kernels->scale_rows(y, scale, rows, n);
}
void vp_sum_products(const float *a, const float *b, float *sums, size_t rows, size_t n) {
  kernels->sum_products(a, b, sums, rows, n);
}
void vp_gelu(const float *x, float *y, size_t n) {
  kernels->gelu(x, y, n);
}
void vp_gelu_backward(const float *x, const float *dy, float *dx, size_t n) {
  kernels->gelu_backward(x, dy, dx, n);
}
void vp_swish(const float *x, float *y, size_t n, float linear, float cubic) {
  kernels->swish(x, y, n, linear, cubic);
}
void vp_swish_backward(const float *x, const float *dy, float *dx, size_t n, float linear, float cubic) {
  kernels->swish_backward(x, dy, dx, n, linear, cubic);
}
void vp_swish_mul(const float *gate_up, float *h, size_t rows, size_t n, float linear, float cubic) {
  kernels->swish_mul(gate_up, h, rows, n, linear, cubic);
}
void vp_swish_mul_backward(
    const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n, float linear, float cubic) {
  kernels->swish_mul_backward(gate_up, dh, d_gate_up, rows, n, linear, cubic);
}
void vp_rotate(
    float *x, size_t rows, size_t stride, size_t heads, size_t head_size, size_t half, const float *cosines,
    const float *sines, float direction) {
  kernels->rotate(x, rows, stride, heads, head_size, half, cosines, sines, direction);
}
void vp_causal_softmax(float *scores, float *log_sums, size_t rows, size_t columns, size_t first, float scale) {
  kernels->causal_softmax(scores, log_sums, rows, columns, first, scale);
}
void vp_causal_softmax_again(
    float *scores, const float *log_sums, size_t rows, size_t columns, size_t first, float scale) {
  kernels->causal_softmax_again(scores, log_sums, rows, columns, first, scale);
}
void vp_softmax_backward(const float *p, float *dp, const float *dots, size_t rows, size_t columns, float scale) {
  kernels->softmax_backward(p, dp, dots, rows, columns, scale);
}
void vp_dot_rows(
    const float *a, const float *b, float *dots, size_t rows, size_t n, size_t stride_a, size_t stride_b) {
  kernels->dot_rows(a, b, dots, rows, n, stride_a, stride_b);
}
vp_row_summary vp_summarize(const float *logits, size_t n) {
  return kernels->summarize(logits, n);
}
void vp_subtract(float *logits, float log_sum, size_t n) {
  kernels->subtract(logits, log_sum, n);
}
void vp_probabilities(float *logits, float log_sum, float scale, size_t n) {
  kernels->probabilities(logits, log_sum, scale, n);
}
double vp_kl(const float *a, const float *b, size_t n) {
  return kernels->kl(a, b, n);
}
void vp_add_difference(float *gradient, const float *a, const float *b, float scale, size_t n) {
  kernels->add_difference(gradient, a, b, scale, n);
}
void vp_scale(float *x, float scale, size_t n) {
  kernels->scale(x, scale, n);
}
void vp_adamw(float *weights, const float *gradient, float *m, float *v, size_t n, const vp_adamw_step *step) {
  kernels->adamw(weights, gradient, m, v, n, step);
}
double vp_sum_squares(const float *x, size_t n) {
  return kernels->sum_squares(x, n);
}
