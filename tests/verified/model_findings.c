/* SPDX-License-Identifier: MIT */
/*
 * What the report must say if the run ended now: each file that differs, by which rule, and each name that is not
 * durable.
 */
#include "tests/verified/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct list {
    struct model_finding *items;
    size_t count;
};

static void add(struct list *list, const char *file, const char *rule, const char *severity, size_t offset,
                size_t total)
{
    struct model_finding *finding = list->items;

    for (; finding < list->items + list->count; finding++)
        if (!strcmp(finding->file, file) && !strcmp(finding->rule, rule))
            break;
    if (finding == list->items + list->count) {
        if (list->count++ == MODEL_FINDINGS)
            abort();
        *finding = (struct model_finding){.offset = SIZE_MAX};
        snprintf(finding->file, sizeof finding->file, "%s", file);
        snprintf(finding->rule, sizeof finding->rule, "%s", rule);
    }
    if (*finding->severity != 'e')
        snprintf(finding->severity, sizeof finding->severity, "%s", severity);
    if (offset < finding->offset)
        finding->offset = offset;
    finding->total += total;
}

static const char *rule_of(const struct model_inode *inode, size_t number, bool whole)
{
    const struct model_line *line = &inode->lines[number];
    bool synced = inode->synced[number * MODEL_LINE / MODEL_BLOCK];

    if (!whole || !line->flushes)
        return synced ? "changed-after-flush" : "not-flushed";
    if (line->flushes != line->committed && !memcmp(line->flushed, inode->view + number * MODEL_LINE, MODEL_LINE))
        return "not-drained";
    return "changed-after-flush";
}

/* Lines that differ, one after the other, without the equal bytes at both ends. */
static void judge_run(struct list *list, const struct model_inode *inode, size_t from, size_t to, const char *path)
{
    while (inode->view[from] == inode->durable[from])
        from++;
    while (inode->view[to - 1] == inode->durable[to - 1])
        to--;
    while (from < to) {
        size_t line = from / MODEL_LINE * MODEL_LINE, end = line + MODEL_LINE < to ? line + MODEL_LINE : to;

        add(list, path, rule_of(inode, line / MODEL_LINE, line + MODEL_LINE <= inode->view_size), "error", from,
            end - from);
        from = end;
    }
}

static bool line_differs(const struct model_inode *inode, size_t start)
{
    size_t length = inode->view_size - start < MODEL_LINE ? inode->view_size - start : MODEL_LINE;

    /* the model keeps zeros behind the end of both */
    return start < inode->view_size && memcmp(inode->view + start, inode->durable + start, length) != 0;
}

static void judge_sizes(struct list *list, const struct model_inode *inode, size_t last, const char *path)
{
    size_t least = inode->view_size < inode->durable_size ? inode->view_size : inode->durable_size;
    size_t most = inode->view_size < inode->durable_size ? inode->durable_size : inode->view_size;

    if (inode->view_size != inode->durable_size && (inode->view_size < inode->durable_size || last <= least))
        add(list, path, rule_of(inode, least / MODEL_LINE, false), "error", least, most - least);
}

static void judge_content(struct list *list, const struct model_inode *inode, const char *path)
{
    size_t last = 0;

    if (!inode->durable_exists) {
        add(list, path, "not-flushed", "error", 0, inode->view_size);
        return;
    }
    for (size_t start = 0; start < inode->view_size; start += MODEL_LINE) {
        size_t end = start;

        while (line_differs(inode, end))
            end += MODEL_LINE;
        if (end == start)
            continue;
        last = end < inode->view_size ? end : inode->view_size;
        judge_run(list, inode, start, last, path);
        start = end;
    }
    judge_sizes(list, inode, last, path);
}

static void judge_new_name(struct list *list, const struct model *model, const struct model_name *name)
{
    const struct model_inode *inode = &model->inodes[name->inode];
    char path[64];

    if (!model_path(model->view, name, path, sizeof path))
        return;
    if (!inode->durable_exists && !inode->folder && inode->view_size)
        judge_content(list, inode, path);
    else
        add(list, path, "name-not-flushed", "error", 0, 0);
}

static bool has_new_name(const struct model *model, int inode)
{
    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_name *name = &model->view[i], *durable;

        if (!name->used || name->inode != inode)
            continue;
        durable = model_entry((struct model_name *)(uintptr_t)model->durable, name->parent, name->name);
        if (!durable || durable->inode != inode)
            return true;
    }
    return false;
}

static void judge_gone_name(struct list *list, const struct model *model, const struct model_name *name)
{
    char path[64];

    if (name->parent && !model_link_count(model->view, name->parent))
        return; /* its folder is gone: that is told */
    if (has_new_name(model, name->inode) || !model_path(model->durable, name, path, sizeof path))
        return;
    add(list, path, "name-not-flushed", "warning", 0, 0);
}

static void judge_names(struct list *list, const struct model *model)
{
    struct model_name *view = (struct model_name *)(uintptr_t)model->view;
    struct model_name *durable = (struct model_name *)(uintptr_t)model->durable;

    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_name *there;

        if (!view[i].used)
            continue;
        there = model_entry(durable, view[i].parent, view[i].name);
        if (!there || there->inode != view[i].inode)
            judge_new_name(list, model, &view[i]);
    }
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (durable[i].used && !model_entry(view, durable[i].parent, durable[i].name))
            judge_gone_name(list, model, &durable[i]);
}

size_t model_findings(const struct model *model, struct model_finding *findings)
{
    struct list list = {findings, 0};
    bool seen[MODEL_INODES] = {false};

    for (size_t i = 0; i < MODEL_NAMES; i++) {
        const struct model_name *name = &model->durable[i];
        char path[64];

        if (!name->used || model->inodes[name->inode].folder || seen[name->inode] ||
            !model_link_count(model->view, name->inode) || !model_path(model->durable, name, path, sizeof path))
            continue;
        seen[name->inode] = true;
        judge_content(&list, &model->inodes[name->inode], path);
    }
    judge_names(&list, model);
    return list.count;
}
