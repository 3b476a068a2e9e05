/* SPDX-License-Identifier: MIT */
/*
 * Owns the page-cache part: scattered dirty pages of an ordinary file made durable, by a token with one drain, beside a
 * sync of each page and of the whole file. The file is written once before; what makes the pages dirty is not timed.
 */
#include "bench/machine/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 16384, SCATTERED_MAX = 512, OTHERS = 2000 };

struct nv_bench_pages {
    int file;
    size_t size_bytes;
    char *base;
    char *libpmem2_base; /* NULL: not installed */
    struct nv_bench_batch batch;
    uint64_t random;
    bool quick;
    char counter[64]; /* the device's statistics; empty: not told */
};

/* -- the file -- */

/* The statistics of the whole disk: a partition's have no flushes. */
static void find_counter(struct nv_bench_pages *pages)
{
    struct stat status;
    char path[64];
    if (fstat(pages->file, &status) != 0)
        return;
    unsigned disk = major(status.st_dev), part = minor(status.st_dev);
    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/partition", disk, part);
    const char *up = access(path, F_OK) == 0 ? "../" : "";
    snprintf(pages->counter, sizeof pages->counter, "/sys/dev/block/%u:%u/%sstat", disk, part, up);
    if (access(pages->counter, R_OK) != 0)
        *pages->counter = '\0';
}

/* Device flushes so far: the 16th number. Negative: not told. */
static double device_flushes(const struct nv_bench_pages *pages)
{
    unsigned long long value = 0;
    FILE *file = *pages->counter ? fopen(pages->counter, "re") : NULL;
    if (!file)
        return -1;
    int numbers = 0;
    while (numbers < 16 && fscanf(file, "%llu", &value) == 1)
        numbers++;
    fclose(file);
    return numbers == 16 ? (double)value : -1;
}

/* Written page by page, so that the page cache holds no large folios, and each page is on the disk. */
static bool fill_file(const struct nv_bench_pages *pages)
{
    static char page[PAGE];
    memset(page, 1, sizeof page);
    for (size_t done = 0; done < pages->size_bytes; done += PAGE)
        if (write(pages->file, page, PAGE) != PAGE)
            return false;
    return fsync(pages->file) == 0;
}

static bool map_file(struct nv_bench_pages *pages)
{
    void *base = mmap(NULL, pages->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pages->file, 0);
    if (base == MAP_FAILED)
        return false;
    pages->base = base;
    return madvise(base, pages->size_bytes, MADV_RANDOM) == 0;
}

static const char *take_token(struct nv_bench_pages *pages)
{
    NVRTL_TOKEN_INFORMATION information;
    if (RtlGetNonVolatileToken(pages->base, pages->size_bytes, &pages->batch.token) != STATUS_SUCCESS ||
        NvrtlQueryToken(pages->batch.token, &information, sizeof information) != STATUS_SUCCESS)
        return "no token for a file in it";
    return information.Domain == NvrtlDomainPageCache ? NULL : "its files are not on a disk behind a page cache";
}

/* nvrtl opens the file by its path, when a drain would gain by it: once. After that it needs no name. */
static const char *drain_once(const struct nv_bench_pages *pages)
{
    NV_MEMORY_RANGE ends[] = {{pages->base, 8}, {pages->base + pages->size_bytes - 8, 8}};
    NTSTATUS status = RtlFlushNonVolatileMemoryRanges(pages->batch.token, ends, 2, 0);
    return status == STATUS_SUCCESS ? NULL : "its files cannot be made durable";
}

static const char *prepare_file(struct nv_bench_pages *pages)
{
    errno = 0;
    if (!fill_file(pages) || !map_file(pages))
        return errno ? strerror(errno) : "the disk is full";
    find_counter(pages);
    if (nv_bench_libpmem2_map(pages->file, &pages->libpmem2_base, &pages->batch.persist))
        madvise(pages->libpmem2_base, pages->size_bytes, MADV_RANDOM);
    const char *failure = take_token(pages);
    return failure ? failure : drain_once(pages);
}

static const char *open_file(struct nv_bench_pages *pages, const char *folder)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/nvrtl-bench-XXXXXX", folder) >= (int)sizeof path)
        return strerror(ENAMETOOLONG);
    pages->file = mkostemp(path, O_CLOEXEC);
    if (pages->file < 0)
        return strerror(errno);
    const char *failure = prepare_file(pages);
    unlink(path);
    return failure;
}

struct nv_bench_pages *nv_bench_pages_open(const char *folder, uint64_t seed, bool quick, char *error,
                                           size_t error_bytes)
{
    struct nv_bench_pages *pages = calloc(1, sizeof *pages);
    if (!pages)
        abort();
    *pages = (struct nv_bench_pages){.file = -1, .random = seed | 1, .quick = quick};
    pages->size_bytes = (size_t)PAGES * PAGE / (quick ? 4 : 1);
    pages->batch.ranges = calloc(SCATTERED_MAX, sizeof(NV_MEMORY_RANGE));
    const char *failure = pages->batch.ranges ? open_file(pages, folder) : "no memory";
    if (!failure) {
        pages->batch.file = pages->file;
        return pages;
    }
    snprintf(error, error_bytes, "--dir %s: %s", folder, failure);
    nv_bench_pages_close(pages);
    return NULL;
}

void nv_bench_pages_close(struct nv_bench_pages *pages)
{
    if (!pages)
        return;
    if (pages->batch.token)
        RtlFreeNonVolatileToken(pages->batch.token);
    if (pages->base)
        munmap(pages->base, pages->size_bytes);
    if (pages->file >= 0)
        close(pages->file);
    free(pages->batch.ranges);
    free(pages);
}

/* -- bodies -- */

static bool sync_nvrtl(const struct nv_bench_batch *batch)
{
    return RtlFlushNonVolatileMemoryRanges(batch->token, batch->ranges, batch->pages, 0) == STATUS_SUCCESS;
}

static bool sync_libpmem2(const struct nv_bench_batch *batch)
{
    for (size_t i = 0; i < batch->pages; i++)
        batch->persist(batch->ranges[i].BaseAddress, batch->ranges[i].Length);
    return true;
}

static bool sync_msync(const struct nv_bench_batch *batch)
{
    bool ok = true;
    for (size_t i = 0; i < batch->pages; i++)
        ok &= msync((char *)batch->ranges[i].BaseAddress - (uintptr_t)batch->ranges[i].BaseAddress % PAGE, PAGE,
                    MS_SYNC) == 0;
    return ok;
}

static bool sync_fdatasync(const struct nv_bench_batch *batch)
{
    return fdatasync(batch->file) == 0;
}

/* -- a sample -- */

/* One page in each of as many parts of the file. */
static void dirty_scattered(struct nv_bench_pages *pages, struct nv_bench_batch *batch, char *base)
{
    size_t part = pages->size_bytes / PAGE / batch->pages;
    for (size_t i = 0; i < batch->pages; i++) {
        char *at = base + (i * part + nv_bench_random(&pages->random) % part) * PAGE + 128;
        (*(volatile char *)at)++;
        batch->ranges[i] = (NV_MEMORY_RANGE){at, 8};
    }
}

static void dirty_others(struct nv_bench_case *test, struct nv_bench_batch *batch)
{
    struct nv_bench_pages *pages = test->context;
    (void)batch;
    for (int i = 0; i < OTHERS; i++)
        (*(volatile char *)(pages->base + nv_bench_random(&pages->random) % (pages->size_bytes / PAGE) * PAGE))++;
}

static void no_others(struct nv_bench_case *test, struct nv_bench_batch *batch)
{
    (void)test;
    (void)batch;
}

static double sample(struct nv_bench_case *test, enum nv_bench_contestant contestant, size_t count)
{
    struct nv_bench_pages *pages = test->context;
    struct nv_bench_batch batch = pages->batch;
    (void)count;
    batch.pages = test->parameter;
    test->prepare(test, &batch);
    dirty_scattered(pages, &batch, contestant == NV_BENCH_LIBPMEM2 ? pages->libpmem2_base : pages->base);
    double flushes = device_flushes(pages);
    double began = nv_bench_now_ns();
    bool ok = test->bodies[contestant](&batch);
    double took = nv_bench_now_ns() - began;
    double seen = device_flushes(pages) - flushes;
    if (flushes >= 0 && (test->flushes[contestant] < 0 || seen < test->flushes[contestant]))
        test->flushes[contestant] = seen; /* others use the disk, too: the least is ours */
    return ok && fdatasync(pages->file) == 0 ? took : -1;
}

/* -- cases -- */

static void add(struct nv_bench *bench, struct nv_bench_pages *pages, const char *group, size_t scattered,
                void (*prepare)(struct nv_bench_case *, struct nv_bench_batch *))
{
    char name[32];
    snprintf(name, sizeof name, "%zu %s", scattered, scattered == 1 ? "page" : "pages");
    struct nv_bench_case *test = nv_bench_add(bench, group, name);
    test->context = pages;
    test->sample = sample;
    test->prepare = prepare;
    test->parameter = scattered;
    test->count_max = 1;
    test->bodies[NV_BENCH_NVRTL] = sync_nvrtl;
    test->bodies[NV_BENCH_LIBPMEM2] = pages->libpmem2_base ? sync_libpmem2 : NULL;
    test->bodies[NV_BENCH_MSYNC] = sync_msync;
    test->bodies[NV_BENCH_FDATASYNC] = sync_fdatasync;
}

void nv_bench_pages_cases(struct nv_bench *bench, struct nv_bench_pages *pages)
{
    size_t most = pages->quick ? 64 : SCATTERED_MAX;
    for (size_t scattered = 1; scattered <= most; scattered *= 8)
        add(bench, pages, "page cache, scattered pages", scattered, no_others);
    for (size_t scattered = 8; scattered <= most; scattered *= 8)
        add(bench, pages, "page cache, with 2000 other dirty pages", scattered, dirty_others);
    if (!pages->libpmem2_base)
        nv_bench_note(bench, "libpmem2 is not installed: msync of each page stands for it");
    if (!*pages->counter || device_flushes(pages) < 0)
        nv_bench_note(bench, "device flushes are not counted: the kernel does not tell them for this disk");
}
