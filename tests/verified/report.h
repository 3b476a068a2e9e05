/* SPDX-License-Identifier: MIT */
/* The report of a run against what the model says. */
#ifndef NV_TEST_REPORT_H
#define NV_TEST_REPORT_H

#include "tests/verified/model.h"

/* Compare; any difference ends the test. Returns the exit status that nvrtl must have had. */
int report_compare(const struct model *model, const char *path);
/* All findings of a report, those of one rule and file as one. SIZE_MAX: there is no report that can be read. */
size_t report_read(const char *path, struct model_finding *findings);
/* Whether the report says that something could not be seen. */
bool report_not_seen(const char *path);

/*
 * The report follows docs/findings.schema.json, or the test fails. The first is looked at, and of the others every
 * hundredth.
 */
void report_check(const char *path);

#endif
