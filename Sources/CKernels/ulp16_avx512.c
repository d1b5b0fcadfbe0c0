#include "CKernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "ulp16.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,bmi,bmi2,popcnt")))

// One step decodes sixteen elements, one a lane; all states advance together.
TARGET int vp_ulp16_decode_avx512(vp_ulp16_job *job) {
  const __m512i low12 = _mm512_set1_epi32(slot_mask), one = _mm512_set1_epi32(1);
  const __m512i lowest = _mm512_set1_epi32(lowest_state), zero = _mm512_set1_epi32(symbol_zero);
  const __m512i lower_bits = _mm512_set1_epi32(0x7fff), last_small = _mm512_set1_epi32(first_extra_index - 1);
  const __m512i exponent_mask = _mm512_set1_epi32((int)job->exponent_mask);
  const __m128i exponent_shift = _mm_cvtsi32_si128((int)job->exponent_shift);
  __m512i x = _mm512_loadu_si512(job->states);
  size_t i = 0, word = 0, extra = 0;
  int failed = 0;
  for (size_t group = 0; i < job->count && !failed; group++) {
    const uint32_t *offsets = job->offsets + 256 * (size_t)job->classes[group];
    size_t end = job->count - i < job->group_size ? job->count : i + job->group_size;
    for (; i + 16 <= end; i += 16) {
      if (word + 16 > job->word_count) goto out;
      __m512i base = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(job->base + i)));
      __m512i exponent = _mm512_and_si512(_mm512_srl_epi32(base, exponent_shift), exponent_mask);
      __m512i table = _mm512_i32gather_epi32(exponent, offsets, 4);
      __m512i slot = _mm512_or_si512(table, _mm512_and_si512(x, low12));
      __m512i entry = _mm512_i32gather_epi32(slot, job->slots, 4);

      __m512i frequency = _mm512_add_epi32(_mm512_and_si512(_mm512_srli_epi32(entry, 8), low12), one);
      x = _mm512_add_epi32(_mm512_mullo_epi32(frequency, _mm512_srli_epi32(x, 12)), _mm512_srli_epi32(entry, 20));
      __mmask16 refill = _mm512_cmplt_epu32_mask(x, lowest);
      __m512i next = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(job->words + 2 * word)));
      x = _mm512_mask_or_epi32(x, refill, _mm512_slli_epi32(x, 16), _mm512_maskz_expand_epi32(refill, next));
      word += (size_t)_mm_popcnt_u32(refill);

      __m512i symbol = _mm512_and_si512(entry, _mm512_set1_epi32(0xff));
      __m512i difference = _mm512_sub_epi32(symbol, zero);
      __mmask16 large = _mm512_cmpgt_epi32_mask(_mm512_abs_epi32(difference), last_small);
      if (large) {
        uint32_t symbols[16];
        int32_t differences[16];
        _mm512_storeu_si512(symbols, symbol);
        _mm512_storeu_si512(differences, difference);
        if (read_extra(large, symbols, differences, job->extra, job->extra_bits, &extra)) {
          failed = 1;
          goto out;
        }
        difference = _mm512_loadu_si512(differences);
      }
      // Order of values, plus the difference, and back; the upper halves of the lanes are not stored.
      __m512i signed_base = _mm512_srai_epi32(_mm512_slli_epi32(base, 16), 16);
      __m512i order = _mm512_xor_si512(signed_base, _mm512_and_si512(_mm512_srai_epi32(signed_base, 31), lower_bits));
      __m512i sum = _mm512_srai_epi32(_mm512_slli_epi32(_mm512_add_epi32(order, difference), 16), 16);
      __m512i target = _mm512_xor_si512(sum, _mm512_and_si512(_mm512_srai_epi32(sum, 31), lower_bits));
      _mm256_storeu_si256((__m256i *)(job->target + i), _mm512_cvtepi32_epi16(target));
    }
    if (i < end) break;
  }
out:
  _mm512_storeu_si512(job->states, x);
  job->done = i;
  job->next_word = word;
  job->next_extra = extra;
  return failed;
}
#else
int vp_ulp16_decode_avx512(vp_ulp16_job *job) { return job->done = job->next_word = job->next_extra = 0; }
#endif
