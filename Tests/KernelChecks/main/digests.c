// Prints a digest of what each kernel computes with each instruction set of the processor, for scripts/test-arm.sh: lines
// of "name instruction-set digest". Inputs are finite, so that no NaN's bits depend on the processor.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../checks.h"
#include "CCompute.h"
#include "CKernels.h"

enum { ROWS = 5, N = 203, ALL = ROWS * N };

static const char *isa_name;

static uint64_t hash(uint64_t digest, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
  return digest;
}

static void print(const char *name, uint64_t digest) { printf("%s %s %016" PRIx64 "\n", name, isa_name, digest); }

static const uint64_t start = 0xCBF29CE484222325u;

/// Numbers within ±2, and some zeros and subnormals.
static void fill(float *x, size_t count, random_source *random) {
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = next_random(random);
    x[i] = (float)((double)(bits >> 11) * 0x1p-51 - 2);
    if (bits % 97 == 0) x[i] = 0;
    if (bits % 101 == 0) x[i] *= 0x1p-140f;
  }
}

static void conversions(vp_isa isa) {
  static uint16_t halves[1 << 16], narrow[1 << 16];
  static float floats[1 << 16];
  const vp_convert_kernels *kernels = vp_convert_kernels_for(isa);
  for (size_t i = 0; i < 1 << 16; i++) halves[i] = (uint16_t)i;
  kernels->widen_bf16(halves, floats, 1 << 16);
  print("widen_bf16", hash(start, floats, sizeof floats));
  kernels->widen_f16(halves, floats, 1 << 16);
  print("widen_f16", hash(start, floats, sizeof floats));
  random_source random = {1};
  for (size_t i = 0; i < 1 << 16; i++) {
    uint32_t bits = (uint32_t)next_random(&random);
    memcpy(floats + i, &bits, 4);
  }
  kernels->narrow_bf16(floats, narrow, 1 << 16);
  print("narrow_bf16", hash(start, narrow, sizeof narrow));
}

static void products(vp_isa isa) {
  static float a[96 * 96], b[96 * 96], c[96 * 96], packed[1 << 16], scratch[1 << 18];
  random_source random = {2};
  fill(a, 96 * 96, &random);
  fill(b, 96 * 96, &random);
  static const size_t sizes[][3] = {{1, 1, 1}, {3, 17, 40}, {96, 95, 94}, {33, 64, 7}};
  uint64_t sum = start, vectors = start;
  for (size_t size = 0; size < 4; size++)
    for (int order = 0; order < 8; order++) {
      size_t m = sizes[size][0], n = sizes[size][1], k = sizes[size][2];
      const vp_gemm_kernels *kernels = vp_gemm_f32_kernels(isa);
      memcpy(c, b, sizeof c);
      kernels->pack_b(order & 1, n, k, b, VP_TYPE_F32, order & 1 ? k : n, packed);
      kernels->multiply_packed(order & 2, m, n, k, a, VP_TYPE_F32, order & 2 ? m : k, packed, c, n, order & 4, scratch);
      sum = hash(sum, c, m * n * sizeof *c);
      vp_gemv_kernel_for(isa)(n, k, a, VP_TYPE_F32, k, m < 8 ? m : 8, b, k, c, n);
      vectors = hash(vectors, c, (m < 8 ? m : 8) * n * sizeof *c);
    }
  print("gemm_f32", sum);
  print("gemv", vectors);
}

/// Products of bf16 numbers run on every processor. Their sums are those of the processor's own instructions, if it has
/// them, so this prints only whether they are near; 0 is an error.
static void bf16_products(void) {
  static float a[40 * 50], b[50 * 30], c[40 * 30], scratch[1 << 18];
  random_source random = {3};
  fill(a, 40 * 50, &random);
  fill(b, 50 * 30, &random);
  vp_gemm_bf16(false, false, 40, 30, 50, a, VP_TYPE_F32, 50, b, VP_TYPE_F32, 30, c, 30, false, scratch);
  double largest = 0;
  for (size_t i = 0; i < 40; i++)
    for (size_t j = 0; j < 30; j++) {
      double exact = 0;
      for (size_t k = 0; k < 50; k++) exact += (double)a[i * 50 + k] * (double)b[k * 30 + j];
      double apart = exact - (double)c[i * 30 + j];
      largest = apart < 0 ? (-apart > largest ? -apart : largest) : (apart > largest ? apart : largest);
    }
  print("gemm_bf16_is_near", largest < 0.2);
}

static float x[2 * ALL], y[2 * ALL], z[2 * ALL], v[2 * ALL], w[2 * N], sums[2 * N];
static random_source source;

/// New inputs for each kernel: x, y and z of any values, w of weights.
static void inputs(void) {
  source.state = 4;
  fill(x, 2 * ALL, &source);
  fill(y, 2 * ALL, &source);
  fill(z, 2 * ALL, &source);
  fill(v, 2 * ALL, &source);
  fill(w, 2 * N, &source);
  fill(sums, 2 * N, &source);
}

static uint64_t outputs(void) {
  uint64_t digest = start;
  digest = hash(digest, x, sizeof x);
  digest = hash(digest, y, sizeof y);
  digest = hash(digest, z, sizeof z);
  digest = hash(digest, v, sizeof v);
  return hash(digest, sums, sizeof sums);
}

static void model_kernels(vp_isa isa) {
  const struct vp_model_kernels *k = vp_model_kernels_for(isa);
#define RUN(name, ...)       \
  inputs();                  \
  k->name(__VA_ARGS__);      \
  print(#name, outputs())
  RUN(rms_norm, x, w, y, ROWS, N, 1e-5f);
  RUN(rms_norm_backward, x, y, w, z, sums, ROWS, N, 1e-5f);
  RUN(add, y, x, ALL);
  RUN(add_scaled, y, x, 0.3f, ALL);
  RUN(add_to_rows, y, w, ROWS, N, N + 3);
  RUN(sum_rows, x, sums, ROWS, N, N + 3);
  RUN(silu_mul, x, y, ROWS, N);
  RUN(silu_mul_backward, x, y, z, ROWS, N);
  RUN(layer_norm, x, w, sums, y, ROWS, N, 1e-5f);
  RUN(layer_norm_backward, x, y, w, z, sums, sums + N, ROWS, N, 1e-5f);
  RUN(scale_rows, y, w, ROWS, N);
  RUN(sum_products, x, y, sums, ROWS, N);
  RUN(gelu, x, y, ALL);
  RUN(gelu_backward, x, y, z, ALL);
  RUN(swish, x, y, ALL, 1.6f, 0.07f);
  RUN(swish_backward, x, y, z, ALL, 1.6f, 0.07f);
  RUN(swish_mul, x, y, ROWS, N, 1.6f, 0.07f);
  RUN(swish_mul_backward, x, y, z, ROWS, N, 1.6f, 0.07f);
  RUN(rotate, x, ROWS, 3 * 60, 3, 60, 25, y, z, -1);
  RUN(causal_softmax, x, sums, ROWS, N, 7, 0.3f);
  RUN(causal_softmax_again, x, sums, ROWS, N, 7, 0.3f);
  RUN(softmax_backward, x, y, sums, ROWS, N, 0.3f);
  RUN(dot_rows, x, y, sums, ROWS, N, N, N + 3);
  RUN(subtract, x, 0.3f, ALL);
  RUN(probabilities, x, 0.3f, 0.7f, ALL);
  RUN(add_difference, x, y, z, 0.3f, ALL);
  RUN(scale, x, 0.3f, ALL);
  vp_adamw_step step = {1e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.1f, 0.03f, 0.5f};
  inputs();
  for (size_t i = 0; i < ALL; i++) v[i] = v[i] < 0 ? -v[i] : v[i];
  k->adamw(x, y, z, v, ALL, &step);
  print("adamw", outputs());
#undef RUN
  inputs();
  vp_row_summary summary = k->summarize(x, ALL);
  print("summarize", hash(hash(start, &summary.log_sum, 4), &summary.largest, 4));
  double number = k->kl(x, y, ALL);
  print("kl", hash(start, &number, 8));
  number = k->sum_squares(x, ALL);
  print("sum_squares", hash(start, &number, 8));
}

static void merge_kernels(void) {
  for (size_t table = 0; table < 2; table++) {
    uint64_t digest = vp_digest_merge(300, table);
    isa_name = table ? "AVX2" : "baseline";
    if (digest) print("merge", digest);
  }
}

static void low_rank_kernels(void) {
  static const char *const names[] = {"baseline", "AVX2", "AVX-512"};
  for (size_t table = 0; table < 3; table++) {
    uint64_t digest = vp_digest_lowrank(2000, table);
    isa_name = names[table];
    if (digest) print("lowrank", digest);
  }
}

int main(void) {
  static const char *const names[] = {"baseline", "AVX2", "AVX-512"};
  for (vp_isa isa = VP_BASELINE; isa <= vp_best_isa(); isa++) {
    isa_name = names[isa];
    conversions(isa);
    products(isa);
    model_kernels(isa);
  }
  isa_name = "any";
  uint64_t key = 7, dropped = start;
  inputs();
  vp_dropout(x, y, ALL, vp_mix64(key), 9000, false);
  vp_dropout(x, y, ALL, vp_mix64(key + 1), 9000, true);
  print("dropout", hash(dropped, y, sizeof y));
  bf16_products();
  merge_kernels();
  low_rank_kernels();
}
