// The code of both tables (spec/stacks.md, section 5). KERNELS is the table's name.
#include "float_formats.h"

#pragma STDC FP_CONTRACT OFF

enum { block = VP_MERGE_BLOCK };

#define AT(type, elements, i) ((const char *)(elements) + (i) * (size_t)formats[type].width)

/// All ones or all zeros: conditions as masks, since branches would prevent vectorisation.
INLINE uint64_t mask(int condition) { return -(uint64_t)condition; }

INLINE uint64_t choose(uint64_t mask, uint64_t a, uint64_t b) { return (a & mask) | (b & ~mask); }

INLINE double choose_double(uint64_t mask, double a, double b) {
  return as_double(choose(mask, as_bits(a), as_bits(b)));
}

INLINE double only(uint64_t mask, double value) { return as_double(as_bits(value) & mask); }

INLINE size_t shorter(size_t a, size_t b) { return a < b ? a : b; }

/// tuned - base where the bits differ, else 0. `changed` gets all ones there.
INLINE void subtract(vp_float type, const void *base, const void *tuned, size_t n, double *delta, uint64_t *changed) {
  for (size_t i = 0; i < n; i++) {
    uint64_t b = load(type, base, i), t = load(type, tuned, i);
    changed[i] = mask(b != t);
    delta[i] = only(changed[i], widen(type, t) - widen(type, b));
  }
}

/// The bits of |delta|. All NaNs are equal, and greater than infinity.
INLINE int64_t magnitude(double delta) {
  return delta != delta ? (int64_t)0x7ff8 << 48 : (int64_t)(as_bits(delta) & ~(1ull << 63));
}

/// SplitMix64.
INLINE uint64_t scramble(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

INLINE void drop(uint64_t key, uint64_t first, uint64_t keep_below, size_t n, double *delta, uint64_t *changed) {
  for (size_t i = 0; i < n; i++) {
    uint64_t random = scramble(key + (first + i + 1) * 0x9e3779b97f4a7c15u) >> 11;
    changed[i] &= mask((int64_t)random < (int64_t)keep_below);
    delta[i] = only(changed[i], delta[i]);
  }
}

INLINE void trim(uint64_t above, size_t n, double *delta) {
  for (size_t i = 0; i < n; i++)
    delta[i] = only(mask(magnitude(delta[i]) > (int64_t)above), delta[i]);
}

// An element's contributor count: one for each, and in the upper half one for each whose bits could be used unchanged.
static const uint64_t one = 1, one_as_is = 1ull << 32 | 1;

typedef struct {
  double sum[block], divisor[block], last[block];
  uint64_t taking[block], bits[block];
} merged;

INLINE void write(vp_float type, const vp_merge_job *job, size_t start, size_t n, const merged *m) {
  const void *base = AT(type, job->base, start);
  void *result = (void *)AT(type, job->result, start);
  for (size_t i = 0; i < n; i++) {
    uint64_t b = load(type, base, i);
    uint64_t r = narrow(type, widen(type, b) + job->rest * m->sum[i]);
    r = choose(mask(m->taking[i] == one_as_is), m->bits[i], r);
    r = choose(mask(m->taking[i] == 0), b, r);
    store(type, result, i, r);
  }
}

INLINE void add_block(vp_float type, const vp_merge_job *job, size_t start, size_t n) {
  merged m = {0};
  double delta[block];
  uint64_t changed[block];
  for (size_t k = 0; k < job->member_count; k++) {
    const vp_merge_member *member = job->members + k;
    const void *tuned = AT(type, member->tuned, start);
    subtract(type, AT(type, job->base, start), tuned, n, delta, changed);
    if (job->drops) drop(member->key, job->first + start, job->keep_below, n, delta, changed);
    uint64_t each = member->weight == 1 && job->rest == 1 ? one_as_is : one;
    for (size_t i = 0; i < n; i++) {
      // A weight can be infinite (a scale divided by a small number). Times 0 that would be NaN.
      m.sum[i] += only(changed[i], member->weight * delta[i]);
      m.taking[i] += changed[i] & each;
      m.bits[i] = choose(changed[i], load(type, tuned, i), m.bits[i]);
    }
  }
  write(type, job, start, n, &m);
}

/// A member's share in the vote; 0 for a delta that is not kept.
INLINE double share_of(double weight, double delta) { return only(mask(delta != 0), weight * delta); }

INLINE void elect_block(vp_float type, const vp_merge_job *job, size_t start, size_t n) {
  merged m = {0};
  double votes[block] = {0};
  for (size_t k = 0; k < job->member_count; k++) {
    const vp_merge_member *member = job->members + k;
    double *delta = job->deltas + k * block;
    uint64_t changed[block];
    subtract(type, AT(type, job->base, start), AT(type, member->tuned, start), n, delta, changed);
    if (job->drops) drop(member->key, job->first + start, job->keep_below, n, delta, changed);
    trim(member->above, n, delta);
    for (size_t i = 0; i < n; i++) votes[i] += share_of(member->weight, delta[i]);
  }
  for (size_t k = 0; k < job->member_count; k++) {
    const vp_merge_member *member = job->members + k;
    const double *delta = job->deltas + k * block;
    const void *tuned = AT(type, member->tuned, start);
    int is_exact = job->lambda == 1 && job->rest == 1 && (job->rule == VP_ELECT_MEAN || member->weight == 1);
    uint64_t each = is_exact ? one_as_is : one;
    for (size_t i = 0; i < n; i++) {
      double share = share_of(member->weight, delta[i]);
      uint64_t is_nan = mask(votes[i] != votes[i]), is_up = mask(votes[i] >= 0);
      uint64_t agrees = choose(is_up, mask(share > 0), mask(share < 0));
      agrees = choose(is_nan, mask(share != 0), agrees);
      m.sum[i] += only(agrees, share);
      m.divisor[i] += only(agrees, member->weight);
      m.last[i] = choose_double(agrees, delta[i], m.last[i]);
      m.taking[i] += agrees & each;
      m.bits[i] = choose(agrees, load(type, tuned, i), m.bits[i]);
    }
  }
  for (size_t i = 0; i < n; i++) {
    if (job->rule == VP_ELECT_MEAN) {
      double mean = m.sum[i] / choose_double(mask(m.divisor[i] == 0), 1, m.divisor[i]);
      m.sum[i] = choose_double(mask((m.taking[i] & UINT32_MAX) == 1), m.last[i], mean);
    }
    m.sum[i] *= job->lambda;
  }
  write(type, job, start, n, &m);
}

INLINE void merge_all(vp_float type, const vp_merge_job *job) {
  for (size_t start = 0; start < job->count; start += block) {
    size_t n = shorter(block, job->count - start);
    if (job->rule == VP_ADD) {
      add_block(type, job, start, n);
    } else {
      elect_block(type, job, start, n);
    }
  }
}

INLINE void slerp_all(vp_float type, const vp_slerp_job *job) {
  for (size_t i = 0; i < job->count; i++) {
    uint64_t x = load(type, job->base, i), a = load(type, job->a, i), b = load(type, job->b, i);
    int is_kept = job->is_linear && a == b;
    double base = widen(type, x), both = widen(type, a);
    double between = job->coefficient_a * both + job->coefficient_b * widen(type, b);
    between = is_kept ? both : between;
    double moved = base + job->rest * (between - base);
    uint64_t r = narrow(type, job->rest == 1 ? between : moved);
    store(type, job->result, i, is_kept && (job->rest == 1 || a == x) ? a : r);
  }
}

INLINE void rebase_all(vp_float type, const void *new_base, const void *old_base, const void *tuned, void *result,
                       size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint64_t n = load(type, new_base, i), o = load(type, old_base, i), t = load(type, tuned, i);
    uint64_t r = narrow(type, widen(type, n) + (widen(type, t) - widen(type, o)));
    r = choose(mask(n == o), t, r);
    store(type, result, i, choose(mask(t == o), n, r));
  }
}

INLINE void dots_all(vp_float type, const void *a, const void *b, size_t count, double lanes[24]) {
  double aa[8], bb[8], ab[8];
  memcpy(aa, lanes, 64);
  memcpy(bb, lanes + 8, 64);
  memcpy(ab, lanes + 16, 64);
  for (size_t i = 0; i < count; i += 8) {
    size_t n = shorter(8, count - i);
    for (size_t lane = 0; lane < n; lane++) {
      double x = widen(type, load(type, a, i + lane)), y = widen(type, load(type, b, i + lane));
      aa[lane] += x * x;
      bb[lane] += y * y;
      ab[lane] += x * y;
    }
  }
  memcpy(lanes, aa, 64);
  memcpy(lanes + 8, bb, 64);
  memcpy(lanes + 16, ab, 64);
}

INLINE uint64_t count_all(vp_float type, const void *base, const void *tuned, size_t count, unsigned shift,
                          unsigned digits, uint64_t prefix, uint64_t *counts, uint64_t *low) {
  double delta[block];
  uint64_t changed[block], seen = 0, total = 0;
  uint32_t places[block], size = 1u << digits;
  for (size_t start = 0; start < count; start += block) {
    size_t n = shorter(block, count - start);
    subtract(type, AT(type, base, start), AT(type, tuned, start), n, delta, changed);
    for (size_t i = 0; i < n; i++) {
      uint64_t m = (uint64_t)magnitude(delta[i]);
      uint64_t is_meant = mask(m != 0) & mask(m >> (shift + digits) == prefix);
      // The other elements are counted behind the table, spread over several places. That costs less than a branch that
      // is mispredicted half of the time.
      places[i] = (uint32_t)choose(is_meant, m >> shift & (size - 1), size + i % VP_MERGE_SPARE);
      seen |= m & is_meant;
      total += is_meant & 1;
    }
    for (size_t i = 0; i < n; i++) counts[places[i]]++;
  }
  *low |= seen & ((1ull << shift) - 1);
  return total;
}

static size_t reach(const uint64_t *counts, size_t count, uint64_t *left) {
  size_t i = count - 1;
  for (; i > 0 && counts[i] < *left; i--) *left -= counts[i];
  return i;
}

INLINE size_t find_all(vp_float type, const void *base, const void *tuned, size_t count, uint64_t wanted,
                       uint64_t *left) {
  double delta[block];
  uint64_t changed[block];
  for (size_t start = 0; start < count && *left > 0; start += block) {
    size_t n = shorter(block, count - start), found = 0;
    subtract(type, AT(type, base, start), AT(type, tuned, start), n, delta, changed);
    for (size_t i = 0; i < n; i++) found += (uint64_t)magnitude(delta[i]) == wanted;
    if (found < *left) {
      *left -= found;
      continue;
    }
    for (size_t i = 0; i < n; i++)
      if ((uint64_t)magnitude(delta[i]) == wanted && --*left == 0) return start + i + 1;
  }
  return count;
}

INLINE uint64_t is_finite(vp_float type, const void *elements, size_t i) {
  double x = widen(type, load(type, elements, i));
  return mask(x - x == 0);
}

INLINE uint64_t not_finite_all(vp_float type, const void *result, const void *const *inputs, size_t input_count,
                               size_t count) {
  uint64_t broken[block], total = 0;
  for (size_t start = 0; start < count; start += block) {
    size_t n = shorter(block, count - start);
    uint64_t any = 0;
    for (size_t i = 0; i < n; i++) any |= broken[i] = ~is_finite(type, AT(type, result, start), i);
    if (!any) continue;
    for (size_t k = 0; k < input_count; k++)
      for (size_t i = 0; i < n; i++) broken[i] &= is_finite(type, AT(type, inputs[k], start), i);
    for (size_t i = 0; i < n; i++) total += broken[i] & 1;
  }
  return total;
}

// One copy of the code per dtype, so that the dtype is a constant in it.
#define FOR_TYPE(type, call)                 \
  switch (type) {                            \
    case VP_F64: call(VP_F64); break;        \
    case VP_F32: call(VP_F32); break;        \
    case VP_F16: call(VP_F16); break;        \
    case VP_BF16: call(VP_BF16); break;      \
    case VP_F8_E5M2: call(VP_F8_E5M2); break; \
    case VP_F8_E4M3: call(VP_F8_E4M3); break; \
  }

static void merge(const vp_merge_job *job) {
#define CALL(type) merge_all(type, job)
  FOR_TYPE(job->type, CALL)
#undef CALL
}

static void slerp(const vp_slerp_job *job) {
#define CALL(type) slerp_all(type, job)
  FOR_TYPE(job->type, CALL)
#undef CALL
}

static void rebase(vp_float type, const void *new_base, const void *old_base, const void *tuned, void *result,
                   size_t count) {
#define CALL(type) rebase_all(type, new_base, old_base, tuned, result, count)
  FOR_TYPE(type, CALL)
#undef CALL
}

static void dots(vp_float type, const void *a, const void *b, size_t count, double lanes[24]) {
#define CALL(type) dots_all(type, a, b, count, lanes)
  FOR_TYPE(type, CALL)
#undef CALL
}

static uint64_t count_magnitudes(vp_float type, const void *base, const void *tuned, size_t count, unsigned shift,
                                 unsigned digits, uint64_t prefix, uint64_t *counts, uint64_t *low) {
  uint64_t total = 0;
#define CALL(type) total = count_all(type, base, tuned, count, shift, digits, prefix, counts, low)
  FOR_TYPE(type, CALL)
#undef CALL
  return total;
}

static size_t find(vp_float type, const void *base, const void *tuned, size_t count, uint64_t wanted,
                   uint64_t *left) {
  size_t end = count;
#define CALL(type) end = find_all(type, base, tuned, count, wanted, left)
  FOR_TYPE(type, CALL)
#undef CALL
  return end;
}

static uint64_t not_finite(vp_float type, const void *result, const void *const *inputs, size_t input_count,
                           size_t count) {
  uint64_t total = 0;
#define CALL(type) total = not_finite_all(type, result, inputs, input_count, count)
  FOR_TYPE(type, CALL)
#undef CALL
  return total;
}

const vp_merge_kernels KERNELS = {merge, slerp, rebase, dots, count_magnitudes, reach, find, not_finite};
