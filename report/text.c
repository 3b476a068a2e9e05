/* SPDX-License-Identifier: MIT */
/* A report for people: each finding with its bytes and places, a short summary, and the verdict as the last line. */
#include "report/crash.h"
#include "report/identity.h"

#include <inttypes.h>
#include <string.h>

#define ROW_BYTES ((size_t)16)
#define COLUMNS ((size_t)100)
#define MARGIN ((size_t)14)            /* where texts begin, after their heading */
#define BLOCK_LINES ((size_t)12)       /* of a finding, unless its sentences alone take more */
#define EVIDENCE_LINES_MIN ((size_t)4) /* of that: the bytes, and where they were written and flushed */

struct writer {
    FILE *out;
    bool colour;
};

#define RED "\033[1;31m"
#define YELLOW "\033[1;33m"
#define CYAN "\033[1;36m"
#define GREEN "\033[1;32m"
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define PLAIN "\033[0m"

static const char *severity_colour(enum nv_severity severity)
{
    return severity == NV_SEVERITY_ERROR ? RED : severity == NV_SEVERITY_WARNING ? YELLOW : CYAN;
}

static void paint(const struct writer *writer, const char *code)
{
    if (writer->colour)
        fputs(code, writer->out);
}

static void painted(const struct writer *writer, const char *code, const char *text)
{
    paint(writer, code);
    fputs(text, writer->out);
    paint(writer, PLAIN);
}

/* Text from the program: what a terminal would obey, and what is no UTF-8, is shown as \xNN. */
static void put_safe(const struct writer *writer, const char *text, size_t length_max)
{
    const char *end = text + strnlen(text, length_max);
    while (text < end) {
        unsigned char c = (unsigned char)*text;
        size_t length = nv_utf8_length(text);
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && length == 2 && (unsigned char)text[1] < 0xa0);
        if (length && !control) {
            fwrite(text, 1, length, writer->out);
            text += length;
        } else {
            fprintf(writer->out, "\\x%02x", c);
            text++;
        }
    }
}

static void put_text(const struct writer *writer, const char *text)
{
    put_safe(writer, text, SIZE_MAX);
}

/* Lines that put_sentence takes for a text that begins in `column`. */
static size_t sentence_lines(const char *text, size_t column)
{
    size_t at = column, lines = 1;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (at > column && at + 1 + length > COLUMNS) {
            lines++;
            at = column;
        }
        at += length + (at > column);
        text += length;
        text += strspn(text, " ");
    }
    return lines;
}

/* A sentence, broken between words; `column` is where it begins, and where each further line does. */
static void put_sentence(const struct writer *writer, const char *text, size_t column)
{
    size_t at = column;
    while (*text) {
        size_t length = strcspn(text, " ");
        if (at > column && at + 1 + length > COLUMNS) {
            fprintf(writer->out, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            fputc(' ', writer->out);
            at++;
        }
        put_safe(writer, text, length);
        at += length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', writer->out);
}

static void put_plural(const struct writer *writer, uint64_t count, const char *noun)
{
    fprintf(writer->out, "%" PRIu64 " %s%s", count, noun, count == 1 ? "" : "s");
}

static void put_size(const struct writer *writer, uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        put_plural(writer, bytes, "byte");
        return;
    }
    size_t unit = 0;
    double size = (double)bytes / 1024;
    for (; size >= 1023.95 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        size /= 1024;
    bool whole = (bytes & ((UINT64_C(1) << (10 * (unit + 1))) - 1)) == 0;
    fprintf(writer->out, whole ? "%.0f %s" : "%.1f %s", size, units[unit]);
}

/* -- a finding -- */

static void put_row(const struct writer *writer, const char *name, uint64_t offset, const uint8_t *bytes,
                    const uint8_t *other, size_t count, const char *colour)
{
    fprintf(writer->out, "    %-8s %8" PRIx64 " ", name, offset);
    for (size_t i = 0; i < ROW_BYTES; i++) {
        fputs(i == ROW_BYTES / 2 ? "  " : " ", writer->out);
        if (i >= count) {
            fputs("  ", writer->out);
            continue;
        }
        if (bytes[i] != other[i])
            paint(writer, colour);
        fprintf(writer->out, "%02x", bytes[i]);
        if (bytes[i] != other[i])
            paint(writer, PLAIN);
    }
    fputs("  |", writer->out);
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != other[i])
            paint(writer, colour);
        fputc(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.', writer->out);
        if (bytes[i] != other[i])
            paint(writer, PLAIN);
    }
    fputs("|\n", writer->out);
}

static size_t sample_bytes(const struct nv_finding *finding)
{
    return finding->sample_bytes < NV_SAMPLE_BYTES_MAX ? finding->sample_bytes : NV_SAMPLE_BYTES_MAX;
}

/* Two lines for each row. */
static void put_sample(const struct writer *writer, const struct nv_finding *finding, size_t rows)
{
    size_t count = sample_bytes(finding);
    for (size_t at = 0; at < count && rows; at += ROW_BYTES, rows--) {
        size_t row = count - at < ROW_BYTES ? count - at : ROW_BYTES;
        const uint8_t *view = finding->view + at, *durable = finding->durable + at;
        put_row(writer, "written", finding->offset + at, view, durable, row, RED);
        put_row(writer, "durable", finding->offset + at, durable, view, row, GREEN);
    }
}

static void put_place(const struct writer *writer, const struct nv_frame *frame)
{
    if (frame->module && !frame->source) {
        put_text(writer, frame->module);
        fprintf(writer->out, "+0x%" PRIx64, frame->offset);
    } else if (frame->source) {
        put_text(writer, frame->source);
        if (frame->line)
            fprintf(writer->out, ":%u", frame->line);
    } else {
        fputs("an unknown place", writer->out);
    }
}

static bool is_inlined(const struct nv_stack *stack, size_t at)
{
    if (at + 1 >= stack->count)
        return false;
    const struct nv_frame *inner = &stack->frames[at], *outer = inner + 1;
    return inner->offset == outer->offset && inner->module && outer->module && inner->function &&
           strcmp(inner->module, outer->module) == 0;
}

static void put_frame(const struct writer *writer, const struct nv_stack *stack, size_t at, size_t width)
{
    const struct nv_frame *frame = &stack->frames[at];
    const char *function = frame->function ? frame->function : "?";
    size_t length = strlen(function);
    put_text(writer, function);
    fprintf(writer->out, "%*s", (int)(length < width ? width - length : 0) + 2, "");
    put_place(writer, frame);
    fputs(is_inlined(stack, at) ? " (inlined)\n" : "\n", writer->out);
}

/* In at most `lines` lines: the outermost frames are left to the other formats. */
static void put_stack(const struct writer *writer, const char *heading, const struct nv_stack *stack, size_t lines)
{
    size_t width = 0, count = nv_stack_shown(stack), shown = count > lines ? lines - 1 : count;
    for (size_t i = 0; i < shown; i++) {
        size_t length = stack->frames[i].function ? strlen(stack->frames[i].function) : 0;
        if (length > width && length <= 32)
            width = length;
    }
    for (size_t i = 0; i < shown && lines; i++) {
        fprintf(writer->out, "  %-11s ", i ? "" : heading);
        put_frame(writer, stack, i, width);
    }
    if (shown < count && lines)
        fprintf(writer->out, "  %-11s ... called from %zu more: --format=html shows all\n", shown ? "" : heading,
                count - shown);
}

static void put_extent(const struct writer *writer, const struct nv_finding *finding)
{
    if (finding->length_bytes) {
        fprintf(writer->out, "  offset %" PRIu64 " (0x%" PRIx64 "), ", finding->offset, finding->offset);
        put_size(writer, finding->length_bytes);
        if (finding->count > 1) {
            fprintf(writer->out, "; the first of %" PRIu64 " such ranges", finding->count);
            if (finding->total_bytes) {
                fputs(", ", writer->out);
                put_size(writer, finding->total_bytes);
                fputs(" in all", writer->out);
            }
        }
        fputc('\n', writer->out);
    } else if (finding->count > 1) {
        fprintf(writer->out, "  %" PRIu64 " times\n", finding->count);
    }
}

/* What there is to say of a place: lines, at least one where the rule has such a place at all. */
struct place {
    const char *heading, *unknown;
    const struct nv_stack *stack;
    size_t lines;
};

static bool is_of_content(const struct nv_finding *finding)
{
    return finding->rule == NV_RULE_NOT_FLUSHED || finding->rule == NV_RULE_NOT_DRAINED ||
           finding->rule == NV_RULE_CHANGED_AFTER_FLUSH || finding->rule == NV_RULE_FLUSH_ERROR_IGNORED;
}

static struct place write_place(const struct nv_finding *finding)
{
    bool called = nv_rule_is_refusal(finding->rule) || finding->rule == NV_RULE_NAME_NOT_FLUSHED;
    struct place place = {.heading = called ? "called at" : "written at", .stack = &finding->write_stack};
    if (is_of_content(finding))
        place.unknown = "written by  no call of the interface; --explain looks for the code that stored it";
    place.lines = nv_stack_shown(place.stack);
    if (!place.lines && place.unknown)
        place.lines = 1;
    return place;
}

static struct place flush_place(const struct nv_finding *finding)
{
    struct place place = {.heading = "flushed at", .stack = &finding->flush_stack};
    if (finding->rule == NV_RULE_CHANGED_AFTER_FLUSH || finding->rule == NV_RULE_NOT_DRAINED)
        place.unknown = "flushed by  a sync of the file; --format=html shows when";
    place.lines = nv_stack_shown(place.stack);
    if (!place.lines && place.unknown)
        place.lines = 1;
    return place;
}

static void put_known_place(const struct writer *writer, const struct place *place)
{
    if (place->lines && !place->stack->count)
        fprintf(writer->out, "  %s\n", place->unknown);
    else
        put_stack(writer, place->heading, place->stack, place->lines);
}

/* Bytes and places share what the sentences leave of the block; the bytes' first row comes first. */
static void put_evidence(const struct writer *writer, const struct nv_finding *finding, size_t lines)
{
    struct place places[] = {write_place(finding), flush_place(finding)};
    size_t rows = (sample_bytes(finding) + ROW_BYTES - 1) / ROW_BYTES, first = rows ? 2 : 0;
    while (places[0].lines + places[1].lines + first > lines)
        places[places[1].lines > places[0].lines].lines--;
    lines -= places[0].lines + places[1].lines;
    put_sample(writer, finding, rows < lines / 2 ? rows : lines / 2);
    put_known_place(writer, &places[0]);
    put_known_place(writer, &places[1]);
}

/* -- a crash state -- */

/* One line: what it is, and who made it. */
static void put_cause(const struct writer *writer, const struct nv_crash_cause *cause)
{
    const struct nv_frame *frame = nv_stack_nearest(&cause->stack);
    char text[512];
    nv_crash_cause_text(cause, text, sizeof text);
    fprintf(writer->out, "  %-11s ", cause->missing ? "missing" : "there");
    put_text(writer, text);
    if (frame) {
        fputs(", by ", writer->out);
        put_text(writer, frame->function ? frame->function : "?");
        fputc(' ', writer->out);
        put_place(writer, frame);
    }
    fputc('\n', writer->out);
}

static void put_guard(const struct writer *writer, const struct nv_crash_failure *failure)
{
    const struct nv_crash_cause *cause = NULL;
    for (size_t i = 0; i < failure->cause_count && !cause; i++)
        if (failure->causes[i].missing)
            cause = &failure->causes[i];
    if (!cause)
        return;
    const struct nv_frame *frame = nv_stack_nearest(&cause->guard_stack);
    fprintf(writer->out, "  %-11s ", "durable by");
    if (!cause->guard)
        fputs("nothing", writer->out);
    else
        fprintf(writer->out, "%s", strcmp(cause->guard, "flush") == 0 ? "no drain; it was flushed" : cause->guard);
    if (frame) {
        fputs(" at ", writer->out);
        put_text(writer, frame->function ? frame->function : "?");
        fputc(' ', writer->out);
        put_place(writer, frame);
    }
    fputs(cause->guard && strcmp(cause->guard, "flush") != 0 ? ", too late\n" : "\n", writer->out);
}

/* The last lines of what the recovery said, without empty ones behind them. */
static void put_output(const struct writer *writer, const char *output, size_t lines)
{
    size_t length = strlen(output);
    while (length && output[length - 1] == '\n')
        length--;
    const char *end = output + length, *from = end;
    for (size_t count = 0; from > output; from--)
        if (from[-1] == '\n' && ++count == lines)
            break;
    for (const char *heading = "recovery"; from < end && lines; heading = "") {
        size_t line = strcspn(from, "\n");
        line = line < (size_t)(end - from) ? line : (size_t)(end - from);
        fprintf(writer->out, "  %-11s ", heading);
        put_safe(writer, from, line < COLUMNS - MARGIN ? line : COLUMNS - MARGIN);
        fputc('\n', writer->out);
        from += line + 1;
    }
}

static void put_state(const struct writer *writer, const struct nv_crash_failure *failure)
{
    fprintf(writer->out, "  %-11s ", "state");
    put_text(writer, failure->id ? failure->id : "?");
    fputs(", ", writer->out);
    put_plural(writer, failure->promises, "promise");
    fputs(" made", writer->out);
    if (failure->unsteady)
        fputs("; when it was tried again, recovery did not fail", writer->out);
    fputc('\n', writer->out);
    if (failure->kept) {
        fprintf(writer->out, "  %-11s ", "kept in");
        put_text(writer, failure->kept);
        fputc('\n', writer->out);
    }
    if (failure->replay) {
        fprintf(writer->out, "  %-11s ", "replay");
        put_text(writer, failure->replay);
        fputc('\n', writer->out);
    }
}

/* In so many lines: causes first, then what recovery said. */
static void put_failure(const struct writer *writer, const struct nv_crash_failure *failure, size_t lines)
{
    size_t fixed = 2 + (failure->kept != NULL) + (failure->replay != NULL), said = failure->output ? 1 : 0;
    size_t room = lines > fixed + said ? lines - fixed - said : 1;
    size_t shown = failure->cause_count <= room ? failure->cause_count : room - (room > 1);
    for (size_t i = 0; i < shown; i++)
        put_cause(writer, &failure->causes[i]);
    if (shown < failure->cause_count)
        fprintf(writer->out, "  %-11s %zu more: --format=html shows all\n", "", failure->cause_count - shown);
    put_guard(writer, failure);
    if (failure->output)
        put_output(writer, failure->output, said + (room > failure->cause_count ? room - failure->cause_count : 0));
    put_state(writer, failure);
}

static void put_finding(const struct writer *writer, const struct nv_finding *finding)
{
    const char *message = finding->message ? finding->message : nv_rule_message(finding->rule);
    const char *advice = finding->advice ? finding->advice : nv_rule_advice(finding->rule);
    bool extent = finding->length_bytes || finding->count > 1;
    size_t spent = 1 + sentence_lines(message, 2) + extent + sentence_lines(advice, MARGIN);
    painted(writer, severity_colour(finding->severity), nv_severity_name(finding->severity));
    fputs(": ", writer->out);
    painted(writer, BOLD, nv_rule_name(finding->rule));
    if (finding->file) {
        fputs(": ", writer->out);
        paint(writer, BOLD);
        put_text(writer, finding->file);
        paint(writer, PLAIN);
    }
    fputs("\n  ", writer->out);
    put_sentence(writer, message, 2);
    size_t left = spent + EVIDENCE_LINES_MIN < BLOCK_LINES ? BLOCK_LINES - spent : EVIDENCE_LINES_MIN;
    if (finding->crash) {
        if (finding->count > 1)
            fprintf(writer->out, "  %" PRIu64 " failing states come down to this\n", finding->count);
        put_failure(writer, finding->crash, left);
    } else {
        put_extent(writer, finding);
        put_evidence(writer, finding, left);
    }
    fputs("  to do       ", writer->out);
    put_sentence(writer, advice, MARGIN);
    fputc('\n', writer->out);
}

/* -- the summary -- */

static void heading(const struct writer *writer, const char *name)
{
    fputs("  ", writer->out);
    paint(writer, DIM);
    fprintf(writer->out, "%-11s", name);
    paint(writer, PLAIN);
    fputc(' ', writer->out);
}

static void put_list(const struct writer *writer, char *const *texts, const char *between)
{
    for (size_t i = 0; texts && texts[i]; i++) {
        fputs(i ? between : "", writer->out);
        put_text(writer, texts[i]);
    }
}

static void put_program(const struct writer *writer, const struct nv_report *report)
{
    heading(writer, "program");
    put_list(writer, report->program, " ");
    if (report->exit_status > 128)
        fprintf(writer->out, "; status %d, as of signal %d\n", report->exit_status, report->exit_status - 128);
    else
        fprintf(writer->out, "; status %d\n", report->exit_status);
}

static void put_seconds(const struct writer *writer, double seconds)
{
    if (seconds >= 1)
        fprintf(writer->out, "%.2f s", seconds);
    else if (seconds >= 1e-3)
        fprintf(writer->out, "%.1f ms", seconds * 1e3);
    else
        fprintf(writer->out, "%.0f us", seconds * 1e6);
}

static void put_times(const struct writer *writer, const struct nv_report *report)
{
    const struct nv_times *times = &report->times;
    heading(writer, "time");
    put_seconds(writer, times->program);
    fputs(" the program, of which ", writer->out);
    put_seconds(writer, times->stopped);
    fputs(" waiting for its syncs to be copied; nvrtl itself ", writer->out);
    put_seconds(writer, times->view);
    fputs(" before, ", writer->out);
    put_seconds(writer, times->judging + times->finishing);
    fputs(" after\n", writer->out);
}

static void put_watched(const struct writer *writer, const struct nv_report *report)
{
    heading(writer, "watched");
    put_plural(writer, report->files_watched, "file");
    fputs(" (", writer->out);
    put_size(writer, report->bytes_watched);
    fputs(report->folders && *report->folders ? ") in " : ")", writer->out);
    put_list(writer, report->folders, ", ");
    fputs("; ", writer->out);
    put_plural(writer, report->syncs, "sync");
    fputs(" made ", writer->out);
    put_size(writer, report->bytes_made_durable);
    fputs(" durable; ", writer->out);
    put_plural(writer, report->tokens, "token");
    fputs("\n", writer->out);
}

static void put_explored(const struct writer *writer, const struct nv_report *report)
{
    const struct nv_crash_coverage *coverage = report->crash;
    char text[256];
    nv_crash_coverage_text(coverage, text, sizeof text);
    heading(writer, "explored");
    fputs(text, writer->out);
    if (coverage->stacks)
        fprintf(writer->out, "; %" PRIu64 " stacks of points", coverage->stacks);
    fputc('\n', writer->out);
    heading(writer, "");
    fprintf(writer->out,
            "%" PRIu64 " judged, %" PRIu64 " not judged since recovery reads nothing else in them; %" PRIu64
            " images met again\n",
            coverage->judged, coverage->skipped, coverage->repeated);
    if (coverage->shards && nv_crash_missing_shards(coverage, text, sizeof text)) {
        heading(writer, "shards");
        fprintf(writer->out, "%zu of %u; not these: %s\n", coverage->shard_count, coverage->shards, text);
    } else if (coverage->shards) {
        heading(writer, "shards");
        fprintf(writer->out, "all %u\n", coverage->shards);
    }
    heading(writer, "recovery");
    put_text(writer, coverage->recovery ? coverage->recovery : "none");
    fprintf(writer->out, "; %u job%s, ", coverage->jobs, coverage->jobs == 1 ? "" : "s");
    put_seconds(writer, coverage->seconds);
    fprintf(writer->out, ", seed %" PRIu64 "\n", coverage->seed);
    heading(writer, "model");
    fprintf(writer->out, "%s file system\n", report->file_system_model ? report->file_system_model : "unknown");
}

static void put_level(const struct writer *writer, const struct nv_report *report)
{
    const char *sees = nv_report_level_sees(report);
    heading(writer, "level");
    if (sees)
        fprintf(writer->out, "%s: ", report->level);
    put_sentence(writer, sees ? sees : report->level ? report->level : "unknown", MARGIN);
}

static void put_simulated(const struct writer *writer, const struct nv_report *report)
{
    heading(writer, "simulated");
    fprintf(writer->out, "domain %s for tokens; ", report->domain ? report->domain : "unknown");
    if (report->file_system_model)
        fprintf(writer->out, "%s file system; ", report->file_system_model);
    fprintf(writer->out, "%s as the view\n", report->view ? report->view : "unknown");
}

static void put_marks(const struct writer *writer, const struct nv_report *report)
{
    for (size_t i = 0; i < report->mark_count; i++) {
        const struct nv_mark *mark = &report->marks[i];
        const struct nv_frame *frame = nv_stack_innermost(&mark->stack);
        heading(writer, i ? "" : "marks");
        put_text(writer, mark->text);
        if (frame) {
            fputs(", at ", writer->out);
            put_place(writer, frame);
        }
        fputc('\n', writer->out);
    }
}

static void put_left_out(const struct writer *writer, const struct nv_report *report)
{
    for (size_t i = 0; i < report->left_out_count; i++) {
        const struct nv_left_out *entry = &report->left_out[i];
        heading(writer, i ? "" : "left out");
        put_text(writer, entry->what ? entry->what : "?");
        fputs(": ", writer->out);
        put_text(writer, entry->why ? entry->why : "?");
        if (entry->count > 1)
            fprintf(writer->out, " (%" PRIu64 " times)", entry->count);
        fputc('\n', writer->out);
    }
}

static void put_unused(const struct writer *writer, const struct nv_report *report)
{
    for (size_t i = 0; i < report->unused_suppression_count; i++) {
        heading(writer, i ? "" : "unused");
        put_text(writer, report->unused_suppressions[i]);
        fputs(": nothing matched it\n", writer->out);
    }
}

static void put_not_seen(const struct writer *writer, const struct nv_report *report)
{
    const char *misses = nv_report_level_misses(report);
    if (misses) {
        heading(writer, "not seen");
        put_sentence(writer, misses, MARGIN);
    }
    for (size_t i = 0; i < report->not_seen_count; i++) {
        heading(writer, i || misses ? "" : "not seen");
        put_sentence(writer, report->not_seen[i], MARGIN);
    }
}

static void crash_verdict(const struct nv_report *report, FILE *out)
{
    char text[256];
    nv_crash_coverage_text(report->crash, text, sizeof text);
    fputs("nvrtl crash: ", out);
    if (nv_report_watched_nothing(report)) {
        fputs("nothing could be verified: there was nothing that a power failure could take; --dir names the folder of "
              "the program's files",
              out);
        return;
    }
    if (report->finding_count)
        fprintf(out, "%zu failure%s", report->finding_count, report->finding_count == 1 ? "" : "s");
    else
        fputs("no failure", out);
    fprintf(out, " in %s", text);
    if (nv_crash_missing_shards(report->crash, text, sizeof text))
        fprintf(out, "; shards are missing: %s", text);
}

void nv_report_verdict(const struct nv_report *report, FILE *out)
{
    if (report->crash) {
        crash_verdict(report, out);
        return;
    }
    static const enum nv_severity severities[] = {NV_SEVERITY_ERROR, NV_SEVERITY_WARNING, NV_SEVERITY_NOTE};
    fputs("nvrtl check: ", out);
    if (nv_report_watched_nothing(report)) {
        fputs(report->blind
                  ? "nothing could be verified: the program could not be looked into"
                  : "nothing could be verified: no watched file was changed, nothing was synced, no token was "
                    "taken; --dir names the folder of the program's files",
              out);
        return;
    }
    if (report->power_failure && !report->finding_count) {
        fputs("power failure: nothing was judged", out);
        return;
    }
    const char *between = "";
    for (size_t i = 0; i < 3; i++) {
        size_t count = nv_report_severity_count(report, severities[i]);
        if (!count)
            continue;
        fprintf(out, "%s%zu %s%s", between, count, nv_severity_name(severities[i]), count == 1 ? "" : "s");
        between = ", ";
    }
    fputs(report->finding_count ? "" : "no findings", out);
}

static void put_verdict(const struct writer *writer, const struct nv_report *report)
{
    bool bad = nv_report_errors(report) || nv_report_watched_nothing(report);
    bool unsure = report->finding_count || report->power_failure;
    paint(writer, bad ? RED : unsure ? YELLOW : GREEN);
    nv_report_verdict(report, writer->out);
    paint(writer, PLAIN);
    fputc('\n', writer->out);
}

bool nv_report_text(const struct nv_report *report, FILE *out, bool colour)
{
    struct writer writer = {.out = out, .colour = colour};
    for (size_t i = 0; i < report->finding_count; i++)
        put_finding(&writer, report->findings[i]);
    painted(&writer, BOLD, "summary\n");
    put_program(&writer, report);
    if (report->crash) {
        put_explored(&writer, report);
    } else {
        put_times(&writer, report);
        put_watched(&writer, report);
    }
    put_level(&writer, report);
    if (!report->crash)
        put_simulated(&writer, report);
    put_marks(&writer, report);
    put_left_out(&writer, report);
    put_unused(&writer, report);
    put_not_seen(&writer, report);
    if (report->power_failure) {
        heading(&writer, "power");
        fputs("it failed (SIGKILL): nothing was judged, and the files hold what had been made durable\n", out);
    }
    put_verdict(&writer, report);
    return fflush(out) == 0 && !ferror(out);
}
