/* SPDX-License-Identifier: MIT */
/* What the hooks have in common: a store is told where it lies in what is watched. */
#ifndef NV_STORES_HOOKS_H
#define NV_STORES_HOOKS_H

#include <nvrtl/stores.h>

extern NVRTL_STORE_WATCH nv_hooks_watch __attribute__((visibility("hidden")));

#define NV_HOOK __attribute__((no_sanitize("address", "thread"), visibility("default")))

/* One comparison: it begins in what is watched, or so near before it that it may reach in. */
#define NV_SEE_STORE(address, size)                                                                                    \
    do {                                                                                                               \
        ULONG_PTR nv_low = __atomic_load_n(&nv_hooks_watch.Low, __ATOMIC_RELAXED);                                     \
        if (__builtin_expect((ULONG_PTR)(address)-nv_low < __atomic_load_n(&nv_hooks_watch.Bytes, __ATOMIC_RELAXED),   \
                             0))                                                                                       \
            NvrtlSeeStore((address), (size), __builtin_return_address(0));                                             \
    } while (0)

/* What was told is stored: of use where the hook itself has stored it. */
#define NV_STORED(address)                                                                                             \
    do {                                                                                                               \
        ULONG_PTR nv_low = __atomic_load_n(&nv_hooks_watch.Low, __ATOMIC_RELAXED);                                     \
        if (__builtin_expect((ULONG_PTR)(address)-nv_low < __atomic_load_n(&nv_hooks_watch.Bytes, __ATOMIC_RELAXED),   \
                             0))                                                                                       \
            NvrtlSeeStore((address), 0, NULL);                                                                         \
    } while (0)

#endif
