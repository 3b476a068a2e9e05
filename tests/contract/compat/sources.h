/* SPDX-License-Identifier: MIT */
/* What harness.c calls in the sources written for Windows. Plain C types: it is compiled without their headers. */
#ifndef COMPAT_SOURCES_H
#define COMPAT_SOURCES_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

int BlockWriterRun(void *view, size_t size_bytes, int no_drain);
int LogDriverRun(void *view, size_t size_bytes);
int LanguageRun(int argument);

#ifdef __cplusplus
}
#endif

#endif
