// The model kernels: conversions, products and others, with all instruction sets of this processor.
#include "CCompute.h"
#include "checks.h"

static const size_t lengths[] = {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 64, 100};

static size_t length(random_source *random) { return lengths[below(random, sizeof lengths / sizeof lengths[0])]; }

const char *vp_check_conversions(uint64_t seed, vp_guard guard) {
  for (vp_isa isa = VP_BASELINE; isa <= vp_best_isa(); isa++) {
    random_source random = {seed};
    arena a = {.guard = guard};
    const vp_convert_kernels *kernels = vp_convert_kernels_for(isa);
    size_t count = length(&random);
    uint16_t *numbers = guarded_noise(&a, count * 2, &random);
    float *floats = guarded(&a, count * 4);
    kernels->widen_bf16(numbers, floats, count);
    kernels->widen_f16(numbers, floats, count);
    kernels->narrow_bf16(guarded_floats(&a, count, &random), numbers, count);
    release(&a);
  }
  return NULL;
}

static size_t width(vp_type type) { return type == VP_TYPE_F32 ? 4 : 2; }

/// A matrix with rows `stride` apart, whose memory ends with its last row.
static void *matrix(arena *a, random_source *random, vp_type type, size_t rows, size_t columns, size_t stride) {
  size_t count = rows && columns ? (rows - 1) * stride + columns : 0;
  return type == VP_TYPE_F32 ? (void *)guarded_floats(a, count, random) : guarded_noise(a, count * width(type), random);
}

typedef struct {
  bool transpose_a, transpose_b, accumulate;
  size_t m, n, k, lda, ldb, ldc;
  vp_type a_type, b_type;
  const void *a, *b;
  float *c;
} product;

static product make_product(arena *a, random_source *random) {
  product p = {.transpose_a = below(random, 2), .transpose_b = below(random, 2), .accumulate = below(random, 2)};
  // Sometimes more rows, or more k, than one block has.
  p.m = below(random, 40) ? length(random) : 259;
  p.n = length(random);
  p.k = below(random, 40) ? length(random) : 801;
  p.lda = (p.transpose_a ? p.m : p.k) + below(random, 4);
  p.ldb = (p.transpose_b ? p.k : p.n) + below(random, 4);
  p.ldc = p.n + below(random, 4);
  p.a_type = (vp_type)below(random, 3);
  p.b_type = (vp_type)below(random, 3);
  p.a = matrix(a, random, p.a_type, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.lda);
  p.b = matrix(a, random, p.b_type, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.ldb);
  p.c = matrix(a, random, VP_TYPE_F32, p.m, p.n, p.ldc);
  return p;
}

const char *vp_check_products(uint64_t seed, vp_guard guard) {
  random_source random = {seed};
  arena a = {.guard = guard};
  product p = make_product(&a, &random);
  vp_gemm_f32(p.transpose_a, p.transpose_b, p.m, p.n, p.k, p.a, p.a_type, p.lda, p.b, p.b_type, p.ldb, p.c, p.ldc,
              p.accumulate, guarded(&a, vp_gemm_f32_scratch(p.m, p.n, p.k)));
  void *packed = guarded(&a, vp_packed_b_f32(p.n, p.k)), *scratch = guarded(&a, vp_gemm_f32_packed_scratch(p.m, p.k));
  for (vp_isa isa = VP_BASELINE; isa <= vp_best_isa(); isa++) {
    const vp_gemm_kernels *kernels = vp_gemm_f32_kernels(isa);
    kernels->pack_b(p.transpose_b, p.n, p.k, p.b, p.b_type, p.ldb, packed);
    kernels->multiply_packed(p.transpose_a, p.m, p.n, p.k, p.a, p.a_type, p.lda, packed, p.c, p.ldc, p.accumulate,
                             scratch);
  }
  {
    vp_gemm_bf16(p.transpose_a, p.transpose_b, p.m, p.n, p.k, p.a, p.a_type, p.lda, p.b, p.b_type, p.ldb, p.c, p.ldc,
                 p.accumulate, guarded(&a, vp_gemm_bf16_scratch(p.m, p.n, p.k)));
    void *pairs = guarded(&a, vp_packed_b_bf16(p.n, p.k));
    vp_pack_b_bf16(p.transpose_b, p.n, p.k, p.b, p.b_type, p.ldb, pairs);
    vp_gemm_bf16_packed(p.transpose_a, p.m, p.n, p.k, p.a, p.a_type, p.lda, pairs, p.c, p.ldc, p.accumulate,
                        guarded(&a, vp_gemm_bf16_packed_scratch(p.m, p.k)));
  }
  release(&a);

  size_t n = length(&random), k = length(&random), count = below(&random, 20);
  size_t ldw = k + below(&random, 4), ldx = k + below(&random, 4), ldy = n + below(&random, 4);
  vp_type type = (vp_type)below(&random, 3);
  const void *w = matrix(&a, &random, type, n, k, ldw);
  const float *x = matrix(&a, &random, VP_TYPE_F32, count, k, ldx);
  float *y = matrix(&a, &random, VP_TYPE_F32, count, n, ldy);
  for (vp_isa isa = VP_BASELINE; isa <= vp_best_isa(); isa++)
    vp_gemv_kernel_for(isa)(n, k, w, type, ldw, count, x, ldx, y, ldy);
  release(&a);
  return NULL;
}

/// Rows of n numbers each, as inputs of the norm and activation kernels.
static void run_rows(const struct vp_model_kernels *kernels, size_t rows, size_t n, random_source *random, arena *a) {
  size_t all = rows * n, stride = n + below(random, 4), strided = rows && n ? (rows - 1) * stride + n : 0;
  float *x = guarded_floats(a, all, random), *y = guarded_floats(a, all, random), *z = guarded_floats(a, all, random);
  float *w = guarded_floats(a, n, random), *dw = guarded_floats(a, n, random), *db = guarded_floats(a, n, random);
  kernels->rms_norm(x, w, y, rows, n, 1e-5f);
  kernels->rms_norm_backward(x, y, w, z, below(random, 2) ? dw : NULL, rows, n, 1e-5f);
  kernels->layer_norm(x, w, db, y, rows, n, 1e-5f);
  kernels->layer_norm_backward(x, y, w, z, below(random, 2) ? dw : NULL, below(random, 2) ? db : NULL, rows, n, 1e-5f);
  kernels->add(y, x, all);
  kernels->add_scaled(y, x, 0.5f, all);
  kernels->scale_rows(y, w, rows, n);
  kernels->sum_products(x, y, dw, rows, n);
  kernels->gelu(x, y, all);
  kernels->gelu_backward(x, y, y, all);
  kernels->swish(x, y, all, 1.6f, 0.07f);
  kernels->swish_backward(x, y, y, all, 1.6f, 0.07f);
  float *apart = guarded_floats(a, strided, random), *dots = guarded(a, rows * sizeof(float));
  kernels->add_to_rows(apart, w, rows, n, stride);
  kernels->sum_rows(apart, dw, rows, n, stride);
  kernels->dot_rows(x, apart, dots, rows, n, n, stride);
  float *gate_up = guarded_floats(a, 2 * all, random);
  kernels->silu_mul(gate_up, y, rows, n);
  kernels->silu_mul_backward(gate_up, y, guarded(a, 2 * all * sizeof(float)), rows, n);
  size_t heads = 1 + below(random, 3), row = heads * 2 * n + below(random, 4);
  float *heads_of = guarded_floats(a, rows && n ? (rows - 1) * row + heads * 2 * n : 0, random);
  kernels->rotate(heads_of, rows, row, heads, 2 * n, n, x, z, -1);
}

/// The kernels for scores and logits.
static void run_scores(const struct vp_model_kernels *kernels, size_t rows, size_t n, random_source *random, arena *a) {
  size_t all = rows * n, first = below(random, 40);
  float *x = guarded_floats(a, all, random), *y = guarded_floats(a, all, random);
  float *sums = guarded_floats(a, rows, random);
  kernels->causal_softmax(x, below(random, 2) ? sums : NULL, rows, n, first, 0.3f);
  kernels->causal_softmax_again(x, sums, rows, n, first, 0.3f);
  kernels->softmax_backward(x, y, sums, rows, n, 0.3f);
  kernels->summarize(y, all);
  kernels->subtract(x, 0.5f, all);
  kernels->probabilities(x, 0.5f, 2, all);
  kernels->kl(x, y, all);
  kernels->add_difference(guarded_floats(a, all, random), x, y, 0.5f, all);
  kernels->scale(x, 0.5f, all);
  kernels->sum_squares(x, all);
  vp_adamw_step step = {1e-3f, 0.9f, 0.999f, 1e-8f, 0.01f, 0.1f, 0.03f, 0.5f};
  kernels->adamw(x, y, guarded_floats(a, all, random), guarded_floats(a, all, random), all, &step);
}

const char *vp_check_model_kernels(uint64_t seed, vp_guard guard) {
  for (vp_isa isa = VP_BASELINE; isa <= vp_best_isa(); isa++) {
    random_source random = {seed};
    arena a = {.guard = guard};
    size_t rows = below(&random, 4), n = length(&random);
    run_rows(vp_model_kernels_for(isa), rows, n, &random, &a);
    release(&a);
    run_scores(vp_model_kernels_for(isa), rows, n, &random, &a);
    release(&a);
  }
  return NULL;
}
