/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of names in the view (inotify): which folders changed, and for each name what came last and in
 * which order. names.c lists the folders marked here; apply.c asks for the order.
 */
#include "supervise/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum { NOTE_BUCKETS = 4096 };

/* The last thing that happened to a name since the names were settled. */
struct nv_name_note {
    const struct nv_object *folder;
    char *name;
    uint64_t sequence;
    bool moved_in; /* a file was moved there; else it was made, or it is gone */
    struct nv_name_note *next;
};

void nv_names_mark(struct nv_image *image, struct nv_object *folder)
{
    (void)image;
    folder->dirty = true;
    while (folder->names) {
        folder = folder->names->parent;
        if (folder->dirty_below)
            return;
        folder->dirty_below = true;
    }
}

void nv_names_mark_all(struct nv_image *image)
{
    for (struct nv_object *object = image->objects; object; object = object->next)
        if (S_ISDIR(object->type) && (object->names || object->folder->root == object))
            nv_names_mark(image, object);
}

/* A folder that cannot be watched is taken for changed at each sync. */
int nv_names_watch(struct nv_image *image, struct nv_object *folder, int view_fd)
{
    char path[64];
    int watch;

    snprintf(path, sizeof path, "/proc/self/fd/%d", view_fd);
    watch = inotify_add_watch(image->notify, path, IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR);
    image->unwatched = image->unwatched || watch < 0;
    if (watch < 0)
        return -errno;
    if ((size_t)watch >= image->watched_count) {
        size_t count = (size_t)watch * 2 + 64;
        struct nv_object **grown = realloc(image->watched, count * sizeof *grown);

        image->unwatched = image->unwatched || !grown;
        if (!grown)
            return -ENOMEM;
        memset(grown + image->watched_count, 0, (count - image->watched_count) * sizeof *grown);
        image->watched = grown;
        image->watched_count = count;
    }
    image->watched[watch] = folder;
    folder->watch = watch;
    return 0;
}

static size_t note_bucket(const struct nv_object *folder, const char *name)
{
    uint64_t hash = (uint64_t)(uintptr_t)folder * 0x9e3779b97f4a7c15u;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
    return (size_t)(hash >> 16) % NOTE_BUCKETS;
}

static struct nv_name_note *find_note(const struct nv_image *image, const struct nv_object *folder, const char *name)
{
    struct nv_name_note *note = image->notes ? image->notes[note_bucket(folder, name)] : NULL;

    while (note && (note->folder != folder || strcmp(note->name, name)))
        note = note->next;
    return note;
}

static struct nv_name_note *new_note(struct nv_image *image, const struct nv_object *folder, const char *name)
{
    struct nv_name_note *note = calloc(1, sizeof *note), **bucket;

    if (!image->notes)
        image->notes = calloc(NOTE_BUCKETS, sizeof *image->notes);
    if (!image->notes || !note || !(note->name = strdup(name))) {
        free(note);
        return NULL;
    }
    bucket = &image->notes[note_bucket(folder, name)];
    note->folder = folder;
    note->next = *bucket;
    return *bucket = note;
}

static void take_note(struct nv_image *image, const struct nv_object *folder, const char *name, bool moved_in)
{
    struct nv_name_note *note = find_note(image, folder, name);

    if (!note)
        note = new_note(image, folder, name);
    if (!note) {
        image->notes_lost = true; /* the order is no longer known: what is safe in any order is done */
        return;
    }
    note->sequence = ++image->sequence;
    note->moved_in = moved_in;
}

void nv_names_forget_notes(struct nv_image *image, const struct nv_object *only)
{
    for (size_t i = 0; image->notes && i < NOTE_BUCKETS; i++)
        for (struct nv_name_note **link = &image->notes[i], *note; (note = *link);) {
            if (only && note->folder != only) {
                link = &note->next;
                continue;
            }
            *link = note->next;
            free(note->name);
            free(note);
        }
    if (!only)
        image->notes_lost = false;
}

uint64_t nv_names_sequence(const struct nv_image *image, const struct nv_object *folder, const char *name)
{
    const struct nv_name_note *note = image->notes_lost ? NULL : find_note(image, folder, name);

    return note ? note->sequence : 0;
}

bool nv_names_made_in_place(const struct nv_image *image, const struct nv_object *folder, const char *name)
{
    const struct nv_name_note *note = image->notes_lost ? NULL : find_note(image, folder, name);

    return note && !note->moved_in;
}

static void lose_track(struct nv_image *image)
{
    nv_names_mark_all(image);
    image->notes_lost = true;
    image->sequence++;
}

static void notice_event(struct nv_image *image, const struct inotify_event *event)
{
    struct nv_object *folder;

    if (event->mask & IN_Q_OVERFLOW) {
        lose_track(image);
        return;
    }
    if (event->wd < 0 || (size_t)event->wd >= image->watched_count || !(folder = image->watched[event->wd]))
        return;
    if (event->mask & IN_IGNORED) { /* the folder is gone from the view */
        image->watched[event->wd] = NULL;
        folder->watch = -1;
        return;
    }
    nv_names_mark(image, folder);
    if (event->len)
        take_note(image, folder, event->name, (event->mask & IN_MOVED_TO) != 0);
}

static void mark_unwatched(struct nv_image *image)
{
    for (struct nv_object *object = image->objects; object; object = object->next)
        if (S_ISDIR(object->type) && object->watch < 0 && (object->names || object->folder->root == object))
            nv_names_mark(image, object);
}

int nv_names_notice(struct nv_image *image)
{
    _Alignas(struct inotify_event) char events[16384];

    if (image->unwatched)
        mark_unwatched(image);
    for (;;) {
        ssize_t got = read(image->notify, events, sizeof events);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return 0;
        if (got <= 0)
            return got ? -errno : 0;
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const struct inotify_event *)(events + at);

            notice_event(image, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
    }
}
