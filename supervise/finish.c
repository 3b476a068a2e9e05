/* SPDX-License-Identifier: MIT */
/*
 * The end of a run that was no power failure: everything in the view is brought into the files. nv_run calls it after
 * judging. What cannot be brought home is saved elsewhere, since the view goes with the run.
 */
#include "supervise/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- saving ---- */

/* A new folder that outlives the run. 0, or the reason why there is none. */
static int make_rescue(struct nv_image *image)
{
    const char *places[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm"};
    int status = -ENOENT;

    if (*image->rescued)
        return 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *real = places[i] ? realpath(places[i], NULL) : NULL;
        bool usable = real && !nv_image_holds(image, real);

        if (usable)
            snprintf(image->rescued, sizeof image->rescued, "%s/nvrtl-rescue.XXXXXX", real);
        free(real);
        if (usable && mkdtemp(image->rescued))
            return 0;
        status = usable ? -errno : status;
        *image->rescued = 0;
    }
    return status;
}

static int copy_all(struct nv_image *image, int from, int to)
{
    off_t at = 0;

    for (;;) {
        ssize_t got = pread(from, image->buffers, NV_CHUNK_BYTES, at), put;

        if (got <= 0)
            return got ? -errno : 0;
        put = pwrite(to, image->buffers, (size_t)got, at);
        if (put < 0)
            return -errno;
        at += put;
    }
}

/* The file as the view has it, under its own name behind a number. */
static int save(struct nv_image *image, struct nv_object *object, const char *name)
{
    char path[PATH_MAX + 300];
    const char *base = strrchr(name, '/');
    int from = nv_object_view(image, object), to, status;

    if (from < 0)
        return from == -ENOENT ? 0 : from;
    status = make_rescue(image);
    if (status)
        return status;
    snprintf(path, sizeof path, "%s/%u-%.200s", image->rescued, image->aside++, base ? base + 1 : name);
    to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return -errno;
    status = copy_all(image, from, to);
    if (close(to) && !status)
        status = -errno;
    return status;
}

/* ---- bringing home ---- */

/* Attributes of a file that the run has not touched are the same already. */
static int finish_object(struct nv_image *image, struct nv_object *object)
{
    int status = 0;

    nv_image_make_room(image);
    if (nv_object_view(image, object) == -ENOENT)
        return 0;
    nv_lost_forget(object); /* no machine lost power: the files get what the program wrote */
    if (S_ISREG(object->type) && !object->same)
        status = nv_content_sync(image, object, 0, UINT64_MAX);
    return status ? status : nv_content_attributes(image, object, true);
}

static bool to_finish(const struct nv_object *object)
{
    bool has_name = object->names || object->folder->root == object;

    return (S_ISREG(object->type) || S_ISDIR(object->type)) && has_name && !object->excluded && !object->foreign;
}

static int finish_objects(struct nv_image *image, bool folders, char *path, size_t path_bytes)
{
    int first = 0;

    for (struct nv_object *object = image->objects; object; object = object->next) {
        char name[PATH_MAX];
        int status = to_finish(object) && S_ISDIR(object->type) == folders ? finish_object(image, object) : 0;

        if (object->contested && !folders && nv_object_path(object, name, sizeof name) >= 0)
            status = save(image, object, name);
        if (!status)
            continue;
        if (nv_object_path(object, name, sizeof name) < 0)
            snprintf(name, sizeof name, "?");
        if (!first)
            snprintf(path, path_bytes, "%s", *name ? name : object->folder->path);
        first = first ? first : status;
        if (!folders)
            (void)save(image, object, name); /* the first reason is told; whether it was saved shows in the folder */
    }
    return first;
}

/* New files whose names could not be made durable: their content is nowhere else. */
static void save_nameless(struct nv_image *image, const struct nv_changes *changes)
{
    for (size_t i = 0; i < changes->count; i++) {
        const struct nv_change *change = &changes->items[i];

        if (change->kind == NV_NAME_NEW && S_ISREG(change->object->type) && !change->object->names)
            (void)save(image, change->object, change->name);
    }
}

static int finish_names(struct nv_image *image, char *path, size_t path_bytes)
{
    struct nv_changes changes = {0};
    int status;

    image->adopt_views = true;
    nv_names_mark_all(image);
    status = nv_names_gather(image, NULL, &changes);
    if (!status)
        status = nv_names_apply(image, &changes);
    if (status) {
        snprintf(path, path_bytes, "%s", *image->failed_name ? image->failed_name : image->folders[0].path);
        save_nameless(image, &changes);
    } else
        nv_names_settle(image, NULL);
    nv_changes_free(&changes);
    return status;
}

static void say_where(struct nv_supervisor *supervisor)
{
    char sentence[400];

    snprintf(sentence, sizeof sentence, "what could not be brought home was saved in %s", supervisor->image.rescued);
    (void)nv_report_not_seen(supervisor->report, sentence);
}

/*
 * Names first, then contents; folders last, so that their times are theirs. What can be brought home is, whatever
 * fails.
 */
int nv_finish(struct nv_supervisor *supervisor, char *path, size_t path_bytes)
{
    struct nv_image *image = &supervisor->image;
    char other[PATH_MAX];
    int names = finish_names(image, path, path_bytes);
    int files = finish_objects(image, false, names ? other : path, names ? sizeof other : path_bytes);
    int folders =
        finish_objects(image, true, names || files ? other : path, names || files ? sizeof other : path_bytes);

    if (*image->rescued)
        say_where(supervisor);
    return names ? names : files ? files : folders;
}

int nv_finish_persistent_caches(struct nv_supervisor *supervisor)
{
    const struct nv_ledger *ledger = supervisor->ledger;
    struct nv_image *image = &supervisor->image;
    uint32_t regions = atomic_load(&ledger->regions);
    int status = 0;

    if (supervisor->options->domain != NvrtlDomainMemory)
        return 0;
    for (uint32_t i = 0; i < regions && i < NV_LEDGER_RANGES && !status; i++) {
        const struct nv_ledger_range *range = &ledger->region[i];

        if (!atomic_load(&range->ready) || !range->file || range->file > image->verifier_file_count)
            continue;
        nv_image_make_room(image);
        status = nv_content_sync(image, image->verifier_files[range->file - 1], range->offset,
                                 range->offset + range->length_bytes);
        if (status == -ENOENT)
            status = 0;
    }
    return status;
}
