/* SPDX-License-Identifier: MIT */
/*
 * Owns the names of the view as the trace has told them, and tells of new ones, of those that are gone, and of moved
 * ones. Called when a call has returned: what it did is looked up in the view, and compared with what was told.
 */
#include "supervise/observer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the table ---- */

static struct nv_told_name **bucket_of(const struct nv_observer *observer, const struct nv_object *parent,
                                       const char *text)
{
    uint64_t hash = (uintptr_t)parent / 16;

    for (const char *at = text; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    return &observer->names[(hash ^ hash >> 32) % observer->name_buckets];
}

static struct nv_told_name **find(const struct nv_observer *observer, const struct nv_object *parent, const char *text)
{
    struct nv_told_name **link = bucket_of(observer, parent, text);

    while (*link && ((*link)->parent != parent || strcmp((*link)->text, text)))
        link = &(*link)->next;
    return link;
}

static bool grow(struct nv_observer *observer)
{
    size_t count = observer->name_buckets, wanted = count ? count * 4 : 1024;
    struct nv_told_name **before = observer->names, **grown;

    if (observer->name_count < count)
        return true;
    grown = calloc(wanted, sizeof(struct nv_told_name *));
    if (!grown)
        return false;
    observer->names = grown;
    observer->name_buckets = wanted;
    for (size_t i = 0; i < count; i++)
        for (struct nv_told_name *name = before[i], *next; name; name = next) {
            struct nv_told_name **link = bucket_of(observer, name->parent, name->text);

            next = name->next;
            name->next = *link;
            *link = name;
        }
    free(before);
    return true;
}

static bool add(struct nv_observer *observer, const struct nv_object *parent, const char *text,
                struct nv_object *object)
{
    size_t bytes = strlen(text) + 1;
    struct nv_told_name *name = grow(observer) ? malloc(sizeof *name + bytes) : NULL, **link;

    if (!name) {
        observer->error = -ENOMEM;
        return false;
    }
    link = find(observer, parent, text);
    *name = (struct nv_told_name){.parent = parent, .object = object};
    memcpy(name->text, text, bytes);
    *link = name;
    observer->name_count++;
    return true;
}

static void drop(struct nv_observer *observer, struct nv_told_name **link)
{
    struct nv_told_name *name = *link;

    *link = name->next;
    free(name);
    observer->name_count--;
}

void nv_observe_forget_names(struct nv_observer *observer)
{
    for (size_t i = 0; i < observer->name_buckets; i++)
        while (observer->names[i])
            drop(observer, &observer->names[i]);
    free(observer->names);
}

/* ---- telling ---- */

static void tell_name(struct nv_observer *observer, enum nv_trace_kind kind, const struct nv_object *object,
                      const struct nv_object *parent, const char *name)
{
    size_t bytes = strlen(name) + 1;
    struct nv_trace_event *event = nv_observe_event(observer, kind, (uint32_t)bytes);

    if (!event)
        return;
    event->object = object->trace_number;
    event->parent = parent->trace_number;
    memcpy(nv_trace_payload(event), name, bytes);
    nv_observe_tell(observer, event);
}

/* `target` is a symbolic link's, or NULL. */
static void tell_create(struct nv_observer *observer, struct nv_object *object, const struct nv_object *parent,
                        const char *name, mode_t mode, const char *target)
{
    size_t bytes = strlen(name) + 1, target_bytes = target ? strlen(target) + 1 : 0;
    struct nv_trace_event *event = nv_observe_event(observer, NV_TRACE_CREATE, (uint32_t)(bytes + target_bytes));

    object->trace_number = ++observer->objects;
    object->trace_bytes = 0;
    if (!event)
        return;
    event->object = object->trace_number;
    event->parent = parent ? parent->trace_number : 0;
    event->offset = mode;
    memcpy(nv_trace_payload(event), name, bytes);
    if (target)
        memcpy((char *)nv_trace_payload(event) + bytes, target, target_bytes);
    nv_observe_tell(observer, event);
}

/* ---- what calls did ---- */

/* What a name stands for in a folder of ours. NULL: nothing, or it is not at stake. */
static struct nv_object *look(struct nv_observer *observer, int folder, const char *name, struct statx *status)
{
    struct nv_supervisor *supervisor = observer->supervisor;
    struct statx above;
    struct nv_folder *at_stake;

    if (statx(folder, "", AT_EMPTY_PATH, NV_STATX_MASK, &above) ||
        statx(folder, name, AT_SYMLINK_NOFOLLOW | (*name ? 0 : AT_EMPTY_PATH), NV_STATX_MASK, status))
        return NULL;
    at_stake = nv_folder_of(supervisor, getpid(), folder, &above);
    return at_stake && nv_statx_device(status) == nv_statx_device(&above)
               ? nv_image_object(&supervisor->image, at_stake, status)
               : NULL;
}

static struct nv_object *folder_of(struct nv_observer *observer, int folder)
{
    struct statx status;
    struct nv_object *object = look(observer, folder, "", &status);

    return object && object->trace_number ? object : NULL;
}

void nv_observe_new_name(struct nv_observer *observer, int folder, const char *name)
{
    struct nv_object *parent = folder_of(observer, folder), *object;
    char target[PATH_MAX];
    struct statx status;
    ssize_t length = 0;

    if (!parent)
        return;
    object = look(observer, folder, name, &status);
    if (!object || *find(observer, parent, name)) {
        nv_observe_lost(observer, "a new name was not recorded, since another came in its way");
        return;
    }
    if (S_ISLNK(status.stx_mode))
        length = readlinkat(folder, name, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    if (!add(observer, parent, name, object))
        return;
    if (object->trace_number)
        tell_name(observer, NV_TRACE_LINK, object, parent, name);
    else
        tell_create(observer, object, parent, name, status.stx_mode, length > 0 ? target : NULL);
}

void nv_observe_nameless(struct nv_observer *observer, struct nv_object *object, const struct statx *status)
{
    tell_create(observer, object, NULL, "", status->stx_mode, NULL);
}

void nv_observe_gone_name(struct nv_observer *observer, int folder, const char *name)
{
    struct nv_object *parent = folder_of(observer, folder);
    struct nv_told_name **link = parent ? find(observer, parent, name) : NULL;

    if (!link || !*link) {
        if (parent)
            nv_observe_lost(observer, "a name was removed that had not been recorded");
        return;
    }
    tell_name(observer, NV_TRACE_UNLINK, (*link)->object, parent, name);
    drop(observer, link);
}

static void tell_rename(struct nv_observer *observer, const struct nv_told_name *from, const struct nv_object *to,
                        const char *new_name, bool exchanged)
{
    size_t old_bytes = strlen(from->text) + 1, new_bytes = strlen(new_name) + 1;
    struct nv_trace_event *event = nv_observe_event(observer, NV_TRACE_RENAME, (uint32_t)(old_bytes + new_bytes));

    if (!event)
        return;
    event->object = from->object->trace_number;
    event->parent = from->parent->trace_number;
    event->other = to->trace_number;
    event->flags |= exchanged ? NV_TRACE_EXCHANGED : 0;
    memcpy(nv_trace_payload(event), from->text, old_bytes);
    memcpy((char *)nv_trace_payload(event) + old_bytes, new_name, new_bytes);
    nv_observe_tell(observer, event);
}

void nv_observe_renamed(struct nv_observer *observer, int from, const char *old_name, int to, const char *new_name,
                        bool exchanged)
{
    struct nv_object *old_parent = folder_of(observer, from), *new_parent = folder_of(observer, to), *object;
    struct nv_told_name *old_told = old_parent ? *find(observer, old_parent, old_name) : NULL;
    struct nv_told_name *new_told = new_parent ? *find(observer, new_parent, new_name) : NULL;

    if (!old_told || !new_parent || (exchanged && !new_told)) {
        if (old_parent || new_parent)
            nv_observe_lost(observer, "a name was moved that had not been recorded");
        return;
    }
    object = old_told->object;
    if (new_told && new_told->object == object)
        return; /* two names of one file: POSIX has rename do nothing */
    tell_rename(observer, old_told, new_parent, new_name, exchanged);
    if (exchanged) {
        old_told->object = new_told->object;
        new_told->object = object;
        return;
    }
    drop(observer, find(observer, old_parent, old_name));
    if (new_told)
        drop(observer, find(observer, new_parent, new_name));
    (void)add(observer, new_parent, new_name, object);
}

/* ---- what was there ---- */

static int tell_folder(struct nv_observer *observer, const struct nv_object *folder, int fd);

static void tell_content(struct nv_observer *observer, struct nv_object *object, int folder, const char *name,
                         const struct statx *status)
{
    int content = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (content < 0) {
        nv_observe_lost(observer, "what a file held when the run began could not be read");
        return;
    }
    nv_observe_data(observer, object, content, 0, status->stx_size);
    nv_observe_size(observer, object, status->stx_size);
    close(content);
}

static int tell_entry(struct nv_observer *observer, const struct nv_entry *entry, int folder)
{
    struct nv_object *object = entry->object;
    bool known = object->trace_number != 0;
    struct statx status;
    int fd, result = 0;

    if (object->excluded)
        return 0;
    if (statx(folder, entry->name, AT_SYMLINK_NOFOLLOW, NV_STATX_MASK, &status))
        return -errno;
    nv_observe_new_name(observer, folder, entry->name);
    if (S_ISREG(status.stx_mode) && !known)
        tell_content(observer, object, folder, entry->name, &status);
    if (!S_ISDIR(status.stx_mode))
        return 0;
    fd = openat(folder, entry->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    result = tell_folder(observer, object, fd);
    close(fd);
    return result;
}

static int tell_folder(struct nv_observer *observer, const struct nv_object *folder, int fd)
{
    int status = 0;

    nv_observe_drain(observer);
    for (const struct nv_entry *entry = folder->children; entry && !status; entry = entry->next_sibling)
        status = tell_entry(observer, entry, fd);
    return status;
}

int nv_observe_initial(struct nv_observer *observer)
{
    struct nv_image *image = &observer->supervisor->image;
    int status = 0;

    if (!grow(observer))
        return -ENOMEM;
    observer->initial = true;
    for (size_t i = 0; i < image->folder_count && !status; i++) {
        struct nv_folder *folder = &image->folders[i];
        struct stat view;

        if (fstat(folder->view, &view))
            return -errno;
        tell_create(observer, folder->root, NULL, folder->path, view.st_mode, NULL);
        status = tell_folder(observer, folder->root, folder->view);
    }
    observer->initial = false;
    nv_observe_drain(observer);
    return status;
}
