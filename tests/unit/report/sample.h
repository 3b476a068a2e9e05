/* SPDX-License-Identifier: MIT */
/* Reports made up for tests: text.c, json.c and faults.c compare what is written of them. */
#ifndef NV_SAMPLE_H
#define NV_SAMPLE_H

#include "report/report.h"

/*
 * Fill an empty report with something of everything; the first without findings, maps and timeline. False: no memory;
 * the report is then good to be freed.
 */
bool nv_sample_describe(struct nv_report *report);
bool nv_sample_fill(struct nv_report *report);

/* A finding with a file and, unless NULL, one frame on each stack. NULL: no memory. */
struct nv_finding *nv_sample_finding(enum nv_rule rule, const char *file, const char *write_module,
                                     const char *flush_module);

/* Name a frame as symbols.c would. */
bool nv_sample_name(struct nv_frame *frame, const char *function, const char *source, unsigned line);

#endif
