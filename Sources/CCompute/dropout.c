#include "dropout.h"

uint64_t vp_mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

void vp_dropout(const float *x, float *y, size_t n, uint64_t key, uint32_t dropped, bool accumulate) {
  const float scale = 65536.0f / (65536.0f - (float)dropped);
  // 16 of a word's bits decide on one number.
  for (size_t i = 0; i < n; i += 4) {
    const uint64_t bits = vp_mix64(key + (i / 4 + 1) * 0x9E3779B97F4A7C15u);
    for (size_t j = i; j < n && j < i + 4; j++) {
      const bool is_kept = (bits >> (16 * (j - i)) & 0xFFFF) >= dropped;
      const float value = is_kept ? x[j] * scale : 0;
      y[j] = accumulate ? y[j] + value : value;
    }
  }
}
