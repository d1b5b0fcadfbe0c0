// Runs every kernel of CKernels, CCompute and CImages over memory that ends, or begins, at an unmapped page: a kernel
// that reads or writes one byte beside its inputs, tables or outputs ends the process with SIGSEGV. Lengths are awkward
// (0, 1, around the widths of vectors), data valid and hostile.
//
// The suites of the modules call these; scripts/sanitize.sh does so under AddressSanitizer and
// UndefinedBehaviorSanitizer, which see what a guard page cannot: memory of the kernels' own, and arithmetic.
//
// Each check returns null, or in words what is wrong besides.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Which end of the memory lies at an unmapped page. At its beginning the rest of a page lies behind it.
typedef enum { VP_GUARD_END = 0, VP_GUARD_BEGIN = 1 } vp_guard;

typedef struct {
  void *start;  // (count) bytes of 0xA5
  void *mapping;
  size_t mapped;
} vp_guarded;

vp_guarded vp_guard_bytes(size_t count, vp_guard guard);
void vp_unguard(vp_guarded memory);

/// The coder of 16-bit elements: forward, backward, and the encoder's choices; over chunks that this check encodes
/// itself, and damaged ones.
const char *vp_check_ulp16(uint64_t seed, vp_guard guard);
/// The merge engine, of all dtypes and rules.
const char *vp_check_merge(uint64_t seed, vp_guard guard);
const char *vp_check_conversions(uint64_t seed, vp_guard guard);
/// Matrix products, packed and not, and products with vectors.
const char *vp_check_products(uint64_t seed, vp_guard guard);
/// Norms, activations, softmax, AdamW and the rest.
const char *vp_check_model_kernels(uint64_t seed, vp_guard guard);
/// Resizing, and inflating.
const char *vp_check_resizing(uint64_t seed, vp_guard guard);
/// The decoders of images: on a file as it is, cut, and damaged, `damages` times.
const char *vp_check_image(const uint8_t *file, size_t count, uint64_t seed, size_t damages, vp_guard guard);
