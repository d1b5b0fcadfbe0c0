// Shared by the checks: guarded memory and random numbers.
#pragma once
#include <string.h>

#include "KernelChecks.h"

/// SplitMix64 (Steele, Lea and Flood).
typedef struct {
  uint64_t state;
} random_source;

static inline uint64_t next_random(random_source *random) {
  uint64_t z = random->state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

static inline size_t below(random_source *random, size_t limit) { return (size_t)(next_random(random) % limit); }

/// Guarded memory that is freed all at once.
typedef struct {
  vp_guard guard;
  size_t count;
  vp_guarded memory[64];
} arena;

void *guarded(arena *arena, size_t count);
/// The same, filled with random bytes.
void *guarded_noise(arena *arena, size_t count, random_source *random);
/// The same, filled with float32 numbers: most of ordinary size, some with random bits: NaN, infinities, subnormals.
float *guarded_floats(arena *arena, size_t count, random_source *random);
void release(arena *arena);
