/* SPDX-License-Identifier: MIT */
/* Owns the ways to make pages of a mapped file durable, and the choice between them. Called by backing.c. */
#include "src/backing/pages.h"

#include <errno.h>
#include <linux/magic.h>
#include <nvrtl/status.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

#define INTERRUPTIONS 100 /* msync of a network file may be interrupted; not for ever */

/* Those that were read and tested. ext2 and ext3 have the number of ext4, and the same ways here. */
const uint64_t nv_pages_systems[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC};
const size_t nv_pages_system_count = sizeof(nv_pages_systems) / sizeof(nv_pages_systems[0]);

static bool is_scattered(size_t hull_bytes, size_t pages_bytes)
{
    return hull_bytes > pages_bytes && hull_bytes - pages_bytes > NV_PAGES_BETWEEN_MAX * NV_EXTENT_PAGE;
}

bool nv_pages_are_scattered(const struct nv_extents *extents)
{
    struct nv_os_range hull = nv_extents_hull(extents);
    return extents->count > 1 && is_scattered(hull.high - hull.low, nv_extents_bytes(extents));
}

static struct nv_pages_sync *pages_sync(struct nv_sync *sync)
{
    return (struct nv_pages_sync *)(void *)sync;
}

/*
 * The status of a failed msync, and whether it says that data may be lost. ENOMEM is how msync tells of pages that are
 * not mapped; but a file system may be out of memory as well.
 */
static void judge(struct nv_sync *sync, int error, struct nv_os_range range)
{
    sync->lost = error != -ENOMEM || nv_os->check_mapped((char *)range.low, range.high - range.low) != -ENOMEM;
    sync->status = sync->lost ? nv_os_status(error) : STATUS_INVALID_PARAMETER;
}

static void sync_range(struct nv_sync *sync, struct nv_os_range range)
{
    uint64_t began_ns = nv_os->clock_ns();
    int error = -EINTR;
    for (int i = 0; i < INTERRUPTIONS && error == -EINTR; i++)
        error = nv_os->sync((char *)range.low, range.high - range.low);
    sync->flush_ns = nv_os->clock_ns() - began_ns;
    sync->status = STATUS_SUCCESS;
    sync->lost = false;
    if (error != 0)
        judge(sync, error, range);
}

/* What a keeper may answer that says nothing of the file's data. */
static bool is_keepers_own(int error)
{
    static const int own[] = {ESTALE, ESRCH, ENOSYS, EPERM, EBADF, EINVAL, ESPIPE, ENOMEM, EINTR};
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (error == -own[i])
            return true;
    return false;
}

/*
 * Page by page. Where that does not work the hull does, and after a failure, too: each open file is told of a lost page
 * once, and the mapping's has to be told before the failure can be forgotten.
 */
static void sync_scattered(struct nv_pages_sync *first, struct nv_os_range hull)
{
    int error = nv_os->write_pages(first->keeper, &first->written);
    if (error == 0) {
        uintptr_t page = first->written.ranges[0].low;
        sync_range(&first->sync, (struct nv_os_range){page, page + 1});
        return;
    }
    sync_range(&first->sync, hull);
    if (is_keepers_own(error) || first->sync.lost)
        return;
    first->sync.status = nv_os_status(error);
    first->sync.lost = true;
}

/* After a failure the keeper's open file has to be told, too, of each page: it may not have been asked, or stopped. */
static void tell_keeper(struct nv_pages_sync *first)
{
    if (first->sync.lost && first->keeper)
        (void)nv_os->write_pages(first->keeper, &first->written);
}

static void make(struct nv_sync *sync)
{
    struct nv_os_range hull = nv_extents_hull(pages_sync(sync)->pages->extents);
    size_t size_bytes = 0;
    for (struct nv_sync *each = sync; each; each = each->next) {
        const struct nv_extents *extents = pages_sync(each)->pages->extents;
        struct nv_os_range range = nv_extents_hull(extents);
        hull.low = range.low < hull.low ? range.low : hull.low;
        hull.high = range.high > hull.high ? range.high : hull.high;
        size_bytes += nv_extents_bytes(extents);
        pages_sync(each)->written.next = each->next ? &pages_sync(each->next)->written : NULL;
    }
    if (pages_sync(sync)->keeper && is_scattered(hull.high - hull.low, size_bytes))
        sync_scattered(pages_sync(sync), hull);
    else
        sync_range(sync, hull);
    tell_keeper(pages_sync(sync));
}

/* Of one mapping, and so of one open file: each of these is told of a lost page for itself. */
static bool joins(const struct nv_sync *first, const struct nv_sync *sync)
{
    const struct nv_pages *one = ((const struct nv_pages_sync *)(const void *)first)->pages;
    const struct nv_pages *other = ((const struct nv_pages_sync *)(const void *)sync)->pages;
    return one->mapping_start == other->mapping_start && one->mapping_end == other->mapping_end &&
           one->offset - one->start == other->offset - other->start;
}

void nv_pages_sync_begin(struct nv_pages_sync *sync, struct nv_os_keeper *keeper, const struct nv_pages *pages)
{
    *sync = (struct nv_pages_sync){
        .sync = {.kind = NV_SYNC_PAGES, .joins = joins, .make = make},
        .keeper = keeper,
        .pages = pages,
        .written =
            {
                .ranges = nv_extents_items(pages->extents),
                .count = pages->extents->count,
                .start = pages->start,
                .offset = pages->offset,
            },
    };
}
