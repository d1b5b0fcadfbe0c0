// Prints a digest of what the low-rank kernels compute, for scripts/test-arm.sh. It needs CKernels only.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "CKernels.h"
#include "KernelChecks.h"

int main(int count, char **arguments) {
  int is_avx2 = count > 1 && strcmp(arguments[1], "avx2") == 0 && vp_has_avx2() && vp_has_fma();
  printf("%016" PRIx64 "\n", vp_digest_lowrank(2000, is_avx2));
}
