/* SPDX-License-Identifier: MIT */
/*
 * What libpmemobj keeps in the heap of a pool for its own run time, and makes anew at each open: so it is never made
 * durable, nor meant to be. ignored.c asks for every file that differs; files that are no such pool have nothing here.
 *
 * The layout is that of major version 6 (PMDK 1.5 and later), on 64-bit machines:
 *
 *   pool     a header whose first 8 bytes are the signature, then the version; at 0x1410 the offset of the heap
 *   heap     1 KiB of header, then zones
 *   zone     64 bytes, 65528 headers of 8 bytes (type and flags of 16 bits, size in chunks of 32), as many chunks of
 *            256 KiB; it may end before
 */
#include "supervise/ignored.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAJOR 6u
#define HEAP_OFFSET_AT 0x1410
#define HEAP_HEADER_BYTES ((uint64_t)1024)
#define ZONE_HEADER_BYTES ((uint64_t)64)
#define CHUNKS ((uint64_t)65528)
#define CHUNK_BYTES ((uint64_t)256 << 10)
#define CHUNKS_AT (ZONE_HEADER_BYTES + CHUNKS * sizeof(struct chunk_header))
#define ZONE_BYTES (CHUNKS_AT + CHUNKS * CHUNK_BYTES)
#define HEAP_POINTER_LOW 0xa30u /* a pool is mapped at a page, and its descriptor of the heap lies at 0x1a30 */

struct chunk_header {
    uint16_t type, flags;
    uint32_t size; /* in chunks */
};

enum { CHUNK_FREE = 2, CHUNK_USED = 3, CHUNK_RUN = 4 };

/* A free block, as libpmemobj describes it to itself in the first bytes of the block's data. */
struct memory_block {
    uint32_t chunk, zone, size;
    uint16_t offset, padding;
    uint64_t functions, heap; /* pointers */
    uint32_t header_type, type;
    uint64_t cached; /* a pointer, or none */
};

static const char footer_reason[] =
    "libpmemobj's ends of long chunks, which it makes anew from the beginnings at each open";
static const char block_reason[] =
    "libpmemobj's own notes in free memory: which block this is, in which process's heap";

struct pool {
    int view;
    uint64_t size_bytes;
    struct nv_ignored *ignored;
    uint64_t zone_at;
    uint32_t zone;
    uint64_t chunk_count; /* of the zone */
};

static bool read_all(int fd, void *buffer, size_t size_bytes, uint64_t offset)
{
    return pread(fd, buffer, size_bytes, (off_t)offset) == (ssize_t)size_bytes;
}

/* -- ends of chunks -- */

static int add_footer(struct pool *pool, uint64_t chunk)
{
    uint64_t at = pool->zone_at + ZONE_HEADER_BYTES + chunk * sizeof(struct chunk_header);

    return nv_ignored_add(pool->ignored, at, at + sizeof(struct chunk_header), footer_reason);
}

static int gather_footers(struct pool *pool, const struct chunk_header *headers)
{
    int status = 0;

    for (uint64_t i = 0; i < pool->chunk_count && !status; i += headers[i].size) {
        const struct chunk_header *header = &headers[i];
        bool begins = header->type == CHUNK_FREE || header->type == CHUNK_USED || header->type == CHUNK_RUN;

        if (!begins || !header->size || header->size > pool->chunk_count - i)
            break;
        if (header->size > 1 && header->type != CHUNK_RUN)
            status = add_footer(pool, i + header->size - 1);
    }
    return status;
}

/* -- notes in free blocks -- */

static bool is_user_pointer(uint64_t word)
{
    return word >> 47 == 0 && word >> 16 != 0;
}

/* It names the very chunk it lies in, and points to a heap as only libpmemobj has them. */
static bool is_note(const struct pool *pool, const struct memory_block *block, uint64_t chunk)
{
    return block->chunk == chunk && block->zone == pool->zone && !block->padding && is_user_pointer(block->functions) &&
           is_user_pointer(block->heap) && (block->heap & 0xfff) == HEAP_POINTER_LOW;
}

static int gather_notes_of(struct pool *pool, const char *content, uint64_t length, uint64_t chunk)
{
    uint64_t at = pool->zone_at + CHUNKS_AT + chunk * CHUNK_BYTES;
    struct memory_block block;
    int status = 0;

    for (uint64_t i = 0; i + sizeof block <= length && !status; i += sizeof(uint64_t)) {
        memcpy(&block, content + i, sizeof block);
        if (is_note(pool, &block, chunk))
            status = nv_ignored_add(pool->ignored, at + i, at + i + sizeof block, block_reason);
    }
    return status;
}

static int gather_notes(struct pool *pool)
{
    char *content = malloc(CHUNK_BYTES);
    int status = content ? 0 : -ENOMEM;

    for (uint64_t i = 0; i < pool->chunk_count && !status; i++) {
        uint64_t at = pool->zone_at + CHUNKS_AT + i * CHUNK_BYTES;
        off_t data = lseek(pool->view, (off_t)at, SEEK_DATA);
        ssize_t got;

        if (data < 0 && errno == ENXIO)
            break;
        if (data >= (off_t)(at + CHUNK_BYTES))
            continue;
        got = pread(pool->view, content, CHUNK_BYTES, (off_t)at);
        if (got > 0)
            status = gather_notes_of(pool, content, (uint64_t)got, i);
    }
    free(content);
    return status;
}

/* -- the pool -- */

static int gather_zone(struct pool *pool)
{
    size_t headers_bytes = (size_t)pool->chunk_count * sizeof(struct chunk_header);
    struct chunk_header *headers = malloc(headers_bytes);
    int status = headers ? 0 : -ENOMEM;

    if (!status && read_all(pool->view, headers, headers_bytes, pool->zone_at + ZONE_HEADER_BYTES))
        status = gather_footers(pool, headers);
    free(headers);
    return status ? status : gather_notes(pool);
}

static uint64_t heap_of(int view)
{
    struct {
        char signature[8];
        uint32_t major;
    } header;
    uint64_t heap;

    if (!read_all(view, &header, sizeof header, 0) || memcmp(header.signature, "PMEMOBJ", 8) != 0 ||
        header.major != MAJOR || !read_all(view, &heap, sizeof heap, HEAP_OFFSET_AT))
        return 0;
    return heap;
}

int nv_pmemobj_gather(struct nv_ignored *ignored, int view)
{
    struct pool pool = {.view = view, .ignored = ignored};
    uint64_t heap = heap_of(view);
    struct stat file;
    int status = 0;

    if (!heap || fstat(view, &file))
        return 0;
    pool.size_bytes = (uint64_t)file.st_size;
    pool.zone_at = heap + HEAP_HEADER_BYTES;
    for (; !status && pool.zone_at < pool.size_bytes && pool.size_bytes - pool.zone_at > CHUNKS_AT; pool.zone++) {
        uint64_t left = (pool.size_bytes - pool.zone_at - CHUNKS_AT) / CHUNK_BYTES;

        pool.chunk_count = left < CHUNKS ? left : CHUNKS;
        status = gather_zone(&pool);
        pool.zone_at += ZONE_BYTES;
    }
    return status;
}
