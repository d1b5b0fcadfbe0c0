// The part of libxxhash.so.0 (0.8) that vpatch calls. The library is loaded at run time, so its header is not needed to
// build. Its interface is stable since 0.8.0.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t low64;
  uint64_t high64;
} vp_xxh128_hash;

typedef void *(*vp_xxh3_create_state)(void);
typedef int (*vp_xxh3_free_state)(void *state);
typedef int (*vp_xxh3_128bits_reset)(void *state);
typedef int (*vp_xxh3_128bits_update)(void *state, const void *bytes, size_t count);
typedef vp_xxh128_hash (*vp_xxh3_128bits_digest)(const void *state);
