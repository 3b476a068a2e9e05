/* SPDX-License-Identifier: MIT */
/*
 * Which findings are not wanted: the built-in list of files that are never meant to be durable, and the user's own
 * lists. The command line reads and applies them; nothing is dropped silently, as each is shown and counted in
 * left_out.
 */
#include "report/report.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct suppression {
    struct suppression *next;
    char *rule; /* the three globs share its memory */
    const char *file, *function;
    const char *begins; /* only files whose content begins so; NULL: all */
    uint64_t from, to;  /* a part of each such file, not a finding; to is 0: no part */
    char *why;          /* what left_out tells */
    bool built_in, used;
};

struct nv_suppressions {
    struct suppression *first, **last;
};

static const char *const built_in[] = {
    "*:*lock.mdb:*", /* lmdb's table of readers: rebuilt on open */
    "*:*-shm:*",     /* sqlite3's index of its write-ahead log */
    "*:*-lock:*",
    "name-not-flushed:*-wal:*", /* sqlite3's log, removed once it is all in the database: it may come back */
    /* PMDK's pools; locks in them are told of where they are locked (compat/libpmem). */
    "*:<PMEMOBJ>*@0x1a20-0x2000:* # libpmemobj's pointers and locks of the process that has the pool open, made anew "
    "by each open",
    "*:<PMEMBLK>*@0x1008-0x2000:* # libpmemblk's state of the process that has the pool open, made anew by each open",
    "*:<PMEMLOG>*@0x1018-0x2000:* # libpmemlog's state of the process that has the pool open, made anew by each open",
};

/* -- reading -- */

/* The next colon that no backslash protects; NULL: none. */
static char *next_colon(char *text)
{
    for (; *text && *text != ':'; text++)
        if (*text == '\\' && text[1])
            text++;
    return *text ? text : NULL;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Cut a comment and the blanks around what is left, in place; returns its start. */
static char *strip(char *line, const char **comment)
{
    char *end = line;
    for (; *end; end++) {
        if (*end == '#' && (end == line || is_blank(end[-1])))
            break;
        if (*end == '\\' && end[1])
            end++;
    }
    *comment = *end ? end + 1 + strspn(end + 1, " \t") : "";
    while (end > line && is_blank(end[-1]) && !(end - line >= 2 && end[-1] == ' ' && end[-2] == '\\'))
        end--;
    *end = '\0';
    while (is_blank(*line))
        line++;
    return line;
}

/* The part at the end of a file glob, @FROM-TO in hexadecimal, cut off in place. False: it is none. */
static bool cut_part(char *file, uint64_t *from, uint64_t *to)
{
    char *at = strrchr(file, '@'), *end;
    if (!at || at == file || at[-1] == '\\' || strncmp(at, "@0x", 3) != 0)
        return false;
    uint64_t first = strtoull(at + 1, &end, 16);
    if (strncmp(end, "-0x", 3) != 0)
        return false;
    uint64_t last = strtoull(end + 1, &end, 16);
    if (*end || last <= first)
        return false;
    *from = first;
    *to = last;
    *at = '\0';
    return true;
}

/* <BEGINS>GLOB@FROM-TO, of which only the glob must be there. A part of a file has no function. */
static bool split_file(struct suppression *entry, char *file)
{
    char *closing = *file == '<' ? strchr(file, '>') : NULL;
    if (closing) {
        *closing = '\0';
        entry->begins = file + 1;
        file = closing + 1;
    }
    entry->file = file;
    if (cut_part(file, &entry->from, &entry->to))
        return *file && strcmp(entry->function, "*") == 0;
    return !closing;
}

/* Split rule:file:function in place. The function may hold colons, as C++ has them. */
static bool split(struct suppression *entry)
{
    char *file = next_colon(entry->rule);
    char *function = file ? next_colon(file + 1) : NULL;
    if (!function)
        return false;
    *file++ = '\0';
    *function++ = '\0';
    entry->function = function;
    return *entry->rule && *file && *function && split_file(entry, file) &&
           strspn(entry->rule, "abcdefghijklmnopqrstuvwxyz-*?[]!") == strlen(entry->rule);
}

static void entry_free(struct suppression *entry)
{
    free(entry->rule);
    free(entry->why);
    free(entry);
}

/* Negative: no memory. */
static int explain(struct suppression *entry, const char *path, unsigned number, const char *reason)
{
    const char *before = *reason ? ": " : "";
    int told =
        number ? asprintf(&entry->why, "suppression %s (%s, line %u)%s%s", entry->rule, path, number, before, reason)
               : asprintf(&entry->why, "built-in suppression %s%s%s", entry->rule, before, reason);
    if (told < 0)
        entry->why = NULL;
    return told;
}

/* 0, or a negative errno. number 0: built in. */
static int append(struct nv_suppressions *list, const char *text, const char *path, unsigned number, const char *reason)
{
    struct suppression *entry = calloc(1, sizeof *entry);
    if (!entry)
        return -ENOMEM;
    entry->rule = strdup(text);
    if (entry->rule)
        (void)explain(entry, path, number, reason);
    entry->built_in = !number;
    int error = !entry->rule || !entry->why ? -ENOMEM : split(entry) ? 0 : -EINVAL;
    if (error) {
        entry_free(entry);
        return error;
    }
    *list->last = entry;
    list->last = &entry->next;
    return 0;
}

/* The line's comment is the reason that is told. */
static int append_line(struct nv_suppressions *list, const char *line, const char *path, unsigned number)
{
    const char *reason;
    char *copy = strdup(line);
    if (!copy)
        return -ENOMEM;
    char *body = strip(copy, &reason);
    int error = *body ? append(list, body, path, number, reason) : 0;
    free(copy);
    return error;
}

struct nv_suppressions *nv_suppressions_new(void)
{
    struct nv_suppressions *list = calloc(1, sizeof *list);
    if (!list)
        return NULL;
    list->last = &list->first;
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++) {
        if (append_line(list, built_in[i], NULL, 0) == 0)
            continue;
        nv_suppressions_free(list);
        return NULL;
    }
    return list;
}

void nv_suppressions_free(struct nv_suppressions *list)
{
    while (list && list->first) {
        struct suppression *entry = list->first;
        list->first = entry->next;
        entry_free(entry);
    }
    free(list);
}

static int read_lines(struct nv_suppressions *list, const char *path, FILE *in, unsigned *line)
{
    char *text = NULL;
    size_t room = 0;
    int error = 0;
    *line = 0;
    errno = 0;
    while (!error) {
        if (getline(&text, &room, in) < 0)
            break;
        ++*line;
        text[strcspn(text, "\r\n")] = '\0';
        error = append_line(list, text, path, *line);
    }
    if (!error && !feof(in))
        error = errno ? -errno : -EIO;
    free(text);
    return error;
}

int nv_suppressions_read(struct nv_suppressions *list, const char *path, unsigned *line)
{
    *line = 0;
    FILE *in = fopen(path, "re");
    if (!in)
        return -errno;
    int error = read_lines(list, path, in, line);
    fclose(in);
    return error;
}

/* -- applying -- */

static bool stack_matches(const char *glob, const struct nv_stack *stack)
{
    for (size_t i = 0; i < stack->count; i++)
        if (stack->frames[i].function && fnmatch(glob, stack->frames[i].function, 0) == 0)
            return true;
    return false;
}

static bool file_matches(const char *glob, const char *file)
{
    const char *name = file ? strrchr(file, '/') : NULL;
    return fnmatch(glob, file ? file : "", 0) == 0 || (name && fnmatch(glob, name + 1, 0) == 0);
}

static bool matches(const struct suppression *entry, const struct nv_finding *finding)
{
    return !entry->to && fnmatch(entry->rule, nv_rule_name(finding->rule), 0) == 0 &&
           file_matches(entry->file, finding->file) &&
           (strcmp(entry->function, "*") == 0 || stack_matches(entry->function, &finding->write_stack) ||
            stack_matches(entry->function, &finding->flush_stack));
}

/* Why the finding is not wanted: the first entry that matches tells it. NULL: it is. All that match are used. */
static const char *find_match(const struct nv_suppressions *list, const struct nv_finding *finding)
{
    const char *why = NULL;
    for (struct suppression *entry = list->first; entry; entry = entry->next) {
        if (!matches(entry, finding))
            continue;
        entry->used = true;
        why = why ? why : entry->why;
    }
    return why;
}

static bool tell_unused(const struct nv_suppressions *list, struct nv_report *report)
{
    bool ok = true;
    for (const struct suppression *entry = list->first; entry; entry = entry->next)
        if (!entry->built_in && !entry->used)
            ok = nv_report_unused_suppression(report, entry->why) && ok;
    return ok;
}

bool nv_suppressions_apply(const struct nv_suppressions *list, struct nv_report *report)
{
    const char **why = calloc(report->finding_count + 1, sizeof *why);
    if (!why)
        return false;
    for (size_t i = 0; i < report->finding_count; i++)
        why[i] = find_match(list, report->findings[i]);
    bool ok = nv_report_suppress(report, why);
    free(why);
    return tell_unused(list, report) && ok;
}

static bool begins_so(const struct suppression *entry, const void *head, size_t head_bytes)
{
    size_t length = entry->begins ? strlen(entry->begins) : 0;
    return length <= head_bytes && (!length || memcmp(head, entry->begins, length) == 0);
}

bool nv_suppressions_part(const struct nv_suppressions *list, size_t number, const char *file, const void *head,
                          size_t head_bytes, struct nv_suppressed_part *part)
{
    size_t before = 0;
    for (struct suppression *entry = list->first; entry; entry = entry->next) {
        bool is_of_file = entry->to && file_matches(entry->file, file) && begins_so(entry, head, head_bytes);
        if (!is_of_file || before++ < number)
            continue;
        *part = (struct nv_suppressed_part){entry->from, entry->to, entry->rule, entry->why, &entry->used};
        return true;
    }
    return false;
}

/* -- generating -- */

static void print_literal(const char *text, const char *special, FILE *out)
{
    for (; *text; text++) {
        if (*text == '\n' || *text == '\r') {
            fputc('?', out);
            continue;
        }
        if (strchr(special, *text))
            fputc('\\', out);
        fputc(*text, out);
    }
}

static const char *innermost_function(const struct nv_finding *finding)
{
    const struct nv_stack *stacks[] = {&finding->write_stack, &finding->flush_stack};
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < stacks[i]->count; j++)
            if (stacks[i]->frames[j].function)
                return stacks[i]->frames[j].function;
    return NULL;
}

void nv_suppression_print(const struct nv_finding *finding, FILE *out)
{
    const char *function = innermost_function(finding);
    fprintf(out, "%s:", nv_rule_name(finding->rule));
    if (finding->file && *finding->file)
        print_literal(finding->file, "\\*?[:# <@", out);
    else
        fputc('*', out);
    fputc(':', out);
    if (function && *function)
        print_literal(function, "\\*?[# ", out);
    else
        fputc('*', out);
}

void nv_suppressions_generate(const struct nv_report *report, FILE *out)
{
    for (size_t i = 0; i < report->finding_count; i++) {
        nv_suppression_print(report->findings[i], out);
        fputc('\n', out);
    }
}
