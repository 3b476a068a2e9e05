/* SPDX-License-Identifier: MIT */
/*
 * Hashes of 128 bits that add up: what a file holds is the sum of the hashes of its units, and an image that of its
 * entries, so that a change costs only what it changes. Units of zeros count nothing: holes cost nothing.
 */
#ifndef NV_EXPLORE_HASH_H
#define NV_EXPLORE_HASH_H

#include "explore/state.h"

#include <stdbool.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline struct nv_hash nv_hash_bytes(const void *bytes, size_t length_bytes, uint64_t seed)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes, length_bytes, seed);

    return (struct nv_hash){hash.low64, hash.high64};
}

static inline struct nv_hash nv_hash_add(struct nv_hash a, struct nv_hash b)
{
    return (struct nv_hash){a.low + b.low, a.high + b.high};
}

static inline struct nv_hash nv_hash_subtract(struct nv_hash a, struct nv_hash b)
{
    return (struct nv_hash){a.low - b.low, a.high - b.high};
}

static inline bool nv_hash_equal(struct nv_hash a, struct nv_hash b)
{
    return a.low == b.low && a.high == b.high;
}

/* Of both, in this order. */
static inline struct nv_hash nv_hash_join(struct nv_hash a, struct nv_hash b)
{
    struct nv_hash both[2] = {a, b};

    return nv_hash_bytes(both, sizeof both, 0);
}

/* A unit of a file: line or sector, by its number. */
static inline struct nv_hash nv_hash_unit(const uint8_t *bytes, uint32_t unit_bytes, uint64_t index)
{
    uint64_t any = 0, word;

    for (uint32_t i = 0; i < unit_bytes && !any; i += 8) {
        memcpy(&word, bytes + i, 8);
        any |= word;
    }
    return any ? nv_hash_bytes(bytes, unit_bytes, index + 1) : (struct nv_hash){0, 0};
}

#endif
