// Runs every kernel of CKernels, CCompute and CImages on memory that ends, or begins, at an unmapped page: a kernel
// that accesses one byte outside its inputs, tables or outputs crashes with SIGSEGV. Lengths are awkward (0, 1, around
// vector widths); data are valid and hostile.
//
// The modules' tests call these; scripts/sanitize.sh runs them under AddressSanitizer and UndefinedBehaviorSanitizer,
// which find what guard pages cannot: errors in the kernels' own memory, and in arithmetic.
//
// Each check returns null, or a description of another error.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Which end of the memory is at an unmapped page. With VP_GUARD_BEGIN, the rest of a page follows the memory.
typedef enum { VP_GUARD_END = 0, VP_GUARD_BEGIN = 1 } vp_guard;

typedef struct {
  void *start;  // (count) bytes of 0xA5
  void *mapping;
  size_t mapped;
} vp_guarded;

vp_guarded vp_guard_bytes(size_t count, vp_guard guard);
void vp_unguard(vp_guarded memory);

/// The 16-bit ulp coder: forward, backward, and the encoder's choices; on chunks that this check encodes itself, and on
/// damaged ones.
const char *vp_check_ulp16(uint64_t seed, vp_guard guard);
/// The merge engine, with all dtypes and rules.
const char *vp_check_merge(uint64_t seed, vp_guard guard);
/// Predictions of the low-rank coder, and the way back from them.
const char *vp_check_lowrank(uint64_t seed, vp_guard guard);
/// A digest of the same results for many seeds, to compare processors. Table 0 is the code for every processor, 1 that for
/// AVX2, 2 that for AVX-512. 0: this processor cannot run it.
uint64_t vp_digest_lowrank(uint64_t seeds, size_t table);
/// The same of the merge engine: table 0 for every processor, 1 for AVX2.
uint64_t vp_digest_merge(uint64_t seeds, size_t table);
const char *vp_check_conversions(uint64_t seed, vp_guard guard);
/// Matrix products, packed and not, and products with vectors.
const char *vp_check_products(uint64_t seed, vp_guard guard);
/// Norms, activations, softmax, AdamW and others.
const char *vp_check_model_kernels(uint64_t seed, vp_guard guard);
/// Resizing and inflating.
const char *vp_check_resizing(uint64_t seed, vp_guard guard);
/// The image decoders: on a file as it is, truncated, and damaged `damages` times.
const char *vp_check_image(const uint8_t *file, size_t count, uint64_t seed, size_t damages, vp_guard guard);
