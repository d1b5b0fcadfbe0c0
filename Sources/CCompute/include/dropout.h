// Dropout whose mask is a function of a key, so that it can be made again in the backward pass, and is the same with any
// number of threads.
#ifndef CCOMPUTE_DROPOUT_H
#define CCOMPUTE_DROPOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// The output function of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): spreads close numbers over all others.
uint64_t vp_mix64(uint64_t x);

/// Each number of x is dropped with the probability dropped / 65536, and the others are scaled so that the mean stays.
/// Number i depends on the key and i only.
/// - accumulate: adds the result to y.
void vp_dropout(const float *x, float *y, size_t n, uint64_t key, uint32_t dropped, bool accumulate);

#endif
