// The ulp coder's kernels (spec/vpatch-format.md, section 5.1), on models and streams that are generated here: scale
// maps with holes, tables of few and of many symbols, groups of several classes.
#include <stdlib.h>

#include "CKernels.h"
#include "checks.h"

enum { most = 1500, most_tables = 31 };

typedef struct {
  random_source random;
  uint32_t shift, exponents;  // of the format
  size_t tables, classes, count, group_size;
  uint16_t frequency[most_tables][256], start[most_tables][256];
  uint8_t scales[4][256];  // (classes) those that have a table
  size_t scale_count[4];
  uint8_t class_of[most];  // of groups
  uint16_t base[most], target[most], slot[most];
  uint8_t extra[most * 2], words[most * 4];
  size_t extra_bits, word_count;
  uint32_t states[32];
  uint32_t offsets[4][256], zero_tables[4], slots[most_tables << 12];
} chunk;

static int32_t ordered(int32_t v) { return v ^ ((v >> 31) & 0x7fff); }

static int32_t index_of(int symbol) { return abs(symbol - 128); }

static int bits_of(int32_t index) { return index < 16 ? 0 : 3 + (index - 16) / 2; }

/// A table of symbols around "unchanged".
static void make_table(chunk *c, size_t table) {
  static const int reaches[] = {0, 2, 15, 20, 38};
  int reach = reaches[below(&c->random, 5)], left = 4096;
  uint16_t *frequency = c->frequency[table];
  memset(frequency, 0, sizeof c->frequency[table]);
  for (int symbol = 128 - reach; symbol <= 128 + reach; symbol++) {
    int most_here = left / 2 - 80;
    if (most_here < 1 || below(&c->random, 3) == 0) continue;
    frequency[symbol] = (uint16_t)(1 + below(&c->random, (size_t)most_here));
    left -= frequency[symbol];
  }
  frequency[128] = (uint16_t)(frequency[128] + left);
  uint32_t start = 0;
  for (uint32_t symbol = 0; symbol < 256; symbol++) {
    c->start[table][symbol] = (uint16_t)start;
    for (uint32_t i = 0; i < frequency[symbol]; i++)
      c->slots[table << 12 | (start + i)] = symbol | (uint32_t)(frequency[symbol] - 1) << 8 | i << 20;
    start += frequency[symbol];
  }
}

/// Assigns tables to scales; the scales are adjacent or scattered.
static void make_map(chunk *c, size_t class) {
  size_t all = c->exponents + 1, span = below(&c->random, 2) ? all : 1 + below(&c->random, 27);
  size_t first = 1 + below(&c->random, all - (span < all ? span : all - 1));
  for (size_t scale = 0; scale < 256; scale++) c->offsets[class][scale] = UINT32_MAX;
  c->scale_count[class] = 0;
  for (size_t scale = 0; scale < all; scale++) {
    int has_table = scale == first || (scale == 0 ? below(&c->random, 2) : scale > first && scale < first + span &&
                                                                               below(&c->random, 3));
    if (!has_table) continue;
    c->scales[class][c->scale_count[class]++] = (uint8_t)scale;
    c->offsets[class][scale] = (uint32_t)below(&c->random, c->tables) << 12;
  }
  // The table that only zeros use is found in another way.
  uint32_t zero = c->offsets[class][0];
  int is_alone = zero != UINT32_MAX;
  for (size_t scale = 1; scale < 256; scale++) is_alone &= c->offsets[class][scale] != zero;
  c->zero_tables[class] = is_alone ? 1u << (zero >> 12) : 0;
}

/// A base value of a scale with a table, and the target for a symbol of that table.
static void make_element(chunk *c, size_t i, size_t class, uint8_t *symbol) {
  size_t scale = c->scales[class][below(&c->random, c->scale_count[class])];
  uint32_t mantissa = (uint32_t)below(&c->random, (size_t)1 << c->shift), exponent = (uint32_t)scale;
  if (scale == 0) mantissa = 0;
  if (scale == 1 && mantissa > 0) exponent = (uint32_t)below(&c->random, 2);
  c->base[i] = (uint16_t)(below(&c->random, 2) << 15 | exponent << c->shift | mantissa);
  uint32_t table = c->offsets[class][scale];
  *symbol = (uint8_t)(c->slots[table | below(&c->random, 4096)] & 0xff);
  int32_t index = index_of(*symbol), magnitude = index;
  int bits = bits_of(index);
  if (bits > 0) {
    int32_t low = index == 38 ? 0 : (int32_t)below(&c->random, (size_t)1 << bits);
    magnitude = ((2 + (index & 1)) << bits) + low;
    for (int bit = 0; bit < bits; bit++, c->extra_bits++)
      if (low >> bit & 1) c->extra[c->extra_bits >> 3] |= (uint8_t)(1 << (c->extra_bits & 7));
  }
  int32_t rank = ordered((int16_t)c->base[i]) + (*symbol < 128 ? -magnitude : magnitude);
  c->target[i] = (uint16_t)ordered((int16_t)(uint16_t)rank);
}

static uint32_t table_of(const chunk *c, size_t class, uint16_t value) {
  uint32_t exponent = (uint32_t)value >> c->shift & c->exponents;
  return c->offsets[class][(value & 0x7fff) == 0 ? 0 : exponent ? exponent : 1] >> 12;
}

static void make_chunk(chunk *c, uint64_t seed) {
  memset(c, 0, sizeof *c);
  c->random.state = seed;
  c->shift = below(&c->random, 2) ? 7 : 10;
  c->exponents = c->shift == 7 ? 255 : 31;
  c->tables = 1 + below(&c->random, most_tables);
  c->classes = 1 + below(&c->random, 4);
  static const size_t counts[] = {0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 95, 96, 97, 255, 1000, most};
  c->count = counts[below(&c->random, 16)];
  c->group_size = c->classes == 1 ? c->count + 1 : 32 * (1 + below(&c->random, 5));
  for (size_t table = 0; table < c->tables; table++) make_table(c, table);
  for (size_t class = 0; class < c->classes; class++) make_map(c, class);
  uint8_t symbols[most];
  for (size_t i = 0; i < c->count; i++) {
    uint8_t *class = &c->class_of[i / c->group_size];
    if (i % c->group_size == 0) *class = (uint8_t)below(&c->random, c->classes);
    make_element(c, i, *class, &symbols[i]);
  }
  c->extra_bits = (c->extra_bits + 7) & ~(size_t)7;
  for (size_t lane = 0; lane < 32; lane++) c->states[lane] = 65536;
  uint16_t words[most];
  for (size_t i = c->count; i-- > 0;) {
    uint32_t table = table_of(c, c->class_of[i / c->group_size], c->base[i]), *x = &c->states[i & 31];
    uint32_t frequency = c->frequency[table][symbols[i]];
    if (frequency < 4096 && *x >= frequency << 20) {
      words[c->word_count++] = (uint16_t)*x;
      *x >>= 16;
    }
    *x = *x / frequency * 4096 + *x % frequency + c->start[table][symbols[i]];
    c->slot[i] = (uint16_t)(*x & 4095);
  }
  for (size_t i = 0; i < c->word_count; i++) {
    uint16_t word = words[c->word_count - 1 - i];
    c->words[2 * i] = (uint8_t)word;
    c->words[2 * i + 1] = (uint8_t)(word >> 8);
  }
}

static void *copy(arena *arena, const void *bytes, size_t count) { return memcpy(guarded(arena, count), bytes, count); }

/// Flips bits of some of the bytes.
static void damage(void *bytes, size_t count, random_source *random) {
  for (size_t n = count ? 1 + below(random, 4) : 0; n-- > 0;)
    ((uint8_t *)bytes)[below(random, count)] ^= (uint8_t)(1 + below(random, 255));
}

/// The chunk in guarded memory, as input of the kernels.
typedef struct {
  vp_ulp16_job forward;
  vp_ulp16_resolver backward;
  uint16_t *base, *target;
  uint32_t *forward_states, *states;
  uint8_t *words, *extra, *choices;
  size_t choice_bits;
} laid_out;

static laid_out lay_out(const chunk *c, arena *a) {
  size_t groups = (c->count + c->group_size - 1) / c->group_size;
  laid_out l = {0};
  l.base = copy(a, c->base, c->count * 2);
  l.target = copy(a, c->target, c->count * 2);
  l.words = copy(a, c->words, c->word_count * 2);
  l.extra = copy(a, c->extra, c->extra_bits / 8);
  l.forward_states = copy(a, c->states, sizeof c->states);
  l.states = copy(a, c->states, sizeof c->states);
  const uint8_t *classes = copy(a, c->class_of, groups);
  const uint32_t *offsets = copy(a, c->offsets, c->classes * sizeof c->offsets[0]);
  const uint32_t *slots = copy(a, c->slots, c->tables << 14), *zeros = copy(a, c->zero_tables, c->classes * 4);
  size_t masks_of_class = 8192 * 16;
  uint32_t *masks = guarded(a, c->classes * masks_of_class * 4);
  for (size_t class = 0; class < c->classes; class++)
    for (size_t i = 0; i < masks_of_class; i++)
      masks[class * masks_of_class + i] = ((1u << c->tables) - 1) & ~c->zero_tables[class];
  l.forward = (vp_ulp16_job){
    .base = l.base, .target = guarded(a, c->count * 2), .count = c->count, .classes = classes,
    .group_size = c->group_size, .class_count = c->classes, .offsets = offsets, .slots = slots,
    .exponent_shift = c->shift, .exponent_mask = c->exponents, .states = l.forward_states, .words = l.words,
    .word_count = c->word_count, .extra = l.extra, .extra_bits = c->extra_bits};
  l.backward = (vp_ulp16_resolver){
    .target = l.target, .count = c->count, .classes = classes, .group_size = c->group_size,
    .class_count = c->classes, .offsets = offsets, .slots = slots, .masks = masks, .zero_tables = zeros,
    .exponent_shift = c->shift, .exponent_mask = c->exponents, .extra = l.extra, .extra_bits = c->extra_bits};
  return l;
}

static const char *check_valid(chunk *c, arena *a, uint8_t **choices, size_t *choice_bits) {
  laid_out l = lay_out(c, a);
  if (vp_ulp16_decode_avx2(&l.forward)) return "ulp16: a valid chunk is refused on the way forward";
  if (l.forward.done > c->count || c->count - l.forward.done > (c->word_count < 64 ? c->count : 2000))
    return "ulp16: not as much is decoded as can be";
  if (memcmp(l.forward.target, c->target, l.forward.done * 2)) return "ulp16: the target is another";
  const uint16_t *slots = copy(a, c->slot, c->count * 2);
  size_t room = c->count * 30;
  *choices = memset(guarded(a, (room + 7) / 8), 0, (room + 7) / 8);
  *choice_bits = vp_ulp16_find_choices_avx2(&l.backward, l.base, slots, *choices, room);
  if (*choice_bits > room) return "ulp16: an element would not be found again";
  size_t used = (*choice_bits + 7) / 8;
  uint16_t *back = guarded(a, c->count * 2);
  if (vp_ulp16_decode_backward_avx2(&l.backward, back, l.states, l.words, c->word_count, copy(a, *choices, used),
                                    used * 8))
    return "ulp16: a valid chunk is refused on the way back";
  return memcmp(back, c->base, c->count * 2) ? "ulp16: the base is another" : NULL;
}

/// Whatever the result, the kernels must only access the chunk.
static void check_damaged(chunk *c, arena *a, const uint8_t *choices, size_t choice_bits) {
  laid_out l = lay_out(c, a);
  size_t used = (choice_bits + 7) / 8;
  uint8_t *bits = copy(a, choices, used);
  switch (below(&c->random, 7)) {
    case 0: damage(l.words, c->word_count * 2, &c->random); break;
    case 1: damage(l.extra, c->extra_bits / 8, &c->random); break;
    case 2: damage(bits, used, &c->random); break;
    case 3: damage(l.states, 128, &c->random); damage(l.forward_states, 128, &c->random); break;
    // Values of scales without a table, as from another model.
    case 4: damage(l.base, c->count * 2, &c->random); damage(l.target, c->count * 2, &c->random); break;
    case 5: damage((void *)l.backward.slots, c->tables << 14, &c->random); break;
    // Fewer words, extra bits or choices than needed. Sometimes each of the first elements reads a word.
    case 6: {
      size_t words = c->word_count;
      if (below(&c->random, 2)) {
        for (size_t i = 0; i < c->tables << 12; i++) ((uint32_t *)l.backward.slots)[i] &= ~(4095u << 8);
        memcpy(l.states, memset(l.forward_states, 0x01, 128), 128);
        words = words < 40 ? words : 40;
      }
      l.forward.word_count = words ? below(&c->random, words) : 0;
      l.backward.extra_bits = l.forward.extra_bits = c->extra_bits ? below(&c->random, c->extra_bits) / 8 * 8 : 0;
      l.extra = memcpy(guarded(a, l.forward.extra_bits / 8), l.extra, l.forward.extra_bits / 8);
      l.words = memcpy(guarded(a, l.forward.word_count * 2), l.words, l.forward.word_count * 2);
      l.backward.extra = l.forward.extra = l.extra;
      l.forward.words = l.words;
      used = used ? below(&c->random, used) : 0;
      bits = memcpy(guarded(a, used), bits, used);
    }
  }
  size_t words = l.forward.word_count, room = c->count * 30;
  vp_ulp16_decode_avx2(&l.forward);
  uint16_t *back = guarded(a, c->count * 2);
  vp_ulp16_decode_backward_avx2(&l.backward, back, l.states, l.words, words, bits, used * 8);
  uint8_t *found = memset(guarded(a, (room + 7) / 8), 0, (room + 7) / 8);
  vp_ulp16_find_choices_avx2(&l.backward, l.base, copy(a, c->slot, c->count * 2), found, room);
}

const char *vp_check_ulp16(uint64_t seed, vp_guard guard) {
  if (!vp_has_avx2()) return NULL;
  chunk *c = malloc(sizeof *c);
  make_chunk(c, seed);
  arena valid = {.guard = guard}, damaged = {.guard = guard};
  uint8_t *choices;
  size_t choice_bits;
  const char *failure = check_valid(c, &valid, &choices, &choice_bits);
  for (int i = 0; !failure && i < 6; i++) {
    check_damaged(c, &damaged, choices, choice_bits);
    release(&damaged);
  }
  release(&valid);
  free(c);
  return failure;
}
