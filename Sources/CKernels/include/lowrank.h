// Kernels of the low-rank coder (spec/vpatch-format.md, section 5.2). The tables for every processor, AVX2 and AVX-512
// contain the same code, compiled three times. Products of two float32 are exact in float64, so that fused and separate
// additions give the same bits; no result depends on the order or width of vectorisation.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "merge.h"

/// A rectangle of a matrix, and the factors of its change.
typedef struct {
  vp_float type;         // VP_F32, VP_F16 or VP_BF16
  int rounds_change;     // whether the change is rounded to the type before it is added
  double scale;
  size_t rank;
  const float *u;        // (rows, rank)
  const float *v;        // (rank, v_stride), from the rectangle's first column on
  size_t v_stride;       // at least columns + VP_LOWRANK_TILE
  double *scratch;       // (rank, VP_LOWRANK_TILE), aligned to 64 bytes
  size_t rows, columns;
  size_t stride;         // elements from one row of input and output to the next
  const void *input;     // (rows, stride)
  void *output;          // (rows, stride)
  uint8_t *ambiguous;    // (rows, stride), only for `invert`: VP_LOWRANK_SETTLED and so on
} vp_lowrank_job;

/// Columns that are computed together: as many elements after each row of `v` are read and not used.
enum { VP_LOWRANK_TILE = 32 };

/// What `invert` says of an element, besides the number of its bases, 2 to 254.
enum {
  VP_LOWRANK_SETTLED = 0,    // the output is the base
  VP_LOWRANK_LOOK_UP = 255,  // `candidates` finds its bases
};

typedef struct {
  /// The prediction from the base.
  void (*predict)(const vp_lowrank_job *job);
  /// The base from the prediction, where only one base gives it. Where `ambiguous` is a number of bases, the output is
  /// the first of them in the order of values.
  void (*invert)(const vp_lowrank_job *job);
  /// The bases that give a prediction at one place of the rectangle: their number, and the position of the first in the
  /// order of values. Bases follow one another in that order. 0: none gives it.
  uint64_t (*candidates)(const vp_lowrank_job *job, size_t row, size_t column, uint64_t prediction, uint64_t *first);
  /// The position of an element in the order of values, and back.
  uint64_t (*position)(vp_float type, uint64_t bits);
  uint64_t (*element)(vp_float type, uint64_t position);
} vp_lowrank_kernels;

extern const vp_lowrank_kernels vp_lowrank_baseline, vp_lowrank_avx2, vp_lowrank_avx512;
