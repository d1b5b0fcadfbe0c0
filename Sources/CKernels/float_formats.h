// Converts elements of six dtypes to float64, and rounds float64 to them (spec/stacks.md, section 5.1). Without
// branches and in lanes of 64 bits, so that loops are vectorised.
#pragma once
#include <stdint.h>
#include <string.h>

#include "CKernels.h"

#pragma STDC FP_CONTRACT OFF

#define INLINE static inline __attribute__((always_inline, unused))

typedef struct {
  int width;     // bytes
  int mantissa;  // bits
  int bias;
  int has_infinities;
} float_format;

static const float_format formats[] = {
  [VP_F64] = {8, 52, 1023, 1}, [VP_F32] = {4, 23, 127, 1}, [VP_F16] = {2, 10, 15, 1},
  [VP_BF16] = {2, 7, 127, 1}, [VP_F8_E5M2] = {1, 2, 15, 1}, [VP_F8_E4M3] = {1, 3, 7, 0},
};

INLINE double as_double(uint64_t bits) {
  double value;
  memcpy(&value, &bits, 8);
  return value;
}

INLINE uint64_t as_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, 8);
  return bits;
}

INLINE double as_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

INLINE uint64_t load(vp_float type, const void *elements, size_t i) {
  switch (formats[type].width) {
    case 1: return ((const uint8_t *)elements)[i];
    case 2: return ((const uint16_t *)elements)[i];
    case 4: return ((const uint32_t *)elements)[i];
    default: return ((const uint64_t *)elements)[i];
  }
}

INLINE void store(vp_float type, void *elements, size_t i, uint64_t bits) {
  switch (formats[type].width) {
    case 1: ((uint8_t *)elements)[i] = (uint8_t)bits; break;
    case 2: ((uint16_t *)elements)[i] = (uint16_t)bits; break;
    case 4: ((uint32_t *)elements)[i] = (uint32_t)bits; break;
    default: ((uint64_t *)elements)[i] = bits;
  }
}

INLINE double power_of_two(int exponent) { return as_double((uint64_t)(exponent + 1023) << 52); }

INLINE double widen(vp_float type, uint64_t bits) {
  if (type == VP_F64) return as_double(bits);
  if (type == VP_F32) return as_float((uint32_t)bits);
  if (type == VP_BF16) return as_float((uint32_t)bits << 16);
  const float_format f = formats[type];
  int shift = 52 - f.mantissa, sign_bit = 8 * f.width - 1;
  uint64_t magnitude = bits & ((1ull << sign_bit) - 1), sign = bits >> sign_bit << 63;
  // Read as a float64 it has the wrong bias. The product corrects that exactly, for subnormals too.
  uint64_t finite = as_bits(as_double(magnitude << shift) * power_of_two(1023 - f.bias));
  uint64_t first_special = f.has_infinities ? ((1ull << sign_bit) - (1ull << f.mantissa)) : 0x7f;
  uint64_t special = 0x7ffull << 52 | (f.has_infinities ? magnitude << shift : 1ull << 51);
  return as_double((magnitude >= first_special ? special : finite) | sign);
}

INLINE uint64_t narrow(vp_float type, double value) {
  const float_format f = formats[type];
  int sign_bit = 8 * f.width - 1;
  uint64_t infinity = f.has_infinities ? (1ull << sign_bit) - (1ull << f.mantissa) : 0x7f;
  uint64_t nan = f.has_infinities ? infinity | 1ull << (f.mantissa - 1) : 0x7f;
  uint64_t result, sign = as_bits(value) >> 63 << sign_bit;
  if (type == VP_F64) {
    result = as_bits(value);
  } else if (type == VP_F32) {
    float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, 4);
    result = bits;
  } else {
    int lowest = 1 - f.bias, highest = f.bias + 1 - f.has_infinities;
    // Adding a power of two whose last place is the result's last place makes the processor do the rounding. Beyond the
    // largest exponent the last place does not matter.
    int64_t exponent = (int64_t)(as_bits(value) & 0x7ffull << 52);
    int64_t least = (int64_t)(lowest + 1023) << 52, most = (int64_t)(highest + 1 + 1023) << 52;
    exponent = exponent < least ? least : exponent;
    exponent = exponent > most ? most : exponent;
    double magic = as_double((uint64_t)(exponent + ((int64_t)(52 - f.mantissa) << 52)));
    double rounded = (as_double(as_bits(value) & ~(1ull << 63)) + magic) - magic;
    double largest = power_of_two(highest) * (2 - power_of_two(-f.mantissa) * (f.has_infinities ? 1 : 2));
    uint64_t normal = (as_bits(rounded) >> (52 - f.mantissa)) - ((uint64_t)(1023 - f.bias) << f.mantissa);
    double place = power_of_two(52 + lowest - f.mantissa);
    uint64_t subnormal = as_bits(rounded + place) - as_bits(place);
    uint64_t finite = rounded < power_of_two(lowest) ? subnormal : normal;
    result = (rounded > largest ? infinity : finite) | sign;
    if (!f.has_infinities) result = rounded > largest ? infinity : result;
  }
  return value != value ? nan : result;
}
