// Prints a digest of what the low-rank kernels compute, for scripts/test-arm.sh: of each table that the processor can run.
#include <inttypes.h>
#include <stdio.h>

#include "KernelChecks.h"

int main(void) {
  for (size_t table = 0; table < 3; table++) {
    uint64_t digest = vp_digest_lowrank(2000, table);
    if (digest) printf("%016" PRIx64 "\n", digest);
  }
}
