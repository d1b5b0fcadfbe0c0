#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "ulp16.h"

#define TARGET __attribute__((target("avx2,bmi,bmi2,popcnt")))

typedef struct {
  __m256i low, high;  // lanes 0 ... 7 and 8 ... 15
} lanes16;

// For each mask of eight lanes, which of the next words each lane takes: lane k the one numbered by the set bits below k.
static int32_t expansion[256][8];

__attribute__((constructor)) static void fill_expansion(void) {
  for (int mask = 0; mask < 256; mask++)
    for (int lane = 0; lane < 8; lane++) expansion[mask][lane] = __builtin_popcount(mask & ((1 << lane) - 1));
}

/// Steps 1 to 3 of eight lanes; returns the slots' entries.
TARGET static inline __m256i step(__m256i *x, __m256i table, const uint32_t *slots, const uint8_t *words,
                                  size_t *word) {
  const __m256i low12 = _mm256_set1_epi32(slot_mask);
  __m256i slot = _mm256_or_si256(table, _mm256_and_si256(*x, low12));
  __m256i entry = _mm256_i32gather_epi32((const int *)slots, slot, 4);
  __m256i frequency =
      _mm256_add_epi32(_mm256_and_si256(_mm256_srli_epi32(entry, 8), low12), _mm256_set1_epi32(1));
  __m256i next_x =
      _mm256_add_epi32(_mm256_mullo_epi32(frequency, _mm256_srli_epi32(*x, 12)), _mm256_srli_epi32(entry, 20));
  __m256i refill = _mm256_cmpeq_epi32(_mm256_srli_epi32(next_x, 16), _mm256_setzero_si256());
  unsigned mask = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(refill));
  __m256i next = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(words + 2 * *word)));
  next = _mm256_permutevar8x32_epi32(next, _mm256_loadu_si256((const __m256i *)expansion[mask]));
  *x = _mm256_blendv_epi8(next_x, _mm256_or_si256(_mm256_slli_epi32(next_x, 16), next), refill);
  *word += (size_t)_mm_popcnt_u32(mask);
  return entry;
}

TARGET static inline __m256i add(__m256i base, __m256i difference) {
  const __m256i lower_bits = _mm256_set1_epi32(0x7fff);
  __m256i signed_base = _mm256_srai_epi32(_mm256_slli_epi32(base, 16), 16);
  __m256i order = _mm256_xor_si256(signed_base, _mm256_and_si256(_mm256_srai_epi32(signed_base, 31), lower_bits));
  __m256i sum = _mm256_srai_epi32(_mm256_slli_epi32(_mm256_add_epi32(order, difference), 16), 16);
  __m256i target = _mm256_xor_si256(sum, _mm256_and_si256(_mm256_srai_epi32(sum, 31), lower_bits));
  return _mm256_and_si256(target, _mm256_set1_epi32(0xffff));
}

TARGET int vp_ulp16_decode_avx2(vp_ulp16_job *job) {
  const __m256i exponent_mask = _mm256_set1_epi32((int)job->exponent_mask), zero = _mm256_set1_epi32(symbol_zero);
  const __m256i last_small = _mm256_set1_epi32(first_extra_index - 1), byte = _mm256_set1_epi32(0xff);
  const __m128i exponent_shift = _mm_cvtsi32_si128((int)job->exponent_shift);
  lanes16 x = {_mm256_loadu_si256((const __m256i *)job->states), _mm256_loadu_si256((const __m256i *)(job->states + 8))};
  size_t i = 0, word = 0, extra = 0;
  int failed = 0;
  for (size_t group = 0; i < job->count && !failed; group++) {
    const int *offsets = (const int *)job->offsets + 256 * (size_t)job->classes[group];
    size_t end = job->count - i < job->group_size ? job->count : i + job->group_size;
    for (; i + 16 <= end; i += 16) {
      if (word + 16 > job->word_count) goto out;
      __m256i low = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(job->base + i)));
      __m256i high = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(job->base + i + 8)));
      __m256i low_table = _mm256_i32gather_epi32(
          offsets, _mm256_and_si256(_mm256_srl_epi32(low, exponent_shift), exponent_mask), 4);
      __m256i high_table = _mm256_i32gather_epi32(
          offsets, _mm256_and_si256(_mm256_srl_epi32(high, exponent_shift), exponent_mask), 4);
      __m256i low_entry = step(&x.low, low_table, job->slots, job->words, &word);
      __m256i high_entry = step(&x.high, high_table, job->slots, job->words, &word);

      __m256i low_symbol = _mm256_and_si256(low_entry, byte), high_symbol = _mm256_and_si256(high_entry, byte);
      __m256i low_difference = _mm256_sub_epi32(low_symbol, zero), high_difference = _mm256_sub_epi32(high_symbol, zero);
      __m256i low_large = _mm256_cmpgt_epi32(_mm256_abs_epi32(low_difference), last_small);
      __m256i high_large = _mm256_cmpgt_epi32(_mm256_abs_epi32(high_difference), last_small);
      uint32_t large = (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(low_large)) |
                       (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(high_large)) << 8;
      if (large) {
        uint32_t symbols[16];
        int32_t differences[16];
        _mm256_storeu_si256((__m256i *)symbols, low_symbol);
        _mm256_storeu_si256((__m256i *)(symbols + 8), high_symbol);
        _mm256_storeu_si256((__m256i *)differences, low_difference);
        _mm256_storeu_si256((__m256i *)(differences + 8), high_difference);
        if (read_extra(large, symbols, differences, job->extra, job->extra_bits, &extra)) {
          failed = 1;
          goto out;
        }
        low_difference = _mm256_loadu_si256((const __m256i *)differences);
        high_difference = _mm256_loadu_si256((const __m256i *)(differences + 8));
      }
      __m256i packed = _mm256_packus_epi32(add(low, low_difference), add(high, high_difference));
      _mm256_storeu_si256((__m256i *)(job->target + i), _mm256_permute4x64_epi64(packed, 0xd8));
    }
    if (i < end) break;
  }
out:
  _mm256_storeu_si256((__m256i *)job->states, x.low);
  _mm256_storeu_si256((__m256i *)(job->states + 8), x.high);
  job->done = i;
  job->next_word = word;
  job->next_extra = extra;
  return failed;
}
#else
int vp_ulp16_decode_avx2(vp_ulp16_job *job) { return job->done = job->next_word = job->next_extra = 0; }
#endif
