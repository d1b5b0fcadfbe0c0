// The kernels of model_kernels.h for one instruction set. NAME(x) names a function of this set; the file that includes
// this one sets the target.

#pragma STDC FP_CONTRACT OFF
// All helpers are inlined, so the calling convention for vectors does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

#include "lanes.h"
#include "model_kernels_rows.h"

static void NAME(causal_softmax)(
    float *scores, float *log_sums, size_t rows, size_t columns, size_t first, float scale) {
  for (size_t r = 0; r < rows; r++, scores += columns) {
    size_t n = first + r + 1 < columns ? first + r + 1 : columns;
    float most = n > 0 ? scores[0] : 0;
    {
      floats m = splat(most);
      EACH(n, {
        floats v = AT(scores);
        // The zeros after the end are not scores.
        if (some)
          for (size_t j = rest; j < LANES; j++) v[j] = most;
        m = larger(v, m);
      });
      most = largest_lane(m);
    }
    floats sum = {0};
    floats top = splat(most);
    floats factor = splat(scale);
    EACH(n, {
      floats e = exp_lanes((AT(scores) - top) * factor);
      PUT(scores, e);
      if (some)
        for (size_t j = rest; j < LANES; j++) e[j] = 0;
      sum += e;
    });
    float total = sum_lanes(sum);
    floats inverse = splat(1.0f / total);
    EACH(n, { PUT(scores, AT(scores) * inverse); });
    memset(scores + n, 0, (columns - n) * sizeof(float));
    if (log_sums) log_sums[r] = most * scale + logf(total);
  }
}

static void NAME(causal_softmax_again)(
    float *scores, const float *log_sums, size_t rows, size_t columns, size_t first, float scale) {
  for (size_t r = 0; r < rows; r++, scores += columns) {
    size_t n = first + r + 1 < columns ? first + r + 1 : columns;
    floats factor = splat(scale);
    floats log_sum = splat(log_sums[r]);
    EACH(n, { PUT(scores, exp_lanes(AT(scores) * factor - log_sum)); });
    memset(scores + n, 0, (columns - n) * sizeof(float));
  }
}

static void NAME(softmax_backward)(
    const float *p, float *dp, const float *dots, size_t rows, size_t columns, float scale) {
  for (size_t r = 0; r < rows; r++, p += columns, dp += columns) {
    floats dot = splat(dots[r]);
    floats factor = splat(scale);
    EACH(columns, { PUT(dp, AT(p) * (AT(dp) - dot) * factor); });
  }
}

static void NAME(dot_rows)(
    const float *a, const float *b, float *dots, size_t rows, size_t n, size_t stride_a, size_t stride_b) {
  for (size_t r = 0; r < rows; r++, a += stride_a, b += stride_b) {
    floats sum = {0};
    EACH(n, { sum += AT(a) * AT(b); });
    dots[r] = sum_lanes(sum);
  }
}

static vp_row_summary NAME(summarize)(const float *logits, size_t n) {
  // Index of the largest: the first per lane, then the first of all lanes.
  floats m = splat(-INFINITY);
  ints at = {0};
  ints place = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  EACH(n, {
    floats v = AT(logits);
    if (some)
      for (size_t j = rest; j < LANES; j++) v[j] = -INFINITY;
    ints is_larger = v > m;
    m = select_lanes(is_larger, v, m);
    at = (place & is_larger) | (at & ~is_larger);
    place += LANES;
  });
  float most = m[0];
  uint32_t largest = (uint32_t)at[0];
  for (int i = 1; i < LANES; i++)
    if (m[i] > most || (m[i] == most && (uint32_t)at[i] < largest)) {
      most = m[i];
      largest = (uint32_t)at[i];
    }
  floats sum = {0};
  floats top = splat(most);
  EACH(n, {
    floats e = exp_lanes(AT(logits) - top);
    if (some)
      for (size_t j = rest; j < LANES; j++) e[j] = 0;
    sum += e;
  });
  return (vp_row_summary){most + logf(sum_lanes(sum)), largest};
}

static void NAME(subtract)(float *logits, float log_sum, size_t n) {
  floats s = splat(log_sum);
  EACH(n, { PUT(logits, AT(logits) - s); });
}

static void NAME(probabilities)(float *logits, float log_sum, float scale, size_t n) {
  floats s = splat(log_sum);
  floats factor = splat(scale);
  EACH(n, { PUT(logits, exp_lanes(AT(logits) - s) * factor); });
}

static double NAME(kl)(const float *a, const float *b, size_t n) {
  doubles sum = {0};
  EACH(n, {
    floats u = AT(a);
    floats term = exp_lanes(u) * (u - AT(b));
    // A token with probability 0 in a counts nothing, whatever b is.
    term = select_lanes(u < splat(-87.33f), splat(0.0f), term);
    if (some)
      for (size_t j = rest; j < LANES; j++) term[j] = 0;
    sum += widen_lanes(term);
  });
  return sum_double_lanes(sum);
}

static void NAME(add_difference)(float *gradient, const float *a, const float *b, float scale, size_t n) {
  floats factor = splat(scale);
  EACH(n, { PUT(gradient, AT(gradient) + (exp_lanes(AT(a)) - exp_lanes(AT(b))) * factor); });
}

static void NAME(scale)(float *x, float scale, size_t n) {
  floats factor = splat(scale);
  EACH(n, { PUT(x, AT(x) * factor); });
}

static void NAME(adamw)(
    float *weights, const float *gradient, float *m, float *v, size_t n, const vp_adamw_step *step) {
  floats decay = splat(1.0f - step->lr * step->weight_decay);
  floats keep1 = splat(1.0f - step->beta1);
  floats beta2 = splat(step->beta2);
  floats keep2 = splat(1.0f - step->beta2);
  floats rate = splat(step->lr / step->correction1);
  floats root2 = splat(step->correction2_root);
  floats eps = splat(step->eps);
  floats scale = splat(step->gradient_scale);
  EACH(n, {
    floats g = AT(gradient) * scale;
    floats w = AT(weights) * decay;
    floats mean = AT(m);
    mean = mean + (g - mean) * keep1;
    floats square = AT(v) * beta2 + g * g * keep2;
    floats root = __builtin_elementwise_sqrt(square);
    PUT(weights, w - rate * mean / (root / root2 + eps));
    PUT(m, mean);
    PUT(v, square);
  });
}

static double NAME(sum_squares)(const float *x, size_t n) {
  doubles sum = {0};
  EACH(n, {
    doubles v = widen_lanes(AT(x));
    sum += v * v;
  });
  return sum_double_lanes(sum);
}

const struct vp_model_kernels NAME(kernels) = {
    .rms_norm = NAME(rms_norm),
    .rms_norm_backward = NAME(rms_norm_backward),
    .add = NAME(add),
    .add_scaled = NAME(add_scaled),
    .add_to_rows = NAME(add_to_rows),
    .sum_rows = NAME(sum_rows),
    .silu_mul = NAME(silu_mul),
    .silu_mul_backward = NAME(silu_mul_backward),
    .layer_norm = NAME(layer_norm),
    .layer_norm_backward = NAME(layer_norm_backward),
    .scale_rows = NAME(scale_rows),
    .sum_products = NAME(sum_products),
    .gelu = NAME(gelu),
    .gelu_backward = NAME(gelu_backward),
    .swish = NAME(swish),
    .swish_backward = NAME(swish_backward),
    .swish_mul = NAME(swish_mul),
    .swish_mul_backward = NAME(swish_mul_backward),
    .rotate = NAME(rotate),
    .causal_softmax = NAME(causal_softmax),
    .causal_softmax_again = NAME(causal_softmax_again),
    .softmax_backward = NAME(softmax_backward),
    .dot_rows = NAME(dot_rows),
    .summarize = NAME(summarize),
    .subtract = NAME(subtract),
    .probabilities = NAME(probabilities),
    .kl = NAME(kl),
    .add_difference = NAME(add_difference),
    .scale = NAME(scale),
    .adamw = NAME(adamw),
    .sum_squares = NAME(sum_squares),
};
