/* SPDX-License-Identifier: MIT */
/*
 * A program compiled with hooks for its stores, some of which no hook tells of. `unseen` runs it under nvrtl check and
 * knows how many bytes those are. All is durable in the end, but in the case `end`.
 */
#include "tests/unseen/without_hooks.h"
#include <fcntl.h>
#include <nvrtl/nvrtl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SIZE = 32768, PAGE = 4096, BYTES = 100 };

static char *base;
static PVOID token;
static NTSTATUS status;

static void flush(size_t offset, size_t size_bytes, ULONG flags)
{
    status |= RtlFlushNonVolatileMemory(token, base + offset, size_bytes, flags);
}

static void write_there(size_t offset, size_t size_bytes, char value, ULONG flags)
{
    static char content[2 * PAGE];

    memset(content, value, sizeof content);
    status |= RtlWriteNonVolatileMemory(token, base + offset, content, size_bytes, flags);
}

/* Plain stores of all sizes, twice to some, and between a flush and its drain. */
static void store_all_ways(void)
{
    uint64_t *word = (uint64_t *)(void *)(base + 64);

    for (int i = 0; i < 3; i++) {
        memset(base + PAGE, 'a' + i, 2 * PAGE);
        flush(PAGE, 2 * PAGE, 0);
        base[7] = (char)(i + 1);
        word[1]++;
        flush(0, 128, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
        word[1]++;
        *(uint16_t *)(void *)(base + 70) = (uint16_t)(i + 77);
        flush(64, 16, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
        word[1]++;
        atomic_fetch_add((_Atomic uint32_t *)(void *)(base + 96), 1);
        status |= RtlDrainNonVolatileFlush(token);
        flush(0, 128, 0);
        base[322] = (char)('n' + i); /* durable by its neighbour's flush; named by that of its page, later */
        flush(330, 10, 0);
        flush(0, PAGE, 0);
    }
}

/* What the interface writes needs no hook. */
static void write_all_ways(void)
{
    for (int i = 0; i < 3; i++) {
        write_there(10, PAGE + 100, (char)('b' + i), WRITE_NV_MEMORY_FLAG_PERSIST);
        write_there(4 * PAGE, 2 * PAGE, (char)('c' + i), WRITE_NV_MEMORY_FLAG_PERSIST);
        write_there(4 * PAGE + 64, 64, (char)('d' + i), WRITE_NV_MEMORY_FLAG_FLUSH | WRITE_NV_MEMORY_FLAG_NO_DRAIN);
        write_there(4 * PAGE + 70, 7, (char)('e' + i), 0);
        status |= RtlDrainNonVolatileFlush(token);
        flush(4 * PAGE + 64, 64, 0);
        status |= RtlFillNonVolatileMemory(token, base + 100, 1000, (UCHAR)(i + 9), FILL_NV_MEMORY_FLAG_PERSIST);
        status |= RtlFillNonVolatileMemory(token, base + 6 * PAGE, PAGE, (UCHAR)(i + 9), FILL_NV_MEMORY_FLAG_PERSIST);
        memmove(base + 7 * PAGE, base + 4 * PAGE, PAGE);
        flush(7 * PAGE, PAGE, 0);
    }
}

/* BYTES of a file that is all 'x'. */
static void read_into(size_t offset)
{
    char content[BYTES];
    int file = open("content", O_RDWR | O_CREAT, 0600);

    memset(content, 'x', sizeof content);
    if (file < 0 || write(file, content, BYTES) != BYTES || fsync(file) ||
        pread(file, base + offset, BYTES, 0) != BYTES)
        _exit(6);
    close(file);
}

static void read_and_flush(void)
{
    memset(base, 0, SIZE); /* as it is: what was told of then is over */
    flush(0, SIZE, 0);
    read_into(PAGE + 10);
    flush(PAGE + 10, BYTES, 0);
    flush(0, SIZE, 0);
}

static void read_over_what_was_stored(void)
{
    memset(base + 50, 'y', 500);
    flush(50, 500, 0);
    read_into(100);
    base[99] = 'z';
    flush(99, BYTES + 1, FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN);
    status |= RtlDrainNonVolatileFlush(token);
}

static void call_without_hooks(void)
{
    base[1] = 1;
    store_without_hooks(base + 8, 8);
    flush(0, 64, 0);
    store_without_hooks(base + 2 * PAGE, PAGE);
    flush(2 * PAGE, PAGE, 0);
}

static void store_past_the_caches(void)
{
#ifdef __SSE2__
    _mm_stream_si64((long long *)(void *)(base + 512), 0x0101010101010101);
    _mm_sfence();
#else
    store_without_hooks(base + 512, 8);
#endif
    flush(512, 8, 0);
}

static void read_and_sync(void)
{
    read_into(PAGE);
    if (msync(base, SIZE, MS_SYNC))
        _exit(7);
}

static void read_at_the_end(void)
{
    read_into(3 * PAGE + 60);
    base[3 * PAGE + 59] = 'z';
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"told", store_all_ways},     {"interface", write_all_ways},
    {"read", read_and_flush},     {"over", read_over_what_was_stored},
    {"call", call_without_hooks}, {"stream", store_past_the_caches},
    {"sync", read_and_sync},      {"end", read_at_the_end},
};

int main(int argc, char **argv)
{
    int file = open("data", O_RDWR | O_CREAT, 0600);

    if (argc != 2 || file < 0 || ftruncate(file, SIZE) || fsync(file))
        return 2;
    base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (base == MAP_FAILED || RtlGetNonVolatileToken(base, SIZE, &token) != STATUS_SUCCESS)
        return 3;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, argv[1]) == 0)
            cases[i].run();
    status |= RtlFreeNonVolatileToken(token);
    return status == STATUS_SUCCESS ? 0 : 4;
}
