/* SPDX-License-Identifier: MIT */
/*
 * A file is brought to a new crash point when a state first needs it, and only where it differs: a hash tells that it
 * does not, else both are compared. What a state changed is noted, and read from the base again.
 */
#include "explore/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)1 << 18)

struct range {
    struct nv_stored *stored;
    uint64_t offset, length_bytes;
};

struct nv_store {
    int folder;
    const struct nv_model *model;
    uint64_t point;
    struct nv_stored **objects; /* by number */
    size_t room;
    struct range *changed; /* since the last restore */
    size_t changed_count, changed_room;
    uint8_t *fresh, *stale; /* a chunk each */
};

int nv_store_new(int folder, struct nv_store **store)
{
    struct nv_store *made = calloc(1, sizeof *made);
    *store = made;
    if (!made)
        return -ENOMEM;
    made->folder = folder;
    made->fresh = malloc(CHUNK_BYTES);
    made->stale = malloc(CHUNK_BYTES);
    if (made->fresh && made->stale && (folder < 0 || mkdirat(folder, NV_STORE_PARK, 0700) == 0))
        return 0;
    int error = made->fresh && made->stale ? -errno : -ENOMEM;
    nv_store_free(made);
    *store = NULL;
    return error;
}

void nv_store_free(struct nv_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->room; i++) {
        if (!store->objects[i])
            continue;
        if (store->objects[i]->descriptor >= 0)
            close(store->objects[i]->descriptor);
        free(store->objects[i]->path);
        free(store->objects[i]);
    }
    free(store->objects);
    free(store->changed);
    free(store->fresh);
    free(store->stale);
    free(store);
}

struct nv_stored *nv_store_find(const struct nv_store *store, uint32_t object)
{
    return object < store->room ? store->objects[object] : NULL;
}

int nv_store_open(const struct nv_store *store, const struct nv_stored *stored)
{
    if (stored->descriptor >= 0)
        return stored->descriptor;
    int descriptor = openat(store->folder, stored->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    return descriptor < 0 ? -errno : descriptor;
}

void nv_store_close(const struct nv_stored *stored, int descriptor)
{
    if (stored->descriptor < 0)
        close(descriptor);
}

/* -- objects -- */

static int create_file(const struct nv_store *store, struct nv_stored *stored)
{
    if (store->folder < 0) {
        stored->descriptor = memfd_create("nvrtl-state", MFD_CLOEXEC);
        return stored->descriptor < 0 ? -errno : 0;
    }
    if (asprintf(&stored->path, NV_STORE_PARK "/%" PRIu32, stored->object) < 0) {
        stored->path = NULL;
        return -ENOMEM;
    }
    int descriptor = openat(store->folder, stored->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0)
        return -errno;
    stored->parked = true;
    close(descriptor);
    return 0;
}

static int make_room(struct nv_store *store, uint32_t object)
{
    size_t room = store->room ? store->room : 64;
    while (room <= object)
        room *= 2;
    struct nv_stored **grown = reallocarray(store->objects, room, sizeof(struct nv_stored *));
    if (!grown)
        return -ENOMEM;
    memset(grown + store->room, 0, (room - store->room) * sizeof(struct nv_stored *));
    store->objects = grown;
    store->room = room;
    return 0;
}

int nv_store_get(struct nv_store *store, uint32_t object, struct nv_stored **found)
{
    *found = nv_store_find(store, object);
    if (*found)
        return 0;
    int error = object >= store->room ? make_room(store, object) : 0;
    if (error)
        return error;
    struct nv_stored *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    made->object = object;
    made->descriptor = -1;
    made->mode = S_IFREG | 0600;
    error = create_file(store, made);
    if (error) {
        free(made->path);
        free(made);
        return error;
    }
    store->objects[object] = *found = made;
    return 0;
}

/* -- contents -- */

static int write_all(int descriptor, const uint8_t *bytes, size_t length_bytes, uint64_t offset)
{
    while (length_bytes) {
        ssize_t done = pwrite(descriptor, bytes, length_bytes, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done ? -errno : -EIO;
        bytes += done;
        offset += (uint64_t)done;
        length_bytes -= (size_t)done;
    }
    return 0;
}

/* From the base; `compare`: write only what differs. */
static int copy_base(struct nv_store *store, const struct nv_stored *stored, int descriptor, uint64_t offset,
                     uint64_t length_bytes, bool compare)
{
    while (length_bytes) {
        size_t chunk = length_bytes < CHUNK_BYTES ? (size_t)length_bytes : CHUNK_BYTES;
        nv_model_read(store->model, stored->object, offset, store->fresh, chunk);
        bool same = compare && pread(descriptor, store->stale, chunk, (off_t)offset) == (ssize_t)chunk &&
                    memcmp(store->fresh, store->stale, chunk) == 0;
        int error = same ? 0 : write_all(descriptor, store->fresh, chunk, offset);
        if (error)
            return error;
        offset += chunk;
        length_bytes -= chunk;
    }
    return 0;
}

static int make_hole(int descriptor, uint64_t from, uint64_t to)
{
    if (from >= to ||
        !fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from, (off_t)(to - from)))
        return 0;
    return -errno;
}

/* The whole file, as the base of this point has it. */
static int load_into(struct nv_store *store, struct nv_stored *stored, int descriptor)
{
    uint64_t at = 0, length_bytes = 0, end = 0;
    bool compare = stored->size_bytes != 0;
    for (uint64_t next = 0; nv_model_next_data(store->model, stored->object, &next, &length_bytes); next = at) {
        int error = compare ? make_hole(descriptor, at, next) : 0;
        error = error ? error : copy_base(store, stored, descriptor, next, length_bytes, compare);
        if (error)
            return error;
        at = end = next + length_bytes;
    }
    if (ftruncate(descriptor, (off_t)end))
        return -errno;
    stored->size_bytes = stored->base_bytes = end;
    stored->resized = false;
    return 0;
}

static int load(struct nv_store *store, struct nv_stored *stored)
{
    int descriptor = nv_store_open(store, stored);
    if (descriptor < 0)
        return descriptor;
    int error = load_into(store, stored, descriptor);
    nv_store_close(stored, descriptor);
    stored->point = error ? 0 : store->point;
    return error;
}

/* A file that hashes as it did when it was loaded need not be looked at. */
static int note_hash(struct nv_store *store, const struct nv_state_entry *entry)
{
    struct nv_stored *stored;
    int error = nv_store_get(store, entry->object, &stored);
    if (error)
        return error;
    bool same = stored->hashed && stored->point == store->point - 1 && stored->content.low == entry->content.low &&
                stored->content.high == entry->content.high;
    if (same)
        stored->point = store->point;
    stored->content = entry->content;
    return 0;
}

int nv_store_base(struct nv_store *store, const struct nv_model *model, const struct nv_state *base)
{
    store->model = model;
    store->point++;
    for (size_t i = 0; i < base->entry_count; i++) {
        int error = S_ISREG(base->entries[i].mode) ? note_hash(store, &base->entries[i]) : 0;
        if (error)
            return error;
    }
    for (size_t i = 0; i < store->room; i++)
        if (store->objects[i])
            store->objects[i]->hashed = false;
    for (size_t i = 0; i < base->entry_count; i++)
        if (S_ISREG(base->entries[i].mode))
            store->objects[base->entries[i].object]->hashed = true;
    return 0;
}

/* -- a state -- */

static int note(struct nv_store *store, struct nv_stored *stored, uint64_t offset, uint64_t length_bytes)
{
    if (store->changed_count == store->changed_room) {
        size_t room = store->changed_room ? store->changed_room * 2 : 256;
        struct range *grown = reallocarray(store->changed, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        store->changed = grown;
        store->changed_room = room;
    }
    store->changed[store->changed_count++] =
        (struct range){.stored = stored, .offset = offset, .length_bytes = length_bytes};
    return 0;
}

static int resize(struct nv_store *store, struct nv_stored *stored, int descriptor, uint64_t size_bytes)
{
    if (size_bytes == stored->size_bytes)
        return 0;
    uint64_t cut = size_bytes < stored->base_bytes ? stored->base_bytes - size_bytes : 0;
    int error = note(store, stored, size_bytes, cut);
    if (error)
        return error;
    stored->resized = true;
    if (ftruncate(descriptor, (off_t)size_bytes))
        return -errno;
    stored->size_bytes = size_bytes;
    return 0;
}

static int change(struct nv_store *store, struct nv_stored *stored, const struct nv_state_entry *entry)
{
    if (!entry->change_count && entry->size_bytes == stored->size_bytes)
        return 0;
    int descriptor = nv_store_open(store, stored);
    if (descriptor < 0)
        return descriptor;
    int error = resize(store, stored, descriptor, entry->size_bytes);
    for (size_t i = 0; !error && i < entry->change_count; i++) {
        const struct nv_state_change *one = &entry->changes[i];
        error = note(store, stored, one->offset, one->length_bytes);
        error = error ? error : write_all(descriptor, one->bytes, one->length_bytes, one->offset);
    }
    nv_store_close(stored, descriptor);
    return error;
}

int nv_store_apply(struct nv_store *store, const struct nv_state_entry *entry, struct nv_stored **stored)
{
    int error = nv_store_get(store, entry->object, stored);
    if (!error && (*stored)->point != store->point)
        error = load(store, *stored);
    return error ? error : change(store, *stored, entry);
}

static int restore(struct nv_store *store, const struct range *range)
{
    struct nv_stored *stored = range->stored;
    uint64_t end = range->offset + range->length_bytes;
    int descriptor = nv_store_open(store, stored), error = 0;
    if (descriptor < 0)
        return descriptor;
    if (stored->resized && ftruncate(descriptor, (off_t)stored->base_bytes))
        error = -errno;
    stored->resized = false;
    stored->size_bytes = stored->base_bytes;
    end = end < stored->base_bytes ? end : stored->base_bytes;
    if (!error && end > range->offset)
        error = copy_base(store, stored, descriptor, range->offset, end - range->offset, false);
    nv_store_close(stored, descriptor);
    if (error)
        stored->point = 0;
    return error;
}

int nv_store_restore(struct nv_store *store)
{
    int first = 0;
    for (size_t i = 0; i < store->changed_count; i++) {
        int error = restore(store, &store->changed[i]);
        first = first ? first : error;
    }
    store->changed_count = 0;
    return first;
}
