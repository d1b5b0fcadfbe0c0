// All checks, with several seeds each; for scripts/sanitize.sh. The arguments are image files.
#include <stdio.h>
#include <stdlib.h>

#include "KernelChecks.h"

static int failures;

static void report(const char *failure, unsigned long long seed) {
  if (!failure) return;
  fprintf(stderr, "seed %llu: %s\n", seed, failure);
  failures++;
}

static void check_file(const char *path, vp_guard guard) {
  FILE *file = fopen(path, "rb");
  if (!file) {
    perror(path);
    exit(1);
  }
  static uint8_t bytes[1 << 20];
  size_t count = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  report(vp_check_image(bytes, count, count, 4, guard), count);
}

int main(int count, char **paths) {
  static const struct {
    const char *(*check)(uint64_t seed, vp_guard guard);
    uint64_t seeds;
  } checks[] = {{vp_check_ulp16, 200},     {vp_check_merge, 60},         {vp_check_conversions, 100}, {vp_check_lowrank, 300},
                {vp_check_products, 300},  {vp_check_model_kernels, 300}, {vp_check_resizing, 300}};
  for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
    for (uint64_t seed = 0; seed < checks[i].seeds; seed++) report(checks[i].check(seed, (vp_guard)(seed & 1)), seed);
  for (int i = 1; i < count; i++)
    for (int guard = VP_GUARD_END; guard <= VP_GUARD_BEGIN; guard++) check_file(paths[i], (vp_guard)guard);
  return failures != 0;
}
