/* SPDX-License-Identifier: MIT */
/* Owns crash states in a report: their words, when two are the same, and the sum of what several processes explored. */
#include "report/crash.h"
#include "report/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* -- failures -- */

struct nv_crash_failure *nv_crash_failure_new(void)
{
    return calloc(1, sizeof(struct nv_crash_failure));
}

static void clear_cause(struct nv_crash_cause *cause)
{
    free(cause->what);
    free(cause->file);
    free(cause->guard);
    nv_stack_clear(&cause->stack);
    nv_stack_clear(&cause->guard_stack);
}

void nv_crash_failure_free(struct nv_crash_failure *failure)
{
    if (!failure)
        return;
    for (size_t i = 0; i < failure->cause_count; i++)
        clear_cause(&failure->causes[i]);
    free(failure->causes);
    free(failure->id);
    free(failure->image);
    free(failure->ending);
    free(failure->output);
    free(failure->replay);
    free(failure->kept);
    nv_stack_clear(&failure->stack);
    free(failure);
}

struct nv_crash_cause *nv_crash_add_cause(struct nv_crash_failure *failure)
{
    struct nv_crash_cause *grown = reallocarray(failure->causes, failure->cause_count + 1, sizeof *grown);
    if (!grown)
        return NULL;
    failure->causes = grown;
    grown[failure->cause_count] = (struct nv_crash_cause){0};
    return &grown[failure->cause_count++];
}

static uint64_t hash_cause(uint64_t hash, const struct nv_crash_cause *cause)
{
    uint64_t numbers[] = {cause->missing, cause->offset, cause->length_bytes};
    return nv_hash_text(nv_hash_text(nv_hash_bytes(hash, numbers, sizeof numbers), cause->what), cause->file);
}

uint64_t nv_crash_hash(uint64_t hash, const struct nv_crash_failure *failure)
{
    for (size_t i = 0; failure && i < failure->cause_count; i++)
        hash = hash_cause(hash, &failure->causes[i]);
    return hash;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool nv_crash_equal(const struct nv_crash_failure *a, const struct nv_crash_failure *b)
{
    if (!a || !b || a->cause_count != b->cause_count)
        return a == b;
    for (size_t i = 0; i < a->cause_count; i++) {
        const struct nv_crash_cause *one = &a->causes[i], *other = &b->causes[i];
        if (one->missing != other->missing || one->offset != other->offset ||
            one->length_bytes != other->length_bytes || !same_text(one->what, other->what) ||
            !same_text(one->file, other->file))
            return false;
    }
    return true;
}

/* -- coverage -- */

struct nv_crash_coverage *nv_crash_coverage_new(void)
{
    return calloc(1, sizeof(struct nv_crash_coverage));
}

void nv_crash_coverage_free(struct nv_crash_coverage *coverage)
{
    if (!coverage)
        return;
    free(coverage->recovery);
    free(coverage->trace);
    free(coverage->identity);
    free(coverage->shard);
    free(coverage);
}

bool nv_crash_add_shard(struct nv_crash_coverage *coverage, uint32_t shard)
{
    size_t at = 0;
    while (at < coverage->shard_count && coverage->shard[at] < shard)
        at++;
    if (at < coverage->shard_count && coverage->shard[at] == shard)
        return true;
    uint32_t *grown = reallocarray(coverage->shard, coverage->shard_count + 1, sizeof *grown);
    if (!grown)
        return false;
    memmove(grown + at + 1, grown + at, (coverage->shard_count - at) * sizeof *grown);
    grown[at] = shard;
    coverage->shard = grown;
    coverage->shard_count++;
    return true;
}

bool nv_crash_missing_shards(const struct nv_crash_coverage *coverage, char *text, size_t text_bytes)
{
    size_t at = 0, used = 0;
    if (coverage->shard_count >= coverage->shards)
        return false;
    *text = '\0';
    for (uint32_t shard = 0; shard < coverage->shards && used + 16 < text_bytes; shard++) {
        if (at < coverage->shard_count && coverage->shard[at] == shard) {
            at++;
            continue;
        }
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%" PRIu32, used ? ", " : "", shard + 1);
    }
    return true;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Every process goes through all states and judges its own share of them. */
bool nv_crash_join(struct nv_crash_coverage *into, const struct nv_crash_coverage *other)
{
    into->points = larger(into->points, other->points);
    into->points_done = into->points_done < other->points_done ? into->points_done : other->points_done;
    into->stacks = larger(into->stacks, other->stacks);
    into->states = larger(into->states, other->states);
    into->repeated = larger(into->repeated, other->repeated);
    into->judged += other->judged;
    into->skipped += other->skipped;
    into->jobs += other->jobs;
    into->failures += other->failures;
    into->exhaustive = into->exhaustive && other->exhaustive;
    into->stopped = into->stopped || other->stopped;
    into->seconds = into->seconds > other->seconds ? into->seconds : other->seconds;
    for (size_t i = 0; i < other->shard_count; i++)
        if (!nv_crash_add_shard(into, other->shard[i]))
            return false;
    return true;
}

void nv_crash_coverage_text(const struct nv_crash_coverage *coverage, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%" PRIu64 " distinct state%s at %" PRIu64 " of %" PRIu64 " crash point%s, %s",
             coverage->judged + coverage->skipped, coverage->judged + coverage->skipped == 1 ? "" : "s",
             coverage->points_done, coverage->points, coverage->points == 1 ? "" : "s",
             coverage->exhaustive ? "exhaustively"
             : coverage->stopped  ? "stopped before the end"
                                  : "sampled");
}

/* -- words -- */

void nv_crash_cause_text(const struct nv_crash_cause *cause, char *text, size_t text_bytes)
{
    const char *what = cause->what ? cause->what : "change", *file = cause->file ? cause->file : "a file";
    if (strcmp(what, "length") == 0)
        snprintf(text, text_bytes, "length of %s (%" PRIu64 " to %" PRIu64 " bytes)", file, cause->offset,
                 cause->length_bytes);
    else if (cause->length_bytes)
        snprintf(text, text_bytes, "%s of %" PRIu64 " byte%s at %" PRIu64 " of %s", what, cause->length_bytes,
                 cause->length_bytes == 1 ? "" : "s", cause->offset, file);
    else
        snprintf(text, text_bytes, "%s of %s", what, file);
}

/* " loses the write of ..., and 2 more", of the causes of one kind. False: there are none. */
static bool list_causes(const struct nv_crash_failure *failure, bool missing, const char *verb, FILE *out)
{
    size_t count = 0, shown = 0;
    char text[512];
    for (size_t i = 0; i < failure->cause_count; i++)
        count += failure->causes[i].missing == missing;
    for (size_t i = 0; i < failure->cause_count && shown < 2; i++) {
        if (failure->causes[i].missing != missing)
            continue;
        nv_crash_cause_text(&failure->causes[i], text, sizeof text);
        fprintf(out, "%s the %s", !shown ? verb : count > 2 ? "," : " and", text);
        shown++;
    }
    if (count > shown)
        fprintf(out, ", and %zu more", count - shown);
    return count != 0;
}

static char *message_of(const struct nv_crash_failure *failure)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    if (failure->cause_count) {
        fputs("A power failure that", out);
        bool lost = list_causes(failure, true, " loses", out);
        list_causes(failure, false, lost ? ", and keeps" : " keeps", out);
        fputs(" leaves a state that recovery does not survive", out);
    } else {
        fputs("What is durable at this point, with nothing else, is a state that recovery does not survive", out);
    }
    fprintf(out, ": it %s.", failure->ending ? failure->ending : "failed");
    return fclose(out) ? NULL : text;
}

/* The first that is missing: to make that durable earlier is the cure. Else the first there is. */
static const struct nv_crash_cause *first_cause(const struct nv_crash_failure *failure)
{
    for (size_t i = 0; i < failure->cause_count; i++)
        if (failure->causes[i].missing)
            return &failure->causes[i];
    return failure->cause_count ? &failure->causes[0] : NULL;
}

static const char *advice_of(const struct nv_crash_failure *failure)
{
    const struct nv_crash_cause *cause = first_cause(failure);
    if (!cause)
        return "Nothing that was pending matters: what was promised by then had not been made durable at all.";
    if (!cause->missing)
        return "Make durable what it relies on before it is written; what is not durable yet must not be pointed at.";
    if (!cause->guard)
        return "Make it durable, by a flush and a drain or a sync, before what comes to rely on it.";
    if (strcmp(cause->guard, "flush") == 0)
        return "It is flushed, and not drained: drain before what comes to rely on it.";
    return "It is made durable too late: do that before what comes to rely on it is written or promised.";
}

static bool copy_stack(struct nv_stack *to, const struct nv_stack *from)
{
    bool ok = true;
    nv_stack_clear(to);
    for (size_t i = 0; ok && i < from->count; i++) {
        const struct nv_frame *frame = &from->frames[i];
        struct nv_frame *copy = &to->frames[to->count++];
        *copy = (struct nv_frame){.offset = frame->offset, .line = frame->line};
        copy->module = frame->module ? strdup(frame->module) : NULL;
        copy->function = frame->function ? strdup(frame->function) : NULL;
        copy->source = frame->source ? strdup(frame->source) : NULL;
        ok = (!frame->module || copy->module) && (!frame->function || copy->function) &&
             (!frame->source || copy->source);
    }
    return ok;
}

/* A length is no range of bytes that could be shown. */
static bool has_range(const struct nv_crash_cause *cause)
{
    return cause->length_bytes && (!cause->what || strcmp(cause->what, "length") != 0);
}

bool nv_crash_describe(struct nv_finding *finding)
{
    const struct nv_crash_failure *failure = finding->crash;
    const struct nv_crash_cause *cause = first_cause(failure);
    free(finding->message);
    free(finding->advice);
    free(finding->file);
    finding->message = message_of(failure);
    finding->advice = strdup(advice_of(failure));
    finding->file = cause && cause->file ? strdup(cause->file) : NULL;
    if (cause && has_range(cause)) {
        finding->offset = cause->offset;
        finding->length_bytes = finding->total_bytes = cause->length_bytes;
    }
    bool ok = finding->message && finding->advice && (!cause || !cause->file || finding->file);
    return ok && copy_stack(&finding->write_stack, cause ? &cause->stack : &failure->stack) &&
           (!cause || copy_stack(&finding->flush_stack, &cause->guard_stack));
}
