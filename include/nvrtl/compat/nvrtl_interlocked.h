/* SPDX-License-Identifier: MIT */
/*
 * Atomic operations as sources for Windows call them; each is a full barrier. Included by wdm.h; sources never include
 * it themselves.
 */
#ifndef NVRTL_COMPAT_INTERLOCKED_H
#define NVRTL_COMPAT_INTERLOCKED_H

#include "nvrtl_basic.h"

/* The value afterwards. */
#define NVRTL_COMPAT_STEP(name, type, operation)                                                                       \
    static inline type name(type volatile *Addend)                                                                     \
    {                                                                                                                  \
        return operation(Addend, 1, __ATOMIC_SEQ_CST);                                                                 \
    }

/* The value before. */
#define NVRTL_COMPAT_WITH(name, type, operation)                                                                       \
    static inline type name(type volatile *Target, type Value)                                                         \
    {                                                                                                                  \
        return operation(Target, Value, __ATOMIC_SEQ_CST);                                                             \
    }

#define NVRTL_COMPAT_COMPARE(name, type)                                                                               \
    static inline type name(type volatile *Destination, type Exchange, type Comparand)                                 \
    {                                                                                                                  \
        __atomic_compare_exchange_n(Destination, &Comparand, Exchange, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);         \
        return Comparand;                                                                                              \
    }

NVRTL_COMPAT_STEP(InterlockedIncrement, LONG, __atomic_add_fetch)
NVRTL_COMPAT_STEP(InterlockedDecrement, LONG, __atomic_sub_fetch)
NVRTL_COMPAT_STEP(InterlockedIncrement64, LONGLONG, __atomic_add_fetch)
NVRTL_COMPAT_STEP(InterlockedDecrement64, LONGLONG, __atomic_sub_fetch)
NVRTL_COMPAT_WITH(InterlockedExchange, LONG, __atomic_exchange_n)
NVRTL_COMPAT_WITH(InterlockedExchangeAdd, LONG, __atomic_fetch_add)
NVRTL_COMPAT_WITH(InterlockedAnd, LONG, __atomic_fetch_and)
NVRTL_COMPAT_WITH(InterlockedOr, LONG, __atomic_fetch_or)
NVRTL_COMPAT_WITH(InterlockedXor, LONG, __atomic_fetch_xor)
NVRTL_COMPAT_WITH(InterlockedExchange64, LONGLONG, __atomic_exchange_n)
NVRTL_COMPAT_WITH(InterlockedExchangeAdd64, LONGLONG, __atomic_fetch_add)
NVRTL_COMPAT_WITH(InterlockedExchangePointer, PVOID, __atomic_exchange_n)
NVRTL_COMPAT_COMPARE(InterlockedCompareExchange, LONG)
NVRTL_COMPAT_COMPARE(InterlockedCompareExchange64, LONGLONG)
NVRTL_COMPAT_COMPARE(InterlockedCompareExchangePointer, PVOID)

#define KeMemoryBarrier() __sync_synchronize()

#endif
