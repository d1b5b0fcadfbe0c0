#include "isa.h"

#include <stdlib.h>
#include <string.h>

static vp_isa chosen;
static bool has_bf16;

vp_isa vp_best_isa(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c"))
    return VP_BASELINE;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return VP_AVX2;
  return VP_AVX512;
#else
  return VP_BASELINE;
#endif
}

// Runs before main, so that no thread can see a partial result.
__attribute__((constructor)) static void choose(void) {
  chosen = vp_best_isa();
  const char *wanted = getenv("VPATCH_ISA");
  if (wanted && strcmp(wanted, "baseline") == 0) chosen = VP_BASELINE;
  if (wanted && strcmp(wanted, "avx2") == 0 && chosen > VP_AVX2) chosen = VP_AVX2;
#if defined(__x86_64__)
  has_bf16 = chosen == VP_AVX512 && __builtin_cpu_supports("avx512bf16");
#endif
}

vp_isa vp_chosen_isa(void) { return chosen; }

bool vp_has_bf16(void) { return has_bf16; }
