// The code of all tables (spec/vpatch-format.md, section 5.2). KERNELS is the table's name; FUSED is defined if it may
// fuse the products of factors with their sum, which gives the same bits, since these products are exact.
#include "float_formats.h"

#pragma STDC FP_CONTRACT OFF

/// Columns whose changes are computed together, and rows that share what is read of `v`.
enum { tile = VP_LOWRANK_TILE, row_block = 32 };

#ifndef LANES
#define LANES 4
#endif
typedef double doubles __attribute__((vector_size(8 * LANES)));

/// A tile's columns of v in float64: (rank, tile).
INLINE void widen_columns(const vp_lowrank_job *job, size_t column) {
  for (size_t k = 0; k < job->rank; k++)
    for (size_t j = 0; j < tile; j++) job->scratch[k * tile + j] = job->v[k * job->v_stride + column + j];
}

/// The changes of `tile` elements of a row: scale * the sum over k, ascending from +0, of u[k] * v[k].
INLINE void changes(const vp_lowrank_job *job, size_t row, double change[tile]) {
  doubles sum[tile / LANES] = {0};
  const float *u = job->u + row * job->rank;
  const double *v = job->scratch;
  for (size_t k = 0; k < job->rank; k++, v += tile) {
    doubles factor = (doubles){0} + (double)u[k];
#pragma clang loop unroll(full)
    for (size_t j = 0; j < tile / LANES; j++) {
      doubles columns = *(const doubles *)(v + LANES * j);
#ifdef FUSED
      sum[j] = __builtin_elementwise_fma(factor, columns, sum[j]);
#else
      doubles product = factor * columns;
      sum[j] += product;
#endif
    }
  }
  for (size_t j = 0; j < tile / LANES; j++) {
    doubles scaled = job->scale * sum[j];
    memcpy(change + LANES * j, &scaled, sizeof scaled);
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

/// The change that is added; 0 for one that is not finite.
INLINE double added(vp_float type, int rounds, int is_fast, double change, uint64_t *outside) {
  if (rounds) change = widen(type, rounded(type, is_fast, change, outside));
  return is_finite(change) ? change : 0;
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
    double change = added(type, rounds, is_fast, t->change[i], &outside);
    t->output[i] = predicted(type, is_fast, t->input[i], change, &outside);
  }
  return !(outside >> 63);
}

/// The power of two at or below a normal number.
INLINE double binade(double value) { return as_double(as_bits(value) & 0x7ffull << 52); }

INLINE double with_sign_of(double magnitude, double value) {
  return as_double(as_bits(magnitude) ^ (as_bits(value) & 1ull << 63));
}

/// Sets the highest bit where a magnitude is below the third binade of the type, or beyond its largest one: there, the
/// distances of neighbours follow other rules.
INLINE uint64_t is_at_edge(vp_float type, double value) {
  const float_format f = formats[type];
  uint64_t magnitude = as_bits(value) & ~(1ull << 63);
  uint64_t lowest = (uint64_t)(3 - f.bias + 1023) << 52, end = (uint64_t)(f.bias + 1 + 1023) << 52;
  return (magnitude - lowest) | (end - 1 - magnitude);
}

/// Bases whose exponent and that of the prediction are ordinary. A base is the only one if it is rounded to the
/// prediction, and its two neighbours are not: the sums are compared with the ends of the interval that is.
INLINE int invert_tile(vp_float type, int rounds, tile_buffers *t) {
  const double half = power_of_two(-1 - formats[type].mantissa), quarter = half / 2;
  uint64_t outside = 0;
  for (size_t i = 0; i < tile; i++) {
    uint64_t prediction = t->input[i], unknown = 0;
    double value = widen(type, prediction);
    // Not masked below: a change that was rounded wrongly may look like zero.
    double change = added(type, rounds, 1, t->change[i], &outside);
    uint64_t keeps = -(uint64_t)(change == 0);
    uint64_t guess = rounded(type, 1, value - change, &unknown);
    double base = widen(type, guess), sum = base + change;
    unknown |= is_at_edge(type, value) | is_at_edge(type, base);
    // Below a power of two the numbers are twice as dense.
    double size = binade(value), magnitude = as_double(as_bits(value) & ~(1ull << 63));
    double near = magnitude - size * (magnitude == size ? quarter : half), far = magnitude + size * half;
    // An odd one does not get the ties.
    near = as_double(as_bits(near) + (prediction & 1));
    far = as_double(as_bits(far) - (prediction & 1));
    double step = binade(base), to_zero = step * (as_double(as_bits(base) & ~(1ull << 63)) == step ? half : 2 * half);
    double away = step * 2 * half;
    // Mirrored, so that the prediction is positive.
    double mirrored = with_sign_of(sum, value);
    uint64_t differs = (as_bits(base) ^ as_bits(value)) >> 63;
    double down = differs ? away : to_zero, up = differs ? to_zero : away;
    uint64_t is_only = -(uint64_t)((mirrored >= near) & (mirrored <= far))
                       & -(uint64_t)(with_sign_of(base, value) - down + with_sign_of(change, value) < near)
                       & -(uint64_t)(with_sign_of(base, value) + up + with_sign_of(change, value) > far);
    t->output[i] = (prediction & keeps) | (guess & ~keeps);
    t->flag[i] = ~keeps & ~is_only & 1;
    outside |= unknown & ~keeps;
  }
  return !(outside >> 63);
}

/// Any bases: all elements that are not kept are looked up.
INLINE void invert_any(vp_float type, int rounds, tile_buffers *t) {
  for (size_t i = 0; i < tile; i++) {
    uint64_t unused = 0;
    double change = added(type, rounds, 0, t->change[i], &unused);
    t->output[i] = t->input[i];
    t->flag[i] = change != 0;
  }
}

/// Whether the prediction at a position is below a goal, or with `above`, not above it.
INLINE int is_before(vp_float type, double change, uint64_t position, uint64_t goal, int above) {
  uint64_t unused = 0, found = ordered(type, predicted(type, 0, unordered(type, position), change, &unused));
  return found < goal || (above && found == goal);
}

/// The first position whose prediction is not below a goal, or with `above`, the first whose is above it. Predictions
/// ascend with positions. Searches from a guess outwards.
static uint64_t first_position(vp_float type, double change, uint64_t guess, uint64_t goal, int above) {
  uint64_t end = 1ull << (8 * formats[type].width), low = 0, high = end;
  for (uint64_t step = 1, at = guess;; step *= 2) {
    if (is_before(type, change, at, goal, above)) {
      low = at + 1;
      if (low == high || high != end) break;
      at = end - at > step ? at + step : end - 1;
    } else {
      high = at;
      if (low == high || low != 0) break;
      at = at > step ? at - step : 0;
    }
  }
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (is_before(type, change, middle, goal, above)) low = middle + 1; else high = middle;
  }
  return low;
}

/// The bases that a change takes to a prediction: their number, and the position of the first.
static uint64_t bases(vp_float type, double change, uint64_t prediction, uint64_t *first) {
  uint64_t goal = ordered(type, prediction);
  double value = widen(type, prediction) - change;
  uint64_t guess = is_finite(value) ? ordered(type, narrow(type, value)) : goal;
  *first = first_position(type, change, guess, goal, 0);
  return first_position(type, change, *first, goal, 1) - *first;
}

/// The same if all of them are near a guess, which is most often so; 0 if not.
INLINE uint64_t bases_nearby(vp_float type, double change, uint64_t prediction, uint64_t guess, uint64_t *first) {
  enum { count = 8 };
  uint64_t start = ordered(type, guess) - count / 2, goal = ordered(type, prediction), found[count], outside = 0;
  for (size_t i = 0; i < count; i++)
    found[i] = ordered(type, predicted(type, 1, unordered(type, start + i), change, &outside));
  // Bases on both sides must not lead to the prediction. A guess at either end of all positions is outside too.
  if (outside >> 63 || found[0] >= goal || found[count - 1] <= goal) return 0;
  uint64_t before = 0, equal = 0;
  for (size_t i = 0; i < count; i++) before += found[i] < goal, equal += found[i] == goal;
  *first = start + before;
  return equal;
}

static uint64_t candidates(const vp_lowrank_job *job, size_t row, size_t column, uint64_t prediction, uint64_t *first) {
  uint64_t unused = 0;
  double change = added(job->type, job->rounds_change, 0, change_at(job, row, column), &unused);
  return bases(job->type, change, prediction, first);
}

/// Looks up one element: the first of its bases goes to `output`.
/// - Returns: what `invert` says of it.
INLINE uint8_t look_up(vp_float type, int rounds, tile_buffers *t, size_t i) {
  uint64_t unused = 0, first = 0;
  double change = added(type, rounds, 0, t->change[i], &unused);
  uint64_t number = bases_nearby(type, change, t->input[i], t->output[i], &first);
  if (!number) number = bases(type, change, t->input[i], &first);
  if (number) t->output[i] = unordered(type, first);
  if (number == 1) return VP_LOWRANK_SETTLED;
  return number && number < VP_LOWRANK_LOOK_UP ? (uint8_t)number : VP_LOWRANK_LOOK_UP;
}

/// Looks up the flagged ones of the first elements of a tile, and writes what `invert` says of these elements.
INLINE void settle_tile(vp_float type, int rounds, tile_buffers *t, size_t count, uint8_t *ambiguous) {
  uint8_t flags[tile];
  for (size_t i = 0; i < tile; i++) flags[i] = (uint8_t)(i < count ? t->flag[i] : 0);
  for (size_t start = 0; start < tile; start += 8) {
    uint64_t flagged = 0;
    for (size_t i = 0; i < 8; i++) flagged |= (uint64_t)flags[start + i] << i;
    // Without a branch for each element, which would be hard to foresee.
    for (; flagged; flagged &= flagged - 1) {
      size_t i = start + (size_t)__builtin_ctzll(flagged);
      flags[i] = look_up(type, rounds, t, i);
    }
  }
  if (count == tile) memcpy(ambiguous, flags, tile); else memcpy(ambiguous, flags, count);
}

INLINE void each_tile(vp_float type, int rounds, int inverts, const vp_lowrank_job *job) {
  tile_buffers t;
  memset(&t, 0, sizeof t);
  for (size_t first = 0; first < job->rows; first += row_block) {
    size_t end = first + row_block < job->rows ? first + row_block : job->rows;
    for (size_t column = 0; column < job->columns; column += tile) {
      size_t n = job->columns - column < tile ? job->columns - column : tile;
      widen_columns(job, column);
      for (size_t row = first; row < end; row++) {
        size_t at = row * job->stride + column;
        changes(job, row, t.change);
        // The constant lets the compiler vectorise without a remainder.
        if (n == tile) {
          for (size_t i = 0; i < tile; i++) t.input[i] = load(type, job->input, at + i);
        } else {
          for (size_t i = 0; i < n; i++) t.input[i] = load(type, job->input, at + i);
        }
        // Tiles with subnormals, zeros or overflows are rare.
        if (inverts) {
          if (!invert_tile(type, rounds, &t)) invert_any(type, rounds, &t);
          settle_tile(type, rounds, &t, n, job->ambiguous + at);
        } else {
          if (!predict_tile(type, rounds, 1, &t)) predict_tile(type, rounds, 0, &t);
        }
        if (n == tile) {
          for (size_t i = 0; i < tile; i++) store(type, job->output, at + i, t.output[i]);
        } else {
          for (size_t i = 0; i < n; i++) store(type, job->output, at + i, t.output[i]);
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

static uint64_t position(vp_float type, uint64_t bits) { return ordered(type, bits); }

static uint64_t element(vp_float type, uint64_t position) { return unordered(type, position); }

const vp_lowrank_kernels KERNELS = {predict, invert, candidates, position, element};
