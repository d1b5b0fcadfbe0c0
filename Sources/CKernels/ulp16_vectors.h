// Shared by both directions of the AVX2 decoder: symbols and extra bits, scales and their tables.
#pragma once
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define INLINE TARGET static inline __attribute__((always_inline, unused))

/// Lanes of the stream, and the number of vectors of eight lanes.
enum { lanes = 32, vectors = 4 };
enum { symbol_zero = 128, first_extra_index = 16, largest_index = 38, slot_bits = 12, slot_mask = 4095 };
/// In vectors of table numbers: no table.
enum { no_table = 0x80 };

/// The number of extra bits of an index of 16 … 38. Tables with larger ones are refused.
INLINE uint32_t extra_bits_of(uint32_t index) { return 3 + ((index - first_extra_index) >> 1); }

/// At least 25 bits from bit `p` on, out of `bit_count` bits. Bits beyond the end are zero.
INLINE uint32_t peek(const uint8_t *bits, size_t bit_count, size_t p) {
  size_t first = p >> 3, end = (bit_count + 7) >> 3;
  uint64_t word = 0;
  if (end >= 8 && first <= end - 8) {
    memcpy(&word, bits + first, 8);
  } else {
    for (size_t i = first; i < end; i++) word |= (uint64_t)bits[i] << (8 * (i - first));
  }
  return (uint32_t)(word >> (p & 7));
}

// MARK: Eight elements, one in each lane of 32 bits

INLINE __m256i splat(int32_t value) { return _mm256_set1_epi32(value); }

INLINE __m256i load16(const uint16_t *elements) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)elements));
}

INLINE uint32_t lanes_set(__m256i conditions) {
  return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(conditions));
}

INLINE __m256i sign_extended(__m256i value) { return _mm256_srai_epi32(_mm256_slli_epi32(value, 16), 16); }

/// Converts between sign-extended values and their ranks in the order of the values. It is its own inverse.
INLINE __m256i ordered(__m256i value) {
  return _mm256_xor_si256(value, _mm256_and_si256(_mm256_srai_epi32(value, 31), splat(0x7fff)));
}

/// The rank of each value among all values.
INLINE __m256i rank_of(__m256i value) { return ordered(sign_extended(value)); }

/// The value of each rank, modulo 2^16.
INLINE __m256i value_of_rank(__m256i rank) {
  return _mm256_and_si256(ordered(sign_extended(rank)), splat(0xffff));
}

/// How to compute the scale of a value (spec, section 5.1).
typedef struct {
  __m128i shift;
  __m256i mask;
} scale_format;

INLINE scale_format make_scale_format(uint32_t exponent_shift, uint32_t exponent_mask) {
  return (scale_format){_mm_cvtsi32_si128((int)exponent_shift), splat((int32_t)exponent_mask)};
}

/// The exponents, at least 1: the scales, except for +-0, where `is_zero` is set.
INLINE __m256i nonzero_scale(const scale_format *f, __m256i value, __m256i *is_zero) {
  __m256i exponent = _mm256_and_si256(_mm256_srl_epi32(value, f->shift), f->mask);
  *is_zero = _mm256_cmpeq_epi32(_mm256_and_si256(value, splat(0x7fff)), _mm256_setzero_si256());
  return _mm256_max_epu32(exponent, splat(1));
}

/// The tables of one class. Those of neighbouring scales are in registers, where a gather would cost more than
/// everything else.
typedef struct {
  __m256i below, low, high;
  int fits;                 // all scales of the class except 0 are within 29 neighbours
  const uint32_t *offsets;  // (256) scale -> table * 4096, UINT32_MAX: none
} scale_tables;

/// Entry 0 is for scale 0; entry k for scale `below` + k. The first and the last of those have no table.
INLINE scale_tables load_tables(const uint32_t offsets[256]) {
  int first = 1, last = 255;
  while (first < 255 && offsets[first] == UINT32_MAX) first++;
  while (last > first && offsets[last] == UINT32_MAX) last--;
  int below = first - 2;
  uint8_t entries[32];
  memset(entries, no_table, sizeof entries);
  for (int k = 0; k < 31; k++) {
    int scale = k == 0 ? 0 : below + k;
    if ((k == 0 || (scale >= first && scale <= last)) && offsets[scale] != UINT32_MAX)
      entries[k] = (uint8_t)(offsets[scale] >> slot_bits);
  }
  scale_tables t;
  t.below = splat(below);
  t.low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)entries));
  t.high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(entries + 16)));
  t.fits = last - first < 29;
  t.offsets = offsets;
  return t;
}

/// The tables of eight values; `no_table` where there is none.
INLINE __m256i find_tables(const scale_tables *t, const scale_format *f, __m256i value) {
  __m256i is_zero, scale = nonzero_scale(f, value, &is_zero);
  if (!t->fits) {
    __m256i found = _mm256_i32gather_epi32((const int *)t->offsets, _mm256_andnot_si256(is_zero, scale), 4);
    __m256i is_none = _mm256_cmpeq_epi32(found, splat(-1));
    return _mm256_blendv_epi8(_mm256_srli_epi32(found, slot_bits), splat(no_table), is_none);
  }
  __m256i index = _mm256_andnot_si256(is_zero, _mm256_sub_epi32(scale, t->below));
  index = _mm256_min_epu32(index, splat(31));
  // Index bytes of 128 and more select zero: the upper three bytes, 16 … 31 + 112 in the low half, 0 … 15 - 16 in the
  // high half. Smaller index bytes count modulo 16: 112 is 0.
  __m256i nothing = splat((int32_t)0x80808000);
  __m256i in_low = _mm256_or_si256(_mm256_add_epi32(index, splat(112)), nothing);
  __m256i in_high = _mm256_or_si256(_mm256_sub_epi32(index, splat(16)), nothing);
  return _mm256_or_si256(_mm256_shuffle_epi8(t->low, in_low), _mm256_shuffle_epi8(t->high, in_high));
}

/// The entries of slots in tables. No table is read as table 0: the data are then refused whatever it yields, or
/// another table is tried. Every chunk has a table 0; other indices may be outside the tables.
INLINE __m256i load_entries(const uint32_t *slots, __m256i table, __m256i slot) {
  __m256i start = _mm256_slli_epi32(_mm256_and_si256(table, splat(no_table - 1)), slot_bits);
  return _mm256_i32gather_epi32((const int *)slots, _mm256_or_si256(start, slot), 4);
}

/// The symbols of entries, minus 128: the differences, where they are small.
INLINE __m256i small_differences(__m256i entry) {
  return _mm256_sub_epi32(_mm256_and_si256(entry, splat(0xff)), splat(symbol_zero));
}

INLINE __m256i is_large(__m256i small_difference) {
  return _mm256_cmpgt_epi32(_mm256_abs_epi32(small_difference), splat(first_extra_index - 1));
}

/// The states after these entries, before refilling.
INLINE __m256i advanced(__m256i x, __m256i entry) {
  __m256i frequency =
    _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(entry, 8), splat(slot_mask)), splat(1));
  return _mm256_add_epi32(_mm256_mullo_epi32(frequency, _mm256_srli_epi32(x, slot_bits)),
                          _mm256_srli_epi32(entry, 20));
}

// For each mask of eight lanes, the index of the next word for each lane: lane k gets the one numbered by the count of
// set bits below k.
extern int32_t vp_ulp16_expansion[256][8];

/// States that are too small read a word each, in the order of the lanes. Reads 16 bytes, of which the first `*taken`
/// words are used.
INLINE __m256i refilled(__m256i x, const uint8_t *words, size_t *taken) {
  __m256i is_small = _mm256_cmpeq_epi32(_mm256_srli_epi32(x, 16), _mm256_setzero_si256());
  uint32_t mask = lanes_set(is_small);
  __m256i next = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)words));
  next = _mm256_permutevar8x32_epi32(next, _mm256_loadu_si256((const __m256i *)vp_ulp16_expansion[mask]));
  *taken = (size_t)__builtin_popcount(mask);
  return _mm256_blendv_epi8(x, _mm256_or_si256(_mm256_slli_epi32(x, 16), next), is_small);
}

/// Stores sixteen elements.
INLINE void store16(uint16_t *elements, __m256i first, __m256i second) {
  __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(first, second), 0xd8);
  _mm256_storeu_si256((__m256i *)elements, packed);
}
