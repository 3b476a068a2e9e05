/* SPDX-License-Identifier: MIT */
/* Fingerprints: a finding keeps its own while code and data around it move. json.c and sarif.c write them. */
#include "report/identity.h"

#include <stdlib.h>
#include <string.h>

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static bool is_below(const char *path, const char *folder)
{
    return path && strncmp(path, folder, strlen(folder)) == 0;
}

bool nv_frame_is_of_system(const struct nv_frame *frame)
{
    return is_below(frame->module, "/lib/") || is_below(frame->module, "/lib64/") ||
           is_below(frame->module, "/usr/lib/") || is_below(frame->source, "/usr/include/") ||
           is_below(frame->source, "/usr/lib/");
}

const struct nv_frame *nv_stack_user_frame(const struct nv_stack *stack)
{
    for (size_t i = 0; i < stack->count; i++) {
        const struct nv_frame *frame = &stack->frames[i];
        if (frame->source && frame->line && !nv_frame_is_of_system(frame))
            return frame;
    }
    return NULL;
}

static bool is_of_c_library(const struct nv_frame *frame)
{
    const char *name = base_name(frame->module);
    return name && (is_below(name, "libc.so") || is_below(name, "ld-linux"));
}

const struct nv_frame *nv_stack_nearest(const struct nv_stack *stack)
{
    const struct nv_frame *frame = nv_stack_user_frame(stack);
    for (size_t i = 0; i < stack->count && !frame; i++)
        if (stack->frames[i].function && !is_of_c_library(&stack->frames[i]))
            frame = &stack->frames[i];
    return frame || !stack->count ? frame : &stack->frames[0];
}

size_t nv_stack_shown(const struct nv_stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        if (stack->frames[i].function && strcmp(stack->frames[i].function, "main") == 0)
            return i + 1;
    return stack->count;
}

/* The functions on the way; where none has a name, the innermost place in its module. */
static uint64_t hash_stack(uint64_t hash, const struct nv_stack *stack)
{
    bool named = false;
    for (size_t i = 0; i < stack->count; i++) {
        if (!stack->frames[i].function)
            continue;
        hash = nv_hash_text(hash, stack->frames[i].function);
        named = true;
    }
    const struct nv_frame *innermost = nv_stack_innermost(stack);
    if (named || !innermost)
        return nv_hash_text(hash, NULL);
    return nv_hash_bytes(nv_hash_text(hash, base_name(innermost->module)), &innermost->offset,
                         sizeof innermost->offset);
}

static uint64_t fingerprint_of(const struct nv_finding *finding)
{
    uint64_t hash = nv_hash_text(1, nv_rule_name(finding->rule));
    hash = nv_hash_text(hash, base_name(finding->file));
    return hash_stack(hash_stack(hash, &finding->write_stack), &finding->flush_stack);
}

static uint64_t address_hash(const struct nv_finding *finding)
{
    return nv_hash_bytes(1, &finding, sizeof(const struct nv_finding *));
}

static bool is_finding(const void *context, size_t number, const void *key)
{
    return ((const struct nv_identities *)context)->items[number].finding == key;
}

static bool has_fingerprint(const void *context, size_t number, const void *key)
{
    return ((const struct nv_identities *)context)->items[number].fingerprint == *(const uint64_t *)key;
}

/* The index finds the first of equal ones, which counts them until all are there. */
static bool add(struct nv_identities *identities, struct nv_index *by_fingerprint, const struct nv_finding *finding)
{
    struct nv_identity *item = &identities->items[identities->count];
    *item = (struct nv_identity){.finding = finding, .fingerprint = fingerprint_of(finding), .twin = 1};
    if (!nv_index_reserve(&identities->by_finding) || !nv_index_reserve(by_fingerprint))
        return false;
    size_t first = nv_index_find(by_fingerprint, item->fingerprint, has_fingerprint, identities, &item->fingerprint);
    if (first == SIZE_MAX)
        nv_index_insert(by_fingerprint, item->fingerprint, identities->count);
    else
        item->twin = ++identities->items[first].twin;
    nv_index_insert(&identities->by_finding, address_hash(finding), identities->count++);
    return true;
}

bool nv_identify(struct nv_identities *identities, const struct nv_report *report)
{
    struct nv_index by_fingerprint = {0};
    *identities = (struct nv_identities){0};
    identities->items = calloc(report->finding_count + report->suppressed_count + 1, sizeof *identities->items);
    bool ok = identities->items != NULL;
    for (size_t i = 0; ok && i < report->finding_count; i++)
        ok = add(identities, &by_fingerprint, report->findings[i]);
    for (size_t i = 0; ok && i < report->suppressed_count; i++)
        ok = add(identities, &by_fingerprint, report->suppressed[i]);
    /* Those that counted are the first of their kind. */
    for (size_t i = 0; i < by_fingerprint.capacity; i++)
        if (by_fingerprint.slots[i].number)
            identities->items[by_fingerprint.slots[i].number - 1].twin = 1;
    nv_index_free(&by_fingerprint);
    if (!ok)
        nv_identities_free(identities);
    return ok;
}

void nv_identities_free(struct nv_identities *identities)
{
    free(identities->items);
    nv_index_free(&identities->by_finding);
    *identities = (struct nv_identities){0};
}

size_t nv_identity_number(const struct nv_identities *identities, const struct nv_finding *finding)
{
    return finding ? nv_index_find(&identities->by_finding, address_hash(finding), is_finding, identities, finding)
                   : SIZE_MAX;
}
