/* SPDX-License-Identifier: MIT */
/* The choice of the next operation. The drivers call it, with the model as it is. */
#include "tests/verified/generate.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

uint64_t generate_number(struct generator *generator, uint64_t below)
{
    uint64_t mix = generator->state += UINT64_C(0x9e3779b97f4a7c15);

    mix = (mix ^ (mix >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mix = (mix ^ (mix >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (mix ^ (mix >> 31)) % below;
}

static const enum operation_kind weighted_files[] = {
    OP_CREATE,       OP_CREATE, OP_CREATE,    OP_CREATE,      OP_MKDIR,       OP_RMDIR,        OP_UNLINK,
    OP_UNLINK,       OP_RENAME, OP_RENAME,    OP_RENAME,      OP_LINK,        OP_TRUNCATE,     OP_TRUNCATE,
    OP_PWRITE,       OP_PWRITE, OP_PWRITE,    OP_PWRITE,      OP_PWRITE,      OP_PWRITE,       OP_STORE,
    OP_STORE,        OP_STORE,  OP_STORE,     OP_MSYNC,       OP_MSYNC,       OP_MSYNC,        OP_FSYNC,
    OP_FSYNC,        OP_FSYNC,  OP_FDATASYNC, OP_FDATASYNC,   OP_FDATASYNC,   OP_FSYNC_FOLDER, OP_FSYNC_FOLDER,
    OP_FSYNC_FOLDER, OP_SYNC,   OP_SYNCFS,    OP_DSYNC_WRITE, OP_DSYNC_WRITE, OP_RWF_WRITE,    OP_SYNC_RANGE};

static const enum operation_kind weighted_memory[] = {
    OP_TOKEN,    OP_TOKEN,    OP_FREE,     OP_NV_STORE,  OP_NV_STORE,  OP_NV_STORE, OP_NV_STORE, OP_NV_STORE,
    OP_NV_WRITE, OP_NV_WRITE, OP_NV_WRITE, OP_NV_WRITE,  OP_NV_WRITE,  OP_NV_FILL,  OP_NV_FILL,  OP_NV_FLUSH,
    OP_NV_FLUSH, OP_NV_FLUSH, OP_NV_FLUSH, OP_NV_RANGES, OP_NV_RANGES, OP_NV_DRAIN, OP_NV_DRAIN};

enum { FOLDERS = 3, FILES = 8 };

static void random_path(struct generator *generator, const struct model *model, char *path)
{
    char folder[8];

    snprintf(folder, sizeof folder, "d%d", (int)generate_number(generator, FOLDERS));
    if (generate_number(generator, 2) || model_find(model, folder) < 0)
        snprintf(path, 64, "f%d", (int)generate_number(generator, FILES));
    else
        snprintf(path, 64, "%s/f%d", folder, (int)generate_number(generator, FILES));
}

/* The path of a file, or (folder) of a folder, that is there; false when the dice find none. */
static bool existing_path(struct generator *generator, const struct model *model, bool folder, char *path)
{
    size_t start = generate_number(generator, MODEL_NAMES);

    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_name *name = &model->view[(start + i) % MODEL_NAMES];

        if (name->used && model->inodes[name->inode].folder == folder)
            return model_path(model->view, name, path, 64);
    }
    return false;
}

static bool folder_is_empty(const struct model *model, int folder)
{
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (model->view[i].used && model->view[i].parent == folder)
            return false;
    return true;
}

static size_t count_used(const struct model *model)
{
    size_t used = 0;

    for (size_t i = 0; i < MODEL_INODES; i++)
        used += model->inodes[i].used && (model->inodes[i].has_token || model_link_count(model->view, (int)i) ||
                                          model_link_count(model->durable, (int)i));
    return used;
}

/*
 * In the posix model a file that moves to another folder may be nameless for a while, and is a new durable file
 * afterwards. The verifier's mapping of the old one does not follow: so files with a token stay in their folder.
 */
static bool stays_in_folder(const struct model *model, int inode, int parent)
{
    if (model->inodes[inode].was_named && !model_link_count(model->durable, inode))
        return false;
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if ((model->view[i].used && model->view[i].inode == inode && model->view[i].parent != parent) ||
            (model->durable[i].used && model->durable[i].inode == inode && model->durable[i].parent != parent))
            return false;
    return true;
}

static bool may_move(const struct model *model, const struct operation *operation)
{
    const char *name;
    int inode = model_find(model, operation->path);

    return !model->posix || !model->inodes[inode].has_token ||
           stays_in_folder(model, inode, model_parent(model, operation->path2, &name));
}

static bool choose_name(struct generator *generator, const struct model *model, struct operation *operation)
{
    switch ((enum operation_kind)operation->kind) {
    case OP_CREATE:
        random_path(generator, model, operation->path);
        return model_find(model, operation->path) < 0 && count_used(model) < MODEL_INODES - 4;
    case OP_MKDIR:
        snprintf(operation->path, sizeof operation->path, "d%d", (int)generate_number(generator, FOLDERS));
        return model_find(model, operation->path) < 0 && count_used(model) < MODEL_INODES - 4;
    case OP_RMDIR:
        return existing_path(generator, model, true, operation->path) &&
               folder_is_empty(model, model_find(model, operation->path));
    case OP_UNLINK:
        return existing_path(generator, model, false, operation->path);
    case OP_LINK:
        random_path(generator, model, operation->path2);
        return existing_path(generator, model, false, operation->path) && model_find(model, operation->path2) < 0 &&
               may_move(model, operation);
    case OP_RENAME:
        random_path(generator, model, operation->path2);
        return existing_path(generator, model, false, operation->path) &&
               strcmp(operation->path, operation->path2) != 0 && may_move(model, operation);
    default:
        return true;
    }
}

static void choose_range(struct generator *generator, size_t size, size_t most, uint64_t *offset, uint64_t *length)
{
    *offset = generate_number(generator, size);
    *length = 1 + generate_number(generator, size - *offset < most ? size - *offset : most);
    if (!generate_number(generator, 3)) { /* whole words and lines too */
        *offset &= ~(uint64_t)7;
        *length = 8;
    }
}

/* Under a token a file only grows: a mapping has nothing to reach behind the end. */
static bool choose_truncate(struct generator *generator, const struct model_inode *inode, struct operation *operation)
{
    operation->offset = generate_number(generator, MODEL_FILE_BYTES + 1);
    if (generate_number(generator, 2))
        operation->offset &= ~(uint64_t)4095;
    return !inode->has_token || operation->offset >= inode->view_size;
}

static bool choose_msync(struct generator *generator, const struct model_inode *inode, struct operation *operation)
{
    if (!inode->view_size)
        return false;
    operation->offset = generate_number(generator, inode->view_size) & ~(uint64_t)4095;
    operation->length = 1 + generate_number(generator, inode->view_size - operation->offset);
    operation->flags = generate_number(generator, 4) ? MS_SYNC : MS_ASYNC;
    return true;
}

static bool choose_token(struct generator *generator, const struct model *model, const struct model_inode *inode,
                         struct operation *operation)
{
    size_t pages = inode->view_size / 4096, page;
    const char *name;

    if (model->posix &&
        !stays_in_folder(model, model_find(model, operation->path), model_parent(model, operation->path, &name)))
        return false;

    if (model->slots[operation->slot].used || model->region_count == MODEL_REGIONS)
        return false;
    if (!inode->view_size || inode->view_size % 4096) { /* make it so, for the next time */
        operation->kind = OP_TRUNCATE;
        operation->offset = (inode->view_size / 4096 + 1) * 4096;
        return operation->offset <= MODEL_FILE_BYTES;
    }
    page = generate_number(generator, pages);
    operation->offset = page * 4096;
    operation->length = (1 + generate_number(generator, pages - page)) * 4096;
    return true;
}

static bool choose_file(struct generator *generator, const struct model *model, struct operation *operation)
{
    const struct model_inode *inode;

    if (operation->kind == OP_SYNC)
        return true;
    if (operation->kind == OP_FSYNC_FOLDER || operation->kind == OP_SYNCFS) {
        if (generate_number(generator, 2) || !existing_path(generator, model, true, operation->path))
            snprintf(operation->path, sizeof operation->path, ".");
        return true;
    }
    if (!existing_path(generator, model, false, operation->path))
        return false;
    inode = &model->inodes[model_find(model, operation->path)];
    choose_range(generator, MODEL_FILE_BYTES, 5000, &operation->offset, &operation->length);
    switch ((enum operation_kind)operation->kind) {
    case OP_TRUNCATE:
        return choose_truncate(generator, inode, operation);
    case OP_STORE:
        if (inode->view_size)
            choose_range(generator, inode->view_size, 5000, &operation->offset, &operation->length);
        return inode->view_size && operation->offset + operation->length <= inode->view_size;
    case OP_MSYNC:
        return choose_msync(generator, inode, operation);
    case OP_DSYNC_WRITE:
        operation->flags = generate_number(generator, 3) ? O_DSYNC : O_SYNC;
        return true;
    case OP_RWF_WRITE:
        operation->flags = generate_number(generator, 3) ? RWF_DSYNC : RWF_SYNC;
        return true;
    case OP_TOKEN:
        return choose_token(generator, model, inode, operation);
    default:
        return true;
    }
}

static bool choose_memory(struct generator *generator, const struct model *model, struct operation *operation)
{
    const struct model_slot *slot = &model->slots[operation->slot];

    if (!slot->used)
        return false;
    choose_range(generator, slot->length, 1000, &operation->offset, &operation->length);
    choose_range(generator, slot->length, 300, &operation->offset2, &operation->length2);
    if (operation->kind == OP_NV_WRITE || operation->kind == OP_NV_FILL)
        operation->flags = (uint32_t)(generate_number(generator, 4) | generate_number(generator, 2) << 8);
    if (operation->kind == OP_NV_FLUSH || operation->kind == OP_NV_RANGES)
        operation->flags = (uint32_t)generate_number(generator, 2);
    if (operation->kind != OP_FREE && operation->kind != OP_NV_STORE)
        operation->default_token = !generate_number(generator, 5);
    if (model_flight_room(model) < 2 * MODEL_LINES) {
        operation->kind = OP_NV_DRAIN;
        operation->default_token = 0;
        if (model->flight[0].owner < OPERATION_THREADS && model->domain == NvrtlDomainCpuCache)
            operation->thread = (uint32_t)model->flight[0].owner;
    }
    return true;
}

static bool choose(struct generator *generator, const struct model *model, struct operation *operation)
{
    bool memory = generator->tokens && generate_number(generator, 2);

    memset(operation, 0, sizeof *operation);
    operation->kind =
        memory ? weighted_memory[generate_number(generator, sizeof weighted_memory / sizeof *weighted_memory)]
               : weighted_files[generate_number(generator, sizeof weighted_files / sizeof *weighted_files)];
    operation->thread = (uint32_t)generate_number(generator, OPERATION_THREADS);
    operation->slot = (uint32_t)generate_number(generator, OPERATION_SLOTS);
    operation->seed = generate_number(generator, UINT32_MAX);
    if ((operation->kind == OP_LINK && generator->no_links) || !choose_name(generator, model, operation))
        return false;
    if (operation->kind > OP_LINK && operation->kind <= OP_TOKEN)
        return choose_file(generator, model, operation);
    return operation->kind <= OP_LINK || choose_memory(generator, model, operation);
}

void generate_operation(struct generator *generator, const struct model *model, struct operation *operation)
{
    while (!choose(generator, model, operation))
        continue;
}
