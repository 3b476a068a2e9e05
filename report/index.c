/* SPDX-License-Identifier: MIT */
/* A hash index of numbered entries, so that a report without a cap stays linear. findings.c is its only caller. */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)64)
#define FNV_PRIME UINT64_C(0x100000001b3)

uint64_t nv_hash_bytes(uint64_t hash, const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ at[i]) * FNV_PRIME;
    return hash;
}

uint64_t nv_hash_text(uint64_t hash, const char *text)
{
    return text ? nv_hash_bytes(hash, text, strlen(text) + 1) : (hash ^ 0x100) * FNV_PRIME;
}

size_t nv_index_find(const struct nv_index *index, uint64_t hash, nv_index_equal *equal, const void *context,
                     const void *key)
{
    if (!index->capacity)
        return SIZE_MAX;
    size_t mask = index->capacity - 1;
    for (size_t at = hash & mask; index->slots[at].number; at = (at + 1) & mask) {
        size_t number = index->slots[at].number - 1;
        if (index->slots[at].hash == hash && equal(context, number, key))
            return number;
    }
    return SIZE_MAX;
}

void nv_index_insert(struct nv_index *index, uint64_t hash, size_t number)
{
    size_t mask = index->capacity - 1;
    size_t at = hash & mask;
    while (index->slots[at].number)
        at = (at + 1) & mask;
    index->slots[at] = (struct nv_index_slot){.hash = hash, .number = number + 1};
    index->count++;
}

bool nv_index_reserve(struct nv_index *index)
{
    if (index->count + 1 <= index->capacity / 2)
        return true;
    struct nv_index larger = {.capacity = index->capacity ? index->capacity * 2 : FIRST_CAPACITY};
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (!larger.slots)
        return false;
    for (size_t i = 0; i < index->capacity; i++)
        if (index->slots[i].number)
            nv_index_insert(&larger, index->slots[i].hash, index->slots[i].number - 1);
    free(index->slots);
    *index = larger;
    return true;
}

void nv_index_clear(struct nv_index *index)
{
    if (index->capacity)
        memset(index->slots, 0, index->capacity * sizeof *index->slots);
    index->count = 0;
}

void nv_index_free(struct nv_index *index)
{
    free(index->slots);
    *index = (struct nv_index){0};
}
