/* SPDX-License-Identifier: MIT */
/*
 * Building JSON, for the formats that are JSON (json.c, sarif.c) or hold it (html.c). A value that cannot be made is
 * NULL, and who puts it somewhere clears *ok: so failures are looked for once, at the end.
 */
#ifndef NV_VALUE_H
#define NV_VALUE_H

#include "report/identity.h"

#include <jansson.h>

/* Flag of jansson for numbers with a fraction: nanoseconds of a run that took days. */
#define NV_VALUE_REALS JSON_REAL_PRECISION(15)

/* Bytes that are no UTF-8 are written as \xNN, for JSON knows none. NULL gives null. */
json_t *nv_text_value(const char *text);
/* What a printf-like call would print. */
json_t *nv_format_value(const char *format, ...) __attribute__((format(printf, 1, 2)));
json_t *nv_number_value(uint64_t number);
json_t *nv_texts_value(char *const *texts, size_t count); /* to count, or the NULL at the end */
/* These take `value` over, and clear *ok when it could not be made or put. */
void nv_set(json_t *object, const char *key, json_t *value, bool *ok);
void nv_append(json_t *array, json_t *value, bool *ok);
/* The value, or NULL when a part of it failed. */
json_t *nv_whole(json_t *value, bool ok);
/* Write it with that indent, and a newline. False: it is NULL, or could not be written. Takes it over. */
bool nv_write_value(json_t *value, size_t indent, FILE *out);

json_t *nv_suppression_value(const struct nv_finding *finding); /* the line for --suppressions that names it */
json_t *nv_fingerprint_value(const struct nv_identity *identity);
json_t *nv_verdict_value(const struct nv_report *report); /* the last line of the text */

/* json.c: the whole report; NULL: no memory. */
json_t *nv_report_value(const struct nv_report *report);

#endif
