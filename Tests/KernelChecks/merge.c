// The merge engine (spec/stacks.md, section 5): random bits of every dtype, including NaN and infinities.
#include "CKernels.h"
#include "checks.h"

static const size_t widths[] = {[VP_F64] = 8, [VP_F32] = 4, [VP_F16] = 2, [VP_BF16] = 2, [VP_F8_E5M2] = 1, [VP_F8_E4M3] = 1};

/// Results of one kernel table, concatenated.
typedef struct {
  uint8_t bytes[1 << 15];
  size_t count;
} results;

static void keep(results *r, const void *bytes, size_t count) {
  memcpy(r->bytes + r->count, bytes, count);
  r->count += count;
}

static void run(const vp_merge_kernels *kernels, vp_float type, uint64_t seed, vp_guard guard, results *r) {
  static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 15, 31, 33, 63, 255, 256, 257, 515};
  random_source random = {seed};
  arena a = {.guard = guard};
  size_t count = counts[below(&random, 15)], bytes = count * widths[type];
  const void *base = guarded_noise(&a, bytes, &random);
  vp_merge_member *members = guarded(&a, 3 * sizeof *members);
  for (int i = 0; i < 3; i++) {
    uint8_t *tuned = guarded_noise(&a, bytes, &random);
    if (i < 2)  // near the base; the third one is random
      for (size_t k = 0; k < bytes; k++) tuned[k] = k % 3 ? ((const uint8_t *)base)[k] : tuned[k];
    static const double weights[] = {1, 0.5, -2, 1e300};
    members[i] = (vp_merge_member){tuned, weights[below(&random, 4)], below(&random, 2) << 61, next_random(&random)};
  }
  void *result = guarded(&a, bytes);
  vp_merge_job job = {
    .type = type, .rule = (vp_merge_rule)below(&random, 3), .lambda = below(&random, 2) ? 1 : 0.3,
    .rest = below(&random, 2) ? 1 : 0.7, .drops = (int)below(&random, 2), .keep_below = 1ull << 52,
    .members = members, .member_count = 3, .base = base, .result = result, .count = count,
    .first = next_random(&random), .deltas = guarded(&a, 3 * VP_MERGE_BLOCK * sizeof(double))};
  kernels->merge(&job);
  keep(r, result, bytes);
  vp_slerp_job slerp = {type, base, members[0].tuned, members[2].tuned, result, count, 0.4, 0.6, 0.5, 1};
  kernels->slerp(&slerp);
  keep(r, result, bytes);
  kernels->rebase(type, base, members[0].tuned, members[2].tuned, result, count);
  keep(r, result, bytes);
  double *lanes = memset(guarded(&a, 24 * sizeof(double)), 0, 24 * sizeof(double));
  kernels->dots(type, base, members[2].tuned, count, lanes);
  // The bits of a NaN sum are the processor's, and stored nowhere.
  for (int i = 0; i < 24; i++) lanes[i] = lanes[i] == lanes[i] ? lanes[i] : 0x1p1000;
  keep(r, lanes, 24 * sizeof(double));
  unsigned digits = (unsigned)(1 + below(&random, 10)), shift = (unsigned)below(&random, 64 - digits);
  size_t size = (size_t)1 << digits;
  uint64_t *counts_of = guarded(&a, (size + VP_MERGE_SPARE) * 8), low = 0, left = 1 + below(&random, 600);
  memset(counts_of, 0, (size + VP_MERGE_SPARE) * 8);
  uint64_t prefix = shift + digits < 64 ? next_random(&random) >> (shift + digits) : 0;
  uint64_t found[] = {kernels->count(type, base, members[2].tuned, count, shift, digits, prefix, counts_of, &low), low,
                      kernels->reach(counts_of, size, &left), left};
  keep(r, found, sizeof found);
  keep(r, counts_of, size * 8);
  uint64_t some = 1 + below(&random, 3), end = kernels->find(type, base, members[0].tuned, count, 0, &some);
  keep(r, &end, 8);
  keep(r, &some, 8);
  release(&a);
}

const char *vp_check_merge(uint64_t seed, vp_guard guard) {
  for (int type = VP_F64; type <= VP_F8_E4M3; type++) {
    static _Thread_local results expected, found;
    expected.count = found.count = 0;
    run(&vp_merge_baseline, (vp_float)type, seed * 6 + (uint64_t)type, guard, &expected);
    if (!vp_has_avx2()) continue;
    run(&vp_merge_avx2, (vp_float)type, seed * 6 + (uint64_t)type, guard, &found);
    if (found.count != expected.count || memcmp(found.bytes, expected.bytes, found.count))
      return "merge: AVX2 gives other bits";
  }
  return NULL;
}

uint64_t vp_digest_merge(uint64_t seeds, size_t table) {
  if (table && !vp_has_avx2()) return 0;
  uint64_t digest = 0xCBF29CE484222325u;
  for (uint64_t seed = 0; seed < seeds; seed++)
    for (int type = VP_F64; type <= VP_F8_E4M3; type++) {
      static _Thread_local results found;
      found.count = 0;
      run(table ? &vp_merge_avx2 : &vp_merge_baseline, (vp_float)type, seed * 6 + (uint64_t)type, VP_GUARD_END, &found);
      for (size_t i = 0; i < found.count; i++) digest = (digest ^ found.bytes[i]) * 0x100000001B3u;
    }
  return digest;
}
