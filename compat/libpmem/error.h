/* SPDX-License-Identifier: MIT */
/* How this library tells of errors: errno, and the text of pmem_errormsg. */
#ifndef NV_PMEM_ERROR_H
#define NV_PMEM_ERROR_H

#include "compat/libpmem/region.h"

/* Sets errno, and the calling thread's text, to which the description of the error is added. */
__attribute__((format(printf, 2, 3))) void nv_pmem_error(int number, const char *format, ...);

/* The errno that stands for the status of an engine. */
int nv_pmem_errno(NTSTATUS status);

/*
 * The range was not made durable, and the function has no result to say so: the thread's errno and text are set, a
 * verified run hears of it, and NVRTL_PMEM_ABORT=1 ends the program here.
 */
void nv_pmem_failed(NTSTATUS status, const struct nv_pmem_call *call, const void *address, size_t size_bytes);

#endif
