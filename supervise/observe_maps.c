/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of files that are mapped to be stored into, and tells before each sync and each promise what such
 * stores have changed: by comparison with what the trace has told of the file so far. Files that nobody maps so are
 * never compared.
 */
#include "supervise/observer.h"
#include "supervise/shadow.h"
#include "supervise/target.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* All calls that have changed it are told: it holds what the shadow is to begin with. */
static void begin_shadow(struct nv_observer *observer, const struct nv_mapped *mapped)
{
    int status = nv_shadow_begin(mapped->object, mapped->content, mapped->object->trace_bytes);

    if (status)
        observer->error = status;
}

void nv_observe_mapped(struct nv_observer *observer, struct nv_object *object, pid_t thread, int fd, bool writable)
{
    struct nv_mapped *mapped = observer->mapped, *grown;

    while (mapped < observer->mapped + observer->mapped_count && mapped->object != object)
        mapped++;
    if (mapped == observer->mapped + observer->mapped_count) {
        int content = nv_target_reopen(thread, fd);

        grown = content < 0 ? NULL : realloc(observer->mapped, (observer->mapped_count + 1) * sizeof *grown);
        if (!grown) {
            nv_observe_lost(observer, "stores into a mapped file were not recorded: it could not be opened");
            if (content >= 0)
                close(content);
            return;
        }
        observer->mapped = grown;
        mapped = &grown[observer->mapped_count++];
        *mapped = (struct nv_mapped){.object = object, .content = content};
    }
    if (writable && !mapped->writable) {
        mapped->writable = true;
        begin_shadow(observer, mapped);
    }
}

void nv_observe_unprotected(struct nv_observer *observer)
{
    for (size_t i = 0; i < observer->mapped_count; i++)
        if (!observer->mapped[i].writable) {
            observer->mapped[i].writable = true;
            begin_shadow(observer, &observer->mapped[i]);
        }
}

static void tell_range(struct nv_observer *observer, const struct nv_mapped *mapped, uint64_t from, uint64_t to)
{
    struct nv_teller teller = {.log = observer->log,
                               .object = mapped->object->trace_number,
                               .unit_bytes = mapped->object->verifier_file ? 0 : NV_SECTOR_BYTES};

    while (from < to) {
        size_t wanted = to - from < NV_CHUNK_BYTES ? (size_t)(to - from) : NV_CHUNK_BYTES;
        ssize_t got = pread(mapped->content, observer->buffer, wanted, (off_t)from);

        if (got <= 0)
            return;
        for (; got % NV_SECTOR_BYTES; got++)
            observer->buffer[got] = 0; /* behind the file's end */
        nv_shadow_tell_changes(&mapped->object->shadow, &teller, from, observer->buffer, (uint64_t)got);
        from += (uint64_t)got;
    }
}

static void tell_file(struct nv_observer *observer, const struct nv_mapped *mapped)
{
    uint64_t end = mapped->object->trace_bytes;
    off_t at = 0, hole;

    if (end > mapped->object->shadow.bytes && nv_shadow_provide(&observer->supervisor->image, mapped->object, end))
        observer->error = -ENOMEM;
    while ((uint64_t)at < end && (at = lseek(mapped->content, at, SEEK_DATA)) >= 0) {
        hole = lseek(mapped->content, at, SEEK_HOLE);
        if (hole < 0 || (uint64_t)at >= end)
            return;
        tell_range(observer, mapped, (uint64_t)at & ~(NV_SHADOW_PAGE_BYTES - 1),
                   (uint64_t)hole < end ? (uint64_t)hole : end);
        at = hole;
    }
}

void nv_observe_changes(struct nv_observer *observer)
{
    for (size_t i = 0; i < observer->mapped_count; i++)
        if (observer->mapped[i].writable)
            tell_file(observer, &observer->mapped[i]);
}

void nv_observe_forget_maps(struct nv_observer *observer)
{
    for (size_t i = 0; i < observer->mapped_count; i++)
        close(observer->mapped[i].content);
    free(observer->mapped);
}
