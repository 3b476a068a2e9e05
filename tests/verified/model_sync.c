/* SPDX-License-Identifier: MIT */
/* What system calls make durable in the model: bytes by blocks, and names as the file-system model says. */
#include "tests/verified/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void remove_durable_below(struct model *model, struct model_name *entry)
{
    entry->used = false;
    if (!model->inodes[entry->inode].folder || model_link_count(model->durable, entry->inode))
        return;
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (model->durable[i].used && model->durable[i].parent == entry->inode)
            remove_durable_below(model, &model->durable[i]);
}

static void give_durable_name(struct model *model, const struct model_name *name)
{
    struct model_name *entry = model_entry(model->durable, name->parent, name->name);
    struct model_inode *inode = &model->inodes[name->inode];

    for (size_t i = 0; i < MODEL_NAMES && !entry; i++)
        if (!model->durable[i].used)
            entry = &model->durable[i];
    if (!entry)
        abort();
    if (entry->used && entry->inode != name->inode)
        remove_durable_below(model, entry);
    *entry = *name;
    inode->was_named = true;
    if (inode->durable_exists)
        return;
    inode->durable_exists = true;
    inode->durable_size = 0;
    memset(inode->durable, 0, sizeof inode->durable);
}

/* All of them, at once. */
void model_sync_names(struct model *model)
{
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (model->view[i].used)
            give_durable_name(model, &model->view[i]);
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_name *name = &model->durable[i];

        if (name->used && !model_entry(model->view, name->parent, name->name))
            model->durable[i].used = false;
    }
    for (size_t i = 0; i < MODEL_INODES; i++)
        model->inodes[i].sync_when_named = false;
}

static bool has_durable_path(const struct model *model, int folder)
{
    return !folder || model_link_count(model->durable, folder);
}

/* The names in one folder (posix). */
static void sync_one_folder(struct model *model, int folder)
{
    if (!has_durable_path(model, folder)) {
        model->inodes[folder].sync_when_named = true;
        return;
    }
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (model->view[i].used && model->view[i].parent == folder)
            give_durable_name(model, &model->view[i]);
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        struct model_name *name = &model->durable[i];

        if (name->used && name->parent == folder && !model_entry(model->view, folder, name->name))
            remove_durable_below(model, name);
    }
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        int below = model->view[i].inode;

        if (!model->view[i].used || model->view[i].parent != folder || !model->inodes[below].sync_when_named)
            continue;
        model->inodes[below].sync_when_named = false;
        sync_one_folder(model, below);
    }
}

void model_sync_folder(struct model *model, int folder)
{
    if (model->posix)
        sync_one_folder(model, folder);
    else
        model_sync_names(model);
}

static void copy_block(struct model_inode *inode, size_t block, size_t to)
{
    size_t from = block * MODEL_BLOCK, length = to - from < MODEL_BLOCK ? to - from : MODEL_BLOCK;

    if (!memcmp(inode->view + from, inode->durable + from, length))
        return;
    memcpy(inode->durable + from, inode->view + from, length);
    inode->synced[block] = true;
}

/* Whole blocks; and the file's size. What was in flight there is older than what is durable now. */
void model_sync_range(struct model *model, int number, size_t from, size_t to)
{
    struct model_inode *inode = &model->inodes[number];

    if (inode->durable_size > inode->view_size)
        memset(inode->durable + inode->view_size, 0, inode->durable_size - inode->view_size);
    inode->durable_size = inode->view_size;
    from = from / MODEL_BLOCK * MODEL_BLOCK;
    if (to < SIZE_MAX - MODEL_BLOCK)
        to = (to + MODEL_BLOCK - 1) / MODEL_BLOCK * MODEL_BLOCK;
    if (to > inode->view_size)
        to = inode->view_size;
    for (size_t block = from / MODEL_BLOCK; block * MODEL_BLOCK < to; block++)
        copy_block(inode, block, to);
    for (size_t line = from / MODEL_LINE; line * MODEL_LINE < to; line++)
        inode->lines[line].committed = inode->lines[line].flushes;
}

/* journaled: names with any sync that must write metadata. posix: a file may be durable before its name is. */
void model_sync_file(struct model *model, int number, bool data_only, size_t from, size_t to)
{
    struct model_inode *inode = &model->inodes[number];

    if (!model->posix &&
        (!data_only || !inode->durable_exists || inode->new_metadata || inode->durable_size != inode->view_size))
        model_sync_names(model);
    inode->durable_exists = true;
    model_sync_range(model, number, from, to);
    inode->new_metadata = false;
}

void model_sync_everything(struct model *model)
{
    model_sync_names(model);
    for (int i = 1; i < MODEL_INODES; i++) {
        if (!model->inodes[i].used || model->inodes[i].folder || !model_link_count(model->view, i))
            continue;
        model_sync_range(model, i, 0, SIZE_MAX);
        model->inodes[i].new_metadata = false;
    }
}
