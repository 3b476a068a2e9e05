/* SPDX-License-Identifier: MIT */
/*
 * What a sync has lost that was made to fail (--fail-sync). Linux tells of a failure once and takes the pages for
 * clean: a later sync succeeds, and does not write them. Only what the program stores there anew is written again.
 * Called where the sync fails, where a later one copies, and at the end.
 */
#include "supervise/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 64 };

static uint64_t hash_of(const uint8_t *bytes, size_t length)
{
    uint64_t hash = length;
    uint8_t line[LINE];

    for (size_t at = 0; at < length; at += LINE) {
        size_t whole = length - at < LINE ? length - at : LINE;

        memset(line, 0, sizeof line);
        memcpy(line, bytes + at, whole);
        hash = (hash ^ nv_line_hash(line)) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
    }
    return hash;
}

bool nv_lost_any(const struct nv_image *image)
{
    uint64_t wanted = image->ledger ? image->ledger->fail_sync : 0;

    return wanted && atomic_fetch_add(&image->ledger->syncs, 1) + 1 == wanted;
}

struct gathering {
    struct nv_object *object;
    size_t room;
};

/* The block's place in the list, or where it belongs. */
static size_t place_of(const struct nv_object *object, uint64_t block)
{
    size_t low = 0, high = object->lost_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (object->lost[middle].block < block)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int add(struct gathering *gathering, uint64_t block)
{
    struct nv_object *object = gathering->object;
    size_t at = place_of(object, block);
    struct nv_lost *grown;

    if (at < object->lost_count && object->lost[at].block == block)
        return 0;
    if (object->lost_count == gathering->room) {
        gathering->room = gathering->room ? 2 * gathering->room : 64;
        grown = realloc(object->lost, gathering->room * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        object->lost = grown;
    }
    memmove(object->lost + at + 1, object->lost + at, (object->lost_count - at) * sizeof *object->lost);
    object->lost[at] = (struct nv_lost){.block = block};
    object->lost_count++;
    return 0;
}

static int gather(void *context, uint64_t offset, uint64_t length, const uint8_t *view, const uint8_t *durable)
{
    int status = 0;

    (void)durable;
    for (uint64_t block = offset / NV_BLOCK_BYTES; view && !status && block * NV_BLOCK_BYTES < offset + length; block++)
        status = add(context, block);
    return status;
}

/* What stands there now is what is lost. */
static int fill(struct nv_object *object)
{
    uint8_t bytes[NV_BLOCK_BYTES];

    for (size_t i = 0; i < object->lost_count; i++) {
        ssize_t length = pread(object->view, bytes, sizeof bytes, (off_t)(object->lost[i].block * NV_BLOCK_BYTES));

        if (length < 0)
            return -errno;
        object->lost[i].hash = hash_of(bytes, (size_t)length);
    }
    return 0;
}

int nv_lost_take(struct nv_image *image, struct nv_object *object, uint64_t from, uint64_t to)
{
    struct gathering gathering = {object, object->lost_count};
    int status = nv_content_compare_range(image, object, from, to, gather, &gathering);

    object->sync_failed = true;
    return status ? status : fill(object);
}

/* Part of a block is never told from another's. */
bool nv_lost_is(const struct nv_object *object, uint64_t offset, const uint8_t *bytes, size_t length)
{
    uint64_t block = offset / NV_BLOCK_BYTES;
    size_t at = place_of(object, block);

    return at < object->lost_count && object->lost[at].block == block &&
           object->lost[at].hash == hash_of(bytes, length);
}

bool nv_lost_still(struct nv_object *object, uint64_t offset)
{
    uint8_t bytes[NV_BLOCK_BYTES];
    ssize_t length;

    if (!object->lost_count || object->view < 0)
        return false;
    length = pread(object->view, bytes, sizeof bytes, (off_t)(offset & ~(NV_BLOCK_BYTES - 1)));
    return length > 0 && nv_lost_is(object, offset, bytes, (size_t)length);
}

void nv_lost_forget(struct nv_object *object)
{
    free(object->lost);
    object->lost = NULL;
    object->lost_count = 0;
}
