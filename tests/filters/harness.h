/* SPDX-License-Identifier: MIT */
/* What the harnesses call in the sample drivers, which are compiled with the headers for Windows sources. */
#ifndef FILTERS_HARNESS_H
#define FILTERS_HARNESS_H

#include "tests/support/nt.h"

NTSTATUS DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

/* Opens the file, writes it twice, flushes it in each way, reads it back, renames and closes it. */
void use_files(const char *name);

#endif
