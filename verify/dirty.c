/* SPDX-License-Identifier: MIT */
/*
 * Owns the kernel's means to tell which pages were written: asynchronous write protection by userfaultfd, and the scan
 * of the page map (Linux 6.7). Where a kernel has them not, or the program closed their descriptors, every page counts.
 * Called by tell.c, under its lock.
 */
#include "verify/dirty.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOWEST_DESCRIPTOR 512 /* programs look at the low ones */
#define RANGES 64

/* As linux/fs.h and linux/userfaultfd.h have it, which may be older than the kernel. */
#define USER_MODE_ONLY 1
#define FEATURE_FILES ((uint64_t)1 << 12)
#define FEATURE_ASYNC ((uint64_t)1 << 15)
#define PAGE_WRITTEN ((uint64_t)1 << 1)
#define SCAN_PROTECT ((uint64_t)1 << 0)
#define SCAN_CHECK ((uint64_t)1 << 1)

struct page_range {
    uint64_t start, end, categories;
};

struct scan {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN _IOWR('f', 16, struct scan)

static int protector = -1, page_map = -1;
static bool unable;

static int raised(int descriptor)
{
    int high = descriptor < 0 ? -1 : fcntl(descriptor, F_DUPFD_CLOEXEC, LOWEST_DESCRIPTOR);

    if (high < 0)
        return descriptor;
    close(descriptor);
    return high;
}

static void open_protector(void)
{
    struct uffdio_api api = {.api = UFFD_API, .features = FEATURE_FILES | FEATURE_ASYNC};
    int descriptor = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | USER_MODE_ONLY);

    if (descriptor >= 0 && ioctl(descriptor, UFFDIO_API, &api) != 0) {
        close(descriptor);
        descriptor = -1;
    }
    unable = descriptor < 0;
    protector = raised(descriptor);
}

static bool watch(uintptr_t start, uintptr_t end)
{
    struct uffdio_register wanted = {.range = {start, end - start}, .mode = UFFDIO_REGISTER_MODE_WP};

    if (protector < 0 && !unable)
        open_protector();
    return protector >= 0 && ioctl(protector, UFFDIO_REGISTER, &wanted) == 0;
}

bool nv_dirty_watch(uintptr_t start, uintptr_t end)
{
    int before = errno;
    bool watched = watch(start, end);

    errno = before;
    return watched;
}

/* How many ranges; negative: it cannot be told. */
static long scan(struct scan *wanted)
{
    long found = page_map >= 0 ? ioctl(page_map, SCAN, wanted) : -1;

    if (found >= 0 || (page_map >= 0 && errno != EBADF && errno != ENOTTY))
        return found;
    page_map = raised(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)); /* the first time, or the program closed it */
    return page_map >= 0 ? ioctl(page_map, SCAN, wanted) : -1;
}

static void each(uintptr_t start, uintptr_t end, nv_dirty_visitor *visit, void *context)
{
    struct page_range ranges[RANGES];
    struct scan wanted = {.size = sizeof wanted,
                          .flags = SCAN_PROTECT | SCAN_CHECK,
                          .end = end,
                          .vec = (uintptr_t)ranges,
                          .vec_len = RANGES,
                          .category_mask = PAGE_WRITTEN,
                          .return_mask = PAGE_WRITTEN};

    while (start < end) {
        long found;

        wanted.start = start;
        found = scan(&wanted);
        if (found < 0) {
            visit(context, start, end);
            return;
        }
        for (long i = 0; i < found; i++)
            visit(context, ranges[i].start, ranges[i].end);
        start = (uintptr_t)wanted.walk_end;
    }
}

void nv_dirty_each(uintptr_t start, uintptr_t end, nv_dirty_visitor *visit, void *context)
{
    int before = errno;

    each(start, end, visit, context);
    errno = before;
}

void nv_dirty_after_fork(void)
{
    protector = page_map = -1;
    unable = false;
}
