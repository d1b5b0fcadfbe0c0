// Matrix product, included once per instruction set, in a file that defines
//   KERNELS            the name of its table
//   LANES, HAS_FMA     see vectors.h
//   ROWS, VECTORS      size of a tile of C: ROWS is a divisor of LANES, VECTORS at most 3
//   PAIRS              1 if a 32-bit word holds two bf16 of adjacent k, 0 if it holds one float32
//   ROUNDED            1 if operands are rounded to bf16 although a word holds one float32; may be undefined
//
// The words of a row of op(A) along k, and of a column of op(B), are called steps. When packed, the steps of ROWS rows,
// or of TILE columns, are adjacent: (panel, step, row or column). A tile of ROWS x TILE sums stays in registers over
// the steps of a block; its operands are read from the second-level cache, which is fast enough for this.
#include "gemm_internal.h"
#include "vectors.h"
#include "transpose.h"

enum { TILE = VECTORS * LANES, most_steps = VP_BLOCK_STEPS, most_rows = VP_BLOCK_ROWS };

_Static_assert(VP_GEMM_COLUMNS % TILE == 0 && LANES % ROWS == 0, "panels of B begin where columns are packed apart");

INLINE size_t steps_in(size_t k) { return PAIRS ? (k + 1) / 2 : k; }

#if PAIRS

INLINE halfwords narrow(floats v) { return (halfwords)_mm512_cvtneps_pbh((__m512)v); }

/// LANES steps of one row, with `count` valid numbers.
INLINE words load_along(vp_type type, const void *p, size_t count) {
  if (type == VP_TYPE_BF16) {
    __mmask32 some = count >= 2 * LANES ? ~0u : (1u << count) - 1;
    return (words)_mm512_maskz_loadu_epi16(some, p);
  }
  floats low = load_some_floats(type, p, count);
  floats high = count > LANES ? load_some_floats(type, at(type, p, LANES), count - LANES) : (floats){0};
  return (words)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

INLINE words load_halfwords_of(vp_type type, const void *p, size_t count) {
  if (type != VP_TYPE_BF16) return __builtin_convertvector(narrow(load_some_floats(type, p, count)), words);
  __mmask16 some = count >= LANES ? 0xffff : (1u << count) - 1;
  return (words)_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, p));
}

/// One step of LANES rows, of which `count` are valid; the numbers of the second k are `next` numbers later, if there
/// is one.
INLINE words load_across(vp_type type, const void *p, size_t count, size_t next, bool has_second) {
  words low = load_halfwords_of(type, p, count);
  return has_second ? low | load_halfwords_of(type, at(type, p, next), count) << 16 : low;
}

INLINE floats multiply_add(floats sum, words a, words b) {
  return (floats)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}

#else

#if ROUNDED
/// Rounds to the nearest bf16, ties to even. Subnormal numbers become zero, and a NaN is quieted.
INLINE words operand(floats v) {
  words bits = (words)v, magnitude = bits & 0x7fffffff;
  words rounded = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
  words is_nan = (words)(magnitude > 0x7f800000), is_small = (words)(magnitude < 0x00800000);
  return (~is_nan & ~is_small & rounded) | (is_nan & ((bits | 0x00400000) & 0xffff0000)) | (is_small & bits & 0x80000000);
}
#else
INLINE words operand(floats v) { return (words)v; }
#endif

INLINE words load_along(vp_type type, const void *p, size_t count) {
  return operand(load_some_floats(type, p, count));
}

INLINE words load_across(vp_type type, const void *p, size_t count, size_t next, bool has_second) {
  return operand(load_some_floats(type, p, count));
}

INLINE floats multiply_add(floats sum, words a, words b) {
  return fused_multiply_add(sum, (floats)a, (floats)b);
}

#endif

/// Stores one step of LANES rows, in panels of `panel_rows`, starting at row `first`.
INLINE void store_step(words v, uint32_t *packed, size_t panel_rows, size_t panel, size_t first, size_t step) {
  size_t part = smaller(panel_rows, LANES);
  for (size_t lane = 0; lane < LANES; lane += part) {
    size_t row = first + lane;
    memcpy(packed + row / panel_rows * panel + step * panel_rows + row % panel_rows, (const uint32_t *)&v + lane,
           part * sizeof(uint32_t));
  }
}

/// Packs rows of A, or columns of B. `along`: the numbers of a row are adjacent, and rows are `stride` apart; otherwise
/// vice versa. Rows are padded with zeros to a multiple of LANES, k to a whole step. `panel`: words of a panel.
INLINE void pack_typed(vp_type type, bool along, size_t rows, size_t k, const void *source, size_t stride,
                       size_t panel_rows, uint32_t *packed, size_t panel) {
  const size_t unit = PAIRS + 1, steps = steps_in(k);
  if (along) {
    for (size_t first = 0; first < rows; first += LANES) {
      size_t present = smaller(LANES, rows - first);
      for (size_t step = 0; step < steps; step += LANES) {
        const void *corner = at(type, source, first * stride + step * unit);
        size_t length = k - step * unit;
        words block[LANES];
        if (present == LANES && length >= unit * LANES) {
          _Pragma("unroll") for (size_t i = 0; i < LANES; i++) {
            block[i] = load_along(type, at(type, corner, i * stride), unit * LANES);
            // Prefetch the next rows: hardware prefetching does not cover this many short streams.
            for (size_t line = 0; line < unit * LANES * width(type); line += 64)
              __builtin_prefetch((const char *)at(type, corner, (i + LANES) * stride) + line);
          }
          transpose(block);
          _Pragma("unroll") for (size_t i = 0; i < LANES; i++)
            store_step(block[i], packed, panel_rows, panel, first, step + i);
        } else {
          for (size_t i = 0; i < LANES; i++)
            block[i] = i < present ? load_along(type, at(type, corner, i * stride), length) : (words){0};
          transpose(block);
          for (size_t i = 0; i < smaller(LANES, steps - step); i++)
            store_step(block[i], packed, panel_rows, panel, first, step + i);
        }
      }
    }
  } else {
    // Panel by panel, or as many rows as a vector has lanes.
    const size_t steps_ahead = 8;
    const size_t together = panel_rows < LANES ? LANES : panel_rows;
    for (size_t start = 0; start < rows; start += together) {
      for (size_t step = 0; step < steps; step++) {
        const void *line = at(type, source, step * unit * stride);
        for (size_t first = start; first < smaller(rows, start + together); first += LANES) {
          for (size_t i = 0; i < unit; i++)
            __builtin_prefetch(at(type, line, (steps_ahead * unit + i) * stride + first));
          words v = load_across(type, at(type, line, first), rows - first, stride, step * unit + 1 < k);
          store_step(v, packed, panel_rows, panel, first, step);
        }
      }
    }
  }
}

INLINE void pack(bool along, size_t rows, size_t k, const void *source, vp_type type, size_t stride, size_t panel_rows,
                 uint32_t *packed, size_t panel) {
#define PACK(type, along) pack_typed(type, along, rows, k, source, stride, panel_rows, packed, panel)
  switch (type) {
    case VP_TYPE_F32: return along ? PACK(VP_TYPE_F32, true) : PACK(VP_TYPE_F32, false);
    case VP_TYPE_BF16: return along ? PACK(VP_TYPE_BF16, true) : PACK(VP_TYPE_BF16, false);
    case VP_TYPE_F16: return along ? PACK(VP_TYPE_F16, true) : PACK(VP_TYPE_F16, false);
  }
#undef PACK
}

static void pack_a(bool transpose, size_t m, size_t k, const void *a, vp_type type, size_t lda, uint32_t *packed) {
  pack(!transpose, m, k, a, type, lda, ROWS, packed, steps_in(k) * ROWS);
}

static void pack_b(bool transpose, size_t n, size_t k, const void *b, vp_type type, size_t ldb, void *packed) {
  pack(transpose, n, k, b, type, ldb, TILE, packed, steps_in(k) * TILE);
}

/// A tile: computes the first `count` vectors of columns, and stores `rows` x `columns` sums.
INLINE void multiply_tile(int count, size_t steps, const uint32_t *a, const uint32_t *b, size_t rows, size_t columns,
                          float *c, size_t ldc, bool accumulate) {
  // Prefetch the sums: loading them from a far cache or memory takes a large part of the multiplications' time.
  for (size_t i = 0; i < rows; i++)
    for (size_t j = 0; j < columns; j += LANES) __builtin_prefetch(c + i * ldc + j, 1);
  floats sums[ROWS][VECTORS];
  _Pragma("unroll") for (int i = 0; i < ROWS; i++)
    _Pragma("unroll") for (int j = 0; j < count; j++) sums[i][j] = (floats){0};
  for (size_t step = 0; step < steps; step++, a += ROWS, b += TILE) {
    words column[VECTORS];
    _Pragma("unroll") for (int j = 0; j < count; j++) column[j] = load_words(b + j * LANES);
    _Pragma("unroll") for (int i = 0; i < ROWS; i++) {
      words row = (words){0} + a[i];
      _Pragma("unroll") for (int j = 0; j < count; j++) sums[i][j] = multiply_add(sums[i][j], row, column[j]);
#if LANES == 8
      // All 16 registers are in use: a row's number must not be loaded before the row above is finished.
      _Pragma("unroll") for (int j = 0; j < count; j++) __asm__ volatile("" : "+x"(sums[i][j]) : : "memory");
#endif
    }
  }
  if (rows == ROWS && columns == (size_t)count * LANES) {
    _Pragma("unroll") for (int i = 0; i < ROWS; i++)
      _Pragma("unroll") for (int j = 0; j < count; j++) {
        float *p = c + i * ldc + j * LANES;
        if (accumulate) sums[i][j] += (floats)load_words(p);
        memcpy(p, &sums[i][j], sizeof(floats));
      }
  } else {
    float edge[ROWS][TILE];
    _Pragma("unroll") for (int i = 0; i < ROWS; i++)
      _Pragma("unroll") for (int j = 0; j < count; j++) memcpy(&edge[i][j * LANES], &sums[i][j], sizeof(floats));
    for (size_t i = 0; i < rows; i++)
      for (size_t j = 0; j < columns; j++) c[i * ldc + j] = accumulate ? edge[i][j] + c[i * ldc + j] : edge[i][j];
  }
}

/// All tiles of a block of A with all of B's columns. `panel`: words of a panel of B.
static void multiply_block(size_t m, size_t n, size_t steps, const uint32_t *a, const uint32_t *b, size_t panel,
                           float *c, size_t ldc, bool accumulate) {
#define MULTIPLY(count) \
  multiply_tile(count, steps, a + i * steps, b, smaller(ROWS, m - i), columns, c + i * ldc + j, ldc, accumulate)
  for (size_t j = 0; j < n; j += TILE, b += panel) {
    size_t columns = smaller(TILE, n - j);
    for (size_t i = 0; i < m; i += ROWS) {
      if (VECTORS == 3 && columns > 2 * LANES) MULTIPLY(3);
      else if (columns > LANES) MULTIPLY(2);
      else MULTIPLY(1);
    }
  }
#undef MULTIPLY
}

static void multiply_packed(bool transpose_a, size_t m, size_t n, size_t k, const void *a, vp_type a_type, size_t lda,
                            const void *packed, float *c, size_t ldc, bool accumulate, void *scratch) {
  const size_t unit = PAIRS + 1, all_steps = steps_in(k);
  size_t blocks = (all_steps + most_steps - 1) / most_steps;
  size_t block = blocks == 0 ? 0 : (all_steps + blocks - 1) / blocks;
  for (size_t i = 0; i < m; i += most_rows) {
    size_t rows = smaller(most_rows, m - i);
    for (size_t step = 0; step == 0 || step < all_steps; step += block) {
      size_t steps = smaller(block, all_steps - step), first = step * unit;
      pack_a(transpose_a, rows, smaller(steps * unit, k - first),
             at(a_type, a, transpose_a ? first * lda + i : i * lda + first), a_type, lda, scratch);
      multiply_block(rows, n, steps, scratch, (const uint32_t *)packed + step * TILE, all_steps * TILE, c + i * ldc,
                     ldc, accumulate || step > 0);
      if (all_steps == 0) break;
    }
  }
}

const vp_gemm_kernels KERNELS = {pack_b, multiply_packed};
