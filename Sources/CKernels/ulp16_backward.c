// The way back: base from target, where the base's table must be found out (spec, section 5.1.5).
#include <string.h>

#include "CKernels.h"

enum { no_table = 31, value_bits = 13, slice_bits = 4 };

#define INLINE static inline __attribute__((always_inline))

/// What a symbol stands for: the smallest magnitude, how many extra bits, and the sign as 0 or -1.
typedef struct {
  uint32_t magnitude;
  int32_t sign;
  uint32_t bits;
} symbol_value;

static symbol_value values[256];

__attribute__((constructor)) static void fill_values(void) {
  for (int symbol = 0; symbol < 256; symbol++) {
    int index = symbol < 128 ? 128 - symbol : symbol - 128;
    // Larger indices do not occur: a table with them is refused.
    int bits = index < 16 || index > 38 ? 0 : 3 + ((index - 16) >> 1);
    values[symbol].bits = (uint32_t)bits;
    values[symbol].magnitude = index < 16 ? (uint32_t)index : (2u + (index & 1)) << bits;
    values[symbol].sign = symbol < 128 ? -1 : 0;
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

/// The next bits, from bit `p` on; beyond the end they are zero.
INLINE uint32_t peek(const vp_ulp16_resolver *r, size_t p) {
  size_t first = p >> 3;
  uint64_t word = 0;
  if (first + 8 <= r->extra_bytes_readable) {
    memcpy(&word, r->extra + first, 8);
  } else {
    for (size_t i = first; i < r->extra_bytes_readable; i++) word |= (uint64_t)r->extra[i] << (8 * (i - first));
  }
  return (uint32_t)(word >> (p & 7));
}

/// The base that a table leads to, if that base has this very table; else -1.
INLINE int32_t candidate(const vp_ulp16_resolver *r, const uint8_t *contexts, int32_t target_rank, uint32_t table,
                         uint32_t slot, uint32_t extra) {
  symbol_value v = values[r->slots[table << 12 | slot] & 0xff];
  uint32_t magnitude = v.magnitude + (extra & ((1u << v.bits) - 1));
  uint16_t base = value_of(target_rank - (int32_t)((magnitude ^ (uint32_t)v.sign) - (uint32_t)v.sign));
  int fits = contexts[scale(base, r->exponent_shift, r->exponent_mask)] == table && magnitude <= 32768;
  return fits ? base : -1;
}

/// Up to 31 consistent tables, in the order of the spec.
typedef struct {
  uint32_t count;
  uint8_t tables[32];
  uint16_t bases[32];
} consistent_tables;

static __attribute__((noinline)) void all_consistent(const vp_ulp16_resolver *r, const uint8_t *contexts,
                                                     int32_t target_rank, uint32_t own, uint32_t others,
                                                     uint32_t slot, uint32_t extra, consistent_tables *found) {
  found->count = 0;
  for (uint32_t table = own; table != 32;) {
    int32_t base = table == no_table ? -1 : candidate(r, contexts, target_rank, table, slot, extra);
    if (base >= 0) {
      found->tables[found->count] = (uint8_t)table;
      found->bases[found->count++] = (uint16_t)base;
    }
    table = others ? (uint32_t)__builtin_ctz(others) : 32;
    others &= others - 1;
  }
}

/// One element: its table and base where only one table is consistent. Otherwise `found` lists them.
INLINE int resolve(const vp_ulp16_resolver *r, const uint8_t *contexts, uint32_t c, uint16_t target, uint32_t slot,
                   uint32_t extra, uint32_t *table, uint16_t *base, consistent_tables *found) {
  int32_t t = rank(target);
  uint32_t own = contexts[scale(target, r->exponent_shift, r->exponent_mask)];
  uint32_t bucket = ((uint32_t)(t + 32768)) >> (16 - value_bits);
  uint32_t zero_bit = r->zero_tables[c];
  uint32_t others = r->masks[((c << value_bits | bucket) << slice_bits) | slot >> (12 - slice_bits)] | zero_bit;
  if (own != no_table) {
    others &= ~(1u << own);
    int32_t result = candidate(r, contexts, t, own, slot, extra);
    int only = result >= 0;
    // Zeros always come into question, and hardly ever are it: no branch that depends on them is mispredicted often.
    for (uint32_t rest = others; rest; rest &= rest - 1)
      only &= candidate(r, contexts, t, (uint32_t)__builtin_ctz(rest), slot, extra) < 0;
    if (__builtin_expect(only, 1)) {
      *table = own;
      *base = (uint16_t)result;
      return 1;
    }
  }
  all_consistent(r, contexts, t, own, others, slot, extra, found);
  return 0;
}

int vp_ulp16_decode_backward(const vp_ulp16_resolver *r, uint16_t *base, uint32_t *states, const uint8_t *words,
                             size_t word_count, const uint8_t *choices, size_t choice_bits) {
  size_t word = 0, extra = 0, choice = 0;
  consistent_tables found;
  for (size_t group = 0, i = 0; i < r->count; group++) {
    uint32_t c = r->classes[group];
    const uint8_t *contexts = r->contexts + 256 * c;
    size_t end = r->count - i < r->group_size ? r->count : i + r->group_size;
    for (; i < end; i++) {
      uint32_t x = states[i & 31], slot = x & 4095, table;
      if (!resolve(r, contexts, c, r->target[i], slot, peek(r, extra), &table, base + i, &found)) {
        if (found.count == 0) return 1;
        uint32_t k = 0;
        for (; k + 1 < found.count; k++) {
          if (choice == choice_bits) return 1;
          int is_it = choices[choice >> 3] >> (choice & 7) & 1;
          choice++;
          if (is_it) break;
        }
        table = found.tables[k];
        base[i] = found.bases[k];
      }
      uint32_t entry = r->slots[table << 12 | slot];
      extra += values[entry & 0xff].bits;
      x = ((entry >> 8 & 4095) + 1) * (x >> 12) + (entry >> 20);
      if (x < 65536) {
        if (word == word_count) return 1;
        x = x << 16 | words[2 * word] | (uint32_t)words[2 * word + 1] << 8;
        word++;
      }
      states[i & 31] = x;
    }
    if (extra > r->extra_bits) return 1;
  }
  // All is used but for fewer than eight zero bits of padding, and the states are where the encoder began.
  if (word != word_count || r->extra_bits - extra >= 8 || choice_bits - choice >= 8) return 1;
  for (; extra < r->extra_bits; extra++)
    if (r->extra[extra >> 3] >> (extra & 7) & 1) return 1;
  for (; choice < choice_bits; choice++)
    if (choices[choice >> 3] >> (choice & 7) & 1) return 1;
  for (int lane = 0; lane < 32; lane++)
    if (states[lane] != 65536) return 1;
  return 0;
}

size_t vp_ulp16_find_choices(const vp_ulp16_resolver *r, const uint16_t *base, const uint16_t *element_slots,
                             uint8_t *choices, size_t room) {
  size_t extra = 0, choice = 0;
  consistent_tables found;
  for (size_t group = 0, i = 0; i < r->count; group++) {
    uint32_t c = r->classes[group];
    const uint8_t *contexts = r->contexts + 256 * c;
    size_t end = r->count - i < r->group_size ? r->count : i + r->group_size;
    for (; i < end; i++) {
      uint32_t slot = element_slots[i], table;
      uint16_t result;
      if (!resolve(r, contexts, c, r->target[i], slot, peek(r, extra), &table, &result, &found)) {
        table = contexts[scale(base[i], r->exponent_shift, r->exponent_mask)];
        uint32_t k = 0;
        for (; k < found.count && found.tables[k] != table; k++) choice++;
        if (k == found.count) return SIZE_MAX;
        result = found.bases[k];
        if (k + 1 < found.count) {
          if (choice >= room) return SIZE_MAX;
          choices[choice >> 3] |= (uint8_t)(1 << (choice & 7));
          choice++;
        }
      }
      if (result != base[i]) return SIZE_MAX;
      extra += values[r->slots[table << 12 | slot] & 0xff].bits;
    }
  }
  return choice;
}
