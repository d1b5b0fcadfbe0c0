// The code of both tables (spec/vpatch-format.md, section 5.2). KERNELS is the table's name.
#include "float_formats.h"

#pragma STDC FP_CONTRACT OFF

/// Columns whose changes are computed together, and rows that share what is read of `v`.
enum { tile = VP_LOWRANK_SPARE, row_block = 8 };

typedef double double4 __attribute__((vector_size(32)));
typedef float float4 __attribute__((vector_size(16), aligned(4)));

/// The changes of `tile` elements of a row: scale * the sum over k, ascending from +0, of u[k] * v[k].
INLINE void changes(const vp_lowrank_job *job, size_t row, size_t column, double change[tile]) {
  double4 sum[tile / 4] = {0};
  const float *u = job->u + row * job->rank, *v = job->v + column;
  for (size_t k = 0; k < job->rank; k++, v += job->v_stride) {
    double factor = u[k];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < tile / 4; j++) {
      double4 product = factor * __builtin_convertvector(*(const float4 *)(v + 4 * j), double4);
      sum[j] += product;
    }
  }
  for (size_t j = 0; j < tile / 4; j++) {
    double4 scaled = job->scale * sum[j];
    memcpy(change + 4 * j, &scaled, sizeof scaled);
  }
}

INLINE double change_at(const vp_lowrank_job *job, size_t row, size_t column) {
  double sum = 0;
  for (size_t k = 0; k < job->rank; k++) {
    double product = (double)job->u[row * job->rank + k] * (double)job->v[k * job->v_stride + column];
    sum += product;
  }
  return job->scale * sum;
}

INLINE int is_finite(double value) { return (as_bits(value) & 0x7ffull << 52) != 0x7ffull << 52; }

/// The change that is added; 0 for one that is not finite.
INLINE double added(vp_float type, int rounds, double change) {
  if (rounds) change = widen(type, narrow(type, change));
  return is_finite(change) ? change : 0;
}

/// Rounds like `narrow` if the exponent is a normal one of the type; otherwise sets the highest bit of `outside`.
INLINE uint64_t narrow_normal(vp_float type, double value, uint64_t *outside) {
  if (type == VP_F32) return narrow(type, value);
  const float_format f = formats[type];
  int shift = 52 - f.mantissa, sign_bit = 8 * f.width - 1;
  uint64_t magnitude = as_bits(value) & ~(1ull << 63), sign = as_bits(value) >> 63 << sign_bit;
  uint64_t lowest = (uint64_t)(1 - f.bias + 1023) << 52, end = (uint64_t)(f.bias + 1 + 1023) << 52;
  // Without comparisons, whose results a compiler would not accumulate in vectors.
  *outside |= (magnitude - lowest) | (end - 1 - magnitude);
  uint64_t even = (magnitude >> shift) & 1;
  uint64_t rounded = (magnitude + ((1ull << (shift - 1)) - 1) + even) >> shift;
  return (rounded - ((uint64_t)(1023 - f.bias) << f.mantissa)) | sign;
}

INLINE uint64_t rounded(vp_float type, int is_fast, double value, uint64_t *outside) {
  return is_fast ? narrow_normal(type, value, outside) : narrow(type, value);
}

/// The prediction for a base: the base itself where the change is zero, or the base is not finite.
INLINE uint64_t predicted(vp_float type, int is_fast, uint64_t base, double change, uint64_t *outside) {
  double value = widen(type, base);
  uint64_t keeps = -(uint64_t)((change == 0) | !is_finite(value));
  uint64_t unknown = 0, sum = rounded(type, is_fast, value + change, &unknown);
  *outside |= unknown & ~keeps;
  return (base & keeps) | (sum & ~keeps);
}

INLINE uint64_t ordered(vp_float type, uint64_t bits) {
  uint64_t sign = 1ull << (8 * formats[type].width - 1);
  return bits & sign ? 2 * sign - 1 - bits : bits + sign;
}

INLINE uint64_t unordered(vp_float type, uint64_t position) {
  uint64_t sign = 1ull << (8 * formats[type].width - 1);
  return position & sign ? position - sign : 2 * sign - 1 - position;
}

/// The elements of a tile, widened to 64 bits.
typedef struct {
  uint64_t input[tile], output[tile], flag[tile];
  double change[tile];
} tile_buffers;

/// - Returns: whether the fast rounding was right for every element.
INLINE int predict_tile(vp_float type, int rounds, int is_fast, tile_buffers *t) {
  uint64_t outside = 0;
  for (size_t i = 0; i < tile; i++) {
    double change = added(type, rounds, t->change[i]);
    t->output[i] = predicted(type, is_fast, t->input[i], change, &outside);
  }
  return !(outside >> 63);
}

INLINE int invert_tile(vp_float type, int rounds, int is_fast, tile_buffers *t) {
  uint64_t outside = 0, last = (1ull << (8 * formats[type].width)) - 1;
  for (size_t i = 0; i < tile; i++) {
    uint64_t prediction = t->input[i], unknown = 0;
    double value = widen(type, prediction), change = added(type, rounds, t->change[i]);
    uint64_t keeps = -(uint64_t)(change == 0), ends = -(uint64_t)!is_finite(value);
    // The nearest base. It is the only one if it gives the prediction and its two neighbours do not.
    uint64_t guess = rounded(type, is_fast, value - change, &unknown), position = ordered(type, guess);
    uint64_t below = unordered(type, position - (position > 0)), above = unordered(type, position + (position < last));
    uint64_t same = -(uint64_t)(predicted(type, is_fast, guess, change, &unknown) == prediction);
    uint64_t lower = -(uint64_t)(predicted(type, is_fast, below, change, &unknown) == prediction);
    uint64_t upper = -(uint64_t)(predicted(type, is_fast, above, change, &unknown) == prediction);
    // A prediction that is not finite may come from a finite base.
    t->output[i] = (prediction & keeps) | (guess & ~keeps);
    t->flag[i] = ~keeps & ~(same & ~lower & ~upper & ~ends) & 1;
    outside |= unknown & ~(keeps | ends);
  }
  return !(outside >> 63);
}

INLINE void each_tile(vp_float type, int rounds, int inverts, const vp_lowrank_job *job) {
  tile_buffers t;
  memset(&t, 0, sizeof t);
  for (size_t first = 0; first < job->rows; first += row_block) {
    size_t end = first + row_block < job->rows ? first + row_block : job->rows;
    for (size_t column = 0; column < job->columns; column += tile) {
      size_t n = job->columns - column < tile ? job->columns - column : tile;
      for (size_t row = first; row < end; row++) {
        size_t at = row * job->stride + column;
        changes(job, row, column, t.change);
        // The constant lets the compiler vectorise without a remainder.
        if (n == tile) {
          for (size_t i = 0; i < tile; i++) t.input[i] = load(type, job->input, at + i);
        } else {
          for (size_t i = 0; i < n; i++) t.input[i] = load(type, job->input, at + i);
        }
        // Tiles with subnormals, zeros or overflows are rare.
        if (inverts) {
          if (!invert_tile(type, rounds, 1, &t)) invert_tile(type, rounds, 0, &t);
        } else {
          if (!predict_tile(type, rounds, 1, &t)) predict_tile(type, rounds, 0, &t);
        }
        if (n == tile) {
          for (size_t i = 0; i < tile; i++) store(type, job->output, at + i, t.output[i]);
        } else {
          for (size_t i = 0; i < n; i++) store(type, job->output, at + i, t.output[i]);
        }
        if (inverts) {
          for (size_t i = 0; i < n; i++) job->ambiguous[at + i] = (uint8_t)t.flag[i];
        }
      }
    }
  }
}

#define VARIANTS(job, inverts) \
  switch ((job)->type) { \
    case VP_BF16: \
      if ((job)->rounds_change) each_tile(VP_BF16, 1, inverts, job); else each_tile(VP_BF16, 0, inverts, job); \
      break; \
    case VP_F16: \
      if ((job)->rounds_change) each_tile(VP_F16, 1, inverts, job); else each_tile(VP_F16, 0, inverts, job); \
      break; \
    default: \
      if ((job)->rounds_change) each_tile(VP_F32, 1, inverts, job); else each_tile(VP_F32, 0, inverts, job); \
  }

static void predict(const vp_lowrank_job *job) { VARIANTS(job, 0) }

static void invert(const vp_lowrank_job *job) { VARIANTS(job, 1) }

static uint64_t candidates(const vp_lowrank_job *job, size_t row, size_t column, uint64_t prediction, uint64_t *first) {
  vp_float type = job->type;
  double change = added(type, job->rounds_change, change_at(job, row, column));
  uint64_t goal = ordered(type, prediction), last = (1ull << (8 * formats[type].width)) - 1;
  // Predictions ascend with bases: the first base whose prediction is not below, and the first whose is above.
  uint64_t bounds[2];
  for (int above = 0; above < 2; above++) {
    uint64_t low = 0, high = last + 1;
    while (low < high) {
      uint64_t middle = low + (high - low) / 2;
      uint64_t unused = 0, found = ordered(type, predicted(type, 0, unordered(type, middle), change, &unused));
      if (found < goal || (above && found == goal)) low = middle + 1;
      else high = middle;
    }
    bounds[above] = low;
  }
  *first = bounds[0];
  return bounds[1] - bounds[0];
}

static uint64_t position(vp_float type, uint64_t bits) { return ordered(type, bits); }

static uint64_t element(vp_float type, uint64_t position) { return unordered(type, position); }

const vp_lowrank_kernels KERNELS = {predict, invert, candidates, position, element};
