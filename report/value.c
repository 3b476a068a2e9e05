/* SPDX-License-Identifier: MIT */
/* JSON values of what a report holds: texts that may be no text, and containers that remember a failure. */
#include "report/value.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

json_t *nv_text_value(const char *text)
{
    static const char digits[] = "0123456789abcdef";
    if (!text)
        return json_null();
    char *clean = malloc(4 * strlen(text) + 1), *to = clean;
    if (!clean)
        return NULL;
    while (*text) {
        size_t length = nv_utf8_length(text);
        if (length) {
            memcpy(to, text, length);
            to += length;
            text += length;
            continue;
        }
        unsigned char c = (unsigned char)*text++;
        *to++ = '\\';
        *to++ = 'x';
        *to++ = digits[c >> 4];
        *to++ = digits[c & 15];
    }
    json_t *value = json_stringn(clean, (size_t)(to - clean));
    free(clean);
    return value;
}

json_t *nv_format_value(const char *format, ...)
{
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        return NULL;
    json_t *value = nv_text_value(text);
    free(text);
    return value;
}

json_t *nv_number_value(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

void nv_set(json_t *object, const char *key, json_t *value, bool *ok)
{
    if (json_object_set_new(object, key, value) != 0)
        *ok = false;
}

void nv_append(json_t *array, json_t *value, bool *ok)
{
    if (json_array_append_new(array, value) != 0)
        *ok = false;
}

json_t *nv_whole(json_t *value, bool ok)
{
    if (ok)
        return value;
    json_decref(value);
    return NULL;
}

json_t *nv_texts_value(char *const *texts, size_t count)
{
    bool ok = true;
    json_t *array = json_array();
    for (size_t i = 0; texts && i < count && texts[i]; i++)
        nv_append(array, nv_text_value(texts[i]), &ok);
    return nv_whole(array, ok);
}

bool nv_write_value(json_t *value, size_t indent, FILE *out)
{
    bool ok = value && json_dumpf(value, out,
                                  indent ? JSON_INDENT(indent) | NV_VALUE_REALS : JSON_COMPACT | NV_VALUE_REALS) == 0;
    json_decref(value);
    return ok && fputc('\n', out) != EOF && fflush(out) == 0 && !ferror(out);
}

json_t *nv_suppression_value(const struct nv_finding *finding)
{
    char *line = NULL;
    size_t length;
    FILE *out = open_memstream(&line, &length);
    if (!out)
        return NULL;
    nv_suppression_print(finding, out);
    json_t *value = fclose(out) == 0 ? nv_text_value(line) : NULL;
    free(line);
    return value;
}

json_t *nv_fingerprint_value(const struct nv_identity *identity)
{
    return nv_format_value("%016" PRIx64 ":%u", identity->fingerprint, identity->twin);
}

json_t *nv_verdict_value(const struct nv_report *report)
{
    char *line = NULL;
    size_t length;
    FILE *out = open_memstream(&line, &length);
    if (!out)
        return NULL;
    nv_report_verdict(report, out);
    json_t *value = fclose(out) == 0 ? nv_text_value(line) : NULL;
    free(line);
    return value;
}
