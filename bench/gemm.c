// The speed of the matrix products on one core, beside OpenBLAS where it is installed.
//
//   clang -O2 -ISources/CCompute/include bench/gemm.c Sources/CCompute/*.c -lm -ldl -o /tmp/gemm && /tmp/gemm
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
  {"forward up", false, true, 512, 3072, 576, VP_BF16},   {"forward o", false, true, 256, 576, 576, VP_BF16},
  {"forward down", false, true, 256, 576, 1536, VP_BF16}, {"forward, f32", false, true, 512, 3072, 576, VP_F32},
  {"forward 4096", false, true, 512, 4096, 4096, VP_BF16}, {"head", false, true, 256, 49152, 576, VP_BF16},
  {"dY W", false, false, 512, 576, 3072, VP_BF16},        {"dY W, f32", false, false, 512, 576, 1536, VP_F32},
  {"dY' X", true, false, 576, 576, 512, VP_F32},          {"dY' X", true, false, 3072, 576, 1024, VP_F32},
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
  void *p = allocate(count * (type == VP_F32 ? 4 : 2));
  uint32_t random = 1;
  for (size_t i = 0; i < count; i++) {
    random = random * 1664525 + 1013904223;
    float value = (float)(int32_t)random * 0x1p-31f;
    if (type == VP_F32) {
      ((float *)p)[i] = value;
    } else {
      uint32_t bits;
      memcpy(&bits, &value, 4);
      ((uint16_t *)p)[i] = (uint16_t)(bits >> 16);
    }
  }
  return p;
}

/// 10^9 operations a second, in the best of several runs of `body`.
#define SPEED(s, body) ({                                                             \
    double best = 1e9, until = now() + 0.7;                                           \
    do {                                                                              \
      double start = now();                                                           \
      body;                                                                           \
      double taken = now() - start;                                                   \
      if (taken < best) best = taken;                                                 \
    } while (now() < until);                                                          \
    2e-9 * (double)(s)->m * (double)(s)->n * (double)(s)->k / best;                   \
  })

int main(void) {
  printf("%-14s %5s %5s %5s   %9s %9s\n", "", "m", "n", "k", "bf16", "packed B");
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    const shape *s = &shapes[i];
    size_t lda = s->transpose_a ? s->m : s->k, ldb = s->transpose_b ? s->k : s->n;
    void *a = matrix(VP_F32, s->m * s->k), *b = matrix(s->b_type, s->n * s->k);
    float *c = allocate(s->m * s->n * 4);
    printf("%-14s %5zu %5zu %5zu   ", s->name, s->m, s->n, s->k);
    if (vp_has_bf16()) {
      void *scratch = allocate(vp_gemm_bf16_scratch(s->m, s->n, s->k));
      void *packed = allocate(vp_packed_b_bf16(s->n, s->k));
      vp_pack_b_bf16(s->transpose_b, s->n, s->k, b, s->b_type, ldb, packed);
      printf("%9.0f ", SPEED(s, vp_gemm_bf16(s->transpose_a, s->transpose_b, s->m, s->n, s->k, a, VP_F32, lda, b,
                                              s->b_type, ldb, c, s->n, false, scratch)));
      printf("%9.0f ", SPEED(s, vp_gemm_bf16_packed(s->transpose_a, s->m, s->n, s->k, a, VP_F32, lda, packed, c, s->n,
                                                    false, scratch)));
      free(scratch);
      free(packed);
    }
    printf("\n");
    free(a);
    free(b);
    free(c);
  }
}
