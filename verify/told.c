/* SPDX-License-Identifier: MIT */
/*
 * Owns the mappings by which a recorded run compares files with what was told of them, asked of the supervisor when
 * they are needed first, and again when a file has grown. Called by tell.c and pending.c.
 */
#include "verify/told.h"
#include "nvrtl/status.h"
#include "verify/client.h"
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE NV_SHADOW_PAGE_BYTES
#define PAGES_AT_ONCE 1024

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void map_view(struct nv_told *told, int descriptor)
{
    struct stat status;
    uint64_t bytes;
    void *start;

    if (fstat(descriptor, &status) != 0)
        return;
    bytes = ((uint64_t)status.st_size + PAGE - 1) / PAGE * PAGE;
    bytes = bytes < told->shadow.bytes ? bytes : told->shadow.bytes;
    start = bytes != 0 ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, descriptor, 0) : MAP_FAILED;
    if (start == MAP_FAILED)
        return;
    told->view = start;
    told->bytes = bytes;
}

/* One that nobody has seen. */
static void forget(struct nv_told *told)
{
    if (told == NULL)
        return;
    if (told->view != NULL)
        munmap((void *)(uintptr_t)told->view, told->bytes);
    nv_shadow_close(&told->shadow);
    free(told);
}

/* NULL: no memory, nobody answers, or the trace does not know the file. */
static struct nv_told *ask(const struct nv_file *file, uint64_t end)
{
    struct nv_verifier_request request = {
        .kind = NV_VERIFIER_SHADOW, .device = file->device, .inode = file->inode, .end = end};
    struct nv_verifier_reply reply;
    struct nv_told *told = calloc(1, sizeof *told);
    int descriptors[2];

    if (told == NULL || !NT_SUCCESS(nv_client_ask(&request, &reply, descriptors, 2))) {
        free(told);
        return NULL;
    }
    told->object = reply.object;
    if (nv_shadow_open(&told->shadow, descriptors[1]))
        map_view(told, descriptors[0]);
    close(descriptors[0]);
    close(descriptors[1]);
    if (told->object != 0)
        return told;
    forget(told);
    return NULL;
}

static const struct nv_told *extend(struct nv_file *file, uint64_t end)
{
    struct nv_told *told = atomic_load_explicit(&file->told, memory_order_acquire), *longer;

    if (told != NULL && told->bytes >= end)
        return told;
    longer = ask(file, end);
    if (longer == NULL || (told != NULL && longer->bytes <= told->bytes)) {
        forget(longer);
        return told;
    }
    longer->shorter = told;
    atomic_store_explicit(&file->told, longer, memory_order_release);
    return longer;
}

const struct nv_told *nv_told_reach(struct nv_file *file, uint64_t end)
{
    const struct nv_told *told = atomic_load_explicit(&file->told, memory_order_acquire);
    int before = errno;

    if (__builtin_expect(told != NULL && told->bytes >= end, 1))
        return told;
    pthread_mutex_lock(&mutex);
    told = extend(file, end);
    pthread_mutex_unlock(&mutex);
    errno = before;
    return told;
}

uint64_t nv_told_next(const struct nv_told *told, uint64_t *offset, uint64_t end)
{
    unsigned char held[PAGES_AT_ONCE];

    while (*offset < end) {
        uint64_t from = *offset / PAGE * PAGE, left = (end - from + PAGE - 1) / PAGE, count, first = 0, last;

        count = left < PAGES_AT_ONCE ? left : PAGES_AT_ONCE;
        if (mincore((void *)(uintptr_t)(told->view + from), count * PAGE, held) != 0)
            memset(held, 1, sizeof held);
        while (first < count && (held[first] & 1) == 0)
            first++;
        for (last = first; last < count && (held[last] & 1) != 0;)
            last++;
        *offset = from + last * PAGE < end ? from + last * PAGE : end;
        if (first < last)
            return from + first * PAGE;
    }
    return end;
}

void nv_told_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void nv_told_after_fork(void)
{
    pthread_mutex_unlock(&mutex);
}
