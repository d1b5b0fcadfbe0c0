// Kernels that need vector instructions. They decode the ulp coder of spec/vpatch-format.md, section 5.1, exactly like
// the portable Swift code; tests compare the two.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "lowrank.h"
#include "merge.h"

/// A chunk of 16-bit elements for forward decoding, and its progress.
typedef struct {
  const uint16_t *base;      // (count)
  uint16_t *target;          // (count)
  size_t count;
  const uint8_t *classes;    // (ceil(count / group_size)) class of each group
  size_t group_size;         // a multiple of 32, or >= count
  size_t class_count;        // 1 ... 4
  const uint32_t *offsets;   // (classes, 256) scale -> table * 4096, UINT32_MAX: none
  const uint32_t *slots;     // (tables, 4096) symbol | (frequency - 1) << 8 | (slot - cumulative) << 20
  uint32_t exponent_shift, exponent_mask;
  uint32_t *states;          // (32) in and out
  const uint8_t *words;      // (word_count) u16, little-endian, unaligned
  size_t word_count;
  const uint8_t *extra;      // extra_bits bits
  size_t extra_bits;
  size_t done;               // out: elements decoded, a multiple of 32
  size_t next_word;          // out
  size_t next_extra;         // out: bits
} vp_ulp16_job;

/// Stops before the words run out and leaves the rest to the portable code. Nonzero: the data are invalid.
int vp_ulp16_decode_avx2(vp_ulp16_job *job);

/// Whether the processor supports fused multiplication and addition of vectors.
int vp_has_fma(void);

/// Whether the processor and the operating system support AVX-512 (F, DQ, BW, VL).
int vp_has_avx512(void);

/// Whether the processor and the operating system support AVX2.
int vp_has_avx2(void);

/// The lookup tables for both directions where only the target is known (spec, section 5.1.5).
typedef struct {
  const uint16_t *target;       // (count)
  size_t count;
  const uint8_t *classes;       // (ceil(count / group_size))
  size_t group_size;            // as above
  size_t class_count;           // 1 ... 4
  const uint32_t *offsets;      // (classes, 256), as above
  const uint32_t *slots;        // (tables, 4096), as above
  const uint32_t *masks;        // (classes, 8192, 16) candidate tables, by value and slot
  const uint32_t *zero_tables;  // (classes) the table that only zeros use, as a bit
  uint32_t exponent_shift, exponent_mask;
  const uint8_t *extra;         // extra_bits bits
  size_t extra_bits;
} vp_ulp16_resolver;

/// Decodes bases from targets. Updates `states` (32); `choices` are bits. Nonzero: the data are invalid.
int vp_ulp16_decode_backward_avx2(const vp_ulp16_resolver *resolver, uint16_t *base, uint32_t *states,
                                  const uint8_t *words, size_t word_count, const uint8_t *choices,
                                  size_t choice_bits);

/// Finds the choice bits for an encoder, which knows the bases and the slot of each element. `choices` must be zero and
/// have room for 30 bits per element. Returns how many of them are used; SIZE_MAX where an element could not be decoded
/// again.
size_t vp_ulp16_find_choices_avx2(const vp_ulp16_resolver *resolver, const uint16_t *base,
                                  const uint16_t *element_slots, uint8_t *choices, size_t room);
