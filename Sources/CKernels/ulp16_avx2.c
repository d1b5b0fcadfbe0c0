// Forward decoding: target from base, whose scale determines the table (spec, section 5.1.4).
#include "CKernels.h"

#if defined(__x86_64__)
#include "ulp16_vectors.h"

int32_t vp_ulp16_expansion[256][8];

__attribute__((constructor)) static void fill_expansion(void) {
  for (int mask = 0; mask < 256; mask++)
    for (int lane = 0; lane < 8; lane++) vp_ulp16_expansion[mask][lane] = __builtin_popcount(mask & ((1 << lane) - 1));
}

/// Adds extra bits to the differences of the lanes in `large`, in the order of the elements. Nonzero: invalid.
INLINE int read_extra(uint32_t large, int32_t differences[lanes], const vp_ulp16_job *job, size_t *position) {
  size_t p = *position;
  while (large) {
    int lane = __builtin_ctz(large);
    large &= large - 1;
    int difference = differences[lane];  // so far the symbol minus 128
    uint32_t index = (uint32_t)(difference < 0 ? -difference : difference);
    if (index > largest_index) return 1;
    uint32_t bits = extra_bits_of(index);
    if (p + bits > job->extra_bits) return 1;
    uint32_t magnitude = ((2 + (index & 1)) << bits) | (peek(job->extra, job->extra_bits, p) & ((1u << bits) - 1));
    if (magnitude > 32768) return 1;
    p += bits;
    differences[lane] = difference < 0 ? -(int32_t)magnitude : (int32_t)magnitude;
  }
  *position = p;
  return 0;
}

// One step decodes 32 elements, one per lane. The four vectors of states depend on each other only through the number
// of words read, so that their loads and multiplications overlap.
TARGET int vp_ulp16_decode_avx2(vp_ulp16_job *job) {
  const scale_format format = make_scale_format(job->exponent_shift, job->exponent_mask);
  __m256i x[vectors];
  for (int v = 0; v < vectors; v++) x[v] = _mm256_loadu_si256((const __m256i *)(job->states + 8 * v));
  scale_tables tables[4];
  for (size_t c = 0; c < job->class_count; c++) tables[c] = load_tables(job->offsets + 256 * c);
  __m256i seen = _mm256_setzero_si256();
  size_t i = 0, word = 0, extra = 0;
  int failed = 0;
  for (size_t group = 0; i < job->count; group++) {
    const scale_tables *neighbours = &tables[job->classes[group]];
    size_t end = job->count - i < job->group_size ? job->count : i + job->group_size;
    for (; i + lanes <= end; i += lanes) {
      if (word + lanes > job->word_count) goto out;
      __m256i base[vectors], difference[vectors], next_x[vectors];
      uint32_t large = 0;
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) {
        base[v] = load16(job->base + i + 8 * v);
        __m256i table = find_tables(neighbours, &format, base[v]);
        seen = _mm256_or_si256(seen, table);
        __m256i entry = load_entries(job->slots, table, _mm256_and_si256(x[v], splat(slot_mask)));
        next_x[v] = advanced(x[v], entry);
        difference[v] = small_differences(entry);
        large |= lanes_set(is_large(difference[v])) << (8 * v);
      }
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++) {
        size_t taken;
        x[v] = refilled(next_x[v], job->words + 2 * word, &taken);
        word += taken;
      }
      if (large) {
        int32_t differences[lanes];
        for (int v = 0; v < vectors; v++) _mm256_storeu_si256((__m256i *)(differences + 8 * v), difference[v]);
        failed = read_extra(large, differences, job, &extra);
        if (failed) goto out;
        for (int v = 0; v < vectors; v++) difference[v] = _mm256_loadu_si256((const __m256i *)(differences + 8 * v));
      }
      __m256i target[vectors];
      for (int v = 0; v < vectors; v++) target[v] = value_of_rank(_mm256_add_epi32(rank_of(base[v]), difference[v]));
      for (int v = 0; v < vectors; v += 2) store16(job->target + i + 8 * v, target[v], target[v + 1]);
    }
    if (i < end) break;
  }
out:
  for (int v = 0; v < vectors; v++) _mm256_storeu_si256((__m256i *)(job->states + 8 * v), x[v]);
  job->done = i;
  job->next_word = word;
  job->next_extra = extra;
  return failed || !_mm256_testz_si256(seen, splat(no_table));
}

#else
int vp_ulp16_decode_avx2(vp_ulp16_job *job) { return job->done = job->next_word = job->next_extra = 0; }
#endif
