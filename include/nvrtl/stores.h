/* SPDX-License-Identifier: MIT */
/*
 * What the hooks of the store level call (compat/stores): programs compiled with $(pkg-config --cflags nvrtl-stores)
 * have each of their stores seen by the verifier, with its place in the code. Programs do not call this themselves. The
 * flags are for compiling alone (-c); a command that links, too, would take the compiler's own run-time library for
 * them: link with $(pkg-config --libs nvrtl-stores).
 */
#ifndef NVRTL_STORES_H
#define NVRTL_STORES_H

#include <nvrtl/types.h>

NVRTL_BEGIN

/*
 * Where stores are of interest: Bytes from Low. Everything lies outside while Bytes is 0, as it does in a run that is
 * not verified. The verifier changes both at any time; they are read by relaxed atomic loads.
 */
typedef struct _NVRTL_STORE_WATCH {
    struct _NVRTL_STORE_WATCH *Next;
    ULONG_PTR Low;
    ULONG_PTR Bytes;
} NVRTL_STORE_WATCH, *PNVRTL_STORE_WATCH;

/* From now on *Watch, which lives as long as the process, is kept up to date. Source: nvrtl's own. */
NVRTL_API VOID NTAPI NvrtlWatchStores(PNVRTL_STORE_WATCH Watch);

/*
 * Size bytes from Address are about to be stored by the code at Place; with Size 0, what this thread told last is
 * stored now. Any thread. Source: nvrtl's own.
 */
NVRTL_API VOID NTAPI NvrtlSeeStore(const VOID *Address, SIZE_T Size, const VOID *Place);

/*
 * The same, by an atomic operation: whoever stores so wants no one to see half of the value, and across two lines a
 * power failure does. Any thread. Source: nvrtl's own.
 */
NVRTL_API VOID NTAPI NvrtlSeeAtomicStore(const VOID *Address, SIZE_T Size, const VOID *Place);

NVRTL_END

#endif
