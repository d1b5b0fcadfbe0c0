// The speed of the matrix products on one core beside OpenBLAS where it is installed, and of products with few vectors.
//
//   clang -O2 -ISources/CCompute/include bench/gemm.c Sources/CCompute/*.c -lm -ldl -o /tmp/gemm && /tmp/gemm
//
// VPATCH_ISA=avx2 or baseline shows what other processors' instructions would give.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "CCompute.h"

typedef struct {
  const char *name;
  bool transpose_a, transpose_b;
  size_t m, n, k;
  vp_type b_type;
} shape;

// What a model of hidden size 576 (and one of 4096) computes for 256 and 512 tokens.
static const shape shapes[] = {
  {"forward up", false, true, 512, 3072, 576, VP_TYPE_BF16},   {"forward o", false, true, 256, 576, 576, VP_TYPE_BF16},
  {"forward down", false, true, 256, 576, 1536, VP_TYPE_BF16}, {"forward, f32", false, true, 512, 3072, 576, VP_TYPE_F32},
  {"forward 4096", false, true, 512, 4096, 4096, VP_TYPE_BF16}, {"head", false, true, 256, 49152, 576, VP_TYPE_BF16},
  {"dY W", false, false, 512, 576, 3072, VP_TYPE_BF16},        {"dY W, f32", false, false, 512, 576, 1536, VP_TYPE_F32},
  {"dY' X", true, false, 576, 576, 512, VP_TYPE_F32},          {"dY' X", true, false, 3072, 576, 1024, VP_TYPE_F32},
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *allocate(size_t bytes) {
  void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
  memset(p, 0, bytes);
  return p;
}

static void *matrix(vp_type type, size_t count) {
  void *p = allocate(count * (type == VP_TYPE_F32 ? 4 : 2));
  uint32_t random = 1;
  for (size_t i = 0; i < count; i++) {
    random = random * 1664525 + 1013904223;
    float value = (float)(int32_t)random * 0x1p-31f;
    if (type == VP_TYPE_F32) {
      ((float *)p)[i] = value;
    } else {
      uint32_t bits;
      memcpy(&bits, &value, 4);
      ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
    }
  }
  return p;
}

/// Seconds of the best of several runs of `body`.
#define SECONDS(body)                       \
  ({                                        \
    double best = 1e9, until = now() + 0.7; \
    do {                                    \
      double start = now();                 \
      body;                                 \
      double taken = now() - start;         \
      if (taken < best) best = taken;       \
    } while (now() < until);                \
    best;                                   \
  })

/// 10^9 operations a second.
#define SPEED(s, body) (2e-9 * (double)(s)->m * (double)(s)->n * (double)(s)->k / SECONDS(body))

typedef void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a,
                      int lda, const float *b, int ldb, float beta, float *c, int ldc);

/// OpenBLAS's product on one thread, with the kernels that this processor needs.
static sgemm open_blas(void) {
  setenv("OPENBLAS_CORETYPE", vp_chosen_isa() == VP_AVX512 ? "SkylakeX" : "Haswell", 1);
  setenv("OPENBLAS_NUM_THREADS", "1", 1);
  void *library = dlopen("libopenblas.so.0", RTLD_NOW);
  return library ? (sgemm)dlsym(library, "cblas_sgemm") : NULL;
}

static void widen(vp_type type, const void *numbers, size_t count, float *floats) {
  if (type == VP_TYPE_F32) {
    memcpy(floats, numbers, count * 4);
  } else {
    vp_widen_bf16(numbers, floats, count);
  }
}

typedef struct {
  __typeof__(&vp_gemm_f32) multiply;
  __typeof__(&vp_gemm_f32_scratch) scratch;
  __typeof__(&vp_pack_b_f32) pack;
  __typeof__(&vp_packed_b_f32) packed;
  __typeof__(&vp_gemm_f32_packed) multiply_packed;
} product;

static const product
  bf16 = {vp_gemm_bf16, vp_gemm_bf16_scratch, vp_pack_b_bf16, vp_packed_b_bf16, vp_gemm_bf16_packed},
  f32 = {vp_gemm_f32, vp_gemm_f32_scratch, vp_pack_b_f32, vp_packed_b_f32, vp_gemm_f32_packed};

static void measure(const product *p, const shape *s, const void *a, const void *b, float *c) {
  size_t lda = s->transpose_a ? s->m : s->k, ldb = s->transpose_b ? s->k : s->n;
  void *scratch = allocate(p->scratch(s->m, s->n, s->k)), *packed = allocate(p->packed(s->n, s->k));
  p->pack(s->transpose_b, s->n, s->k, b, s->b_type, ldb, packed);
  printf(" %6.0f", SPEED(s, p->multiply(s->transpose_a, s->transpose_b, s->m, s->n, s->k, a, VP_TYPE_F32, lda, b,
                                        s->b_type, ldb, c, s->n, false, scratch)));
  printf(" %6.0f", SPEED(s, p->multiply_packed(s->transpose_a, s->m, s->n, s->k, a, VP_TYPE_F32, lda, packed, c, s->n,
                                               false, scratch)));
  free(scratch);
  free(packed);
}

/// The weights of a model of 135 million, with one vector and with eight.
static void measure_vectors(void) {
  const size_t k = 576, n = 134500000 / k;
  static const char *const names[] = {"f32", "bf16", "f16"};
  float *x = matrix(VP_TYPE_F32, 8 * k), *y = allocate(8 * n * sizeof(float));
  printf("\n%zu weights: milliseconds (GB/s)\n", n * k);
  for (vp_type type = VP_TYPE_F32; type <= VP_TYPE_F16; type++) {
    void *w = matrix(type, n * k);
    printf("%5s", names[type]);
    for (size_t count = 1; count <= 8; count += 7) {
      double seconds = SECONDS(vp_gemv(n, k, w, type, k, count, x, k, y, n));
      double bytes = (double)(n * k) * (type == VP_TYPE_F32 ? 4 : 2);
      printf("   %zu: %5.1f (%4.1f)", count, seconds * 1e3, bytes / seconds * 1e-9);
    }
    printf("\n");
    free(w);
  }
  free(x);
  free(y);
}

int main(void) {
  sgemm theirs = open_blas();
  printf("GFLOP/s                         |     OpenBLAS |          f32 |         bf16\n");
  printf("                   m     n    k | +widen    f32|  whole packed |  whole packed\n");
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const shape *s = &shapes[i];
    size_t lda = s->transpose_a ? s->m : s->k, ldb = s->transpose_b ? s->k : s->n;
    void *a = matrix(VP_TYPE_F32, s->m * s->k), *b = matrix(s->b_type, s->n * s->k);
    float *c = allocate(s->m * s->n * 4), *wide = allocate(s->n * s->k * 4);
    printf("%-13s%5zu %6zu %4zu |", s->name, s->m, s->n, s->k);
    if (theirs) {
#define THEIRS                                                                                                     \
  theirs(101, s->transpose_a ? 112 : 111, s->transpose_b ? 112 : 111, (int)s->m, (int)s->n, (int)s->k, 1, a, (int)lda, \
         wide, (int)ldb, 0, c, (int)s->n)
      printf(" %6.0f", SPEED(s, (widen(s->b_type, b, s->n * s->k, wide), THEIRS)));
      printf(" %6.0f", SPEED(s, THEIRS));
    }
    printf(" |");
    measure(&f32, s, a, b, c);
    printf(" |");
    if (vp_has_bf16()) measure(&bf16, s, a, b, c);
    printf("\n");
    fflush(stdout);
    free(a);
    free(b);
    free(c);
    free(wide);
  }
  measure_vectors();
}
