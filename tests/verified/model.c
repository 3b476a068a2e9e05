/* SPDX-License-Identifier: MIT */
/* The model's view: files and names as the program sees them. The drivers call it with each operation. */
#include "tests/verified/model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>

void model_init(struct model *model, bool posix, NVRTL_DOMAIN domain)
{
    memset(model, 0, sizeof *model);
    model->posix = posix;
    model->domain = domain;
    model->inodes[0] = (struct model_inode){.used = true, .folder = true, .durable_exists = true};
}

struct model_name *model_entry(struct model_name *names, int parent, const char *name)
{
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (names[i].used && names[i].parent == parent && !strcmp(names[i].name, name))
            return &names[i];
    return NULL;
}

static void model_fail(const char *what)
{
    fprintf(stderr, "the model has no room for another %s\n", what);
    abort();
}

static struct model_name *add_name(struct model_name *names, int parent, const char *name, int inode)
{
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        if (names[i].used)
            continue;
        names[i] = (struct model_name){.used = true, .parent = parent, .inode = inode};
        snprintf(names[i].name, sizeof names[i].name, "%s", name);
        return &names[i];
    }
    model_fail("name");
    return NULL;
}

int model_parent(const struct model *model, const char *path, const char **name)
{
    char folder[64];
    const char *slash = strrchr(path, '/');

    *name = slash ? slash + 1 : path;
    if (!slash)
        return 0;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return model_find(model, folder);
}

int model_find(const struct model *model, const char *path)
{
    const char *name;
    int parent;
    const struct model_name *entry;

    if (!strcmp(path, "."))
        return 0;
    parent = model_parent(model, path, &name);
    entry = parent < 0 ? NULL : model_entry((struct model_name *)(uintptr_t)model->view, parent, name);
    return entry ? entry->inode : -1;
}

bool model_path(const struct model_name *names, const struct model_name *entry, char *path, size_t path_bytes)
{
    char above[64] = "";

    if (entry->parent) {
        const struct model_name *parent = NULL;

        for (size_t i = 0; i < MODEL_NAMES && !parent; i++)
            if (names[i].used && names[i].inode == entry->parent)
                parent = &names[i];
        if (!parent || !model_path(names, parent, above, sizeof above))
            return false;
    }
    snprintf(path, path_bytes, "%s%s%s", above, *above ? "/" : "", entry->name);
    return true;
}

size_t model_link_count(const struct model_name *names, int inode)
{
    size_t count = 0;

    for (size_t i = 0; i < MODEL_NAMES; i++)
        count += names[i].used && names[i].inode == inode;
    return count;
}

static bool is_mapped(const struct model *model, int inode)
{
    for (size_t i = 0; i < OPERATION_SLOTS; i++)
        if (model->slots[i].used && model->slots[i].inode == inode)
            return true;
    for (size_t i = 0; i < model->flight_count; i++)
        if (model->flight[i].inode == inode)
            return true;
    return false;
}

/* Inodes are used again only when nothing knows them any more. */
static int new_inode(struct model *model, bool folder)
{
    for (int i = 1; i < MODEL_INODES; i++) {
        struct model_inode *inode = &model->inodes[i];

        if (inode->used && (model_link_count(model->view, i) || model_link_count(model->durable, i) ||
                            inode->has_token || is_mapped(model, i)))
            continue;
        memset(inode, 0, sizeof *inode);
        inode->used = inode->new_metadata = true;
        inode->folder = folder;
        return i;
    }
    model_fail("file");
    return -1;
}

void model_add_file(struct model *model, const char *path, uint64_t seed, size_t size)
{
    const char *name;
    int parent = model_parent(model, path, &name), number = new_inode(model, false);
    struct model_inode *inode = &model->inodes[number];

    add_name(model->view, parent, name, number);
    add_name(model->durable, parent, name, number);
    inode->durable_exists = inode->was_named = true;
    inode->new_metadata = false;
    inode->view_size = inode->durable_size = size;
    operation_fill(inode->view, seed, size);
    operation_fill(inode->durable, seed, size);
}

static void create(struct model *model, const char *path, bool folder)
{
    const char *name;
    int parent = model_parent(model, path, &name);

    add_name(model->view, parent, name, new_inode(model, folder));
}

static void remove_name(struct model *model, const char *path)
{
    const char *name;
    int parent = model_parent(model, path, &name);

    model_entry(model->view, parent, name)->used = false;
}

static void link_name(struct model *model, const char *path, const char *path2)
{
    const char *name;
    int inode = model_find(model, path), parent = model_parent(model, path2, &name);
    struct model_name *entry = model_entry(model->view, parent, name);

    if (entry)
        entry->inode = inode;
    else
        add_name(model->view, parent, name, inode);
}

static void rename_name(struct model *model, const char *path, const char *path2)
{
    if (model_find(model, path) == model_find(model, path2))
        return; /* two names of one file: rename does nothing */
    link_name(model, path, path2);
    remove_name(model, path);
}

static void write_bytes(struct model_inode *inode, const struct operation *operation)
{
    operation_fill(inode->view + operation->offset, operation->seed, operation->length);
    if (operation->offset + operation->length > inode->view_size)
        inode->view_size = operation->offset + operation->length;
}

static void truncate_file(struct model_inode *inode, size_t size)
{
    if (size < inode->view_size)
        memset(inode->view + size, 0, inode->view_size - size);
    inode->view_size = size;
}

static void apply_written(struct model *model, const struct operation *operation, int inode)
{
    size_t end = operation->offset + operation->length;

    write_bytes(&model->inodes[inode], operation);
    if (operation->kind == OP_DSYNC_WRITE)
        model_sync_file(model, inode, operation->flags == O_DSYNC, operation->offset, end);
    else if (operation->kind == OP_RWF_WRITE)
        model_sync_file(model, inode, operation->flags == RWF_DSYNC, operation->offset, end);
}

static void apply_to_file(struct model *model, const struct operation *operation)
{
    int inode = model_find(model, operation->path);

    switch ((enum operation_kind)operation->kind) {
    case OP_TRUNCATE:
        truncate_file(&model->inodes[inode], operation->offset);
        break;
    case OP_PWRITE:
    case OP_STORE:
    case OP_DSYNC_WRITE:
    case OP_RWF_WRITE:
        apply_written(model, operation, inode);
        break;
    case OP_MSYNC:
        if (operation->flags & MS_SYNC)
            model_sync_file(model, inode, true, operation->offset, operation->offset + operation->length);
        break;
    case OP_FSYNC:
    case OP_FDATASYNC:
        model_sync_file(model, inode, operation->kind == OP_FDATASYNC, 0, SIZE_MAX);
        break;
    case OP_FSYNC_FOLDER:
        model_sync_folder(model, inode);
        break;
    case OP_TOKEN:
        model_token(model, operation);
        break;
    default:
        model_memory(model, operation);
        break;
    }
}

void model_apply(struct model *model, const struct operation *operation)
{
    switch ((enum operation_kind)operation->kind) {
    case OP_CREATE:
    case OP_MKDIR:
        create(model, operation->path, operation->kind == OP_MKDIR);
        break;
    case OP_UNLINK:
    case OP_RMDIR:
        remove_name(model, operation->path);
        break;
    case OP_RENAME:
        rename_name(model, operation->path, operation->path2);
        break;
    case OP_LINK:
        link_name(model, operation->path, operation->path2);
        break;
    case OP_SYNC:
    case OP_SYNCFS:
        model_sync_everything(model);
        break;
    case OP_SYNC_RANGE:
    case OP_EXIT:
        break;
    default:
        apply_to_file(model, operation);
        break;
    }
}
