/* SPDX-License-Identifier: MIT */
/* Owns what drivers say to a debugger: nobody hears it, as on Windows without one. Called by drivers and filters. */
#include <nvrtl/kernel.h>

ULONG DbgPrint(const CHAR *Format, ...)
{
    (void)Format;
    return (ULONG)STATUS_SUCCESS;
}

ULONG DbgPrintEx(ULONG ComponentId, ULONG Level, const CHAR *Format, ...)
{
    (void)ComponentId;
    (void)Level;
    (void)Format;
    return (ULONG)STATUS_SUCCESS;
}
