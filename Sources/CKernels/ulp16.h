// What both instruction sets share.
#pragma once
#include <string.h>

#include "CKernels.h"

enum { symbol_zero = 128, first_extra_index = 16, slot_mask = 4095, lowest_state = 1 << 16 };

/// Adds the extra bits of the lanes in `lanes` (symbols with an index of 16 or more) to their differences, in the
/// order of the elements. Differences of these lanes are written whole. Nonzero: invalid.
static inline __attribute__((always_inline)) int read_extra(uint32_t lanes, const uint32_t symbols[16],
                                                            int32_t differences[16], const uint8_t *extra,
                                                            size_t extra_bits, size_t *position) {
  size_t p = *position;
  while (lanes) {
    int lane = __builtin_ctz(lanes);
    lanes &= lanes - 1;
    int symbol = (int)symbols[lane];
    int index = symbol < symbol_zero ? symbol_zero - symbol : symbol - symbol_zero;
    int bits = 3 + ((index - first_extra_index) >> 1);
    if (p + (size_t)bits > extra_bits) return 1;
    uint64_t word;
    memcpy(&word, extra + (p >> 3), 8);  // the states behind the extra bits make this readable
    uint32_t magnitude = ((2u + (index & 1)) << bits) | ((uint32_t)(word >> (p & 7)) & ((1u << bits) - 1));
    if (magnitude > 32768) return 1;
    p += (size_t)bits;
    differences[lane] = symbol < symbol_zero ? -(int32_t)magnitude : (int32_t)magnitude;
  }
  *position = p;
  return 0;
}
