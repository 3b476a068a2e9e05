/* SPDX-License-Identifier: MIT */
/*
 * Owns the kinds of differing ranges of a file, and the words of their findings. judge.c calls it for each file of a
 * run; alone/judge.c for what was under tokens in a run without a supervisor.
 */
#include "supervise/kinds.h"
#include "supervise/told.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct nv_kind nv_kind_classify(const struct nv_line_record *record, const uint8_t *line, bool synced)
{
    struct nv_kind kind = {.rule = NV_RULE_NOT_FLUSHED};

    if (synced)
        kind.rule = NV_RULE_CHANGED_AFTER_FLUSH;
    if (!record || !line)
        return kind;
    kind.write_place = atomic_load(&record->write_place);
    kind.flush_place = atomic_load(&record->flush_place);
    if (!atomic_load(&record->flushes))
        return kind;
    kind.rule = NV_RULE_CHANGED_AFTER_FLUSH;
    if (atomic_load(&record->flushes) != atomic_load(&record->committed) &&
        nv_line_hash(line) == atomic_load(&record->hash))
        kind.rule = NV_RULE_NOT_DRAINED;
    return kind;
}

static bool alike(const struct nv_kind *left, const struct nv_kind *right)
{
    return left->rule == right->rule && left->write_place == right->write_place &&
           left->flush_place == right->flush_place;
}

/* The kind that the range belongs to, made when it is the first; NULL: no memory. */
static struct nv_kind *find_kind(struct nv_kinds *kinds, const struct nv_kind *wanted)
{
    size_t bucket = ((size_t)wanted->write_place * 31 + wanted->flush_place * 7u + wanted->rule) % NV_KIND_BUCKETS;
    struct nv_kind *kind = kinds->last;

    if (kind && alike(kind, wanted))
        return kind;
    for (kind = kinds->buckets[bucket]; kind && !alike(kind, wanted);)
        kind = kind->next;
    if (kind || !(kind = malloc(sizeof *kind)))
        return kind;
    *kind = *wanted;
    kind->next = kinds->buckets[bucket];
    kinds->buckets[bucket] = kind;
    return kind;
}

void nv_kind_take_sample(struct nv_kind *kind, const uint8_t *view, const uint8_t *durable, uint64_t length)
{
    size_t room = NV_SAMPLE_BYTES_MAX - kind->sample_bytes, bytes = length < room ? (size_t)length : room;

    memcpy(kind->view + kind->sample_bytes, view, bytes);
    memcpy(kind->durable + kind->sample_bytes, durable, bytes);
    kind->sample_bytes += bytes;
}

struct nv_kind *nv_kinds_note(struct nv_kinds *kinds, const struct nv_kind *wanted, uint64_t from, uint64_t to)
{
    struct nv_kind *kind = find_kind(kinds, wanted);

    if (!kind)
        return NULL;
    if (kind != kinds->last || kinds->last_end != from)
        kind->count++;
    if (!kind->total)
        kind->offset = from;
    if (kind->count == 1)
        kind->length += to - from;
    kind->total += to - from;
    kinds->last = kind;
    kinds->last_end = to;
    return kind;
}

static const char *const messages[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = "it was written and never made durable: no flush or sync has covered it since it changed",
    [NV_RULE_NOT_DRAINED] = "it was flushed, but no drain has completed the flush",
    [NV_RULE_CHANGED_AFTER_FLUSH] = "it was made durable, or flushed, and changed again afterwards",
    [NV_RULE_NEIGHBOUR_FLUSH] = "it is durable, but no flush has named it: something else on its line was flushed",
    [NV_RULE_FLUSH_ERROR_IGNORED] = "a sync or drain of it failed, and the program went on: what it should have "
                                    "written was lost then, and no later one brings it back",
};

static const char *const token_advice[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = "flush it with RtlFlushNonVolatileMemory, or write it with WRITE_NV_MEMORY_FLAG_PERSIST",
    [NV_RULE_NOT_DRAINED] = "call RtlDrainNonVolatileFlush in the thread that flushed, before relying on it",
    [NV_RULE_CHANGED_AFTER_FLUSH] = "flush it again after the last write, or move the flush behind that write",
    [NV_RULE_NEIGHBOUR_FLUSH] = "flush these bytes, too: another layout, or an earlier flush, would lose them",
    [NV_RULE_FLUSH_ERROR_IGNORED] = "check the status of every flush and drain; after a failure write the data again, "
                                    "call NvrtlForgetFailure, and flush, or give up",
};

static const char *const libpmem_advice[NV_RULE_COUNT] = {
    [NV_RULE_NOT_FLUSHED] = "call pmem_persist on it after the last store, or store it with pmem_memcpy_persist",
    [NV_RULE_NOT_DRAINED] = "call pmem_drain in the thread that flushed, before relying on it",
};

static const char file_advice[] =
    "call fsync or fdatasync on it, or msync(MS_SYNC) on its mapping, after the last write";
static const char failed_advice[] = "check the result of every sync; after a failure write the data again, or give up";

static const char *advice_for(const struct nv_ledger *ledger, const struct nv_kind_file *file, enum nv_rule rule)
{
    if (file->by_token && atomic_load(&ledger->libpmem) && libpmem_advice[rule])
        return libpmem_advice[rule];
    if (file->by_token)
        return token_advice[rule];
    return rule == NV_RULE_FLUSH_ERROR_IGNORED ? failed_advice : file_advice;
}

int nv_kind_report(struct nv_kind *kind, const struct nv_kind_file *file, const struct nv_ledger *ledger,
                   struct nv_report *report)
{
    struct nv_finding *finding = nv_finding_new(kind->rule, nv_rule_words(kind->rule)->severity);

    if (!finding)
        return -ENOMEM;
    finding->file = strdup(file->path);
    finding->offset = kind->offset;
    finding->length_bytes = kind->length;
    finding->total_bytes = kind->total;
    finding->count = kind->count;
    if (file->durable || kind->rule == NV_RULE_FLUSH_ERROR_IGNORED)
        finding->message = strdup(messages[kind->rule]);
    else
        finding->message = strdup("the file was written and never made durable: neither its content nor its name");
    finding->advice = strdup(advice_for(ledger, file, kind->rule));
    finding->sample_bytes = kind->sample_bytes;
    memcpy(finding->view, kind->view, kind->sample_bytes);
    memcpy(finding->durable, kind->durable, kind->sample_bytes);
    if (!finding->file || !finding->message || !finding->advice ||
        !nv_judge_place(&finding->write_stack, ledger, kind->write_place) ||
        !nv_judge_place(&finding->flush_stack, ledger, kind->flush_place)) {
        nv_finding_free(finding);
        return -ENOMEM;
    }
    kind->finding = nv_report_take(report, finding);
    return kind->finding ? 0 : -ENOMEM;
}

int nv_kinds_report(struct nv_kinds *kinds, const struct nv_kind_file *file, const struct nv_ledger *ledger,
                    struct nv_report *report)
{
    int status = 0;

    for (size_t i = 0; i < NV_KIND_BUCKETS; i++)
        for (struct nv_kind *kind = kinds->buckets[i]; kind && !status; kind = kind->next)
            status = nv_kind_report(kind, file, ledger, report);
    return status;
}

void nv_kinds_free(struct nv_kinds *kinds)
{
    for (size_t i = 0; i < NV_KIND_BUCKETS; i++)
        for (struct nv_kind *kind = kinds->buckets[i], *next; kind; kind = next) {
            next = kind->next;
            free(kind);
        }
}
