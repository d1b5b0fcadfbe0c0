// Backward decoding: base from target, where the base's table must be determined (spec, section 5.1.5).
//
// For nearly every element, the table of the target's own scale leads to a base of that scale, and no other table is
// consistent. `screen` tests that for eight elements at a time. The few uncertain elements, and those with other extra
// bits, are resolved one by one (`resolve`), in order.
#include "CKernels.h"

#if defined(__x86_64__)
#include "ulp16_vectors.h"

enum { no_context = 0xff, value_bits = 13, slice_bits = 4 };

// MARK: One element

/// The meaning of a symbol: smallest magnitude, number of extra bits, and sign as 0 or -1.
typedef struct {
  uint32_t magnitude;
  int32_t sign;
  uint32_t bits;
} symbol_value;

static symbol_value values[256];

TARGET __attribute__((constructor)) static void fill_values(void) {
  for (int symbol = 0; symbol < 256; symbol++) {
    uint32_t index = (uint32_t)(symbol < symbol_zero ? symbol_zero - symbol : symbol - symbol_zero);
    // Larger indices do not occur: such a table is refused.
    uint32_t bits = index < first_extra_index || index > largest_index ? 0 : extra_bits_of(index);
    values[symbol].bits = bits;
    values[symbol].magnitude = index < first_extra_index ? index : (2 + (index & 1)) << bits;
    values[symbol].sign = symbol < symbol_zero ? -1 : 0;
  }
}

INLINE int32_t rank(uint16_t value) {
  int32_t v = (int16_t)value;
  return v ^ ((v >> 31) & 0x7fff);
}

INLINE uint16_t value_of(int32_t rank) {
  int32_t v = (int16_t)rank;
  return (uint16_t)(v ^ ((v >> 31) & 0x7fff));
}

INLINE uint32_t scale(uint16_t value, uint32_t shift, uint32_t mask) {
  uint32_t exponent = ((uint32_t)value >> shift) & mask;
  exponent = exponent ? exponent : 1;
  return value & 0x7fff ? exponent : 0;
}

/// The table of a value; `no_context` where there is none.
INLINE uint32_t context(const vp_ulp16_resolver *r, const uint32_t *offsets, uint16_t value) {
  return offsets[scale(value, r->exponent_shift, r->exponent_mask)] >> slot_bits & 0xff;
}

INLINE uint32_t next_extra(const vp_ulp16_resolver *r, size_t p) { return peek(r->extra, r->extra_bits, p); }

/// The base that a table yields, if that base uses the same table; else -1.
INLINE int32_t candidate(const vp_ulp16_resolver *r, const uint32_t *offsets, int32_t target_rank, uint32_t table,
                         uint32_t slot, uint32_t extra) {
  symbol_value v = values[r->slots[table << slot_bits | slot] & 0xff];
  uint32_t magnitude = v.magnitude + (extra & ((1u << v.bits) - 1));
  uint16_t base = value_of(target_rank - (int32_t)((magnitude ^ (uint32_t)v.sign) - (uint32_t)v.sign));
  int fits = context(r, offsets, base) == table && magnitude <= 32768;
  return fits ? base : -1;
}

/// Up to 31 consistent tables, in the order of the spec.
typedef struct {
  uint32_t count;
  uint8_t tables[32];
  uint16_t bases[32];
} consistent_tables;

/// The consistent tables of an element, its target's own first.
TARGET static void resolve(const vp_ulp16_resolver *r, size_t c, uint16_t target, uint32_t slot, uint32_t extra,
                           consistent_tables *found) {
  const uint32_t *offsets = r->offsets + 256 * c;
  int32_t t = rank(target);
  uint32_t bucket = (uint32_t)(t + 32768) >> (16 - value_bits);
  uint32_t own = context(r, offsets, target), others = r->zero_tables[c];
  others |= r->masks[(c << value_bits | bucket) << slice_bits | slot >> (slot_bits - slice_bits)];
  if (own != no_context) others &= ~(1u << own);
  found->count = 0;
  for (uint32_t table = own; table != 32;) {
    int32_t base = table == no_context ? -1 : candidate(r, offsets, t, table, slot, extra);
    if (base >= 0) {
      found->tables[found->count] = (uint8_t)table;
      found->bases[found->count++] = (uint16_t)base;
    }
    table = others ? (uint32_t)__builtin_ctz(others) : 32;
    others &= others - 1;
  }
}

// MARK: Eight elements

/// The lookup tables of a class.
typedef struct {
  scale_format format;
  scale_tables tables;
  const uint32_t *masks;
  /// The table that only zeros use, if there is one.
  __m256i zero_table;
  int has_zero_table;
} class_context;

INLINE class_context make_class(const vp_ulp16_resolver *r, size_t c) {
  uint32_t zero = r->zero_tables[c];
  class_context k;
  k.format = make_scale_format(r->exponent_shift, r->exponent_mask);
  k.tables = load_tables(r->offsets + 256 * c);
  k.masks = r->masks + (c << (value_bits + slice_bits));
  k.has_zero_table = zero != 0;
  k.zero_table = splat(zero ? __builtin_ctz(zero) : 0);
  return k;
}

/// The differences of entries.
typedef struct {
  __m256i difference, extra_bits;
  __m256i is_valid;  // within the range of differences
} differences;

/// `extra`: the bits of the stream from each lane's extra bits on.
INLINE differences differences_of(__m256i entry, __m256i extra) {
  __m256i small = small_differences(entry), index = _mm256_abs_epi32(small), large = is_large(small);
  __m256i bits = _mm256_srai_epi32(_mm256_sub_epi32(index, splat(first_extra_index - 6)), 1);
  __m256i top = _mm256_sllv_epi32(_mm256_or_si256(_mm256_and_si256(index, splat(1)), splat(2)), bits);
  __m256i low = _mm256_and_si256(extra, _mm256_sub_epi32(_mm256_sllv_epi32(splat(1), bits), splat(1)));
  __m256i magnitude = _mm256_blendv_epi8(index, _mm256_or_si256(top, low), large);
  differences d;
  d.difference = _mm256_sign_epi32(magnitude, small);
  d.extra_bits = _mm256_and_si256(bits, large);
  d.is_valid = _mm256_cmpgt_epi32(splat(32769), magnitude);
  return d;
}

/// The bits of the stream from each lane's extra bits on, if these entries are the right ones.
INLINE __m256i extra_of(const vp_ulp16_resolver *r, __m256i entry, size_t *position) {
  __m256i large = is_large(small_differences(entry));
  if (__builtin_expect(_mm256_testz_si256(large, large), 1)) return splat((int32_t)next_extra(r, *position));
  uint32_t entries[8], extra[8];
  _mm256_storeu_si256((__m256i *)entries, entry);
  for (int lane = 0; lane < 8; lane++) {
    extra[lane] = next_extra(r, *position);
    *position += values[entries[lane] & 0xff].bits;
  }
  return _mm256_loadu_si256((const __m256i *)extra);
}

/// Elements with exactly one consistent table and the expected extra bits, those of the table of the target's own
/// scale.
typedef struct {
  __m256i entry, base, expected_bits;
  uint32_t uncertain;  // lanes that may differ from that
} screened;

/// `position`: of the extra bits. It advances by the expected ones.
INLINE screened screen(const vp_ulp16_resolver *r, const class_context *k, __m256i target, __m256i slot,
                       size_t *position) {
  const __m256i all = splat(-1);
  __m256i t = rank_of(target), own = find_tables(&k->tables, &k->format, target);
  __m256i own_entry = load_entries(r->slots, own, slot), extra = extra_of(r, own_entry, position);

  // Tests the candidate tables one after another, the target's own first.
  __m256i table = own, entry = own_entry, is_left = _mm256_xor_si256(_mm256_cmpeq_epi32(own, splat(no_table)), all);
  __m256i bucket = _mm256_srli_epi32(_mm256_add_epi32(t, splat(32768)), 16 - value_bits);
  __m256i place =
    _mm256_or_si256(_mm256_slli_epi32(bucket, slice_bits), _mm256_srli_epi32(slot, slot_bits - slice_bits));
  __m256i others = _mm256_i32gather_epi32((const int *)k->masks, place, 4);
  others = _mm256_andnot_si256(_mm256_sllv_epi32(splat(1), own), others);
  __m256i found = _mm256_setzero_si256(), is_uncertain = found;
  differences d = differences_of(own_entry, extra);
  screened s = {own_entry, target, d.extra_bits, 0};
  __m256i bits = d.extra_bits;
  for (;;) {
    __m256i base = value_of_rank(_mm256_sub_epi32(t, d.difference));
    __m256i fits = _mm256_cmpeq_epi32(find_tables(&k->tables, &k->format, base), table);
    fits = _mm256_and_si256(_mm256_and_si256(fits, d.is_valid), is_left);
    is_uncertain = _mm256_or_si256(is_uncertain, _mm256_and_si256(fits, found));
    found = _mm256_or_si256(found, fits);
    s.entry = _mm256_blendv_epi8(s.entry, entry, fits);
    s.base = _mm256_blendv_epi8(s.base, base, fits);
    bits = _mm256_blendv_epi8(bits, d.extra_bits, fits);
    if (_mm256_testz_si256(others, others)) break;
    is_left = _mm256_xor_si256(_mm256_cmpeq_epi32(others, _mm256_setzero_si256()), all);
    __m256i lowest = _mm256_and_si256(others, _mm256_sub_epi32(_mm256_setzero_si256(), others));
    // As a float, a power of two has its bit index as exponent.
    __m256i exponent = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(lowest)), 23);
    table = _mm256_blendv_epi8(own, _mm256_sub_epi32(exponent, splat(127)), is_left);
    entry = load_entries(r->slots, table, slot);
    d = differences_of(entry, extra);
    others = _mm256_and_si256(others, _mm256_sub_epi32(others, splat(1)));
  }
  if (k->has_zero_table) {
    // It is consistent if it leads to +0 or -0, whose ranks are 0 and -1.
    d = differences_of(load_entries(r->slots, k->zero_table, slot), extra);
    __m256i rank = sign_extended(_mm256_sub_epi32(t, d.difference));
    __m256i is_zero = _mm256_cmpeq_epi32(rank, _mm256_srai_epi32(rank, 31));
    is_zero = _mm256_andnot_si256(_mm256_cmpeq_epi32(own, k->zero_table), _mm256_and_si256(is_zero, d.is_valid));
    is_uncertain = _mm256_or_si256(is_uncertain, is_zero);
  }
  found = _mm256_and_si256(found, _mm256_cmpeq_epi32(bits, s.expected_bits));
  is_uncertain = _mm256_or_si256(is_uncertain, _mm256_xor_si256(found, all));
  s.uncertain = lanes_set(is_uncertain);
  return s;
}

// MARK: Decoding

/// A decoder and its progress.
typedef struct {
  const vp_ulp16_resolver *r;
  uint16_t *base;
  uint32_t *states;
  const uint8_t *words, *choices;
  size_t word_count, choice_bits;
  size_t i, word, extra, choice;
} decoder;

/// The entry and the base of one element. Nonzero: the data are invalid.
TARGET static int decode_one(decoder *d, size_t i, size_t c, uint32_t slot, uint32_t *entry, uint16_t *base) {
  consistent_tables found;
  resolve(d->r, c, d->r->target[i], slot, next_extra(d->r, d->extra), &found);
  if (found.count == 0) return 1;
  uint32_t n = 0;
  for (; n + 1 < found.count; n++) {
    if (d->choice == d->choice_bits) return 1;
    int is_it = d->choices[d->choice >> 3] >> (d->choice & 7) & 1;
    d->choice++;
    if (is_it) break;
  }
  *base = found.bases[n];
  *entry = d->r->slots[(uint32_t)found.tables[n] << slot_bits | slot];
  d->extra += values[*entry & 0xff].bits;
  return 0;
}

/// Decodes the uncertain ones of eight elements from `i` on, and all after them, since their extra bits may differ.
/// `extra`: position of the first one's extra bits. Nonzero: the data are invalid.
TARGET __attribute__((noinline)) static int decode_uncertain(decoder *d, size_t i, size_t c, __m256i slot,
                                                             size_t extra, screened *s) {
  uint32_t slots[8], entries[8], bases[8], bits[8];
  _mm256_storeu_si256((__m256i *)slots, slot);
  _mm256_storeu_si256((__m256i *)entries, s->entry);
  _mm256_storeu_si256((__m256i *)bases, s->base);
  _mm256_storeu_si256((__m256i *)bits, s->expected_bits);
  size_t lane = 0;
  for (; !(s->uncertain >> lane & 1); lane++) extra += bits[lane];
  d->extra = extra;
  for (; lane < 8; lane++) {
    uint16_t base;
    if (decode_one(d, i + lane, c, slots[lane], entries + lane, &base)) return 1;
    bases[lane] = base;
  }
  s->entry = _mm256_loadu_si256((const __m256i *)entries);
  s->base = _mm256_loadu_si256((const __m256i *)bases);
  return 0;
}

/// Decodes 32 elements at a time, until fewer remain before `end`, or too few words. Nonzero: invalid.
TARGET static int decode_vectors(decoder *d, size_t c, const class_context *k, size_t end) {
  __m256i x[vectors];
  for (int v = 0; v < vectors; v++) x[v] = _mm256_loadu_si256((const __m256i *)(d->states + 8 * v));
  size_t i = d->i, word = d->word;
  for (; i + lanes <= end && word + lanes <= d->word_count; i += lanes) {
    __m256i base[vectors];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      __m256i slot = _mm256_and_si256(x[v], splat(slot_mask));
      size_t extra = d->extra;
      screened s = screen(d->r, k, load16(d->r->target + i + 8 * v), slot, &d->extra);
      if (s.uncertain && decode_uncertain(d, i + 8 * v, c, slot, extra, &s)) return 1;
      x[v] = advanced(x[v], s.entry);
      base[v] = s.base;
    }
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++) {
      size_t taken;
      x[v] = refilled(x[v], d->words + 2 * word, &taken);
      word += taken;
    }
    for (int v = 0; v < vectors; v += 2) store16(d->base + i + 8 * v, base[v], base[v + 1]);
  }
  for (int v = 0; v < vectors; v++) _mm256_storeu_si256((__m256i *)(d->states + 8 * v), x[v]);
  d->i = i;
  d->word = word;
  return 0;
}

/// Decodes elements one by one. Nonzero: the data are invalid.
TARGET static int decode_rest(decoder *d, size_t c, size_t end) {
  for (; d->i < end; d->i++) {
    uint32_t *state = d->states + (d->i & (lanes - 1)), x = *state, entry;
    if (decode_one(d, d->i, c, x & slot_mask, &entry, d->base + d->i)) return 1;
    x = ((entry >> 8 & slot_mask) + 1) * (x >> slot_bits) + (entry >> 20);
    if (x < 65536) {
      if (d->word == d->word_count) return 1;
      x = x << 16 | d->words[2 * d->word] | (uint32_t)d->words[2 * d->word + 1] << 8;
      d->word++;
    }
    *state = x;
  }
  return 0;
}

/// Whether fewer than eight bits remain, all zero.
INLINE int is_padding(const uint8_t *bits, size_t position, size_t count) {
  if (count - position >= 8) return 0;
  for (; position < count; position++)
    if (bits[position >> 3] >> (position & 7) & 1) return 0;
  return 1;
}

TARGET int vp_ulp16_decode_backward_avx2(const vp_ulp16_resolver *r, uint16_t *base, uint32_t *states,
                                         const uint8_t *words, size_t word_count, const uint8_t *choices,
                                         size_t choice_bits) {
  decoder d = {r, base, states, words, choices, word_count, choice_bits, 0, 0, 0, 0};
  class_context classes[4];
  for (size_t c = 0; c < r->class_count; c++) classes[c] = make_class(r, c);
  for (size_t group = 0; d.i < r->count; group++) {
    size_t c = r->classes[group];
    size_t end = r->count - d.i < r->group_size ? r->count : d.i + r->group_size;
    if (decode_vectors(&d, c, &classes[c], end) || decode_rest(&d, c, end) || d.extra > r->extra_bits) return 1;
  }
  // All data are used, and the states are the encoder's initial ones.
  for (int lane = 0; lane < lanes; lane++)
    if (states[lane] != 65536) return 1;
  return d.word != word_count || !is_padding(r->extra, d.extra, r->extra_bits) ||
         !is_padding(choices, d.choice, choice_bits);
}

// MARK: Encoding

/// An encoder's choices and its progress.
typedef struct {
  const vp_ulp16_resolver *r;
  const uint16_t *base, *slots;
  uint8_t *choices;
  size_t room, extra, choice;
} chooser;

/// Writes the choice bits of one element. Nonzero: it could not be decoded again.
TARGET static int choose_one(chooser *h, size_t c, size_t i) {
  consistent_tables found;
  uint32_t slot = h->slots[i], table = context(h->r, h->r->offsets + 256 * c, h->base[i]), n = 0;
  resolve(h->r, c, h->r->target[i], slot, next_extra(h->r, h->extra), &found);
  for (; n < found.count && found.tables[n] != table; n++) h->choice++;
  if (n == found.count || found.bases[n] != h->base[i]) return 1;
  if (n + 1 < found.count) {
    if (h->choice >= h->room) return 1;
    h->choices[h->choice >> 3] |= (uint8_t)(1 << (h->choice & 7));
    h->choice++;
  }
  h->extra += values[h->r->slots[table << slot_bits | slot] & 0xff].bits;
  return 0;
}

/// The same for the uncertain ones of eight elements from `i` on, and all after them.
TARGET __attribute__((noinline)) static int choose_uncertain(chooser *h, size_t c, size_t i, size_t extra,
                                                             const screened *s) {
  uint32_t bits[8];
  _mm256_storeu_si256((__m256i *)bits, s->expected_bits);
  size_t lane = 0;
  for (; !(s->uncertain >> lane & 1); lane++) extra += bits[lane];
  h->extra = extra;
  for (; lane < 8; lane++)
    if (choose_one(h, c, i + lane)) return 1;
  return 0;
}

TARGET size_t vp_ulp16_find_choices_avx2(const vp_ulp16_resolver *r, const uint16_t *base,
                                         const uint16_t *element_slots, uint8_t *choices, size_t room) {
  chooser h = {r, base, element_slots, choices, room, 0, 0};
  class_context classes[4];
  for (size_t c = 0; c < r->class_count; c++) classes[c] = make_class(r, c);
  for (size_t group = 0, i = 0; i < r->count; group++) {
    size_t c = r->classes[group];
    size_t end = r->count - i < r->group_size ? r->count : i + r->group_size;
    for (; i + 8 <= end; i += 8) {
      size_t extra = h.extra;
      screened s = screen(r, &classes[c], load16(r->target + i), load16(element_slots + i), &h.extra);
      s.uncertain |= ~lanes_set(_mm256_cmpeq_epi32(s.base, load16(base + i))) & 0xff;
      if (s.uncertain && choose_uncertain(&h, c, i, extra, &s)) return SIZE_MAX;
    }
    for (; i < end; i++)
      if (choose_one(&h, c, i)) return SIZE_MAX;
  }
  return h.choice;
}
#else
int vp_ulp16_decode_backward_avx2(const vp_ulp16_resolver *r, uint16_t *base, uint32_t *states, const uint8_t *words,
                                  size_t word_count, const uint8_t *choices, size_t choice_bits) {
  return 1;
}

size_t vp_ulp16_find_choices_avx2(const vp_ulp16_resolver *r, const uint16_t *base, const uint16_t *element_slots,
                                  uint8_t *choices, size_t room) {
  return SIZE_MAX;
}
#endif
