/* SPDX-License-Identifier: MIT */
/* Reads the findings of a run (JSON) and compares them with the model's. The drivers call it. */
#include "tests/verified/report.h"
#include "tests/verified/session.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the supervisor could not tell its folder, it shows whole paths. */
static const char *relative(const char *file)
{
    const char *inside = file && *file == '/' ? strstr(file, "/files/") : NULL;

    return inside ? inside + strlen("/files/") : file ? file : "?";
}

static struct model_finding *place_of(struct model_finding *findings, size_t *count, const char *file, const char *rule)
{
    struct model_finding *finding = findings;

    for (; finding < findings + *count; finding++)
        if (!strcmp(finding->file, file) && !strcmp(finding->rule, rule))
            return finding;
    if ((*count)++ == MODEL_FINDINGS)
        session_fail("too many findings");
    *finding = (struct model_finding){.offset = SIZE_MAX};
    snprintf(finding->file, sizeof finding->file, "%s", file);
    snprintf(finding->rule, sizeof finding->rule, "%s", rule);
    return finding;
}

size_t report_read(const char *path, struct model_finding *findings)
{
    json_t *document = json_load_file(path, 0, NULL), *item;
    size_t i, count = 0;

    if (!document)
        return SIZE_MAX;
    json_array_foreach(json_object_get(document, "findings"), i, item)
    {
        const char *file = json_string_value(json_object_get(item, "file"));
        const char *rule = json_string_value(json_object_get(item, "rule"));
        const char *severity = json_string_value(json_object_get(item, "severity"));
        size_t offset = (size_t)json_integer_value(json_object_get(item, "offset"));
        struct model_finding *finding = place_of(findings, &count, relative(file), rule);

        if (*finding->severity != 'e')
            snprintf(finding->severity, sizeof finding->severity, "%s", severity);
        if (offset < finding->offset)
            finding->offset = offset;
        finding->total += (size_t)json_integer_value(json_object_get(item, "total_bytes"));
    }
    json_decref(document);
    return count;
}

static void show(const char *whose, const struct model_finding *findings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "  %s: %s %s %s at %zu, %zu bytes\n", whose, findings[i].severity, findings[i].rule,
                findings[i].file, findings[i].offset, findings[i].total);
}

/* Of a file with several durable names, the report may choose any. */
static const char *one_name(const struct model *model, const char *path)
{
    static char names[2][64];
    static unsigned turn;
    char *own = names[turn++ % 2];
    int inode = -1;

    for (size_t i = 0; i < MODEL_NAMES && inode < 0; i++)
        if (model->durable[i].used && model_path(model->durable, &model->durable[i], own, 64) && !strcmp(own, path))
            inode = model->durable[i].inode;
    for (size_t i = 0; i < MODEL_NAMES; i++)
        if (model->durable[i].used && model->durable[i].inode == inode &&
            model_path(model->durable, &model->durable[i], own, 64))
            return own;
    return path;
}

static bool same(const struct model *model, const struct model_finding *a, const struct model_finding *b)
{
    if (strcmp(a->rule, b->rule) || strcmp(a->severity, b->severity))
        return false;
    if (!strcmp(a->rule, "name-not-flushed"))
        return !strcmp(a->file, b->file);
    return a->total == b->total && a->offset == b->offset &&
           !strcmp(one_name(model, a->file), one_name(model, b->file));
}

int report_compare(const struct model *model, const char *path)
{
    static struct model_finding expected[MODEL_FINDINGS], found[MODEL_FINDINGS];
    size_t wanted = model_findings(model, expected), count = report_read(path, found);
    int status = 0;

    if (count == SIZE_MAX)
        session_fail("there is no report");
    for (size_t i = 0; i < wanted; i++) {
        bool there = false;

        for (size_t j = 0; j < count && !there; j++)
            there = same(model, &expected[i], &found[j]);
        if (!there || count != wanted) {
            show("expected", expected, wanted);
            show("reported", found, count);
            session_fail("the findings differ");
        }
        if (*expected[i].severity == 'e')
            status = 99;
    }
    if (count != wanted) {
        show("reported", found, count);
        session_fail("there must be no finding");
    }
    return status;
}

bool report_not_seen(const char *path)
{
    json_t *document = json_load_file(path, 0, NULL);
    json_t *sentences = json_object_get(json_object_get(document, "summary"), "not_seen");
    bool some = json_array_size(sentences) > 0;

    json_decref(document);
    return some;
}

void report_check(const char *path)
{
    static unsigned calls;
    char command[PATH_MAX + sizeof "python3 " FINDINGS_SCHEMA " "];

    if (calls++ % 100)
        return;
    snprintf(command, sizeof command, "python3 " FINDINGS_SCHEMA " %s", path);
    if (system(command))
        session_fail("the last report does not follow the schema");
}
