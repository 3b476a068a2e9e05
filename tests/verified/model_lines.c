/* SPDX-License-Identifier: MIT */
/* What tokens do in the model: lines in flight, of a thread (cpu-cache) or of a file (page-cache), and drains. */
#include "tests/verified/model.h"

#include <stdlib.h>
#include <string.h>

size_t model_flight_room(const struct model *model)
{
    return MODEL_FLIGHT - model->flight_count;
}

/*
 * The first token that reaches so far makes the file's size (journaled: and names) durable, as MAP_SYNC's first fault
 * does.
 */
static void reach(struct model *model, int number, size_t end)
{
    struct model_inode *inode = &model->inodes[number];

    if (inode->has_token && inode->reached >= end)
        return;
    if (!model->posix)
        model_sync_names(model);
    inode->durable_exists = true;
    if (inode->durable_size > inode->view_size)
        memset(inode->durable + inode->view_size, 0, inode->durable_size - inode->view_size);
    inode->durable_size = inode->view_size;
    inode->new_metadata = false;
    inode->has_token = true;
    inode->reached = inode->view_size;
}

void model_token(struct model *model, const struct operation *operation)
{
    struct model_slot *slot = &model->slots[operation->slot];

    *slot = (struct model_slot){true, model_find(model, operation->path), operation->offset, operation->length};
    reach(model, slot->inode, slot->offset + slot->length);
    if (model->region_count == MODEL_REGIONS)
        abort();
    model->regions[model->region_count++] = (struct model_region){slot->inode, slot->offset, slot->length};
}

static void flush_line(struct model *model, int owner, int number, size_t number_of_line)
{
    struct model_inode *inode = &model->inodes[number];
    struct model_line *line = &inode->lines[number_of_line];
    struct model_flight *entry = &model->flight[model->flight_count++];

    if (model->flight_count > MODEL_FLIGHT)
        abort();
    entry->owner = owner;
    entry->inode = number;
    entry->line = number_of_line;
    entry->version = ++line->flushes;
    memcpy(entry->content, inode->view + number_of_line * MODEL_LINE, MODEL_LINE);
    memcpy(line->flushed, entry->content, MODEL_LINE);
}

static void flush(struct model *model, const struct operation *operation, size_t offset, size_t length)
{
    const struct model_slot *slot = &model->slots[operation->slot];
    size_t grain = model->domain == NvrtlDomainPageCache ? MODEL_BLOCK : MODEL_LINE;
    size_t from = (slot->offset + offset) / grain * grain;
    size_t to = (slot->offset + offset + length + grain - 1) / grain * grain;
    int owner = model->domain == NvrtlDomainPageCache ? slot->inode : (int)operation->thread;

    if (model->domain == NvrtlDomainMemory || !length)
        return;
    model->thread_files[operation->thread][slot->inode] = true;
    for (size_t line = from / MODEL_LINE; line * MODEL_LINE < to; line++)
        flush_line(model, owner, slot->inode, line);
}

static void commit(struct model *model, const struct model_flight *entry)
{
    struct model_inode *inode = &model->inodes[entry->inode];
    struct model_line *line = &inode->lines[entry->line];

    if (entry->version <= line->committed)
        return;
    memcpy(inode->durable + entry->line * MODEL_LINE, entry->content, MODEL_LINE);
    line->committed = entry->version;
}

static void drain_owner(struct model *model, int owner)
{
    size_t kept = 0;

    for (size_t i = 0; i < model->flight_count; i++)
        if (model->flight[i].owner == owner)
            commit(model, &model->flight[i]);
        else
            model->flight[kept++] = model->flight[i];
    model->flight_count = kept;
}

/* With a token: the thread's lines, or the token's file. With the default token: what the thread flushed. */
static void drain(struct model *model, const struct operation *operation)
{
    if (model->domain == NvrtlDomainMemory)
        return;
    if (model->domain == NvrtlDomainCpuCache) {
        drain_owner(model, (int)operation->thread);
        return;
    }
    if (!operation->default_token) {
        drain_owner(model, model->slots[operation->slot].inode);
        return;
    }
    for (int i = 0; i < MODEL_INODES; i++)
        if (model->thread_files[operation->thread][i]) {
            drain_owner(model, i);
            model->thread_files[operation->thread][i] = false;
        }
}

/* The table of flags in nvm.h. */
static void settle(struct model *model, const struct operation *operation, bool is_fill)
{
    uint32_t way = operation->flags & WRITE_NV_MEMORY_FLAG_PERSIST;
    bool no_drain = operation->flags & WRITE_NV_MEMORY_FLAG_NO_DRAIN;

    if (!way)
        return;
    flush(model, operation, operation->offset, operation->length);
    if (way == WRITE_NV_MEMORY_FLAG_PERSIST || !no_drain || (is_fill && way == FILL_NV_MEMORY_FLAG_NON_TEMPORAL))
        drain(model, operation);
}

void model_memory(struct model *model, const struct operation *operation)
{
    struct model_slot *slot = &model->slots[operation->slot];
    uint8_t *view = model->inodes[slot->inode].view + slot->offset + operation->offset;

    switch ((enum operation_kind)operation->kind) {
    case OP_FREE:
        slot->used = false;
        break;
    case OP_NV_STORE:
        operation_fill(view, operation->seed, operation->length);
        break;
    case OP_NV_WRITE:
        operation_fill(view, operation->seed, operation->length);
        settle(model, operation, false);
        break;
    case OP_NV_FILL:
        memset(view, (uint8_t)operation->seed, operation->length);
        settle(model, operation, true);
        break;
    case OP_NV_FLUSH:
    case OP_NV_RANGES:
        flush(model, operation, operation->offset, operation->length);
        if (operation->kind == OP_NV_RANGES)
            flush(model, operation, operation->offset2, operation->length2);
        if (!(operation->flags & FLUSH_NV_MEMORY_IN_FLAG_NO_DRAIN))
            drain(model, operation);
        break;
    case OP_NV_DRAIN:
        drain(model, operation);
        break;
    default:
        abort();
    }
}

void model_persist_caches(struct model *model)
{
    if (model->domain != NvrtlDomainMemory)
        return;
    for (size_t i = 0; i < model->region_count; i++)
        model_sync_range(model, model->regions[i].inode, model->regions[i].offset,
                         model->regions[i].offset + model->regions[i].length);
}
