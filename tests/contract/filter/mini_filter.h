/* SPDX-License-Identifier: MIT */
/* A minifilter for tests: it is registered for what the test names, and does with requests as the test says. */
#ifndef TEST_MINI_FILTER_H
#define TEST_MINI_FILTER_H

#include "tests/contract/filter/legacy_filter.h"

struct mini_filter {
    char name; /* in the journal */
    const char *altitude;
    const char *volume; /* NULL: that of the current folder */
    /* For IRP_MJ_FLUSH_BUFFERS, or for what `operations` says. */
    PFLT_PRE_OPERATION_CALLBACK before;
    PFLT_POST_OPERATION_CALLBACK after;
    const FLT_OPERATION_REGISTRATION *operations;
    const FLT_CONTEXT_REGISTRATION *contexts;
    PFLT_INSTANCE_SETUP_CALLBACK setup;
    PFLT_INSTANCE_QUERY_TEARDOWN_CALLBACK query;
    PFLT_INSTANCE_TEARDOWN_CALLBACK teardown_start;
    PFLT_INSTANCE_TEARDOWN_CALLBACK teardown_complete;
    NTSTATUS refuses_to_unload;
    PDRIVER_OBJECT driver;
    PFLT_FILTER filter;
    void *context;
};

NTSTATUS mini_filter_try(struct mini_filter *filter);
void mini_filter_load(struct mini_filter *filter);
void mini_filter_unload(struct mini_filter *filter);
void mini_filter_forget(struct mini_filter *filter); /* another thread has unloaded it */

/* The one that a callback is for. */
struct mini_filter *mini_filter_of(PCFLT_RELATED_OBJECTS objects);

/* Write the name, and its small letter; ask for the second. */
FLT_PREOP_CALLBACK_STATUS NTAPI note_before(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID *context);
FLT_POSTOP_CALLBACK_STATUS NTAPI note_after(PFLT_CALLBACK_DATA data, PCFLT_RELATED_OBJECTS objects, PVOID context,
                                            FLT_POST_OPERATION_FLAGS flags);

#endif
