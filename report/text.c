/* SPDX-License-Identifier: MIT */
/* A report for people: each finding with its bytes and places, a short summary, and the verdict as the last line. */
#include "report/report.h"

#include <inttypes.h>
#include <string.h>

#define ROW_BYTES ((size_t)16)
#define COLUMNS ((size_t)100)
#define MARGIN ((size_t)14) /* where texts begin, after their heading */

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

static void put_sample(const struct writer *writer, const struct nv_finding *finding)
{
    size_t count = finding->sample_bytes < NV_SAMPLE_BYTES_MAX ? finding->sample_bytes : NV_SAMPLE_BYTES_MAX;
    for (size_t at = 0; at < count; at += ROW_BYTES) {
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

/* What called main is of no interest; JSON has it. */
static size_t frames_shown(const struct nv_stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        if (stack->frames[i].function && strcmp(stack->frames[i].function, "main") == 0)
            return i + 1;
    return stack->count;
}

static void put_stack(const struct writer *writer, const char *heading, const struct nv_stack *stack)
{
    size_t width = 0, count = frames_shown(stack);
    for (size_t i = 0; i < count; i++) {
        size_t length = stack->frames[i].function ? strlen(stack->frames[i].function) : 0;
        if (length > width && length <= 32)
            width = length;
    }
    for (size_t i = 0; i < count; i++) {
        const struct nv_frame *frame = &stack->frames[i];
        const char *function = frame->function ? frame->function : "?";
        size_t length = strlen(function);
        fprintf(writer->out, "  %-11s ", i ? "" : heading);
        put_text(writer, function);
        fprintf(writer->out, "%*s", (int)(length < width ? width - length : 0) + 2, "");
        put_place(writer, frame);
        fputs(is_inlined(stack, i) ? " (inlined)\n" : "\n", writer->out);
    }
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

static void put_finding(const struct writer *writer, const struct nv_finding *finding)
{
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
    put_sentence(writer, finding->message ? finding->message : nv_rule_message(finding->rule), 2);
    put_extent(writer, finding);
    put_sample(writer, finding);
    bool refused = finding->rule == NV_RULE_OUTSIDE_TOKEN || finding->rule == NV_RULE_TOKEN_MISUSE;
    put_stack(writer, refused ? "called at" : "written at", &finding->write_stack);
    put_stack(writer, "flushed at", &finding->flush_stack);
    fputs("  to do       ", writer->out);
    put_sentence(writer, finding->advice ? finding->advice : nv_rule_advice(finding->rule), MARGIN);
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
    fputs("; ", writer->out);
    if (report->exit_status > 128)
        fprintf(writer->out, "status %d, as of signal %d", report->exit_status, report->exit_status - 128);
    else
        fprintf(writer->out, "status %d", report->exit_status);
    fprintf(writer->out, "; %.2f s\n", report->seconds);
}

static void put_watched(const struct writer *writer, const struct nv_report *report)
{
    heading(writer, "watched");
    put_plural(writer, report->files_watched, "file");
    fputs(" (", writer->out);
    put_size(writer, report->bytes_watched);
    fputs(") in ", writer->out);
    put_list(writer, report->folders, ", ");
    fputs("; ", writer->out);
    put_plural(writer, report->syncs, "sync");
    fputs(" made ", writer->out);
    put_size(writer, report->bytes_made_durable);
    fputs(" durable; ", writer->out);
    put_plural(writer, report->tokens, "token");
    fputs("\n", writer->out);
}

/* What each level can know, and what it cannot. */
static const struct level {
    const char *name, *sees, *misses;
} levels[] = {
    {"pages", "pages: what the files hold at the end is compared with what is durable",
     "bytes written with the value they had, and the order of stores between two syncs"},
};

/* NULL: a level that this version does not know. */
static const struct level *find_level(const struct nv_report *report)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++)
        if (report->level && strcmp(levels[i].name, report->level) == 0)
            return &levels[i];
    return NULL;
}

static void put_level(const struct writer *writer, const struct nv_report *report)
{
    const struct level *level = find_level(report);
    heading(writer, "level");
    put_sentence(writer, level ? level->sees : report->level ? report->level : "unknown", MARGIN);
}

static void put_simulated(const struct writer *writer, const struct nv_report *report)
{
    heading(writer, "simulated");
    fprintf(writer->out, "domain %s for tokens; %s file system; %s as the view\n",
            report->domain ? report->domain : "unknown",
            report->file_system_model ? report->file_system_model : "unknown", report->view ? report->view : "unknown");
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

static void put_not_seen(const struct writer *writer, const struct nv_report *report)
{
    const struct level *level = find_level(report);
    if (level) {
        heading(writer, "not seen");
        put_sentence(writer, level->misses, MARGIN);
    }
    for (size_t i = 0; i < report->not_seen_count; i++) {
        heading(writer, i || level ? "" : "not seen");
        put_sentence(writer, report->not_seen[i], MARGIN);
    }
}

void nv_report_verdict(const struct nv_report *report, FILE *out)
{
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
    put_watched(&writer, report);
    put_level(&writer, report);
    put_simulated(&writer, report);
    put_marks(&writer, report);
    put_left_out(&writer, report);
    put_not_seen(&writer, report);
    if (report->power_failure) {
        heading(&writer, "power");
        fputs("it failed (SIGKILL): nothing was judged, and the files hold what had been made durable\n", out);
    }
    put_verdict(&writer, report);
    return fflush(out) == 0 && !ferror(out);
}
