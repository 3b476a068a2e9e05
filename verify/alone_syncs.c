/* SPDX-License-Identifier: MIT */
/*
 * Owns what a sync means in a run without a supervisor: what it names of the views becomes durable. It hears of the
 * runtime's own by the runtime's table of system calls, and of the program's where alone/calls.c is preloaded. alone.c
 * opens it.
 */
#include "verify/alone_syncs.h"
#include "src/os/os.h"
#include "verify/alone_calls.h"
#include "verify/alone_views.h"
#include "verify/pass.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOWEST ((const char *)0)
#define HIGHEST ((const char *)UINTPTR_MAX)

static uint64_t syncs, bytes_made_durable;

/* All of [start, end) that is in the view, as a flush and a drain would. */
static void make_durable(const struct nv_alone_view *view, const char *start, const char *end)
{
    struct nv_file *file = NULL;
    const struct nv_file_map *map;
    uint64_t offset, length, reach = nv_alone_files_measure(view->file);

    start = start > view->start ? start : view->start;
    end = end < view->end ? end : view->end;
    offset = view->offset + (uint64_t)(start - view->start);
    length = (uint64_t)(end - start);
    length = offset + length <= reach ? length : reach > offset ? reach - offset : 0;
    if (length == 0 || nv_files_get(view->file->device, view->file->inode, offset + length, &file) < 0)
        return;
    map = nv_file_reach(file, offset + length);
    if (map != NULL)
        (void)nv_pass(map, offset, start, (length + NV_LINE_BYTES - 1) / NV_LINE_BYTES * NV_LINE_BYTES, 0, false);
    bytes_made_durable += length;
}

static void sync_range(const void *address, size_t size_bytes)
{
    const uintptr_t page = 4096;
    const char *start = (const char *)((uintptr_t)address & ~(page - 1));
    const char *end = (const char *)(((uintptr_t)address + size_bytes + page - 1) & ~(page - 1));
    struct nv_alone_view *view;
    size_t number = 0;

    nv_alone_lock();
    syncs++;
    while ((view = nv_alone_views_next(&number, start, end)) != NULL)
        make_durable(view, start, end);
    nv_alone_unlock();
}

static void sync_file(int descriptor)
{
    const struct nv_alone_file *file;
    struct nv_alone_view *view;
    struct stat status;
    size_t number = 0;

    if (fstat(descriptor, &status) != 0)
        return;
    nv_alone_lock();
    syncs++;
    file = nv_alone_files_of(status.st_dev, status.st_ino);
    while (file != NULL && (view = nv_alone_views_next(&number, LOWEST, HIGHEST)) != NULL)
        if (view->file == file)
            make_durable(view, view->start, view->end);
    nv_alone_unlock();
}

static void sync_all(void)
{
    struct nv_alone_view *view;
    size_t number = 0;

    nv_alone_lock();
    syncs++;
    while ((view = nv_alone_views_next(&number, LOWEST, HIGHEST)) != NULL)
        make_durable(view, view->start, view->end);
    nv_alone_unlock();
}

void nv_alone_syncs_count(struct nv_alone_run *run)
{
    run->syncs = syncs;
    run->bytes_made_durable = bytes_made_durable;
}

/* -- the runtime's -- */

static const struct nv_os *plain; /* of the first runtime: all of them call the same kernel */

static int os_sync(void *start, size_t size_bytes)
{
    sync_range(start, size_bytes);
    return plain->sync(start, size_bytes);
}

static int os_sync_file(int descriptor, bool data_only)
{
    sync_file(descriptor);
    return plain->sync_file(descriptor, data_only);
}

static int os_sync_volume(int descriptor)
{
    sync_all();
    return plain->sync_volume(descriptor);
}

static int os_unmap(uintptr_t start, size_t size_bytes)
{
    nv_alone_unmap((const void *)start, size_bytes);
    return plain->unmap(start, size_bytes);
}

/* The drop-in libpmem has a runtime of its own beside libnvrtl's. */
void nv_alone_syncs_of(const struct nv_runtime *runtime)
{
    struct nv_os *table = runtime->os != NULL ? malloc(sizeof *table) : NULL;

    if (table == NULL)
        return;
    if (plain == NULL)
        plain = *runtime->os;
    *table = **runtime->os;
    table->sync = os_sync;
    table->sync_file = os_sync_file;
    table->sync_volume = os_sync_volume;
    table->unmap = os_unmap;
    *runtime->os = table;
}

/* -- the program's -- */

bool nv_alone_syncs_open(void)
{
    struct nv_alone_calls *calls = dlsym(RTLD_DEFAULT, NV_ALONE_CALLS);

    if (calls != NULL)
        *calls = (struct nv_alone_calls){sync_range, sync_file, nv_alone_unmap, nv_alone_conclude};
    return calls != NULL;
}
