/* SPDX-License-Identifier: MIT */
/*
 * The end of a run that was no power failure: everything in the view is brought into the files. nv_run calls it after
 * judging.
 */
#include "supervise/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Attributes of a file that the run has not touched are the same already. */
static int finish_object(struct nv_image *image, struct nv_object *object)
{
    int status = 0;

    nv_image_make_room(image);
    if (nv_object_view(image, object) == -ENOENT)
        return 0;
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
        int status = to_finish(object) && S_ISDIR(object->type) == folders ? finish_object(image, object) : 0;

        if (status && !first) {
            first = status;
            if (nv_object_path(object, path, path_bytes) < 0)
                snprintf(path, path_bytes, "?");
        }
    }
    return first;
}

/*
 * Names first, then contents; folders last, so that their times are theirs. What can be brought home is, whatever
 * fails.
 */
int nv_finish(struct nv_supervisor *supervisor, char *path, size_t path_bytes)
{
    struct nv_image *image = &supervisor->image;
    struct nv_changes changes = {0};
    int files, folders, status;

    snprintf(path, path_bytes, "a name in %s", image->folders[0].path);
    image->adopt_views = true;
    nv_names_mark_all(image);
    status = nv_names_notice(image);
    if (!status)
        status = nv_names_gather(image, NULL, &changes);
    if (!status)
        status = nv_names_apply(image, &changes);
    if (!status)
        nv_names_settle(image, NULL);
    nv_changes_free(&changes);
    files = finish_objects(image, false, path, path_bytes);
    folders = finish_objects(image, true, path, path_bytes);
    return status ? status : files ? files : folders;
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
