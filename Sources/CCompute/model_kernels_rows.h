// The part of model_kernels_impl.h, which includes it, that processes rows between the products of a layer: norms,
// sums, activations, rotary embedding.

static float NAME(inverse_rms)(const float *x, size_t n, float eps) {
  floats sum = {0};
  EACH(n, {
    floats v = AT(x);
    sum += v * v;
  });
  return 1.0f / sqrtf(sum_lanes(sum) / (float)n + eps);
}

static void NAME(rms_norm)(const float *x, const float *weight, float *y, size_t rows, size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += n, y += n) {
    floats inverse = splat(NAME(inverse_rms)(x, n, eps));
    EACH(n, { PUT(y, AT(x) * inverse * AT(weight)); });
  }
}

static void NAME(rms_norm_backward)(
    const float *dy, const float *x, const float *weight, float *dx, float *dweight, size_t rows, size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += n, dy += n, dx += n) {
    float inverse = NAME(inverse_rms)(x, n, eps);
    floats dot = {0};
    EACH(n, { dot += AT(dy) * AT(weight) * AT(x); });
    // d(x/rms) = (dy·w − x · Σ(dy·w·x) / (n·rms²)) / rms
    floats back = splat(sum_lanes(dot) * inverse * inverse / (float)n);
    floats scale = splat(inverse);
    EACH(n, { PUT(dx, AT(dx) + (AT(dy) * AT(weight) - AT(x) * back) * scale); });
    if (dweight) EACH(n, { PUT(dweight, AT(dweight) + AT(dy) * AT(x) * scale); });
  }
}

static void NAME(add)(float *y, const float *x, size_t n) {
  EACH(n, { PUT(y, AT(y) + AT(x)); });
}

static void NAME(add_scaled)(float *y, const float *x, float scale, size_t n) {
  floats factor = splat(scale);
  EACH(n, { PUT(y, AT(y) + AT(x) * factor); });
}

static void NAME(add_to_rows)(float *y, const float *bias, size_t rows, size_t n, size_t stride) {
  for (size_t r = 0; r < rows; r++, y += stride) EACH(n, { PUT(y, AT(y) + AT(bias)); });
}

static void NAME(sum_rows)(const float *x, float *sums, size_t rows, size_t n, size_t stride) {
  for (size_t r = 0; r < rows; r++, x += stride) EACH(n, { PUT(sums, AT(sums) + AT(x)); });
}

INLINE floats sigmoid_lanes(floats x) { return splat(1.0f) / (splat(1.0f) + exp_lanes(-x)); }

static void NAME(silu_mul)(const float *gate_up, float *h, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, gate_up += 2 * n, h += n) {
    const float *up = gate_up + n;
    EACH(n, {
      floats g = AT(gate_up);
      PUT(h, g * sigmoid_lanes(g) * AT(up));
    });
  }
}

static void NAME(silu_mul_backward)(
    const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, gate_up += 2 * n, dh += n, d_gate_up += 2 * n) {
    const float *up = gate_up + n;
    float *d_up = d_gate_up + n;
    EACH(n, {
      floats g = AT(gate_up);
      floats d = AT(dh);
      floats s = sigmoid_lanes(g);
      PUT(d_gate_up, d * AT(up) * s * (splat(1.0f) + g * (splat(1.0f) - s)));
      PUT(d_up, d * g * s);
    });
  }
}

/// The mean of a row, and 1 / √(its variance + eps).
INLINE void moments(const float *x, size_t n, float eps, float *mean, float *inverse) {
  floats sum = {0};
  EACH(n, { sum += AT(x); });
  *mean = sum_lanes(sum) / (float)n;
  floats m = splat(*mean);
  floats squares = {0};
  EACH(n, {
    floats v = AT(x) - m;
    // Values after the end of a row do not count.
    if (some)
      for (size_t j = rest; j < LANES; j++) v[j] = 0;
    squares += v * v;
  });
  *inverse = 1.0f / sqrtf(sum_lanes(squares) / (float)n + eps);
}

static void NAME(layer_norm)(
    const float *x, const float *weight, const float *bias, float *y, size_t rows, size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += n, y += n) {
    float mean, inverse;
    moments(x, n, eps, &mean, &inverse);
    floats m = splat(mean);
    floats scale = splat(inverse);
    EACH(n, { PUT(y, (AT(x) - m) * scale * AT(weight) + AT(bias)); });
  }
}

static void NAME(layer_norm_backward)(
    const float *dy, const float *x, const float *weight, float *dx, float *dweight, float *dbias, size_t rows,
    size_t n, float eps) {
  for (size_t r = 0; r < rows; r++, x += n, dy += n, dx += n) {
    float mean, inverse;
    moments(x, n, eps, &mean, &inverse);
    floats m = splat(mean);
    floats scale = splat(inverse);
    floats sum = {0};
    floats dot = {0};
    EACH(n, {
      floats g = AT(dy) * AT(weight);
      sum += g;
      dot += g * (AT(x) - m) * scale;
    });
    // With z = (x − mean)/σ: dx = (dy·w − mean(dy·w) − z · mean(dy·w·z)) / σ
    floats shift = splat(sum_lanes(sum) / (float)n);
    floats back = splat(sum_lanes(dot) / (float)n);
    EACH(n, {
      floats z = (AT(x) - m) * scale;
      PUT(dx, AT(dx) + (AT(dy) * AT(weight) - shift - z * back) * scale);
    });
    if (dweight) EACH(n, { PUT(dweight, AT(dweight) + AT(dy) * (AT(x) - m) * scale); });
    if (dbias) EACH(n, { PUT(dbias, AT(dbias) + AT(dy)); });
  }
}

static void NAME(scale_rows)(float *y, const float *scale, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, y += n) EACH(n, { PUT(y, AT(y) * AT(scale)); });
}

static void NAME(sum_products)(const float *a, const float *b, float *sums, size_t rows, size_t n) {
  for (size_t r = 0; r < rows; r++, a += n, b += n) EACH(n, { PUT(sums, AT(sums) + AT(a) * AT(b)); });
}

static void NAME(gelu)(const float *x, float *y, size_t n) {
  EACH(n, {
    floats v = AT(x);
    PUT(y, v * normal_lanes(v));
  });
}

static void NAME(gelu_backward)(const float *x, const float *dy, float *dx, size_t n) {
  EACH(n, {
    floats v = AT(x);
    // φ(x) = exp(−x²/2) / √(2π)
    floats density = exp_lanes(v * v * splat(-0.5f)) * splat(0.398942280f);
    PUT(dx, AT(dy) * (normal_lanes(v) + v * density));
  });
}

static void NAME(swish)(const float *x, float *y, size_t n, float linear, float cubic) {
  floats a = splat(linear);
  floats b = splat(cubic);
  EACH(n, {
    floats v = AT(x);
    PUT(y, v * sigmoid_lanes(v * (a + b * v * v)));
  });
}

static void NAME(swish_backward)(const float *x, const float *dy, float *dx, size_t n, float linear, float cubic) {
  floats a = splat(linear);
  floats b = splat(cubic);
  EACH(n, {
    floats v = AT(x);
    floats s = sigmoid_lanes(v * (a + b * v * v));
    floats slope = a + splat(3.0f) * b * v * v;
    PUT(dx, AT(dy) * (s + v * slope * s * (splat(1.0f) - s)));
  });
}

static void NAME(swish_mul)(const float *gate_up, float *h, size_t rows, size_t n, float linear, float cubic) {
  floats a = splat(linear);
  floats b = splat(cubic);
  for (size_t r = 0; r < rows; r++, gate_up += 2 * n, h += n) {
    const float *up = gate_up + n;
    EACH(n, {
      floats g = AT(gate_up);
      PUT(h, g * sigmoid_lanes(g * (a + b * g * g)) * AT(up));
    });
  }
}

static void NAME(swish_mul_backward)(
    const float *gate_up, const float *dh, float *d_gate_up, size_t rows, size_t n, float linear, float cubic) {
  floats a = splat(linear);
  floats b = splat(cubic);
  for (size_t r = 0; r < rows; r++, gate_up += 2 * n, dh += n, d_gate_up += 2 * n) {
    const float *up = gate_up + n;
    float *d_up = d_gate_up + n;
    EACH(n, {
      floats g = AT(gate_up);
      floats d = AT(dh);
      floats s = sigmoid_lanes(g * (a + b * g * g));
      floats slope = a + splat(3.0f) * b * g * g;
      PUT(d_gate_up, d * AT(up) * (s + g * slope * s * (splat(1.0f) - s)));
      PUT(d_up, d * g * s);
    });
  }
}

static void NAME(rotate)(
    float *x, size_t rows, size_t stride, size_t heads, size_t head_size, size_t half, const float *cosines,
    const float *sines, float direction) {
  floats sign = splat(direction);
  for (size_t r = 0; r < rows; r++, x += stride, cosines += half, sines += half)
    for (size_t head = 0; head < heads; head++) {
      float *a = x + head * head_size;
      float *b = a + half;
      EACH(half, {
        floats c = AT(cosines);
        floats s = AT(sines) * sign;
        floats u = AT(a);
        floats v = AT(b);
        PUT(a, u * c - v * s);
        PUT(b, v * c + u * s);
      });
    }
}
