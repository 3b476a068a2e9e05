/* SPDX-License-Identifier: MIT */
/*
 * What the files of report/ share among themselves and with the command line, beyond finding.h: fixed sentences of each
 * rule, the verdict, and the hash index that finds equal entries.
 */
#ifndef NV_REPORT_H
#define NV_REPORT_H

#include "report/finding.h"

/* What is said of a rule. None of it is NULL; message and advice are for findings that bring none of their own. */
struct nv_rule_words {
    const char *name;
    enum nv_severity severity; /* as a rule */
    const char *title;
    const char *message, *advice;
    const char *explanation;
};
const struct nv_rule_words *nv_rule_words(enum nv_rule rule);
/* Its findings are calls that did nothing: their write stack is that of the call. */
bool nv_rule_is_refusal(enum nv_rule rule);
const char *nv_rule_message(enum nv_rule rule);
const char *nv_rule_advice(enum nv_rule rule);

/* Of the level that the report stands on, half a sentence each; NULL: it is not known. */
const char *nv_report_level_sees(const struct nv_report *report);
const char *nv_report_level_misses(const struct nv_report *report);

/* No file, token or sync was seen, and no finding: a clean verdict would be given for nothing. */
bool nv_report_watched_nothing(const struct nv_report *report);
size_t nv_report_severity_count(const struct nv_report *report, enum nv_severity severity);
/* The last line of every report, without its newline. */
void nv_report_verdict(const struct nv_report *report, FILE *out);

/* The innermost frame of a stack; NULL if it has none. */
const struct nv_frame *nv_stack_innermost(const struct nv_stack *stack);

/* Bytes of the UTF-8 character that text begins with; 0: not UTF-8 (or the end). */
size_t nv_utf8_length(const char *text);

/* Numbers of entries by hash, open addressing. The entries are elsewhere; hashes decide who is compared. */
struct nv_index {
    struct nv_index_slot {
        uint64_t hash;
        size_t number; /* plus 1; 0: free */
    } * slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

typedef bool nv_index_equal(const void *context, size_t number, const void *key);

/* The entry's number; SIZE_MAX: none. */
size_t nv_index_find(const struct nv_index *index, uint64_t hash, nv_index_equal *equal, const void *context,
                     const void *key);
/* Make room for one more, so that the nv_index_insert that follows cannot fail. False: no memory. */
bool nv_index_reserve(struct nv_index *index);
void nv_index_insert(struct nv_index *index, uint64_t hash, size_t number);
void nv_index_clear(struct nv_index *index);
void nv_index_free(struct nv_index *index);
uint64_t nv_hash_bytes(uint64_t hash, const void *bytes, size_t size_bytes);
uint64_t nv_hash_text(uint64_t hash, const char *text); /* NULL is a text of its own */

/*
 * Move the findings that have a why[i] to `suppressed`, and note why in left_out. False: no memory, and some that
 * should have moved stay.
 */
bool nv_report_suppress(struct nv_report *report, const char *const *why);

#endif
