/* SPDX-License-Identifier: MIT */
/* Reads a folder and compares it with the model: names, links, sizes and every byte. The drivers call it. */
#include "tests/verified/compare.h"
#include "tests/verified/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One name as it is on disk, or as a model has it. */
struct item {
    char path[64];
    bool folder;
    uint64_t identity; /* equal for links of one file */
    size_t size;
    uint8_t bytes[MODEL_FILE_BYTES]; /* zeros behind the end */
};

struct listing {
    size_t count;
    struct item items[MODEL_NAMES];
};

static void read_file(const char *path, struct item *item)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, item->bytes, sizeof item->bytes);

    if (got < 0 || (size_t)got != item->size)
        session_fail("read %s: %s (size %zu)", path, strerror(errno), item->size);
    close(fd);
}

static void read_folder(struct listing *listing, const char *folder, const char *relative)
{
    char path[256];
    DIR *stream;
    struct dirent *found;

    snprintf(path, sizeof path, "%s/%s", folder, relative);
    stream = opendir(path);
    if (!stream)
        session_fail("opendir %s: %s", path, strerror(errno));
    while ((found = readdir(stream))) {
        struct item *item = &listing->items[listing->count];
        struct stat status;

        if (!strcmp(found->d_name, ".") || !strcmp(found->d_name, ".."))
            continue;
        if (++listing->count > MODEL_NAMES)
            session_fail("more names on disk than the model can have: %s", found->d_name);
        memset(item, 0, sizeof *item);
        snprintf(item->path, sizeof item->path, "%s%s%.40s", relative, *relative ? "/" : "", found->d_name);
        snprintf(path, sizeof path, "%s/%s", folder, item->path);
        if (lstat(path, &status))
            session_fail("stat %s: %s", path, strerror(errno));
        item->folder = S_ISDIR(status.st_mode);
        item->identity = status.st_ino;
        item->size = item->folder ? 0 : (size_t)status.st_size;
        if (item->size > MODEL_FILE_BYTES)
            session_fail("%s has %zu bytes", path, item->size);
        if (item->folder)
            read_folder(listing, folder, item->path);
        else
            read_file(path, item);
    }
    closedir(stream);
}

static struct listing *list_disk(const char *folder)
{
    struct listing *listing = calloc(1, sizeof *listing);

    if (!listing)
        abort();
    read_folder(listing, folder, "");
    return listing;
}

static struct listing *list_model(const struct model *model, bool view)
{
    const struct model_name *names = view ? model->view : model->durable;
    struct listing *listing = calloc(1, sizeof *listing);

    if (!listing)
        abort();
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_inode *inode = &model->inodes[names[i].inode];
        struct item *item = &listing->items[listing->count];

        if (!names[i].used || !model_path(names, &names[i], item->path, sizeof item->path))
            continue;
        listing->count++;
        item->folder = inode->folder;
        item->identity = (uint64_t)names[i].inode;
        item->size = inode->folder ? 0 : view ? inode->view_size : inode->durable_size;
        memcpy(item->bytes, view ? inode->view : inode->durable, item->size);
    }
    return listing;
}

static const struct item *find(const struct listing *listing, const char *path)
{
    for (size_t i = 0; listing && i < listing->count; i++)
        if (!strcmp(listing->items[i].path, path))
            return &listing->items[i];
    return NULL;
}

static void expect_same_bytes(const struct item *disk, const struct item *model, const char *what)
{
    if (disk->folder != model->folder)
        session_fail("%s: %s is of another type", what, disk->path);
    if (disk->size != model->size)
        session_fail("%s: %s has %zu bytes, and must have %zu", what, disk->path, disk->size, model->size);
    for (size_t i = 0; i < disk->size; i++)
        if (disk->bytes[i] != model->bytes[i])
            session_fail("%s: %s differs at %zu (line %zu): %02x, and must be %02x", what, disk->path, i,
                         i / MODEL_LINE, disk->bytes[i], model->bytes[i]);
}

static void expect_same_links(const struct listing *disk, const struct listing *model, const struct item *first)
{
    const struct item *own = find(model, first->path);

    for (size_t i = 0; i < disk->count; i++) {
        const struct item *other = &disk->items[i], *expected = find(model, other->path);

        if ((other->identity == first->identity) != (expected->identity == own->identity))
            session_fail("%s and %s must %sbe links of one file", first->path, other->path,
                         expected->identity == own->identity ? "" : "not ");
    }
}

static void expect_same(const struct model *model, bool view, const char *folder)
{
    const char *what = view ? "after the run" : "durable image";
    struct listing *disk = list_disk(folder), *expected = list_model(model, view);

    for (size_t i = 0; i < disk->count; i++)
        if (!find(expected, disk->items[i].path))
            session_fail("%s: %s must not be there", what, disk->items[i].path);
    for (size_t i = 0; i < expected->count; i++) {
        const struct item *item = find(disk, expected->items[i].path);

        if (!item)
            session_fail("%s: %s is missing", what, expected->items[i].path);
        expect_same_bytes(item, &expected->items[i], what);
        if (!item->folder)
            expect_same_links(disk, expected, item);
    }
    free(disk);
    free(expected);
}

void compare_durable(const struct model *model, const char *folder)
{
    expect_same(model, false, folder);
}

void compare_view(const struct model *model, const char *folder)
{
    expect_same(model, true, folder);
}

/* Every byte old or new, and the size between; a file that was not there before was empty. */
static bool is_between(const struct item *disk, const struct item *old, const struct item *new)
{
    size_t least = old->size < new->size ? old->size : new->size, most = old->size > new->size ? old->size : new->size;

    if (disk->folder != new->folder || disk->size < least || disk->size > most)
        return false;
    for (size_t i = 0; i < disk->size; i++)
        if (disk->bytes[i] != old->bytes[i] && disk->bytes[i] != new->bytes[i])
            return false;
    return true;
}

static const struct item *find_identity(const struct listing *listing, uint64_t identity)
{
    for (size_t i = 0; i < listing->count; i++)
        if (listing->items[i].identity == identity)
            return &listing->items[i];
    return NULL;
}

/* The file that the path stands for in one of the models, in its states before and after. */
static bool fits(const struct item *disk, const struct item *one, const struct listing *other, const struct item *empty)
{
    const struct item *second = one ? find_identity(other, one->identity) : NULL;

    if (!one)
        return false;
    if (disk->folder || one->folder)
        return disk->folder == one->folder;
    return is_between(disk, second ? second : empty, one) || is_between(disk, one, second ? second : empty);
}

static void expect_some_name(const struct listing *disk, const struct listing *old, const struct listing *new,
                             const struct item *wanted)
{
    const struct listing *both[] = {old, new};

    for (size_t side = 0; side < 2; side++)
        for (size_t i = 0; i < both[side]->count; i++)
            if (both[side]->items[i].identity == wanted->identity && find(disk, both[side]->items[i].path))
                return;
    session_fail("power failure: the file %s has lost every name", wanted->path);
}

void compare_between(const struct model *before, const struct model *after, const char *folder)
{
    struct listing *disk = list_disk(folder), *old = list_model(before, false), *new = list_model(after, false);
    struct item *empty = calloc(1, sizeof *empty);

    for (size_t i = 0; i < disk->count; i++) {
        const struct item *item = &disk->items[i], *one = find(old, item->path), *two = find(new, item->path);

        if (!one && !two)
            session_fail("power failure: %s must not be there", item->path);
        if (!fits(item, one, new, empty) && !fits(item, two, old, empty))
            session_fail("power failure: %s (%zu bytes) is neither as before nor as after", item->path, item->size);
    }
    for (size_t i = 0; i < old->count; i++) {
        if (find(new, old->items[i].path) && !find(disk, old->items[i].path))
            session_fail("power failure: %s is missing", old->items[i].path);
        if (find_identity(new, old->items[i].identity))
            expect_some_name(disk, old, new, &old->items[i]);
    }
    free(disk);
    free(old);
    free(new);
    free(empty);
}
