/* SPDX-License-Identifier: MIT */
/* Owns the text of each thread's last error, and what is said of versions. Called by whoever fails. */
#include "compat/libpmem/error.h"

#include "compat/libpmem/libpmem.h"
#include "compat/libpmem/settings.h"

#include <errno.h>
#include <nvrtl/status.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES 1024

static __thread char text[TEXT_BYTES];

void nv_pmem_error(int number, const char *format, ...)
{
    char reason[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (number && length >= 0 && (size_t)length < sizeof(text))
        (void)snprintf(text + length, sizeof(text) - (size_t)length, ": %s",
                       strerror_r(number, reason, sizeof(reason)));
    errno = number;
}

static const struct {
    NTSTATUS status;
    int number;
} pairs[] = {
    {STATUS_INVALID_PARAMETER, ENOMEM}, /* the range is not mapped any more */
    {STATUS_DISK_FULL, ENOSPC},
    {STATUS_MEDIA_WRITE_PROTECTED, EROFS},
    {STATUS_ACCESS_DENIED, EACCES},
    {STATUS_VOLUME_DISMOUNTED, ENODEV},
    {STATUS_INSUFFICIENT_RESOURCES, ENOMEM},
    {STATUS_INVALID_DEVICE_REQUEST, EINVAL},
    {STATUS_NOT_SUPPORTED, EOPNOTSUPP},
};

int nv_pmem_errno(NTSTATUS status)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (pairs[i].status == status)
            return pairs[i].number;
    return EIO;
}

void nv_pmem_failed(NTSTATUS status, const struct nv_pmem_call *call, const void *address, size_t size_bytes)
{
    nv_pmem_error(nv_pmem_errno(status), "%s: %zu bytes from %p are not durable", call->function, size_bytes, address);
    (void)nv_seam->refuse(NV_REFUSED_DEVICE, call->function, NULL, address, size_bytes, call->place);
    if (nv_pmem_settings.abort)
        abort();
}

const char *pmem_errormsg(void)
{
    return text;
}

const char *pmem_check_version(unsigned major_required, unsigned minor_required)
{
    if (major_required == NV_PMEM_MAJOR && minor_required <= NV_PMEM_MINOR)
        return NULL;
    nv_pmem_error(0, "the program needs libpmem %u.%u, and this is %u.%u", major_required, minor_required,
                  NV_PMEM_MAJOR, NV_PMEM_MINOR);
    return text;
}
