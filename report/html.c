/* SPDX-License-Identifier: MIT */
/*
 * A report as a page that stands for itself: page/ with the document of json.c in it. Whatever the program named its
 * files, no byte of the data ends the element that holds it.
 */
#include "report/page.h"
#include "report/value.h"

#include <string.h>

/* In JSON these three stand in strings alone, where an escape means the same. */
static int put_safe(const char *text, size_t length, void *context)
{
    FILE *out = context;
    while (length) {
        size_t plain = 0;
        while (plain < length && !strchr("<>&", text[plain]))
            plain++;
        fwrite(text, 1, plain, out);
        if (plain < length)
            fprintf(out, "\\u%04x", (unsigned)text[plain++]);
        text += plain;
        length -= plain;
    }
    return ferror(out) ? -1 : 0;
}

bool nv_report_html(const struct nv_report *report, FILE *out)
{
    json_t *document = nv_report_value(report);
    bool ok = document && fputs(nv_page_head, out) >= 0 &&
              json_dump_callback(document, put_safe, out, JSON_COMPACT | NV_VALUE_REALS) == 0;
    json_decref(document);
    return ok && fputs(nv_page_tail, out) >= 0 && fflush(out) == 0 && !ferror(out);
}
