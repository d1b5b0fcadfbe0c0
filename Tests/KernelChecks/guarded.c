#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "checks.h"

vp_guarded vp_guard_bytes(size_t count, vp_guard guard) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), inside = (count + page) / page * page;
  vp_guarded memory = {NULL, NULL, inside + 2 * page};
  memory.mapping = mmap(NULL, memory.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char *first = (char *)memory.mapping + page;
  if (memory.mapping == MAP_FAILED || mprotect(first, inside, PROT_READ | PROT_WRITE) != 0) abort();
  memory.start = guard == VP_GUARD_END ? first + inside - count : first;
  memset(memory.start, 0xA5, count);
  return memory;
}

void vp_unguard(vp_guarded memory) { munmap(memory.mapping, memory.mapped); }

void *guarded(arena *arena, size_t count) {
  if (arena->count == sizeof arena->memory / sizeof arena->memory[0]) abort();
  arena->memory[arena->count] = vp_guard_bytes(count, arena->guard);
  return arena->memory[arena->count++].start;
}

void *guarded_noise(arena *arena, size_t count, random_source *random) {
  uint8_t *bytes = guarded(arena, count);
  for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)next_random(random);
  return bytes;
}

float *guarded_floats(arena *arena, size_t count, random_source *random) {
  float *floats = guarded(arena, count * sizeof(float));
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = (uint32_t)next_random(random);
    if (below(random, 16) == 0) {
      memcpy(floats + i, &bits, sizeof bits);
    } else {
      floats[i] = (float)(int32_t)bits * 0x1p-30f;
    }
  }
  return floats;
}

void release(arena *arena) {
  for (size_t i = 0; i < arena->count; i++) vp_unguard(arena->memory[i]);
  arena->count = 0;
}
