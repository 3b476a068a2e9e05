/* SPDX-License-Identifier: MIT */
/* Builds the made-up reports that sample.h promises. */
#include "sample.h"

#include "report/map.h"

#include <stdlib.h>
#include <string.h>

static char **words(const char *first, const char *second)
{
    char **list = calloc(3, sizeof *list);
    if (!list)
        return NULL;
    list[0] = strdup(first);
    list[1] = second && list[0] ? strdup(second) : NULL;
    if (list[0] && (!second || list[1]))
        return list;
    free(list[0]);
    free(list);
    return NULL;
}

bool nv_sample_name(struct nv_frame *frame, const char *function, const char *source, unsigned line)
{
    frame->function = function ? strdup(function) : NULL;
    frame->source = source ? strdup(source) : NULL;
    frame->line = line;
    return (!function || frame->function) && (!source || frame->source);
}

struct nv_finding *nv_sample_finding(enum nv_rule rule, const char *file, const char *write_module,
                                     const char *flush_module)
{
    struct nv_finding *finding = nv_finding_new(rule, NV_SEVERITY_ERROR);
    if (!finding)
        return NULL;
    finding->file = file ? strdup(file) : NULL;
    if ((!file || finding->file) && (!write_module || nv_stack_push(&finding->write_stack, write_module, 0x1234)) &&
        (!flush_module || nv_stack_push(&finding->flush_stack, flush_module, 0x5678)))
        return finding;
    nv_finding_free(finding);
    return NULL;
}

/* An error with everything: stacks by name, two ranges, bytes that differ here and there. */
static bool add_error(struct nv_report *report)
{
    struct nv_finding *finding =
        nv_sample_finding(NV_RULE_CHANGED_AFTER_FLUSH, "data/journal.bin", "bin/journal", "lib/libjournal.so.1");
    if (!finding)
        return false;
    finding->offset = 4096;
    finding->length_bytes = 64;
    finding->total_bytes = 1536;
    finding->count = 24;
    finding->sample_bytes = 32;
    memcpy(finding->view, "head=0x00000002;tail=0x00000001;", 32);
    memcpy(finding->durable, "head=0x00000001;tail=0x00000001;", 32);
    finding->durable[31] = 0;
    bool ok = nv_stack_push(&finding->write_stack, "bin/journal", 0x1300) &&
              nv_stack_push(&finding->write_stack, "libc.so.6", 0x2724a) &&
              nv_sample_name(&finding->write_stack.frames[0], "append", "src/journal.c", 120) &&
              nv_sample_name(&finding->write_stack.frames[1], "main", "src/main.c", 31) &&
              nv_sample_name(&finding->flush_stack.frames[0], "journal_commit", NULL, 0);
    if (!ok) {
        nv_finding_free(finding);
        return false;
    }
    return nv_report_add(report, finding);
}

static bool add_warning(struct nv_report *report)
{
    struct nv_finding *finding = nv_sample_finding(NV_RULE_NAME_NOT_FLUSHED, "data/journal.new", NULL, NULL);
    if (!finding)
        return false;
    finding->severity = NV_SEVERITY_WARNING;
    finding->message = strdup("data/journal.new was renamed to data/journal.bin, and the folder that holds both names "
                              "was not synced afterwards.");
    finding->advice = strdup("Sync the folder data after the rename.");
    if (!finding->message || !finding->advice) {
        nv_finding_free(finding);
        return false;
    }
    return nv_report_add(report, finding);
}

bool nv_sample_describe(struct nv_report *report)
{
    struct nv_stack place = {0};
    report->program = words("bin/journal", "--commit");
    report->folders = words("data", "more");
    report->version = "0.1.0";
    report->level = "pages";
    report->domain = "cpu-cache";
    report->view = "overlay";
    report->file_system_model = "journaled";
    report->files_watched = 3;
    report->bytes_watched = UINT64_C(16) << 20;
    report->bytes_made_durable = 4500;
    report->syncs = 12;
    report->tokens = 1;
    report->seconds = 1.25;
    report->times =
        (struct nv_times){.view = 0.05, .program = 1.2, .stopped = 0.125, .judging = 0.01, .finishing = 0.02};
    report->exit_status = 139;
    bool ok =
        nv_stack_push(&place, "bin/journal", 0x1400) && nv_report_add_mark(report, "recovery begins", 1500000, &place);
    nv_stack_clear(&place);
    return ok && report->program && report->folders && nv_report_add_mark(report, "recovery ends", 0, NULL) &&
           nv_report_leave_out(report, "data/lock.mdb", "built-in suppression *:*lock.mdb:*") &&
           nv_report_leave_out(report, "data/lock.mdb", "built-in suppression *:*lock.mdb:*") &&
           nv_report_leave_out(report, "tmp", "not below a watched folder") &&
           nv_report_unused_suppression(report, "suppression *:*.tmp:* (list, line 3)") &&
           nv_report_not_seen(report,
                              "io_uring was denied; the program may have gone another way than it otherwise goes");
}

/* 1 MiB of which the first page was synced, and 24 of its lines changed again. */
static bool add_map(struct nv_report *report)
{
    struct nv_report_map *map = nv_map_new("data/journal.bin");
    if (!map)
        return false;
    map->view_bytes = map->durable_bytes = 1 << 20;
    bool ok = nv_map_add(map, &(struct nv_map_range){.length_bytes = 8192, .state = NV_MAP_DURABLE});
    for (uint64_t i = 0; ok && i < 24; i++)
        ok = nv_map_add(map, &(struct nv_map_range){.offset = 4096 + 128 * i,
                                                    .length_bytes = 64,
                                                    .state = i % 3 ? NV_MAP_DIRTY : NV_MAP_IN_FLIGHT,
                                                    .finding = report->findings[0]});
    if (ok)
        return nv_report_add_map(report, map);
    nv_map_free(map);
    return false;
}

static bool add_timeline(struct nv_report *report)
{
    struct nv_report_timeline *timeline = report->timeline = nv_timeline_new();
    if (!timeline)
        return false;
    timeline->length_ns = 1200000000;
    timeline->place_count = 1;
    if (!nv_stack_push(&timeline->places[0], "bin/journal", 0x1234) ||
        !nv_sample_name(&timeline->places[0].frames[0], "append", "src/journal.c", 120))
        return false;
    char *file = strdup("data/journal.bin");
    if (!file)
        return false;
    struct nv_report_event durable_write = {.at_ns = 2000000,
                                            .kinds = 1 << NV_EVENT_WRITE | 1 << NV_EVENT_FLUSH | 1 << NV_EVENT_DRAIN,
                                            .thread = 7,
                                            .file = file,
                                            .offset = 4096,
                                            .length_bytes = 64,
                                            .place = 1};
    struct nv_report_event sync = {
        .at_ns = 1000000, .duration_ns = 250000, .kinds = 1 << NV_EVENT_SYNC, .thread = 7, .call = "fsync"};
    struct nv_report_span span = {.from_ns = 3000000, .to_ns = 4000000, .bytes = 640};
    span.counts[NV_EVENT_FLUSH] = 10;
    nv_timeline_event(timeline, &durable_write);
    nv_timeline_event(timeline, &sync);
    nv_timeline_span(timeline, &span);
    nv_timeline_sort(timeline);
    return true;
}

bool nv_sample_fill(struct nv_report *report)
{
    return nv_sample_describe(report) && add_error(report) && add_warning(report) && add_map(report) &&
           add_timeline(report);
}
