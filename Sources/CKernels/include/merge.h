// Kernels of the merge engine. They compute exactly what spec/stacks.md, section 5, specifies. The tables for every
// processor and for AVX2 contain the same code, compiled twice; no result depends on the order or width of
// vectorisation.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef enum { VP_F64, VP_F32, VP_F16, VP_BF16, VP_F8_E5M2, VP_F8_E4M3 } vp_float;

typedef enum {
  VP_ADD,         // acc = the sum of weight * delta
  VP_ELECT_MEAN,  // acc = lambda * the weighted mean of the deltas with the elected sign
  VP_ELECT_SUM    // acc = lambda * the sum of weight * delta over those
} vp_merge_rule;

typedef struct {
  const void *tuned;  // (count)
  double weight;
  uint64_t above;     // only deltas of a greater magnitude are kept; in float64 bits
  uint64_t key;       // seed of the random sequence that drops deltas
} vp_merge_member;

enum { VP_MERGE_BLOCK = 256, VP_MERGE_SPARE = 8 };

typedef struct {
  vp_float type;
  vp_merge_rule rule;
  double lambda;
  double rest;               // 1 - toward-base
  int drops;
  uint64_t keep_below;       // a delta is dropped unless its 53 random bits are below this
  const vp_merge_member *members;
  size_t member_count;
  const void *base;          // (count)
  void *result;              // (count)
  size_t count;
  uint64_t first;            // the first element's index in its tensor
  double *deltas;            // (member_count, VP_MERGE_BLOCK), only for the electing rules
} vp_merge_job;

/// Interpolates the elements of a tensor between two others.
typedef struct {
  vp_float type;
  const void *base, *a, *b;  // (count)
  void *result;              // (count)
  size_t count;
  double coefficient_a, coefficient_b, rest;
  int is_linear;
} vp_slerp_job;

typedef struct {
  void (*merge)(const vp_merge_job *job);
  void (*slerp)(const vp_slerp_job *job);
  /// new + (tuned - old), where the bits of all three differ.
  void (*rebase)(vp_float type, const void *new_base, const void *old_base, const void *tuned, void *result,
                 size_t count);
  /// Adds a*a, b*b, a*b to eight lanes each. The first element belongs to lane 0.
  void (*dots)(vp_float type, const void *a, const void *b, size_t count, double lanes[24]);
  /// Counts the nonzero magnitudes of deltas whose bits from `shift + digits` on are `prefix`, by the next lower
  /// `digits` bits. Collects in `low` the union of their bits below `shift`. Returns their number. `counts` has room
  /// for VP_MERGE_SPARE more numbers, which are meaningless.
  uint64_t (*count)(vp_float type, const void *base, const void *tuned, size_t count, unsigned shift, unsigned digits,
                uint64_t prefix, uint64_t *counts, uint64_t *low);
  /// The index at which the counts, summed from the last one down, reach `*left`. Subtracts the counts above it from
  /// `*left`.
  size_t (*reach)(const uint64_t *counts, size_t count, uint64_t *left);
  /// The number of elements up to the `*left`th delta of that magnitude. Subtracts the number found from `*left`.
  size_t (*find)(vp_float type, const void *base, const void *tuned, size_t count, uint64_t magnitude, uint64_t *left);
  /// The number of elements of a result that are infinite or NaN although those of all inputs are finite.
  uint64_t (*not_finite)(vp_float type, const void *result, const void *const *inputs, size_t input_count,
                         size_t count);
} vp_merge_kernels;

extern const vp_merge_kernels vp_merge_baseline, vp_merge_avx2;
