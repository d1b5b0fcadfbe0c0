// Applies a patch to one tensor in memory, and reverts it.
//
//   cc -I Sources/CVPatch/include Examples/C/decode.c -lvpatch -o decode
//   ./decode task.vpatch TENSOR input.bin output.bin
//
// input.bin has the bytes of the base's tensor, row by row. The tuned tensor is written to output.bin.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vpatch.h"

static int failed(const char *what, vpatch_status status, char *message) {
  fprintf(stderr, "%s: %s (status %d)\n", what, message ? message : "failed", status);
  vpatch_free(message);
  return 1;
}

int main(int count, char **arguments) {
  if (count != 5) {
    fprintf(stderr, "usage: decode PATCH TENSOR INPUT OUTPUT\n");
    return 64;
  }
  char *message = NULL;
  vpatch_patch *patch = NULL;
  vpatch_status status = vpatch_open(arguments[1], 2, &patch, &message);
  if (status != VPATCH_OK) return failed("open", status, message);

  FILE *file = fopen(arguments[3], "rb");
  if (!file) return perror(arguments[3]), 1;
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  char *base = malloc(size), *tuned = malloc(size);
  if (fread(base, 1, size, file) != size) return perror(arguments[3]), 1;
  fclose(file);

  // The tensor's fingerprint is checked: a wrong base is found here.
  status = vpatch_decode(patch, arguments[2], VPATCH_FORWARD, base, size, tuned, size, &message);
  if (status != VPATCH_OK) return failed("decode", status, message);
  file = fopen(arguments[4], "wb");
  if (!file || fwrite(tuned, 1, size, file) != size || fclose(file)) return perror(arguments[4]), 1;

  // In place: the input is the output.
  status = vpatch_decode(patch, arguments[2], VPATCH_BACKWARD, tuned, size, tuned, size, &message);
  if (status != VPATCH_OK) return failed("decode backwards", status, message);
  printf("vpatch %s: %s, %zu bytes; reverted to the base: %s\n", vpatch_version(), arguments[2], size,
         memcmp(base, tuned, size) == 0 ? "yes" : "no");
  vpatch_close(patch);
  free(base);
  free(tuned);
  return 0;
}
