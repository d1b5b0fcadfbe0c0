// Operations of a transformer besides matrix products: norms, rotary embedding, SiLU, softmax, cross-entropy, AdamW.
// Each call runs on the calling thread.
//
// Every sum has sixteen lanes that are added in one fixed order, and no multiplication is fused with an addition, so
// the bits do not depend on the processor's instructions. Matrices are row-major; a stride is the number of floats per
// row.
#ifndef CCOMPUTE_MODEL_KERNELS_H
#define CCOMPUTE_MODEL_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/// The instruction set in use here: "AVX-512", "AVX2" or "baseline". $VPATCH_ISA=baseline selects the last.
const char *vp_compute_isa(void);

/// y = x / √(mean(x²) + eps) · weight, row by row (Zhang and Sennrich, arXiv 1910.07467).
void vp_rms_norm(const float *x, const float *weight, float *y, size_t rows, size_t n, float eps);
/// dx += the gradient of x, given dy. The gradient of the weight is added to dweight, unless null.
void vp_rms_norm_backward(
    const float *dy, const float *x, const float *weight, float *dx, float *dweight, size_t rows, size_t n, float eps);

/// y += x.
void vp_add(float *y, const float *x, size_t n);
/// y += scale · x.
void vp_add_scaled(float *y, const float *x, float scale, size_t n);
/// Each row of y += the bias.
void vp_add_to_rows(float *y, const float *bias, size_t rows, size_t n, size_t stride);
/// sums += the sum of x's rows.
void vp_sum_rows(const float *x, float *sums, size_t rows, size_t n, size_t stride);

/// h = silu(gate) · up. A row of gate_up is gate followed by up, each of length n.
void vp_silu_mul(const float *gate_up, float *h, size_t rows, size_t n);
/// d_gate_up = the gradient of gate and up, given dh. It may directly follow dh in memory, but not overlap it.
void vp_silu_mul_backward(const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n);

/// y = (x − mean(x)) / √(variance(x) + eps) · weight + bias, row by row (Ba et al., arXiv 1607.06450).
void vp_layer_norm(
    const float *x, const float *weight, const float *bias, float *y, size_t rows, size_t n, float eps);
/// dx += the gradient of x, given dy. The gradients of weight and bias are added to dweight and dbias, unless null.
void vp_layer_norm_backward(
    const float *dy, const float *x, const float *weight, float *dx, float *dweight, float *dbias, size_t rows,
    size_t n, float eps);

/// Multiplies each row of y by the scale, element by element.
void vp_scale_rows(float *y, const float *scale, size_t rows, size_t n);
/// sums += Σ a·b over the rows, column by column.
void vp_sum_products(const float *a, const float *b, float *sums, size_t rows, size_t n);

/// y = x · Φ(x), with Φ of the normal distribution: the exact GELU (Hendrycks and Gimpel, arXiv 1606.08415).
void vp_gelu(const float *x, float *y, size_t n);
/// dx = the gradient of x, given dy; it may be dy itself.
void vp_gelu_backward(const float *x, const float *dy, float *dx, size_t n);
/// y = x · σ(linear · x + cubic · x³). SiLU is (1, 0), CLIP's quick GELU (1.702, 0), the GELU of tanh (2√(2/π),
/// 0.044715 · 2√(2/π)), since ½ (1 + tanh u) = σ(2u).
void vp_swish(const float *x, float *y, size_t n, float linear, float cubic);
/// dx = the gradient of x, given dy; it may be dy itself.
void vp_swish_backward(const float *x, const float *dy, float *dx, size_t n, float linear, float cubic);

/// h = g · σ(linear·g + cubic·g³) · u, for each row of gate and up side by side, [rows, 2·n].
void vp_swish_mul(const float *gate_up, float *h, size_t rows, size_t n, float linear, float cubic);
/// The gradient of gate and up.
void vp_swish_mul_backward(
    const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n, float linear, float cubic);

/// Rotates pairs (i, i + half) of each head of each row by the angles of the row's position (Su et al., arXiv
/// 2104.09864, in the half-split order of LLaMA in Hugging Face's code). cosines, sines: a row of `half` for each row
/// of x. direction: 1 forward, −1 back. Of a head's head_size numbers those after the first 2 · half stay as they are.
void vp_rotate(
    float *x, size_t rows, size_t stride, size_t heads, size_t head_size, size_t half, const float *cosines,
    const float *sines, float direction);

/// Turns rows of attention scores into probabilities; row i attends to columns 0 … first + i. log_sums gets, per row,
/// the logarithm of the sum of exp(scale · score). The other columns become 0.
void vp_causal_softmax(float *scores, float *log_sums, size_t rows, size_t columns, size_t first, float scale);
/// The same probabilities from the log_sums.
void vp_causal_softmax_again(
    float *scores, const float *log_sums, size_t rows, size_t columns, size_t first, float scale);
/// dp = p · (dp − dots) · scale: the gradient of the scores, given that of the probabilities. dots has one value per
/// row.
void vp_softmax_backward(const float *p, float *dp, const float *dots, size_t rows, size_t columns, float scale);
/// Dot product of each row of a with that of b.
void vp_dot_rows(const float *a, const float *b, float *dots, size_t rows, size_t n, size_t stride_a, size_t stride_b);

/// For one row of logits: the logarithm of Σ exp(logit), and the index of the first largest.
typedef struct {
  float log_sum;
  uint32_t largest;
} vp_row_summary;
vp_row_summary vp_summarize(const float *logits, size_t n);
/// logits −= log_sum: log-probabilities.
void vp_subtract(float *logits, float log_sum, size_t n);
/// logits = exp(logits − log_sum) · scale.
void vp_probabilities(float *logits, float log_sum, float scale, size_t n);
/// Σ exp(a) · (a − b), for a and b log-probabilities: KL(a ‖ b), in nats.
double vp_kl(const float *a, const float *b, size_t n);
/// gradient += scale · (exp(a) − exp(b)), for a and b log-probabilities.
void vp_add_difference(float *gradient, const float *a, const float *b, float scale, size_t n);
/// x *= scale.
void vp_scale(float *x, float scale, size_t n);

/// One AdamW step (Loshchilov and Hutter, arXiv 1711.05101), in the order of operations of PyTorch's.
typedef struct {
  float lr, beta1, beta2, eps, weight_decay;
  /// 1 − beta1^t, √(1 − beta2^t)
  float correction1, correction2_root;
  /// Factor of the gradient.
  float gradient_scale;
} vp_adamw_step;
void vp_adamw(float *weights, const float *gradient, float *m, float *v, size_t n, const vp_adamw_step *step);

/// Σ x², in float64.
double vp_sum_squares(const float *x, size_t n);

#endif
