/* SPDX-License-Identifier: MIT */
/* Owns the set of images that were met: open addressing, the marks in the lowest bits of each hash. */
#include "explore/seen.h"

#include <errno.h>
#include <stdlib.h>

static struct nv_hash *find(struct nv_hash *slots, size_t capacity, struct nv_hash id)
{
    size_t i = id.high >> 20 & (capacity - 1);

    while (slots[i].low | slots[i].high) {
        if (slots[i].high == id.high && !((slots[i].low ^ id.low) & ~(uint64_t)NV_SEEN_MARKS))
            break;
        i = (i + 1) & (capacity - 1);
    }
    return &slots[i];
}

static int grow(struct nv_seen *seen)
{
    size_t capacity = seen->capacity ? seen->capacity * 2 : 1024;
    struct nv_hash *slots = calloc(capacity, sizeof *slots);

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < seen->capacity; i++)
        if (seen->slots[i].low | seen->slots[i].high)
            *find(slots, capacity, seen->slots[i]) = seen->slots[i];
    free(seen->slots);
    seen->slots = slots;
    seen->capacity = capacity;
    return 0;
}

int nv_seen_mark(struct nv_seen *seen, struct nv_hash id, unsigned marks)
{
    struct nv_hash *slot;
    int had;

    if (seen->count >= seen->capacity / 8 * 5 && grow(seen))
        return -ENOMEM;
    slot = find(seen->slots, seen->capacity, id);
    had = (int)(slot->low & NV_SEEN_MARKS);
    if (!marks && !had)
        return 0;
    if (!(slot->low | slot->high)) {
        seen->count++;
        *slot = (struct nv_hash){id.low & ~(uint64_t)NV_SEEN_MARKS, id.high};
        had = 0;
    }
    slot->low |= marks;
    return had;
}

void nv_seen_free(struct nv_seen *seen)
{
    free(seen->slots);
    *seen = (struct nv_seen){0};
}
