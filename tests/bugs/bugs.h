/* SPDX-License-Identifier: MIT */
/*
 * Small programs with one mistake each, and without it. A class of mistakes is a file: a table of cases. Each case gets
 * a fresh file, and does its work rightly or wrongly; `bugs` runs both under nvrtl check.
 */
#ifndef BUGS_H
#define BUGS_H

#include <nvrtl/nvrtl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BUG_BYTES = 65536, BUG_LINE = 64, BUG_PAGE = 4096 };

/* An option for cases that are no mistake where a page is flushed as a whole. */
#define LINES_ONLY "--domain=cpu-cache"

/* What every case has: a durable file of zeros, BUG_BYTES long, mapped and under a token. */
struct bug_file {
    int descriptor;
    char *base;
    PVOID token;
};

struct bug {
    const char *name;
    const char *rule;                               /* the one finding of the wrong program */
    void (*run)(struct bug_file *file, bool right); /* may end the program with 1: it gives up */
    const char *options;                            /* of nvrtl check, besides the usual; NULL: none */
};

struct bug_class {
    const char *name;
    const struct bug *bugs;
    size_t count;
};

#define BUG_CLASS(class_name, table)                                                                                   \
    const struct bug_class bug_class_##class_name = {#class_name, (table), sizeof(table) / sizeof(*(table))}

extern const struct bug_class bug_class_atomics, bug_class_drains, bug_class_failures, bug_class_flushes,
    bug_class_handles, bug_class_lines, bug_class_misuse, bug_class_names, bug_class_order, bug_class_stores,
    bug_class_waste;

/* Each ends the program with status 3 when the call fails. */
void bug_flush(struct bug_file *file, size_t offset, size_t size_bytes); /* and drain */
void bug_begin(struct bug_file *file, size_t offset, size_t size_bytes); /* flush without drain */
void bug_drain(struct bug_file *file);
void bug_write(struct bug_file *file, size_t offset, uint64_t value);   /* a plain store of 8 bytes */
void bug_persist(struct bug_file *file, size_t offset, uint64_t value); /* written, flushed and drained */
void bug_check(bool ok);

#endif
