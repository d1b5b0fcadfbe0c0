// The low-rank coder (spec/vpatch-format.md, section 5.2): random bits of every dtype, factors of many sizes.
#include <math.h>
#include <stdlib.h>

#include "CKernels.h"
#include "checks.h"

static const size_t widths[] = {[VP_F32] = 4, [VP_F16] = 2, [VP_BF16] = 2};

static uint64_t element_at(const void *elements, size_t width, size_t i) {
  uint64_t bits = 0;
  memcpy(&bits, (const char *)elements + i * width, width);
  return bits;
}

/// FNV-1a.
static uint64_t add_to_digest(uint64_t digest, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
  return digest;
}

/// Predicts and inverts a random rectangle, and adds the results to a digest.
/// - Returns: a description of an error; NULL if there is none.
static const char *run(const vp_lowrank_kernels *kernels, vp_float type, uint64_t seed, vp_guard guard, uint64_t *digest) {
  static const size_t columns[] = {1, 2, 7, 15, 16, 31, 32, 33, 63, 64, 65, 97};
  random_source random = {seed};
  arena a = {.guard = guard};
  size_t width = widths[type];
  vp_lowrank_job job = {
    .type = type, .rounds_change = (int)below(&random, 2), .scale = below(&random, 2) ? 2 : -0.37,
    .rank = 1 + below(&random, 20), .rows = 1 + below(&random, 19), .columns = columns[below(&random, 12)]};
  // Without a gap between rows, or with one.
  job.stride = job.columns + below(&random, 2) * 5;
  job.v_stride = job.columns + VP_LOWRANK_TILE;
  size_t count = (job.rows - 1) * job.stride + job.columns, bytes = count * width;
  float *u = guarded_floats(&a, job.rows * job.rank, &random);
  float *v = guarded_floats(&a, job.rank * job.v_stride, &random);
  static const float strengths[] = {1e-8f, 1e-4f, 0.01f, 1, 1e30f};
  float strength = strengths[below(&random, 5)];
  for (size_t i = 0; i < job.rows * job.rank; i++) u[i] *= strength;
  // One change for all elements, often a subnormal number of float16.
  if (seed % 5 == 0) {
    float same = ldexpf(1 + (float)below(&random, 256) / 256, -26 + (int)below(&random, 14));
    for (size_t i = 0; i < job.rows * job.rank; i++) u[i] = same;
    for (size_t i = 0; i < job.rank * job.v_stride; i++) v[i] = 1;
  }
  uint8_t *base = guarded_noise(&a, bytes, &random);
  // Mostly ordinary weights; every other time nothing else, so that the fast ways are taken.
  for (size_t i = 0; i < count; i++) {
    uint8_t *highest = base + i * width + width - 1;
    if (seed % 2 || i % 5) *highest = (uint8_t)((type == VP_F16 ? 0x38 : 0x3C) | (*highest & 0x80));
  }
  void *predicted = guarded(&a, bytes), *inverted = guarded(&a, bytes);
  uint8_t *ambiguous = guarded(&a, count);
  job.u = u, job.v = v;
  job.scratch = aligned_alloc(64, job.rank * VP_LOWRANK_TILE * sizeof(double));
  job.input = base, job.output = predicted;
  kernels->predict(&job);
  job.input = predicted, job.output = inverted, job.ambiguous = ambiguous;
  kernels->invert(&job);
  const char *failure = NULL;
  for (size_t row = 0; row < job.rows; row++) {
    for (size_t column = 0; column < job.columns; column++) {
      size_t i = row * job.stride + column;
      uint64_t expected = element_at(base, width, i), prediction = element_at(predicted, width, i), first = 0;
      uint64_t position = kernels->position(type, expected);
      if (kernels->element(type, position) != expected) failure = "low-rank: positions do not lead back";
      uint64_t number = kernels->candidates(&job, row, column, prediction, &first);
      if (position < first || position - first >= number) failure = "low-rank: the base is no candidate";
      if (ambiguous[i] == VP_LOWRANK_SETTLED && (number != 1 || element_at(inverted, width, i) != expected))
        failure = "low-rank: a base was taken for the only one";
      if (ambiguous[i] != VP_LOWRANK_SETTLED && ambiguous[i] != VP_LOWRANK_LOOK_UP
          && (number != ambiguous[i] || kernels->position(type, element_at(inverted, width, i)) != first))
        failure = "low-rank: not the first of several bases";
      *digest = add_to_digest(*digest, &prediction, 8);
      *digest = add_to_digest(*digest, &number, 8);
      *digest = add_to_digest(*digest, &first, 8);
      *digest = add_to_digest(*digest, ambiguous + i, 1);
    }
  }
  release(&a);
  free(job.scratch);
  return failure;
}

/// The tables that this processor can run; the first is for every processor.
static size_t tables(const vp_lowrank_kernels *found[3]) {
  size_t count = 0;
  found[count++] = &vp_lowrank_baseline;
  if (vp_has_avx2() && vp_has_fma()) found[count++] = &vp_lowrank_avx2;
  if (vp_has_avx512()) found[count++] = &vp_lowrank_avx512;
  return count;
}

static const vp_float types[] = {VP_F32, VP_F16, VP_BF16};

const char *vp_check_lowrank(uint64_t seed, vp_guard guard) {
  const vp_lowrank_kernels *found[3];
  size_t count = tables(found);
  for (size_t i = 0; i < 3; i++) {
    uint64_t expected = 0;
    for (size_t k = 0; k < count; k++) {
      uint64_t digest = 0;
      const char *failure = run(found[k], types[i], seed * 3 + i, guard, &digest);
      if (failure) return failure;
      if (k == 0) expected = digest;
      if (digest != expected) return "low-rank: vector instructions give other bits";
    }
  }
  return NULL;
}

uint64_t vp_digest_lowrank(uint64_t seeds, size_t table) {
  const vp_lowrank_kernels *found[3];
  if (table >= tables(found)) return 0;
  uint64_t digest = 0xCBF29CE484222325u;
  for (uint64_t seed = 0; seed < seeds; seed++)
    for (size_t i = 0; i < 3; i++) run(found[table], types[i], seed * 3 + i, VP_GUARD_END, &digest);
  return digest;
}
