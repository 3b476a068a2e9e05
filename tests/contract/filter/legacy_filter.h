/* SPDX-License-Identifier: MIT */
/*
 * A legacy filter for tests: it attaches to the volume of the current folder, and does with requests as the test says.
 */
#ifndef TEST_LEGACY_FILTER_H
#define TEST_LEGACY_FILTER_H

#include "tests/support/nt.h"

#include <nvrtl/nvrtl.h>

struct legacy_filter {
    char name;                 /* in the journal */
    PDRIVER_DISPATCH dispatch; /* of IRP_MJ_FLUSH_BUFFERS; NULL: pass it on */
    PDRIVER_DISPATCH others;   /* of all others; NULL: pass them on */
    PDRIVER_OBJECT driver;
    PDEVICE_OBJECT device;
    PDEVICE_OBJECT lower;
    void *context;
};

/* Loads it above all that are there. */
NTSTATUS legacy_filter_try(struct legacy_filter *filter);
void legacy_filter_load(struct legacy_filter *filter);
void legacy_filter_unload(struct legacy_filter *filter);

struct legacy_filter *legacy_filter_of(PDEVICE_OBJECT device);

/* Hands the request on, and does not want to hear of it again. */
NTSTATUS legacy_filter_skip(PDEVICE_OBJECT device, PIRP irp);

/* Hands the request on and waits until it comes back: it is then the caller's again. */
NTSTATUS legacy_filter_forward(PDEVICE_OBJECT device, PIRP irp);

NTSTATUS legacy_filter_complete(PIRP irp, NTSTATUS status, ULONG_PTR information);

/* What happened, one character each; emptied by reading it. Any thread may write. */
void journal_write(char character);
const char *journal_read(void);

#endif
