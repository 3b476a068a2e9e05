/* SPDX-License-Identifier: MIT */
/*
 * The filters that come with the library, as NVRTL_FILTERS wishes for them: filter:option=value,...;filter:... The
 * first one is the highest. Each is a minifilter on the public interface, of which there may be several.
 */
#ifndef NV_IO_FILTERS_CONFIGURED_H
#define NV_IO_FILTERS_CONFIGURED_H

#include <nvrtl/minifilter.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct nv_filter_kind;

/* One filter that is wished for. */
struct nv_configured {
    const struct nv_filter_kind *kind;
    PDRIVER_OBJECT driver;
    PFLT_FILTER filter;
    const char *file;       /* trace: where the lines go */
    int descriptor;         /* trace: that file's, and never closed */
    const char *pattern;    /* fault: of paths; NULL: all */
    uint32_t operations;    /* fault: a bit for each major function */
    uint64_t nth;           /* fault: the matching request that is the first to fail, from 1 */
    NTSTATUS status;        /* fault: what it gets */
    bool sticky;            /* fault: and so do all later ones */
    _Atomic uint64_t count; /* fault: matching requests; trace: lines that could not be written */
};

struct nv_filter_kind {
    const char *name;
    void (*begin)(struct nv_configured *filter); /* the values of options that are not given */
    /* An option; value NULL: without one. False: there is no such option, or it has no such value. */
    bool (*set)(struct nv_configured *filter, const char *option, const char *value);
    const char *(*check)(const struct nv_configured *filter); /* what is wrong with the options together, or NULL */
    NTSTATUS (*open)(struct nv_configured *filter);
    const FLT_OPERATION_REGISTRATION *operations;
};

extern const struct nv_filter_kind nv_filter_trace;
extern const struct nv_filter_kind nv_filter_fault;

/* The filter that a callback is for. */
struct nv_configured *nv_configured_of(PFLT_FILTER filter);

/*
 * Loads them, once. STATUS_INVALID_PARAMETER: the wish cannot be understood, or a file that it names cannot be opened;
 * so it is at every later call. STATUS_INSUFFICIENT_RESOURCES: the next call tries again.
 */
NTSTATUS nv_configured_filters_start(void);

/* What NVRTL_FILTERS says, without loading any: NULL when it can be understood, else what is wrong with it. */
const char *nv_configured_filters_check(size_t *count);

#endif
