#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))

enum { lanes = 32, vectors = 4, symbol_zero = 128, first_extra_index = 16, slot_mask = 4095 };

// For each mask of eight lanes, which of the next words each lane takes: lane k the one numbered by the set bits
// below k.
static int32_t expansion[256][8];

__attribute__((constructor)) static void fill_expansion(void) {
  for (int mask = 0; mask < 256; mask++)
    for (int lane = 0; lane < 8; lane++) expansion[mask][lane] = __builtin_popcount(mask & ((1 << lane) - 1));
}

/// The exponents of eight values, and at least 1: their scales, but for those of +-0, where `is_zero` is set.
TARGET static inline __m256i nonzero_scale(__m256i base, __m128i shift, __m256i mask, __m256i *is_zero) {
  __m256i exponent = _mm256_and_si256(_mm256_srl_epi32(base, shift), mask);
  __m256i magnitude = _mm256_and_si256(base, _mm256_set1_epi32(0x7fff));
  *is_zero = _mm256_cmpeq_epi32(magnitude, _mm256_setzero_si256());
  return _mm256_max_epu32(exponent, _mm256_set1_epi32(1));
}

/// The tables of one class for neighbouring scales, in registers: a gather would cost more than the rest.
typedef struct {
  __m256i below, low, high;
  int fits;  // all scales of the class but 0 are among 29 neighbours
} scale_tables;

enum { no_table = 0x80 };

/// Entry 0 is for scale 0; entry k for scale `below` + k, of which the first and the last have none.
TARGET static scale_tables load_tables(const uint32_t offsets[256]) {
  int first = 1, last = 255;
  while (first < 255 && offsets[first] == UINT32_MAX) first++;
  while (last > first && offsets[last] == UINT32_MAX) last--;
  int below = first - 2;
  uint8_t entries[32];
  memset(entries, no_table, sizeof entries);
  for (int k = 0; k < 31; k++) {
    int scale = k == 0 ? 0 : below + k;
    if ((k == 0 || (scale >= first && scale <= last)) && offsets[scale] != UINT32_MAX)
      entries[k] = (uint8_t)(offsets[scale] >> 12);
  }
  scale_tables t;
  t.below = _mm256_set1_epi32(below);
  t.low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)entries));
  t.high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(entries + 16)));
  t.fits = last - first < 29;
  return t;
}

/// The tables of eight scales; `no_table` where there is none.
TARGET static inline __m256i find_tables(const scale_tables *t, __m256i scale, __m256i is_zero) {
  __m256i index = _mm256_andnot_si256(is_zero, _mm256_sub_epi32(scale, t->below));
  index = _mm256_min_epu32(index, _mm256_set1_epi32(31));
  // A byte of 128 and more selects nothing: the upper three bytes, 16 … 31 + 112 in the low half, 0 … 15 - 16 in the
  // high one. A byte below is taken modulo 16: 112 is 0.
  __m256i nothing = _mm256_set1_epi32((int)0x80808000);
  __m256i in_low = _mm256_or_si256(_mm256_add_epi32(index, _mm256_set1_epi32(112)), nothing);
  __m256i in_high = _mm256_or_si256(_mm256_sub_epi32(index, _mm256_set1_epi32(16)), nothing);
  return _mm256_or_si256(_mm256_shuffle_epi8(t->low, in_low), _mm256_shuffle_epi8(t->high, in_high));
}

/// The same for a class with scales far apart.
TARGET static inline __m256i gather_tables(const uint32_t *offsets, __m256i scale, __m256i is_zero) {
  __m256i found = _mm256_i32gather_epi32((const int *)offsets, _mm256_andnot_si256(is_zero, scale), 4);
  // UINT32_MAX becomes 0xff: no table.
  return _mm256_and_si256(_mm256_srli_epi32(found, 12), _mm256_set1_epi32(0xff));
}

/// base + difference in the order of the values; 16 bits in each lane of 32.
TARGET static inline __m256i add(__m256i base, __m256i difference) {
  const __m256i lower_bits = _mm256_set1_epi32(0x7fff);
  __m256i signed_base = _mm256_srai_epi32(_mm256_slli_epi32(base, 16), 16);
  __m256i order = _mm256_xor_si256(signed_base, _mm256_and_si256(_mm256_srai_epi32(signed_base, 31), lower_bits));
  __m256i sum = _mm256_srai_epi32(_mm256_slli_epi32(_mm256_add_epi32(order, difference), 16), 16);
  __m256i target = _mm256_xor_si256(sum, _mm256_and_si256(_mm256_srai_epi32(sum, 31), lower_bits));
  return _mm256_and_si256(target, _mm256_set1_epi32(0xffff));
}

/// Adds extra bits to the differences of the lanes in `large`, in the order of the elements. Nonzero: invalid.
static inline int read_extra(uint32_t large, int32_t differences[lanes], const vp_ulp16_job *job, size_t *position) {
  size_t p = *position;
  while (large) {
    int lane = __builtin_ctz(large);
    large &= large - 1;
    int difference = differences[lane];  // so far the symbol less 128
    int index = difference < 0 ? -difference : difference;
    int bits = 3 + ((index - first_extra_index) >> 1);
    if (p + (size_t)bits > job->extra_bits) return 1;
    uint64_t word;
    memcpy(&word, job->extra + (p >> 3), 8);  // the states behind the extra bits make this readable
    uint32_t magnitude = ((2u + (index & 1)) << bits) | ((uint32_t)(word >> (p & 7)) & ((1u << bits) - 1));
    if (magnitude > 32768) return 1;
    p += (size_t)bits;
    differences[lane] = difference < 0 ? -(int32_t)magnitude : (int32_t)magnitude;
  }
  *position = p;
  return 0;
}

// One step decodes thirty-two elements, one a lane. The four vectors of states depend on each other only through the
// count of words taken, so that their loads and multiplications overlap.
TARGET int vp_ulp16_decode_avx2(vp_ulp16_job *job) {
  const __m256i exponent_mask = _mm256_set1_epi32((int)job->exponent_mask), zero = _mm256_set1_epi32(symbol_zero);
  const __m256i last_small = _mm256_set1_epi32(first_extra_index - 1), byte = _mm256_set1_epi32(0xff);
  const __m256i low12 = _mm256_set1_epi32(slot_mask), one = _mm256_set1_epi32(1);
  const __m128i exponent_shift = _mm_cvtsi32_si128((int)job->exponent_shift);
  __m256i x[vectors];
  for (int v = 0; v < vectors; v++) x[v] = _mm256_loadu_si256((const __m256i *)(job->states + 8 * v));
  scale_tables tables[4];
  for (size_t c = 0; c < job->class_count; c++) tables[c] = load_tables(job->offsets + 256 * c);
  __m256i seen = _mm256_setzero_si256();
  size_t i = 0, word = 0, extra = 0;
  int failed = 0;
  for (size_t group = 0; i < job->count; group++) {
    const uint32_t *offsets = job->offsets + 256 * (size_t)job->classes[group];
    const scale_tables *neighbours = &tables[job->classes[group]];
    size_t end = job->count - i < job->group_size ? job->count : i + job->group_size;
    for (; i + lanes <= end; i += lanes) {
      if (word + lanes > job->word_count) goto out;
      __m256i base[vectors], difference[vectors], next_x[vectors], refill[vectors];
      uint32_t large = 0;
      unsigned taken[vectors];
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) {
        base[v] = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(job->base + i + 8 * v)));
        __m256i is_zero, scale = nonzero_scale(base[v], exponent_shift, exponent_mask, &is_zero);
        __m256i table = neighbours->fits ? find_tables(neighbours, scale, is_zero)
                                         : gather_tables(offsets, scale, is_zero);
        seen = _mm256_or_si256(seen, table);
        table = _mm256_slli_epi32(_mm256_and_si256(table, _mm256_set1_epi32(31)), 12);
        __m256i slot = _mm256_or_si256(table, _mm256_and_si256(x[v], low12));
        __m256i entry = _mm256_i32gather_epi32((const int *)job->slots, slot, 4);
        __m256i frequency = _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(entry, 8), low12), one);
        next_x[v] = _mm256_add_epi32(_mm256_mullo_epi32(frequency, _mm256_srli_epi32(x[v], 12)),
                                     _mm256_srli_epi32(entry, 20));
        refill[v] = _mm256_cmpeq_epi32(_mm256_srli_epi32(next_x[v], 16), _mm256_setzero_si256());
        taken[v] = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(refill[v]));
        difference[v] = _mm256_sub_epi32(_mm256_and_si256(entry, byte), zero);
        __m256i is_large = _mm256_cmpgt_epi32(_mm256_abs_epi32(difference[v]), last_small);
        large |= (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(is_large)) << (8 * v);
      }
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) {
        __m256i next = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(job->words + 2 * word)));
        next = _mm256_permutevar8x32_epi32(next, _mm256_loadu_si256((const __m256i *)expansion[taken[v]]));
        x[v] = _mm256_blendv_epi8(next_x[v], _mm256_or_si256(_mm256_slli_epi32(next_x[v], 16), next), refill[v]);
        word += (size_t)__builtin_popcount(taken[v]);
      }
      if (large) {
        int32_t differences[lanes];
        for (int v = 0; v < vectors; v++) _mm256_storeu_si256((__m256i *)(differences + 8 * v), difference[v]);
        failed = read_extra(large, differences, job, &extra);
        if (failed) goto out;
        for (int v = 0; v < vectors; v++) difference[v] = _mm256_loadu_si256((const __m256i *)(differences + 8 * v));
      }
      for (int v = 0; v < vectors; v += 2) {
        __m256i packed = _mm256_packus_epi32(add(base[v], difference[v]), add(base[v + 1], difference[v + 1]));
        _mm256_storeu_si256((__m256i *)(job->target + i + 8 * v), _mm256_permute4x64_epi64(packed, 0xd8));
      }
    }
    if (i < end) break;
  }
out:
  for (int v = 0; v < vectors; v++) _mm256_storeu_si256((__m256i *)(job->states + 8 * v), x[v]);
  job->done = i;
  job->next_word = word;
  job->next_extra = extra;
  return failed || !_mm256_testz_si256(seen, _mm256_set1_epi32(no_table));
}
#else
int vp_ulp16_decode_avx2(vp_ulp16_job *job) { return job->done = job->next_word = job->next_extra = 0; }
#endif
