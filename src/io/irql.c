/* SPDX-License-Identifier: MIT */
/*
 * Owns the level and the regions that each thread is in: numbers that keep nothing out, by which a driver's misuse is
 * found. Called by drivers, and by the flush functions.
 */
#include "src/io/irql.h"

#include "src/nvm/seam.h"

#include <nvrtl/kernel.h>

void nv_flush_misused(const char *function, const void *place, bool from_the_top)
{
    if (nv_io_thread.irql > PASSIVE_LEVEL || nv_io_thread.special_regions)
        nv_seam->misuse(NV_MISUSE_LEVEL, function, place);
    if (from_the_top && nv_io_thread.minifilter)
        nv_seam->misuse(NV_MISUSE_REENTRY, function, place);
}

KIRQL KeGetCurrentIrql(VOID)
{
    return nv_io_thread.irql;
}

VOID KeRaiseIrql(KIRQL NewIrql, PKIRQL OldIrql)
{
    *OldIrql = nv_io_thread.irql;
    nv_io_thread.irql = NewIrql;
}

KIRQL KeRaiseIrqlToDpcLevel(VOID)
{
    KIRQL old;
    KeRaiseIrql(DISPATCH_LEVEL, &old);
    return old;
}

VOID KeLowerIrql(KIRQL NewIrql)
{
    nv_io_thread.irql = NewIrql;
}

VOID KeEnterCriticalRegion(VOID)
{
    nv_io_thread.regions++;
}

/* One region too many is left without effect. */
VOID KeLeaveCriticalRegion(VOID)
{
    nv_io_thread.regions -= nv_io_thread.regions > 0;
}

VOID KeEnterGuardedRegion(VOID)
{
    nv_io_thread.special_regions++;
}

VOID KeLeaveGuardedRegion(VOID)
{
    nv_io_thread.special_regions -= nv_io_thread.special_regions > 0;
}

BOOLEAN KeAreAllApcsDisabled(VOID)
{
    return nv_io_thread.irql >= APC_LEVEL || nv_io_thread.special_regions > 0;
}

BOOLEAN KeAreApcsDisabled(VOID)
{
    return nv_io_thread.special_regions > 0 || nv_io_thread.regions > 0;
}
